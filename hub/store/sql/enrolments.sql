-- name: put
insert into enrolment (
    site, command, reader, pass, credential, badge, resume, window_s, asked_at,
    sent_at, cancel_asked_at, cancel_sent_at, outcome, ended_at, label
)
values (
    :site, :command, :reader, :pass, :credential, :badge, :resume, :window_s, :asked_at,
    null, null, null, null, null, null
);

-- name: one
select site, command, reader, pass, credential, badge, resume, window_s, asked_at,
    sent_at, cancel_asked_at, cancel_sent_at, outcome, ended_at, label
from enrolment
where site = :site and command = :command;

-- name: open
select site, command, reader, pass, credential, badge, resume, window_s, asked_at,
    sent_at, cancel_asked_at, cancel_sent_at, outcome, ended_at, label
from enrolment
where outcome is null
order by asked_at, command;

-- name: in_doubt
select site, command, reader, pass, credential, badge, resume, window_s, asked_at,
    sent_at, cancel_asked_at, cancel_sent_at, outcome, ended_at, label
from enrolment
where pass = :pass and badge is not null and sent_at is not null and (outcome is null or outcome = 'failed')
and not exists (select 1 from credential where credential.badge = enrolment.badge)
order by asked_at desc, command;

-- name: put_sent
update enrolment set sent_at = :at where site = :site and command = :command and sent_at is null and outcome is null;

-- name: put_cancel_asked
update enrolment set cancel_asked_at = :at
where site = :site and command = :command and cancel_asked_at is null and outcome is null;

-- name: put_cancel_sent
update enrolment set cancel_sent_at = :at where site = :site and command = :command;

-- name: put_end
update enrolment set outcome = :outcome, ended_at = :at, label = :label
where site = :site and command = :command and outcome is null;

-- name: ends
select subject, value from event
where site = :site and kind = 'enrolment_ended'
order by received_at desc, seq desc
limit :most;

-- name: label_of
select label from credential where badge = :badge or credential = :credential;

-- name: network_of_site
select network from site where site = :site;

-- name: public_key
select public_key from site_key where site = :site order by since desc limit 1;

-- name: forget
delete from enrolment where asked_at < :before;
