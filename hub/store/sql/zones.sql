-- name: zones
select zone.site, zone.name, zone.level, zone_site.member
from zone
join zone_site on zone_site.site = zone.site
where zone_site.valid_from <= :day and (zone_site.valid_until is null or zone_site.valid_until > :day)
order by zone.site, zone_site.member;

-- name: networks
select network, network_name, site from site order by network, site;

-- name: zone
select network, name, level from zone where site = :site;

-- name: network_name
select min(network_name) from site where network = :network;

-- name: zones_of_network
select site from zone where network = :network order by site;

-- name: members
select member, valid_until from zone_site where site = :site order by member, valid_from;

-- name: put_zone
insert into zone (site, network, name, level) values (:site, :network, :name, :level)
on conflict (site) do update set network = :network, name = :name, level = :level;

-- name: put_member
insert into zone_site (site, member, valid_from, valid_until) values (:site, :member, :valid_from, null)
on conflict (site, member, valid_from) do update set valid_until = null;

-- name: end_member
update zone_site set valid_until = :valid_until where site = :site and member = :member and valid_until is null;
