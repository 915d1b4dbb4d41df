-- name: judged
select subject, value, at_ms
from event
where
    site = :site and kind = 'booking_judged' and clock <> 'unsynced'
    and at_ms >= :start_ms and at_ms <= :end_ms
order by at_ms, stream, seq;

-- name: bookings_between
select resource, start_ms, outcome, day
from booking
where site = :site and start_ms >= :start_ms and start_ms < :end_ms
order by start_ms, resource;

-- name: bookings_of_month
select
    count(*),
    sum(case when outcome = 'unknown' then 0 else 1 end),
    sum(case when outcome = 'no_show' then 1 else 0 end)
from booking
where site = :site and start_ms >= :start_ms and start_ms < :end_ms;
