-- name: last
select revision, basis from release where site = :site and month = :month order by revision desc limit 1;

-- name: files
select audience, name, sha256, content from release_file
where site = :site and month = :month and revision = :revision
order by audience, name;

-- name: put_release
insert into release (site, month, revision, basis) values (:site, :month, :revision, :basis);

-- name: put_file
insert into release_file (site, month, revision, audience, name, sha256, content)
values (:site, :month, :revision, :audience, :name, :sha256, :content);
