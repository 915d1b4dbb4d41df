-- name: sites
select site, network, network_name, name, time_zone, code_insee, latitude, longitude, since
from site
order by name, site;

-- name: site
select site, network, network_name, name, time_zone, code_insee, latitude, longitude, since
from site
where site = :site;

-- name: openings
select site, valid_from, opening_hours
from opening
order by site, valid_from;

-- name: openings_of_site
select valid_from, opening_hours
from opening
where site = :site
order by valid_from;

-- name: resources
select site, kind, resource, confidential
from resource
where valid_until is null
order by site, resource, valid_from;

-- name: places
select site, resource, kind, valid_from, valid_until
from resource
where kind in ('desk', 'room')
order by site, resource, valid_from;

-- name: resources_of_site
select resource, valid_from, valid_until, kind, confidential
from resource
where site = :site
order by resource, valid_from;

-- name: calendar
select 'site', time_zone, since, null, null
from site
where site = :site
union all
select 'opening', opening_hours, valid_from, null, null
from opening
where site = :site
union all
select 'place', resource, valid_from, valid_until, kind
from resource
where site = :site and kind in ('desk', 'room');

-- name: put_site
insert into site (site, network, network_name, name, time_zone, code_insee, latitude, longitude, since)
values (:site, :network, :network_name, :name, :time_zone, :code_insee, :latitude, :longitude, :since)
on conflict (site) do update set
    network = :network, network_name = :network_name, name = :name, time_zone = :time_zone, code_insee = :code_insee,
    latitude = :latitude, longitude = :longitude;

-- name: put_opening
insert into opening (site, valid_from, opening_hours)
values (:site, :valid_from, :opening_hours)
on conflict (site, valid_from) do update set opening_hours = :opening_hours;

-- name: put_resource
insert into resource (site, resource, valid_from, valid_until, kind, confidential)
values (:site, :resource, :valid_from, null, :kind, :confidential)
on conflict (site, resource, valid_from) do update set
    valid_until = null, kind = :kind, confidential = :confidential;

-- name: end_resource
update resource set valid_until = :valid_until
where site = :site and resource = :resource and valid_until is null;
