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
select said.subject, count(*), min(said.at_ms), max(said.at_ms)
from (
    select subject, at_ms
    from event
    where site = :site and kind = 'door_state_changed' and at_ms is not null
    order by at_ms desc
    limit :most
) as said
where not exists (select 1 from resource where resource.site = :site and resource.resource = said.subject)
group by said.subject
order by said.subject;
