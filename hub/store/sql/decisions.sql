-- name: decisions
select subject, value, at_ms, received_at
from event
where site = :site and kind = 'access_decided' and at_ms >= :from_ms and at_ms < :to_ms
order by at_ms, stream, seq
limit :most;
