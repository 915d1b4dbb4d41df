-- name: sites_to_walk
select distinct site from stream
where site > :after and folded < position and (first_at is not null or ordinal is not null)
order by site
limit :most;

-- name: streams
select stream, position, ordinal, folded, heard_ms, first_at
from stream
where site = :site and (first_at is not null or ordinal is not null)
order by first_at, received_at, stream;

-- name: events
select seq, kind, subject, at_ms, value
from event
where site = :site and stream = :stream and seq > :folded and seq <= :position
order by seq
limit :most;

-- name: missing
select seq from quarantine
where site = :site and stream = :stream and seq > :folded and seq <= :last and reason <> 'conflict'
union
select first_seq from gap
where site = :site and stream = :stream and first_seq > :folded and first_seq <= :last
order by 1;

-- name: put_change
insert into timeline (site, resource, start_ms, ordinal, state)
values (?, ?, ?, ?, ?)
on conflict (site, resource, start_ms, ordinal) do update set state = excluded.state;

-- name: walked
update stream set ordinal = :ordinal, folded = :folded, heard_ms = :heard_ms where site = :site and stream = :stream;

-- name: forget_walk
update stream set ordinal = null, folded = 0, heard_ms = null where site = :site and stream = :stream;

-- name: first_forgotten
select min(start_ms) from timeline where site = :site and ordinal >= :ordinal;

-- name: forget_changes
delete from timeline where site = :site and ordinal >= :ordinal;

-- name: standing
select resource, start_ms, state from standing where site = :site;

-- name: forget_standing
delete from standing where site = :site;

-- name: restore_standing
insert into standing (site, resource, start_ms, state)
select site, resource, start_ms, state from (
    select
        site, resource, start_ms, state,
        row_number() over (partition by resource order by start_ms desc, ordinal desc) as age
    from timeline
    where site = :site
) as aged
where age = 1;

-- name: put_standing
insert into standing (site, resource, start_ms, state)
values (?, ?, ?, ?)
on conflict (site, resource) do update set start_ms = excluded.start_ms, state = excluded.state;

-- name: span
select min(first_at), max(heard_ms) from stream where site = :site and first_at is not null;

-- name: mark
insert into dirty (site, day) values (?, ?);

-- name: marks
select distinct site, day from dirty order by day desc, site limit :most;

-- name: marks_of_site
select distinct day from dirty where site = :site order by day;

-- name: take_mark
delete from dirty where site = :site and day = :day;

-- name: pending
select case when exists (select 1 from dirty)
    or exists (select 1 from stream where folded < position and (first_at is not null or ordinal is not null))
    then 1 else 0 end;

-- name: days_with_figures
select day from day_figure where site = :site
union select day from day_level where site = :site
union select day from session where site = :site
union select day from booking where site = :site
order by day;
