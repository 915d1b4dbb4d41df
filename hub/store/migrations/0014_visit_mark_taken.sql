-- Marks of the zone that is being counted, some telecentres at a time, and by whom (a random name). They are dropped
-- when its counts are stored.
create table visit_mark_taken (
    site text not null,
    day text not null,
    counter text not null,
    primary key (site, day)
);
