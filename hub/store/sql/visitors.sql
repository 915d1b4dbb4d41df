-- name: held
select credential_state.since, credential_state.pass, pass.member
from credential_state
join (select distinct pass, member from pass) as pass on pass.pass = credential_state.pass
where credential_state.credential = :credential
order by credential_state.since;

-- name: last_credential
select max(credential) from (
    select distinct credential from credential_state where credential > :after order by credential limit :most
) as page;

-- name: held_by_many
select credential_state.credential, credential_state.since, credential_state.pass, pass.member
from credential_state
join (select distinct pass, member from pass) as pass on pass.pass = credential_state.pass
where credential_state.credential > :after and credential_state.credential <= :last
order by credential_state.credential, credential_state.since;

-- name: all_used
select pass from pass_used;

-- name: used_members
select distinct pass.member from pass join pass_used on pass_used.pass = pass.pass;

-- name: first_entries
select first.person, first.entry_ms, min(coalesce(site.time_zone, 'UTC'))
from (
    select person, min(entry_ms) as entry_ms
    from journal
    where entry_ms is not null and person > :after
    group by person
    order by person
    limit :most
) as first
join journal on journal.person = first.person and journal.entry_ms = first.entry_ms
left join site on site.site = journal.site
group by first.person, first.entry_ms
order by first.person;

-- name: badges_of_member
select distinct credential from credential_state where pass in (select pass from pass where member = :member)
order by credential;

-- name: is_used
select 1 from pass_used
where pass = :person
    or pass in (select pass from pass where member = :person)
    or pass in (
        select credential from credential_state where pass in (select pass from pass where member = :person)
    );

-- name: entries
select journal.entry_ms, coalesce(site.time_zone, 'UTC')
from journal
left join site on site.site = journal.site
where journal.person = :person and journal.entry_ms is not null
order by journal.entry_ms;
