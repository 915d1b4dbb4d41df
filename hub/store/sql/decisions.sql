-- name: decisions
select subject, value, at_ms, received_at
from event
where site = :site and kind = 'access_decided' and at_ms >= :from_ms and at_ms < :to_ms
order by at_ms, stream, seq
limit :most;

-- name: last_decisions
select subject, value, at_ms, received_at
from event
where site = :site and kind = 'access_decided' and at_ms is not null
order by at_ms desc, stream desc, seq desc
limit :most;

-- name: doors
select subject, value, at_ms
from event
where site = :site and kind = 'door_state_changed' and at_ms >= :from_ms and at_ms <= :to_ms
order by at_ms, stream, seq;
