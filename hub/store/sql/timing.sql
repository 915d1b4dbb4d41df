-- name: streams
select stream, boot, received_at, first_at, events, quarantined from stream where site = :site order by stream;

-- name: boots
select boot, up, stream, seq, offset_ms from boot where site = :site;

-- name: drop_boot
delete from boot where site = :site and boot = :boot;

-- name: clocks_set
select seq, t, clock, up, received_at
from event
where site = :site and stream = :stream and seq > :after and kind = 'clock_set'
order by seq
limit :most;

-- name: events
select seq, t, clock, up, received_at, at_ms
from event
where site = :site and stream = :stream and seq > :after
order by seq
limit :most;

-- name: put_instant
update event set at_ms = :at_ms where site = :site and stream = :stream and seq = :seq;

-- name: entries
select journal.seq, journal.at_ms, journal.entry_ms, event.kind, event.value
from journal
join event on event.site = journal.site and event.stream = journal.stream and event.seq = journal.seq
where journal.site = :site and journal.stream = :stream and journal.seq >= :first_seq and journal.seq <= :last_seq
order by journal.seq;

-- name: put_entry
update journal set at_ms = :at_ms, entry_ms = :entry_ms where site = :site and stream = :stream and seq = :seq;

-- name: quarantined
select count(*) from quarantine where site = :site and stream = :stream;

-- name: put_stream
update stream set first_at = :first_at, events = :events, quarantined = :quarantined
where site = :site and stream = :stream;
