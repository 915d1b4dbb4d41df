-- Each statement goes from telecentre to telecentre (`cross join` keeps SQLite to that order) and reads the days of a
-- month by their index, so that it costs what the month holds, however many years are kept.

-- name: days
select day_figure.site, day_figure.resource, day_figure.day, available_ms, observed_ms, occupied_ms
from site
cross join day_figure
where day_figure.site = site.site and day_figure.day >= :first and day_figure.day < :end and day_figure.kind = :kind
order by site.site;

-- name: sessions
select session.site, session.resource, session.day
from site
cross join session
where
    session.site = site.site and session.start_ms >= :start_ms and session.start_ms < :end_ms
    and session.day >= :first and session.day < :end and session.kind = :kind
order by site.site;

-- name: confidential
select site, resource
from resource
where confidential = 1 and (valid_until is null or valid_until > :first);

-- name: pending
select
    (select count(*) from dirty where day <= :day)
    + (select count(*) from visit_mark where day <= :day)
    + (select count(*) from visit_mark_taken where day <= :day)
    + (
        select count(*) from stream
        where folded < position and (first_at is not null or ordinal is not null)
            and (heard_ms is null or heard_ms < :until_ms)
    );

-- name: changes_of_zones
select valid_from from zone_site where valid_from > :first and valid_from < :end
union
select valid_until from zone_site where valid_until > :first and valid_until < :end
order by 1;
