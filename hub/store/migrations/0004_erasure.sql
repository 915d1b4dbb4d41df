-- Whom to forget: each credential by the SHA-256 of its id, and until when its access events are to name nobody. The
-- ledger beside the database is the truth (hub/store/erasures.py); this is what the writer asks for each person.
create table erasure (
    credential text primary key,
    erased_at bigint not null
);
-- To find what names one credential without reading 90 days.
create index journal_by_person on journal (person);
