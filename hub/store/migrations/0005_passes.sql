-- The register of passes. It is a network's, not a site's: spread over servers by site, these tables stand on each.
-- What may change is kept as rows, each in force from its `since` (UTC ms) until the next one, so that a decision of
-- the past can be explained. Validity is local time as text (2026-01-01T00:00), the same at every site.

-- The only table with names. Those of a member who was removed are empty.
create table member (
    member text primary key,
    network text not null,
    name text,
    organisation text,
    email text,
    added_at bigint not null,
    removed_at bigint
);

-- `sites` are names with a space between them, empty for the whole network; `windows` as people write them.
create table pass (
    pass text not null,
    since bigint not null,
    member text not null,
    category text not null,
    valid_from text not null,
    valid_until text,
    sites text not null,
    windows text not null,
    holidays integer not null,
    ended integer not null,
    primary key (pass, since)
);
create index pass_by_member on pass (member);

-- `badge` is what a secured badge keeps in its free-read file; one of the UID class has the site that knows it instead.
create table credential (
    credential text primary key,
    label text not null unique,
    badge text unique,
    site text,
    added_at bigint not null
);

create table credential_state (
    credential text not null,
    since bigint not null,
    pass text not null,
    state text not null,
    emergency integer not null,
    removed integer not null,
    primary key (credential, since)
);
create index credential_state_by_pass on credential_state (pass);

-- Event days: the door is open to everyone, half-open, UTC ms.
create table free_access (
    site text not null,
    door text not null,
    start_at bigint not null,
    end_at bigint not null,
    primary key (site, door, start_at)
);

-- One row: how often the register has changed.
create table register_change (
    one integer primary key,
    counter bigint not null
);
insert into register_change (one, counter) values (1, 0);

-- The last change that concerns a site, and the last one that may have taken a right away there.
create table concerned (
    site text primary key,
    changed bigint not null,
    revoked bigint not null,
    revoked_at bigint not null,
    emergency_revoked bigint not null
);
