-- Why was I refused? The decisions of one site in a period, among all its events.
create index event_decision on event (site, at_ms) where kind = 'access_decided';
