-- name: streams
select site, stream, position, events, quarantined
from stream
order by site, received_at, stream;

-- name: gaps
select site, stream, first_seq, last_seq, noted_at
from gap
order by site, noted_at, stream, first_seq;

-- name: alarms
select site, reason, times, first_at, last_at
from alarm
order by site, reason;

-- name: restores
select backup_at, restored_at, events
from restored
order by restored_at;

-- name: dirty
select
    (select count(*) from dirty)
    + (select count(*) from visit_mark)
    + (select count(*) from visit_mark_taken)
    + (select count(*) from stream where folded < position and (first_at is not null or ordinal is not null));

-- name: journal
select count(*) from journal;

-- name: last_heard
select max(heard_ms) from stream;
