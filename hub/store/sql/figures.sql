-- name: hours_of_site
select resource, day, hours
from day_hours
where site = :site and kind = :kind and day >= :from_day and day <= :to_day;

-- name: days_of_site
select resource, start_ms, end_ms, available_ms, observed_ms, occupied_ms, outside_ms, ghost_ms
from day_figure
where
    site = :site and day >= :from_day and day <= :to_day
    and kind = :kind and start_ms >= :start_ms and start_ms < :end_ms;

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

-- name: stays_of_site
select resource, day, start_ms, case when begun = 'seen' and ended = 'seen' then end_ms - start_ms end
from session
where site = :site and kind = :kind and start_ms >= :start_ms and start_ms < :end_ms;

-- name: register_of_site
select time_zone, since
from site
where site = :site;

-- name: time_zones
select distinct time_zone from site;

-- name: whole_months
-- Of each site whose month begins and ends then, and has every day from the first one on which it was known.
select site, told
from month_figure
where
    kind = :kind and month = :month and start_ms = :start_ms and end_ms = :end_ms
    and (
        (first_day = month and days = :days)
        or (
            first_day > month and days + cast(substr(first_day, 9) as integer) = :days + 1
            and exists (select 1 from site where site.site = month_figure.site and site.since >= month_figure.first_day)
        )
    );

-- name: months_of_site
select month, first_day, last_day, days, told
from month_figure
where site = :site and kind = :kind and month >= :first and month <= :last
order by month;
