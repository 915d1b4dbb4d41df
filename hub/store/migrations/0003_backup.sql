-- In a copy made by `telecentre-hub backup`: when it was made. A database that was restored keeps where it comes from.
create table backup (
    taken_at bigint primary key,
    events bigint not null
);

-- The hub went back to a copy: what came between the two moments is here again only if a site still held it.
create table restored (
    restored_at bigint primary key,
    backup_at bigint not null,
    events bigint not null
);
