-- name: next_change
select min(at_ms) from event
where site = :site and kind = 'door_state_changed' and subject = :door and at_ms > :at_ms;

-- name: decisions
select at_ms, value from event
where site = :site and kind = 'access_decided' and at_ms >= :from_ms and at_ms < :to_ms;

-- name: changes
select subject, at_ms, value from event
where site = :site and kind = 'door_state_changed' and at_ms >= :from_ms and at_ms < :to_ms
order by at_ms, stream, seq;

-- name: before
select value from event
where site = :site and kind = 'door_state_changed' and subject = :door and at_ms < :from_ms
order by at_ms desc, stream desc, seq desc
limit 1;

-- name: figures_of_day
select door, start_ms, what, times from door_figure where site = :site and day = :day;

-- name: put_figure
insert into door_figure (site, door, start_ms, what, day, times)
values (:site, :door, :start_ms, :what, :day, :times)
on conflict (site, door, start_ms, what) do update set day = :day, times = :times;

-- name: drop_figure
delete from door_figure where site = :site and door = :door and start_ms = :start_ms and what = :what;

-- name: forget_figures
delete from door_figure where site = :site;

-- name: instants
select at_ms from event where site = :site and kind = 'access_decided' and at_ms is not null
union all
select at_ms from event where site = :site and kind = 'door_state_changed' and at_ms is not null;

-- name: days_with_figures
select distinct day from door_figure where site = :site;

-- name: hours
select door, start_ms, day, what, times
from door_figure
where site = :site and start_ms >= :from_ms and start_ms < :to_ms
    and exists (
        select 1 from resource
        where resource.site = door_figure.site and resource.resource = door_figure.door and resource.kind = 'door'
            and resource.valid_from <= door_figure.day
            and (resource.valid_until is null or door_figure.day < resource.valid_until)
    )
order by door, start_ms, what;

-- name: days
select door, day, what, times
from (
    select site, door, day, what, sum(times) as times
    from door_figure
    where site = :site and day >= :from_day and day <= :to_day
    group by site, door, day, what
) as done
where exists (
    select 1 from resource
    where resource.site = done.site and resource.resource = done.door and resource.kind = 'door'
        and resource.valid_from <= done.day and (resource.valid_until is null or done.day < resource.valid_until)
);
