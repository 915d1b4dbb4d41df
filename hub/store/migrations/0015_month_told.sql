-- What the columns of a month say from `resources` on, packed (hub/store/months.py): a question about thousands of
-- telecentres takes one value of each instead of two dozen. The months are put together again from their days, which
-- takes one of these; until then they are told from the days themselves.
alter table month_figure add column told bytea;
insert into dirty (site, day) select distinct site, first_day from month_figure;
delete from month_figure;
