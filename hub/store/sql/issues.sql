-- name: put_key
insert into site_key (site, since, public_key) values (:site, :since, :public_key);

-- name: key_of_site
select public_key, since from site_key where site = :site order by since desc limit 1;

-- name: keyed
select k.site, k.public_key,
    coalesce(c.changed, 0), coalesce(c.revoked, 0), coalesce(c.revoked_at, 0), coalesce(c.emergency_revoked, 0),
    i.version, i.counter, i.issued_at, i.expires_at, i.badges, i.size_bytes
from site_key as k
join site as s on s.site = k.site
left join concerned as c on c.site = k.site
left join issue as i on i.site = k.site and i.version = (select max(last.version) from issue as last where last.site = k.site)
where k.since = (select max(other.since) from site_key as other where other.site = k.site)
order by k.site;

-- name: first_with
select min(version) from issue where site = :site and counter >= :counter;

-- name: put_issue
insert into issue (site, version, counter, issued_at, expires_at, badges, size_bytes, sealed)
values (:site, :version, :counter, :issued_at, :expires_at, :badges, :size_bytes, :sealed);

-- name: drop_sealed
update issue set sealed = null where site = :site and version < :version and sealed is not null;

-- name: forget_issues
delete from issue where site = :site and version < :version and issued_at < :before;

-- name: sealed
select sealed from issue where site = :site order by version desc limit 1;

-- name: times
select issued_at, expires_at from issue where site = :site and version = :version;

-- name: applied
select value from event
where site = :site and kind = 'rights_applied'
order by received_at desc, seq desc
limit 10;

-- name: restored_at
select coalesce(max(restored_at), 0) from restored;

-- name: resumed_at
select coalesce(max(resumed_at), 0) from rights_resumed;

-- name: proven_at
select coalesce(max(known.at), 0) from (
    select max(issued_at) as at from issue where issued_at <= :now
    union all select max(heard_ms) from stream where heard_ms <= :now
    union all select max(resumed_at) from rights_resumed where resumed_at <= :now
) as known;

-- name: put_resumed
insert into rights_resumed (resumed_at) values (:resumed_at) on conflict (resumed_at) do nothing;

-- name: is_site
select 1 from site where site = :site;
