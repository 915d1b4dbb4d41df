-- name: forget
delete from journal where person = :person and at_ms <= :until_ms;

-- name: persons
select distinct person from journal;

-- name: put_erasure
insert into erasure (credential, erased_at) values (:credential, :erased_at)
on conflict (credential) do update set
    erased_at = case when :erased_at > erasure.erased_at then :erased_at else erasure.erased_at end;

-- name: erased_at
select erased_at from erasure where credential = :credential;
