-- name: hours
select day, resource, start_ms, kind, hours
from day_hours
where site = :site;

-- name: day
select day, resource, start_ms, end_ms, kind, available_ms, observed_ms, occupied_ms, outside_ms, ghost_ms
from day_figure
where site = :site;

-- name: level
select
    day, kind, start_ms, end_ms, peak, peak_at_ms, peak_5min, min_free, saturated_ms, saturable_ms, level_ms, profile
from day_level
where site = :site;

-- name: session
select day, resource, start_ms, end_ms, active_ms, begun, ended, day, kind
from session
where site = :site;

-- name: booking
select day, resource, start_ms, outcome, day
from booking
where site = :site;

-- name: month
select
    month, kind, start_ms, end_ms, first_day, last_day, days, resources,
    available_ms, observed_ms, occupied_ms, outside_ms, ghost_ms, place_days,
    peak, peak_at_ms, peak_5min, min_free, saturated_ms, saturable_ms, level_ms, peak_sum, peak_days,
    sessions, closed, dwell_mean_ms, dwell_median_ms, dwell_p90_ms, bookings, judged, no_shows, told
from month_figure
where site = :site;

-- name: visits
select step, day, visits, half_days, unique_visitors, new_visitors, most_visits, most_half_days
from visit_figure
where site = :site;

-- name: drop_visits
delete from visit_figure where site = :site and step = :step and day = :day;

-- name: doors
select door, start_ms, what, day, times from door_figure where site = :site;

-- name: drop_door
delete from door_figure where site = :site and door = :door and start_ms = :start_ms and what = :what;

-- name: sites
select site from stream
union select site from boot
union select site from day_hours
union select site from day_figure
union select site from day_level
union select site from session
union select site from booking
union select site from month_figure
union select site from dirty
order by 1;

-- name: places
select site from site
union select site from visit_figure
union select site from door_figure
union select site from visit_mark
union select site from visit_mark_taken
order by 1;
