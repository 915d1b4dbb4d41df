-- What was asked of a telecentre's reader, and how it ended. A badge that is being made is here alone: it comes into the
-- register when the telecentre has said `done`. One in doubt keeps its badge id here, so that its card can be finished.
create table enrolment (
    site text not null,
    command text not null,
    reader text not null,
    pass text not null,
    credential text not null,
    badge text,
    resume integer not null,
    window_s integer not null,
    asked_at bigint not null,
    sent_at bigint,
    cancel_asked_at bigint,
    cancel_sent_at bigint,
    outcome text,
    ended_at bigint,
    label text,
    primary key (site, command)
);
create index enrolment_by_pass on enrolment (pass);

-- To find the ends of enrolments among years of events.
create index event_enrolment_ended on event (site, received_at) where kind = 'enrolment_ended';
