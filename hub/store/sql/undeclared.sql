-- name: spoken_of
select standing.resource, max(resource.valid_until)
from standing
left join resource on resource.site = standing.site and resource.resource = standing.resource
where standing.site = :site and not exists (
    select 1 from resource as held
    where held.site = standing.site and held.resource = standing.resource and held.valid_until is null
)
group by standing.resource
order by standing.resource
limit :most;

-- name: count_said
select count(*), min(start_ms)
from (
    select start_ms
    from timeline
    where site = :site and resource = :resource and start_ms >= :from_ms and state <> :but
    order by start_ms
    limit :most
) as said;

-- name: last_said
select start_ms
from timeline
where site = :site and resource = :resource and start_ms >= :from_ms and state <> :but
order by start_ms desc
limit 1;

-- name: first_said
select min(start_ms) from timeline where site = :site and resource = :resource;

-- name: doors
select resource, valid_until from resource where site = :site and kind = 'door';

-- name: doors_counted
with recursive counted (door) as (
    select min(door) from door_figure where site = :site
    union all
    select (select min(door_figure.door) from door_figure where site = :site and door_figure.door > counted.door)
    from counted
    where counted.door is not null
)
select door from counted where door is not null;

-- name: count_done
select
    sum(times), sum(case when what in ('FORCED_OPEN', 'DOOR_OPEN_TOO_LONG') then 0 else times end), count(*),
    min(start_ms)
from (
    select what, times, start_ms
    from door_figure
    where site = :site and door = :door and start_ms >= :from_ms
    order by start_ms
    limit :most
) as done;

-- name: last_done
select max(start_ms) from door_figure where site = :site and door = :door and start_ms >= :from_ms;

-- name: door_changes
select subject, at_ms
from event
where site = :site and kind = 'door_state_changed' and at_ms is not null
order by at_ms desc
limit :most;
