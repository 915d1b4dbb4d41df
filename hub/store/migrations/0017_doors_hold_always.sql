-- A door counts from its first day, whenever it was declared: nothing is measured against the days before. One that was
-- taken out of the register and came back has a later row, which stays.
update resource set valid_from = '0001-01-01'
where kind = 'door' and valid_from = (
    select min(one.valid_from) from resource as one
    where one.site = resource.site and one.resource = resource.resource
);
