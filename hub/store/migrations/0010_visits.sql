-- When the person of an access event came in: the event's instant if it was let in, else empty. The counts of persons
-- are counted from the journal alone, so that what it forgets cannot be counted again.
alter table journal add column entry_ms bigint;
update journal set entry_ms = (
    select event.at_ms from event
    where event.site = journal.site and event.stream = journal.stream and event.seq = journal.seq
    and event.kind = 'access_decided' and event.value like '%"reason":"GRANTED"%'
);
create index journal_by_entry on journal (site, entry_ms) where entry_ms is not null;
create index journal_entry_of_person on journal (person, entry_ms) where entry_ms is not null;

-- How many, never who: of a site, or of a zone (`zone:ID`), in a local day, ISO week or month, by its first day. A period
-- that still can change and has no row had nobody; one that is frozen and has none was never counted.
-- `most_visits`, `most_half_days`: of any one person, for the gate of publication.
create table visit_figure (
    site text not null,
    step text not null,
    day text not null,
    visits integer not null,
    half_days integer not null,
    unique_visitors integer not null,
    new_visitors integer not null,
    most_visits integer not null,
    most_half_days integer not null,
    primary key (site, step, day)
);

-- What a door did in an hour: GRANTED, a reason of refusal, FORCED_OPEN or DOOR_OPEN_TOO_LONG, and how often.
create table door_figure (
    site text not null,
    door text not null,
    start_ms bigint not null,
    what text not null,
    day text not null,
    times integer not null,
    primary key (site, door, start_ms, what)
);
create index door_figure_by_day on door_figure (site, day);

-- Local days of a site or of a zone whose visits and doors are to be counted. Append-only, as `dirty`.
create table visit_mark (
    site text not null,
    day text not null
);
create index visit_mark_by_day on visit_mark (site, day);

-- One row: whoever came in before this instant may be forgotten by the journal. A period any part of which is older
-- (the half hour before it included: a visit may have begun there) is frozen.
create table journal_purged (
    one integer primary key,
    before_ms bigint not null
);
insert into journal_purged (one, before_ms)
select 1, coalesce(max(event.at_ms) + 2100000, 0)
from event
where event.kind = 'access_decided'
    and event.at_ms < coalesce((select min(journal.at_ms) from journal), 9000000000000000);

-- The one fact kept of a pass: that it was used before what the journal still tells. It goes with the pass. A badge that
-- belongs to no pass stands here by its own id while the journal names it.
create table pass_used (
    pass text primary key
);
