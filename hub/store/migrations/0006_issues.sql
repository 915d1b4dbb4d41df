-- The public key to which a site's lists are sealed: 64 hexadecimal digits. The newest row is in force.
create table site_key (
    site text not null,
    since bigint not null,
    public_key text not null,
    primary key (site, since)
);

-- Every list of the last 90 days; `counter` is the state of the register that it holds. The newest keeps its sealed
-- bytes, to be published again on each connection to a broker that may have forgotten it.
create table issue (
    site text not null,
    version bigint not null,
    counter bigint not null,
    issued_at bigint not null,
    expires_at bigint not null,
    badges integer not null,
    size_bytes integer not null,
    sealed bytea,
    primary key (site, version)
);

-- Which list is in force at a site that is not heard now.
create index event_rights_applied on event (site, received_at) where kind = 'rights_applied';

-- After a restore nothing is issued until a person has looked at the register, which has gone back with the rest.
create table rights_resumed (
    resumed_at bigint primary key
);
