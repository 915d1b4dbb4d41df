-- name: edges
select
    standing.resource,
    (
        select earlier.start_ms from timeline as earlier
        where earlier.site = standing.site and earlier.resource = standing.resource and earlier.start_ms < :start_ms
        order by earlier.start_ms desc, earlier.ordinal desc limit 1
    ),
    (
        select earlier.state from timeline as earlier
        where earlier.site = standing.site and earlier.resource = standing.resource and earlier.start_ms < :start_ms
        order by earlier.start_ms desc, earlier.ordinal desc limit 1
    )
from standing
where standing.site = :site;

-- name: changes
select resource, start_ms, ordinal, state
from timeline
where site = ? and resource = ? and start_ms >= ? and start_ms < ?;

-- name: earlier
select start_ms, state
from timeline
where site = :site and resource = :resource and start_ms < :start_ms
order by start_ms desc, ordinal desc
limit :most;

-- name: later
select start_ms, state
from timeline
where site = :site and resource = :resource and start_ms >= :start_ms
order by start_ms, ordinal
limit :most;

-- name: span
select min(first_at), max(heard_ms) from stream where site = :site and first_at is not null;

-- name: hours_of_day
select resource, start_ms, kind, hours
from day_hours
where site = :site and day = :day;

-- name: put_hours
insert into day_hours (site, day, resource, start_ms, kind, hours)
values (?, ?, ?, ?, ?, ?)
on conflict (site, day, resource) do update set
    start_ms = excluded.start_ms, kind = excluded.kind, hours = excluded.hours;

-- name: drop_hours
delete from day_hours where site = :site and day = :day and resource = :resource;

-- name: days_of_day
select resource, start_ms, end_ms, kind, available_ms, observed_ms, occupied_ms, outside_ms, ghost_ms
from day_figure
where site = :site and day = :day;

-- name: put_day
insert into day_figure
(site, day, resource, start_ms, end_ms, kind, available_ms, observed_ms, occupied_ms, outside_ms, ghost_ms)
values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
on conflict (site, resource, start_ms) do update set
    end_ms = excluded.end_ms, day = excluded.day, kind = excluded.kind, available_ms = excluded.available_ms,
    observed_ms = excluded.observed_ms, occupied_ms = excluded.occupied_ms, outside_ms = excluded.outside_ms,
    ghost_ms = excluded.ghost_ms;

-- name: drop_day
delete from day_figure where site = :site and resource = :resource and start_ms = :start_ms;

-- name: levels_of_day
select
    kind, start_ms, end_ms, peak, peak_at_ms, peak_5min, min_free, saturated_ms, saturable_ms, level_ms, profile
from day_level
where site = :site and day = :day;

-- name: put_level
insert into day_level
(
    site, day, kind, start_ms, end_ms, peak, peak_at_ms, peak_5min, min_free, saturated_ms, saturable_ms, level_ms,
    profile
)
values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
on conflict (site, kind, day) do update set
    start_ms = excluded.start_ms, end_ms = excluded.end_ms, peak = excluded.peak, peak_at_ms = excluded.peak_at_ms,
    peak_5min = excluded.peak_5min, min_free = excluded.min_free, saturated_ms = excluded.saturated_ms,
    saturable_ms = excluded.saturable_ms, level_ms = excluded.level_ms, profile = excluded.profile;

-- name: drop_level
delete from day_level where site = :site and kind = :kind and day = :day;

-- name: sessions_between
select resource, start_ms, end_ms, active_ms, begun, ended, day, kind
from session
where site = :site and start_ms >= :start_ms and start_ms < :end_ms
order by start_ms, resource;

-- name: put_session
insert into session (site, resource, start_ms, end_ms, active_ms, begun, ended, day, kind)
values (?, ?, ?, ?, ?, ?, ?, ?, ?)
on conflict (site, resource, start_ms) do update set
    end_ms = excluded.end_ms, active_ms = excluded.active_ms, begun = excluded.begun, ended = excluded.ended,
    day = excluded.day, kind = excluded.kind;

-- name: drop_session
delete from session where site = :site and resource = :resource and start_ms = :start_ms;

-- name: put_booking
insert into booking (site, resource, start_ms, outcome, day)
values (?, ?, ?, ?, ?)
on conflict (site, resource, start_ms) do update set
    outcome = excluded.outcome, day = excluded.day;

-- name: drop_booking
delete from booking where site = :site and resource = :resource and start_ms = :start_ms;

-- name: usage_of_month
select
    kind,
    count(distinct resource),
    sum(available_ms),
    sum(observed_ms),
    sum(occupied_ms),
    sum(outside_ms),
    sum(ghost_ms),
    sum(case when available_ms > 0 then 1 else 0 end)
from day_figure
where site = :site and day >= :first and day < :end
group by kind;

-- name: levels_of_month
select kind, day, peak, peak_at_ms, peak_5min, min_free, saturated_ms, saturable_ms, level_ms
from day_level
where site = :site and day >= :first and day < :end
order by kind, day;

-- name: sessions_of_month
select kind, end_ms - start_ms, begun, ended
from session
where site = :site and start_ms >= :start_ms and start_ms < :end_ms;

-- name: months
select
    kind, start_ms, end_ms, first_day, last_day, days, resources,
    available_ms, observed_ms, occupied_ms, outside_ms, ghost_ms, place_days,
    peak, peak_at_ms, peak_5min, min_free, saturated_ms, saturable_ms, level_ms, peak_sum, peak_days,
    sessions, closed, dwell_mean_ms, dwell_median_ms, dwell_p90_ms, bookings, judged, no_shows, told
from month_figure
where site = :site and month = :month;

-- name: put_month
insert into month_figure
(
    site, month, kind, start_ms, end_ms, first_day, last_day, days, resources,
    available_ms, observed_ms, occupied_ms, outside_ms, ghost_ms, place_days,
    peak, peak_at_ms, peak_5min, min_free, saturated_ms, saturable_ms, level_ms, peak_sum, peak_days,
    sessions, closed, dwell_mean_ms, dwell_median_ms, dwell_p90_ms, bookings, judged, no_shows, told
)
values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
on conflict (site, kind, month) do update set
    start_ms = excluded.start_ms, end_ms = excluded.end_ms, first_day = excluded.first_day,
    last_day = excluded.last_day, days = excluded.days, resources = excluded.resources,
    available_ms = excluded.available_ms, observed_ms = excluded.observed_ms, occupied_ms = excluded.occupied_ms,
    outside_ms = excluded.outside_ms, ghost_ms = excluded.ghost_ms, place_days = excluded.place_days,
    peak = excluded.peak, peak_at_ms = excluded.peak_at_ms, peak_5min = excluded.peak_5min,
    min_free = excluded.min_free, saturated_ms = excluded.saturated_ms, saturable_ms = excluded.saturable_ms,
    level_ms = excluded.level_ms, peak_sum = excluded.peak_sum, peak_days = excluded.peak_days,
    sessions = excluded.sessions, closed = excluded.closed, dwell_mean_ms = excluded.dwell_mean_ms,
    dwell_median_ms = excluded.dwell_median_ms, dwell_p90_ms = excluded.dwell_p90_ms, bookings = excluded.bookings,
    judged = excluded.judged, no_shows = excluded.no_shows, told = excluded.told;

-- name: drop_month
delete from month_figure where site = :site and kind = :kind and month = :month;

-- name: first_settled
select start_ms from day_figure where site = :site order by day limit 1;

-- name: forget_hours
delete from day_hours where site = :site;

-- name: forget_days
delete from day_figure where site = :site;

-- name: forget_levels
delete from day_level where site = :site;

-- name: forget_sessions
delete from session where site = :site;

-- name: forget_months
delete from month_figure where site = :site;

-- name: forget_bookings
delete from booking where site = :site;
