-- name: events
select coalesce(sum(events), 0) from stream;

-- name: put_backup
insert into backup (taken_at, events) values (:taken_at, :events) on conflict (taken_at) do nothing;

-- name: last_backup
select taken_at, events from backup order by taken_at desc limit 1;

-- name: put_restored
insert into restored (restored_at, backup_at, events) values (:restored_at, :backup_at, :events);

-- name: is_hub
select 1 from sqlite_schema where type = 'table' and name = 'migration';

-- name: version
select max(version) from migration;

-- name: is_backup
select 1 from sqlite_schema where type = 'table' and name = 'backup';
