-- name: hours_of_site
select resource, start_ms, end_ms, day, available_ms, observed_ms, occupied_ms
from hour_figure
where site = :site and kind = :kind and day >= :from_day and day <= :to_day
order by resource, start_ms;

-- name: days_of_site
select resource, start_ms, end_ms, day, available_ms, observed_ms, occupied_ms
from day_figure
where site = :site and kind = :kind and day >= :from_day and day <= :to_day
order by resource, start_ms;

-- name: first_sign
select min(first_at) from stream where site = :site;
