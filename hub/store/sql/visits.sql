-- name: events_of_stream
select event.kind, event.subject, event.at_ms, journal.person, journal.entry_ms
from event
left join journal on journal.site = event.site and journal.stream = event.stream and journal.seq = event.seq
where event.site = :site and event.stream = :stream and event.seq >= :first_seq and event.seq <= :last_seq
    and event.kind in ('access_decided', 'door_state_changed') and event.at_ms is not null
order by event.seq;

-- name: is_used_sooner
select 1 from journal where person = :person and entry_ms < :entry_ms limit 1;

-- name: entries_after
select site, entry_ms from journal where person = :person and entry_ms >= :entry_ms;

-- name: entries_again
update journal set entry_ms = (
    select event.at_ms from event
    where event.site = journal.site and event.stream = journal.stream and event.seq = journal.seq
    and event.kind = 'access_decided' and event.value like :granted
)
where site = :site and stream = :stream;

-- name: streams
select stream from stream where site = :site;

-- name: mark
insert into visit_mark (site, day) values (:site, :day);

-- name: marks_of_sites
select distinct site, day from visit_mark
where site not like :zones and (day < :day or (day = :day and site > :site))
order by day desc, site
limit :most;

-- name: next_zone
select min(site) from (
    select min(site) as site from visit_mark where site like :zones and site > :after
    union all
    select min(site) as site from visit_mark_taken where site > :after
) as waiting;

-- name: set_aside
insert into visit_mark_taken (site, day, counter)
select distinct site, day, :counter from visit_mark where site = :site
on conflict (site, day) do nothing;

-- name: take_over
update visit_mark_taken set counter = :counter where site = :site;

-- name: taken
select day from visit_mark_taken where site = :site and counter = :counter order by day;

-- name: drop_taken
delete from visit_mark_taken where site = :site;

-- name: drop_taken_day
delete from visit_mark_taken where site = :site and day = :day;

-- name: marks_until
select site, day from visit_mark where day <= :day
union
select site, day from visit_mark_taken where day <= :day
order by 1, 2;

-- name: marks_of_place
select day from visit_mark where site = :site
union
select day from visit_mark_taken where site = :site
order by 1;

-- name: take_mark
delete from visit_mark where site = :site and day = :day;

-- name: is_pending
select 1 where exists (select 1 from visit_mark where site not like :zones);

-- name: zone_is_pending
select 1
where exists (select 1 from visit_mark where site like :zones) or exists (select 1 from visit_mark_taken);

-- name: sites
select site, network, time_zone from site order by site;

-- name: members_of_zones
select site, member, valid_from, valid_until from zone_site order by site, member, valid_from;

-- name: time_zone
select time_zone from site where site = :site;

-- name: purged
select before_ms from journal_purged where one = 1;

-- name: put_purged
update journal_purged set before_ms = :before_ms where one = 1;

-- name: entries
select person, entry_ms from journal where site = :site and entry_ms >= :from_ms and entry_ms < :to_ms;

-- name: figure
select visits, half_days, unique_visitors, new_visitors, most_visits, most_half_days
from visit_figure
where site = :site and step = :step and day = :day;

-- name: put_figure
insert into visit_figure
    (site, step, day, visits, half_days, unique_visitors, new_visitors, most_visits, most_half_days)
values (:site, :step, :day, :visits, :half_days, :unique_visitors, :new_visitors, :most_visits, :most_half_days)
on conflict (site, step, day) do update set
    visits = :visits, half_days = :half_days, unique_visitors = :unique_visitors, new_visitors = :new_visitors,
    most_visits = :most_visits, most_half_days = :most_half_days;

-- name: put_nobody
insert into visit_figure
    (site, step, day, visits, half_days, unique_visitors, new_visitors, most_visits, most_half_days)
values (:site, :step, :day, 0, 0, 0, 0, 0, 0)
on conflict (site, step, day) do nothing;

-- name: drop_figure
delete from visit_figure where site = :site and step = :step and day = :day;

-- name: figures
select day, visits, half_days, unique_visitors, new_visitors, most_visits, most_half_days
from visit_figure
where site = :site and step = :step and day >= :from_day and day <= :to_day
order by day;

-- name: first_figure
select min(day) from visit_figure where site = :site and step = :step;

-- name: first_figures
select place.site, (select min(day) from visit_figure where visit_figure.site = place.site and step = :step)
from (
    select site from site union all select site from zone union all select distinct :networks || network from site
) as place;

-- name: figures_of_all
select visit_figure.site, day, visits, half_days, unique_visitors, new_visitors, most_visits, most_half_days
from (
    select site from site union all select site from zone union all select distinct :networks || network from site
) as place
cross join visit_figure
where
    visit_figure.site = place.site and visit_figure.step = :step
    and visit_figure.day >= :from_day and visit_figure.day <= :to_day;

-- name: marks
select site, day from visit_mark
union
select site, day from visit_mark_taken;

-- name: days_with_figures
select distinct day from visit_figure where site = :site and day >= :from_day;

-- name: signs
select site, min(first_at), max(heard_ms), max(case when heard_ms is null or folded < position then 1 else 0 end)
from stream
where first_at is not null
group by site;

-- name: sign_of_site
select min(first_at), max(heard_ms) from stream where site = :site and first_at is not null;

-- name: about_to_go
select distinct person, entry_ms from journal where at_ms < :before_ms and entry_ms is not null;

-- name: put_used
insert into pass_used (pass) values (:pass) on conflict (pass) do nothing;

-- name: used_by_pass
insert into pass_used (pass)
select distinct credential_state.pass
from credential_state
join pass_used on pass_used.pass = credential_state.credential
where credential_state.since = (
    select min(one.since) from credential_state as one where one.credential = credential_state.credential
)
on conflict (pass) do nothing;

-- name: forget_used
delete from pass_used
where not exists (select 1 from pass where pass.pass = pass_used.pass)
    and not exists (select 1 from journal where journal.person = pass_used.pass and journal.at_ms >= :before_ms);

-- name: forget_badge
delete from pass_used where pass = :person;

-- name: forget_passes
delete from pass_used where pass in (select pass from pass where member = :member);

-- name: entries_of_site
select entry_ms from journal where site = :site and entry_ms is not null;
