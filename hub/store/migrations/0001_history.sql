-- Times are UTC milliseconds, days are local dates as text (2026-11-21). Every key begins with the site, so that the
-- tables can be spread over several servers by site. Types are those that SQLite and PostgreSQL both know; a `bytea`
-- keeps bytes unchanged in both.

create table site (
    site text primary key,
    network text not null,
    network_name text not null,
    name text not null,
    time_zone text not null,
    code_insee text,
    latitude double precision,
    longitude double precision,
    since text not null
);

create table opening (
    site text not null,
    valid_from text not null,
    opening_hours text not null,
    primary key (site, valid_from)
);

create table resource (
    site text not null,
    resource text not null,
    valid_from text not null,
    valid_until text,
    kind text not null,
    confidential integer not null,
    primary key (site, resource, valid_from)
);

-- One row a stream. `position` is what the edge is told: everything up to it is stored, quarantined or in a gap.
-- `folded` is how far the stream has been walked into the timeline, `heard_ms` the last instant heard from the site by
-- then, `ordinal` the stream's place in the site's order of streams when it was last walked. A stream of which no instant
-- is known (`first_at` empty) is not walked: its events have an order and no time.
create table stream (
    site text not null,
    stream text not null,
    boot text,
    position bigint not null,
    events bigint not null,
    quarantined bigint not null,
    received_at bigint not null,
    first_at bigint,
    ordinal integer,
    folded bigint not null,
    heard_ms bigint,
    primary key (site, stream)
);
create index stream_to_fold on stream (site) where folded < position and (first_at is not null or ordinal is not null);

-- One row an event. `t`, `clock`, `up` are what the edge said; `at_ms` is the instant used by the figures, empty when
-- there is none to believe. `digest` is the SHA-256 of the line as it came, to compare what comes again.
create table event (
    site text not null,
    stream text not null,
    seq bigint not null,
    kind text not null,
    subject text not null,
    value text not null,
    t bigint not null,
    clock text not null,
    up bigint not null,
    received_at bigint not null,
    at_ms bigint,
    digest bytea not null,
    primary key (site, stream, seq)
);

-- The only table that ties a moment to a person; rows die at 90 days (docs/privacy.md).
create table journal (
    site text not null,
    stream text not null,
    seq bigint not null,
    person text not null,
    at_ms bigint not null,
    primary key (site, stream, seq)
);
create index journal_by_age on journal (at_ms);

create table quarantine (
    site text not null,
    stream text not null,
    seq bigint not null,
    sha256 text not null,
    reason text not null,
    size_bytes integer not null,
    sample bytea,
    received_at bigint not null,
    primary key (site, stream, seq, sha256)
);

-- Positions that no edge holds any more: a loss is always a visible row.
create table gap (
    site text not null,
    stream text not null,
    first_seq bigint not null,
    last_seq bigint not null,
    noted_at bigint not null,
    primary key (site, stream, first_seq)
);

-- What went wrong, counted; one sample a site and reason. The site is empty when it is not one we know.
create table alarm (
    site text not null,
    reason text not null,
    times bigint not null,
    first_at bigint not null,
    last_at bigint not null,
    sample bytea,
    primary key (site, reason)
);

-- What ties a boot's monotonic clock to UTC: its first trustworthy clock_set.
create table boot (
    site text not null,
    boot text not null,
    up bigint not null,
    stream text not null,
    seq bigint not null,
    offset_ms bigint not null,
    primary key (site, boot)
);

-- A resource is in `state` from `start_ms` until its next row; the last state counts up to the last instant heard.
create table timeline (
    site text not null,
    resource text not null,
    start_ms bigint not null,
    ordinal integer not null,
    state text not null,
    primary key (site, resource, start_ms, ordinal)
);

-- The last row of the timeline of each resource: where the walk goes on.
create table standing (
    site text not null,
    resource text not null,
    start_ms bigint not null,
    state text not null,
    primary key (site, resource)
);

create table hour_figure (
    site text not null,
    resource text not null,
    start_ms bigint not null,
    end_ms bigint not null,
    day text not null,
    kind text not null,
    available_ms bigint not null,
    observed_ms bigint not null,
    occupied_ms bigint not null,
    primary key (site, resource, start_ms)
);
create index hour_figure_by_day on hour_figure (site, day);

create table day_figure (
    site text not null,
    resource text not null,
    start_ms bigint not null,
    end_ms bigint not null,
    day text not null,
    kind text not null,
    available_ms bigint not null,
    observed_ms bigint not null,
    occupied_ms bigint not null,
    primary key (site, resource, start_ms)
);
create index day_figure_by_day on day_figure (site, day);

-- Append-only: a mark is never refused because one is there already, or a concurrent settler would lose it.
create table dirty (
    site text not null,
    day text not null
);
create index dirty_by_day on dirty (site, day);
