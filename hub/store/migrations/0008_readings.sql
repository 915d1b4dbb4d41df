-- Who read the journal of a person or of a site, when, and why: rows are added, never changed, and die of age alone.
-- `subject` is a credential, a member or a site, by its id: no name and no label is kept here.
-- The period is as it was asked for: local times as text (2026-11-01), the end not included.
create table reading (
    reading text primary key,
    at bigint not null,
    reader text not null,
    kind text not null,
    subject text not null,
    from_local text not null,
    to_local text,
    answered integer not null,
    reason text not null
);
create index reading_by_age on reading (at);

-- The access journal: decisions at doors, and whose badge it was as far as the journal still names one. The member is
-- the one whose pass the badge belonged to then; a badge that changed hands says so.
create view access_journal as
select
    event.site,
    coalesce(site.time_zone, 'UTC') as time_zone,
    event.stream,
    event.seq,
    event.subject as reader,
    event.value,
    event.at_ms,
    event.received_at,
    journal.at_ms as aged_ms,
    journal.person,
    credential.label,
    member.member,
    member.name
from event
left join site on site.site = event.site
left join journal on journal.site = event.site and journal.stream = event.stream and journal.seq = event.seq
left join credential on credential.credential = journal.person
left join credential_state as held on held.credential = journal.person and held.since = coalesce(
    (select max(one.since) from credential_state as one where one.credential = journal.person and one.since <= journal.at_ms),
    (select min(one.since) from credential_state as one where one.credential = journal.person)
)
left join pass on pass.pass = held.pass and pass.since = (
    select max(one.since) from pass as one where one.pass = held.pass
)
left join member on member.member = pass.member
where event.kind = 'access_decided';

-- Was the door opened? What the doors of one site said in a period, among all its events.
create index event_door on event (site, at_ms) where kind = 'door_state_changed';

-- A site's first sign of life, at which its first day begins to count, without reading all its streams.
create index stream_by_first on stream (site, first_at);
