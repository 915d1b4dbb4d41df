-- name: stream
select stream.boot, stream.position, boot.up, boot.stream, boot.seq, boot.offset_ms
from stream
left join boot on boot.site = stream.site and boot.boot = coalesce(stream.boot, :boot)
where stream.site = :site and stream.stream = :stream;

-- name: positions
select stream, position from stream where site = ? and stream in (?);

-- name: heard_beyond
select received_at from event where site = :site and stream = :stream and seq > :last order by seq limit 1;

-- name: empty_streams
select count(*) from (select 1 from stream where site = :site and boot is null limit :most) as empty;

-- name: put_stream
insert into stream (site, stream, boot, position, events, quarantined, received_at, first_at, folded)
values (?, ?, ?, ?, ?, ?, ?, ?, ?)
on conflict (site, stream) do update set
    boot = coalesce(stream.boot, excluded.boot),
    position = excluded.position,
    events = stream.events + excluded.events,
    quarantined = stream.quarantined + excluded.quarantined,
    first_at = coalesce(stream.first_at, excluded.first_at);

-- name: put_event
insert into event (site, stream, received_at, seq, kind, subject, value, t, clock, up, at_ms, digest)
values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
on conflict (site, stream, seq) do nothing;

-- name: put_person
insert into journal (site, stream, seq, person, at_ms, entry_ms)
values (:site, :stream, :seq, :person, :at_ms, :entry_ms)
on conflict (site, stream, seq) do nothing;

-- name: put_bad_line
insert into quarantine (site, stream, seq, sha256, reason, size_bytes, sample, received_at)
values (:site, :stream, :seq, :sha256, :reason, :size_bytes, :sample, :received_at)
on conflict (site, stream, seq, sha256) do nothing;

-- name: bad_lines_of_site
select count(*) from (select 1 from quarantine where site = :site limit :most) as kept;

-- name: count_bad_lines
update stream set quarantined = quarantined + :quarantined where site = :site and stream = :stream;

-- name: stored_digests
select seq, digest from event where site = :site and stream = :stream and seq >= :first_seq and seq <= :last_seq;

-- name: put_gap
insert into gap (site, stream, first_seq, last_seq, noted_at)
values (:site, :stream, :first_seq, :last_seq, :noted_at)
on conflict (site, stream, first_seq) do nothing;

-- name: lengthen_gap
update gap set last_seq = :last_seq where site = :site and stream = :stream and last_seq = :first_seq - 1;

-- name: is_known_site
select 1 where exists (select 1 from site where site = :site) or exists (select 1 from stream where site = :site);

-- name: put_alarm
insert into alarm (site, reason, times, first_at, last_at, sample)
values (:site, :reason, :times, :at, :at, :sample)
on conflict (site, reason) do update set times = alarm.times + :times, last_at = :at
returning times;

-- name: boot
select up, stream, seq, offset_ms from boot where site = :site and boot = :boot;

-- name: put_boot
insert into boot (site, boot, up, stream, seq, offset_ms)
values (:site, :boot, :up, :stream, :seq, :offset_ms)
on conflict (site, boot) do update set up = :up, stream = :stream, seq = :seq, offset_ms = :offset_ms;

-- name: streams_of_boot
select stream from stream where site = :site and boot = :boot;

-- name: retime
update event set at_ms =
    case when up + :offset_ms >= :earliest_ms and up + :offset_ms <= received_at + :future_ms then up + :offset_ms end
where site = :site and stream = :stream and clock = 'unsynced';

-- name: walk_again
update stream set
    folded = 0,
    first_at = (
        select event.at_ms from event
        where event.site = :site and event.stream = :stream and event.at_ms is not null
        order by event.seq limit 1
    )
where site = :site and stream = :stream;

-- name: age_again
update journal set at_ms = (
    select case when event.at_ms < event.received_at then event.at_ms else event.received_at end from event
    where event.site = journal.site and event.stream = journal.stream and event.seq = journal.seq
)
where site = :site and stream = :stream and exists (
    select 1 from event
    where event.site = journal.site and event.stream = journal.stream and event.seq = journal.seq
);
