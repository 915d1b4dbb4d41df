-- The hours of a desk or room in a local day, packed (hub/day_hours.py): a month of a telecentre is read of some 150 rows
-- and not of 1,300. By day before resource, as they come and as they are asked for.
create table day_hours (
    site text not null,
    day text not null,
    resource text not null,
    start_ms bigint not null,
    kind text not null,
    hours bytea not null,
    primary key (site, day, resource)
);
drop table hour_figure;
-- The newest marks are taken first: without this, all of them would be read and sorted for each few.
create index dirty_newest on dirty (day desc, site);
-- The hours of the days that are known already are computed again, of the same events.
insert into dirty (site, day) select distinct site, day from day_figure;
