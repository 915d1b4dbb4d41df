-- name: hours_of_site
select resource, start_ms, end_ms, available_ms, observed_ms, occupied_ms, outside_ms, ghost_ms
from hour_figure
where site = :site and kind = :kind and day >= :from_day and day <= :to_day;

-- name: days_of_site
select resource, start_ms, end_ms, available_ms, observed_ms, occupied_ms, outside_ms, ghost_ms
from day_figure
where site = :site and kind = :kind and day >= :from_day and day <= :to_day;

-- name: settled_days_of_site
select resource, day
from day_figure
where site = :site and kind = :kind and day >= :from_day and day <= :to_day;

-- name: levels_of_site
select
    day, start_ms, end_ms, peak, peak_at_ms, peak_5min, min_free, saturated_ms, saturable_ms, level_ms, profile
from day_level
where site = :site and kind = :kind and day >= :from_day and day <= :to_day
order by day;

-- name: sessions_of_site
select resource, day, start_ms, end_ms, active_ms, begun, ended
from session
where site = :site and kind = :kind and start_ms >= :start_ms and start_ms < :end_ms
order by start_ms, resource;

-- name: register_of_sites
select site, time_zone, since
from site;

-- name: register_of_site
select site, time_zone, since
from site
where site = :site;

-- name: months_of_sites
select
    site, month, first_day, last_day, days, resources,
    available_ms, observed_ms, occupied_ms, outside_ms, ghost_ms, place_days,
    peak, peak_at_ms, peak_5min, min_free, saturated_ms, saturable_ms, level_ms, peak_sum, peak_days,
    sessions, closed, dwell_mean_ms, dwell_median_ms, dwell_p90_ms
from month_figure
where kind = :kind and month >= :first and month <= :last
order by month;

-- name: months_of_site
select
    site, month, first_day, last_day, days, resources,
    available_ms, observed_ms, occupied_ms, outside_ms, ghost_ms, place_days,
    peak, peak_at_ms, peak_5min, min_free, saturated_ms, saturable_ms, level_ms, peak_sum, peak_days,
    sessions, closed, dwell_mean_ms, dwell_median_ms, dwell_p90_ms
from month_figure
where site = :site and kind = :kind and month >= :first and month <= :last
order by month;
