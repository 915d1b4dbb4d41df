-- name: of_badge
select site, time_zone, reader, value, at_ms, received_at, label, member, name
from access_journal
where person = :subject and time_zone = :zone and aged_ms >= :oldest_ms
    and coalesce(at_ms, aged_ms) >= :from_ms and coalesce(at_ms, aged_ms) < :to_ms
order by coalesce(at_ms, aged_ms), site, stream, seq
limit :most;

-- name: of_member
select site, time_zone, reader, value, at_ms, received_at, label, member, name
from access_journal
where person in (
    select credential from credential_state where pass in (select pass from pass where member = :subject)
)
    and member = :subject and time_zone = :zone and aged_ms >= :oldest_ms
    and coalesce(at_ms, aged_ms) >= :from_ms and coalesce(at_ms, aged_ms) < :to_ms
order by coalesce(at_ms, aged_ms), site, stream, seq
limit :most;

-- name: of_site
select site, time_zone, reader, value, at_ms, received_at, label, member, name
from access_journal
where site = :subject and (aged_ms is null or aged_ms >= :oldest_ms) and at_ms >= :from_ms and at_ms < :to_ms
order by at_ms, stream, seq
limit :most;

-- name: zones
select distinct time_zone from site union select 'UTC' order by 1;

-- name: zone_of_site
select time_zone from site where site = :site;

-- name: member_of_badge
select pass.member, member.name, member.email
from pass
join member on member.member = pass.member
where pass.pass = :pass
order by pass.since desc
limit 1;

-- name: put_reading
insert into reading (reading, at, reader, kind, subject, from_local, to_local, answered, reason)
values (:reading, :at, :reader, :kind, :subject, :from_local, :to_local, :answered, :reason);

-- name: readings
select
    reading.at, reading.reader, reading.kind, reading.subject, credential.label, reading.from_local,
    reading.to_local, reading.answered, reading.reason
from reading
left join credential on reading.kind = 'badge' and credential.credential = reading.subject
order by reading.at desc, reading.reading
limit :most;

-- name: purge_readings
delete from reading where at < :before_ms;

-- name: purge_journal
delete from journal where at_ms < :before_ms;
