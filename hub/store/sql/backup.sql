-- name: events
select coalesce(sum(events), 0) from stream;

-- name: put_backup
insert into backup (taken_at, events) values (:taken_at, :events) on conflict (taken_at) do nothing;

-- name: last_backup
select taken_at, events from backup order by taken_at desc limit 1;

-- name: put_restored
insert into restored (restored_at, backup_at, events)
select coalesce(max(known.at), 0), :backup_at, :events from (
    select :restored_at as at
    union all select 1 + max(resumed_at) from rights_resumed
    union all select 1 + max(restored_at) from restored
) as known;

-- name: is_hub
select 1 from sqlite_schema where type = 'table' and name = 'migration';

-- name: version
select max(version) from migration;

-- name: is_backup
select 1 from sqlite_schema where type = 'table' and name = 'backup';
