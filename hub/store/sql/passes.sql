-- name: put_member
insert into member (member, network, name, organisation, email, added_at, removed_at)
values (:member, :network, :name, :organisation, :email, :added_at, null);

-- name: change_member
update member set name = :name, organisation = :organisation, email = :email
where member = :member and removed_at is null;

-- name: forget_member
update member set name = null, organisation = null, email = null, removed_at = coalesce(removed_at, :removed_at)
where member = :member;

-- name: members
select member, network, name, organisation, email, added_at, removed_at
from member
where :member is null or member = :member
order by name, member;

-- name: named_members
select member from member where name is not null;

-- name: put_pass
insert into pass (pass, since, member, category, valid_from, valid_until, sites, windows, holidays, ended)
values (:pass, :since, :member, :category, :valid_from, :valid_until, :sites, :windows, :holidays, :ended);

-- name: passes
select p.pass, p.since, p.member, m.network, p.category, p.valid_from, p.valid_until, p.sites, p.windows, p.holidays, p.ended
from pass as p
join member as m on m.member = p.member
where p.since = (select max(other.since) from pass as other where other.pass = p.pass and other.since <= :at)
order by p.pass;

-- name: pass_history
select p.pass, p.since, p.member, m.network, p.category, p.valid_from, p.valid_until, p.sites, p.windows, p.holidays, p.ended
from pass as p
join member as m on m.member = p.member
where p.pass = :pass
order by p.since;

-- name: put_credential
insert into credential (credential, label, badge, site, added_at)
values (:credential, :label, :badge, :site, :added_at);

-- name: is_label
select 1 from credential where label = :label;

-- name: is_badge
select 1 from credential where badge = :badge;

-- name: put_state
insert into credential_state (credential, since, pass, state, emergency, removed)
values (:credential, :since, :pass, :state, :emergency, :removed);

-- name: badges
select c.credential, c.label, s.pass, c.badge, c.site, s.state, s.emergency, s.removed, s.since
from credential as c
join credential_state as s on s.credential = c.credential
where s.since = (
    select max(other.since) from credential_state as other
    where other.credential = c.credential and other.since <= :at
)
order by c.label;

-- name: badge_history
select c.credential, c.label, s.pass, c.badge, c.site, s.state, s.emergency, s.removed, s.since
from credential as c
join credential_state as s on s.credential = c.credential
where c.credential = :name or c.label = upper(:name)
order by s.since;

-- name: credentials_of_member
select distinct credential from credential_state
where pass in (select pass from pass where member = :member)
order by credential;

-- name: is_emergency_pass
select 1 from credential_state where pass = :pass and emergency = 1;

-- name: put_free_access
insert into free_access (site, door, start_at, end_at)
values (:site, :door, :start_at, :end_at)
on conflict (site, door, start_at) do update set end_at = :end_at;

-- name: free_access_until
select end_at from free_access where site = :site and door = :door and start_at = :start_at;

-- name: end_free_access
delete from free_access where site = :site and door = :door and start_at = :start_at;

-- name: free_access
select site, door, start_at, end_at
from free_access
where end_at > :at
order by site, start_at, door;

-- name: forget_free_access
delete from free_access where end_at < :before;

-- name: forget_passes
delete from pass
where exists (
    select 1 from pass as later where later.pass = pass.pass and later.since > pass.since and later.since < :before
);

-- name: forget_states
delete from credential_state
where exists (
    select 1 from credential_state as later
    where later.credential = credential_state.credential and later.since > credential_state.since
    and later.since < :before
);

-- name: counter
select counter from register_change where one = 1;

-- name: count_change
update register_change set counter = counter + 1 where one = 1;

-- name: sites_of_network
select site from site where network = :network order by site;

-- name: networks
select distinct network from site order by network;

-- name: is_door
select 1 from resource where site = :site and resource = :door and kind = 'door' and valid_until is null;

-- name: put_concerned
insert into concerned (site, changed, revoked, revoked_at, emergency_revoked)
values (:site, :changed, :revoked, :revoked_at, :emergency_revoked)
on conflict (site) do update set
    changed = :changed,
    revoked = case when :revoked > 0 then :revoked else concerned.revoked end,
    revoked_at = case when :revoked > 0 then :revoked_at else concerned.revoked_at end,
    emergency_revoked = case when :emergency_revoked > 0 then :emergency_revoked else concerned.emergency_revoked end;
