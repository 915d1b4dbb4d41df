-- Time in use outside the opening hours, and time for which a room was booked and nobody came.
alter table hour_figure add column outside_ms bigint not null default 0;
alter table hour_figure add column ghost_ms bigint not null default 0;
alter table day_figure add column outside_ms bigint not null default 0;
alter table day_figure add column ghost_ms bigint not null default 0;

-- Sessions at desks and in rooms, each on the local day on which it began; nobody is named, and no table says who it was.
-- `begun` is seen or lost, `ended` is seen, lost or open (hub/sessions.py).
create table session (
    site text not null,
    resource text not null,
    start_ms bigint not null,
    end_ms bigint not null,
    active_ms bigint not null,
    begun text not null,
    ended text not null,
    day text not null,
    kind text not null,
    primary key (site, resource, start_ms)
);
create index session_by_start on session (site, start_ms);

-- The desks or the rooms of a site together, in a local day: how many were in use at once. `profile` is the step function
-- that the counts were taken from, eight bytes a level (hub/levels.py): zones are summed of it, and hours are cut from it.
create table day_level (
    site text not null,
    kind text not null,
    day text not null,
    start_ms bigint not null,
    end_ms bigint not null,
    peak integer,
    peak_at_ms bigint,
    peak_5min integer,
    min_free integer,
    saturated_ms bigint not null,
    saturable_ms bigint not null,
    level_ms bigint not null,
    profile bytea not null,
    primary key (site, kind, day)
);

-- A local month of a site, for questions about all of them at once: the days pooled, from the first day that has figures
-- to the last, so many of them. `month` is its first day.
create table month_figure (
    site text not null,
    kind text not null,
    month text not null,
    start_ms bigint not null,
    end_ms bigint not null,
    first_day text not null,
    last_day text not null,
    days integer not null,
    resources integer not null,
    available_ms bigint not null,
    observed_ms bigint not null,
    occupied_ms bigint not null,
    outside_ms bigint not null,
    ghost_ms bigint not null,
    place_days integer not null,
    peak integer,
    peak_at_ms bigint,
    peak_5min integer,
    min_free integer,
    saturated_ms bigint not null,
    saturable_ms bigint not null,
    level_ms bigint not null,
    peak_sum integer not null,
    peak_days integer not null,
    sessions integer not null,
    closed integer not null,
    dwell_mean_ms double precision,
    dwell_median_ms double precision,
    dwell_p90_ms bigint,
    primary key (site, kind, month)
);
create index month_figure_by_month on month_figure (kind, month);

-- Days that have figures get these, too.
insert into dirty (site, day) select distinct site, day from day_figure;
