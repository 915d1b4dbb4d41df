-- What came of the bookings of rooms: came, no_show or unknown, each on the local day on which it began; nobody is named.
create table booking (
    site text not null,
    resource text not null,
    start_ms bigint not null,
    outcome text not null,
    day text not null,
    primary key (site, resource, start_ms)
);
create index booking_by_start on booking (site, start_ms);
create index event_booking_judged on event (site, at_ms) where kind = 'booking_judged';

alter table month_figure add column bookings integer not null default 0;
alter table month_figure add column judged integer not null default 0;
alter table month_figure add column no_shows integer not null default 0;
