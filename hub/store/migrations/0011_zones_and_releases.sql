-- Valleys, territories and massifs. In the column `site` stands `zone:ID`, which no site's id is; a network is a zone that
-- follows from `site.network`. Sites belong to a zone in local days, half-open; zones overlap.
create table zone (
    site text primary key,
    network text not null,
    name text not null,
    level text not null
);
create table zone_site (
    site text not null,
    member text not null,
    valid_from text not null,
    valid_until text,
    primary key (site, member, valid_from)
);

-- What was published of a month, and never changes. In the column `site` stands `release`, for it is about all of them.
-- `basis` is what it was computed from, compressed: what comes late is what a later revision has and this has not.
create table release (
    site text not null,
    month text not null,
    revision integer not null,
    basis bytea not null,
    primary key (site, month, revision)
);
create table release_file (
    site text not null,
    month text not null,
    revision integer not null,
    audience text not null,
    name text not null,
    sha256 text not null,
    content bytea not null,
    primary key (site, month, revision, audience, name)
);
