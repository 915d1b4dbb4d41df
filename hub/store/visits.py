"""How many persons came to each site and zone: counted from the journal while it lives, and kept as counts for ever.

What must stay true here: a count is a function of the journal, the register and the one fact kept of each pass, in
whatever order they came; a period any part of whose journal is gone is never counted again; no row of a figure names
anybody. Each function runs inside the caller's transaction. Source: protocol TC1, "Persons"; docs/method.md;
docs/decisions/0028-counts-of-persons-freeze.md.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import date, timedelta
from zoneinfo import ZoneInfo

from contract.limits import MAX_FUTURE_MS
from hub.opening import day_of, days_between
from hub.store.connection import Connection
from hub.store.doors import days_of_doors, forget_doors, instants_of_doors, next_change, settle_doors
from hub.store.rows import CountDifference
from hub.store.schema import statements
from hub.store.strays import drop_doors, drop_stray_visits, drop_unreadable_counts
from hub.store.visit_counts import PERIODS, is_frozen, purged_until, settle_place
from hub.store.visit_places import ALL_DAYS, Members, members_of, time_zones, within, zones_with_members
from hub.store.visitors import Visitors
from hub.store.zones import ZONE
from hub.visits import ABSENT_MS, Period, bounds_of, first_day, next_day

COUNTED_KINDS = frozenset({"access_decided", "door_state_changed"})
"""Events from which visits and doors are counted."""

FORGOTTEN_BEFORE_MS = MAX_FUTURE_MS + ABSENT_MS
"""An entry may be later than the age of its journal row by as much as an edge's clock may be ahead; and a period needs
the half hour before it: a visit may have begun there."""

MAX_DAYS_A_SLICE = 60
"""Marked days of sites counted in one transaction: some 0.2 s, so that new history does not wait long behind them."""

Mark = tuple[str, str]
"""A site, and a local day to be counted."""

FROM_THE_NEWEST: Mark = ("", "9999-12-31")

LAST = 2**62
GRANTED = '%"reason":"GRANTED"%'

_SQL = statements("visits")
_MARKS = {"zones": f"{ZONE}%"}


# Marks: which days are to be counted.


def entry_of(kind: str, value: str, at_ms: int | None) -> int | None:
    """Return when an event let its person in; None when it did not, or at no instant to believe."""
    return at_ms if kind == "access_decided" and GRANTED.strip("%") in value else None


def mark_events(connection: Connection, site: str, stream: str, first: int = 0, last: int = LAST) -> None:
    """Note that the days of these events are to be counted, and those on which they bear: before and after a change."""
    values = {"site": site, "stream": stream, "first_seq": first, "last_seq": last}
    visitors = Visitors(connection)
    instants: list[tuple[str, int]] = []
    for kind, subject, at_ms, person, entry_ms in connection.execute(_SQL["events_of_stream"], values).fetchall():
        instants.append((site, at_ms))
        if kind == "door_state_changed":
            following = next_change(connection, site, subject, at_ms)
            instants += [] if following is None else [(site, following)]
        elif entry_ms is not None:
            # The half hour after it: whoever comes in again then, maybe on the next day, has not begun another visit.
            instants += [(site, entry_ms), (site, entry_ms + ABSENT_MS)]
            instants += _after_first(connection, visitors.badges(visitors.person(person, entry_ms)), entry_ms)
    _mark(connection, instants)


def _after_first(connection: Connection, badges: list[str], entry_ms: int) -> list[tuple[str, int]]:
    """Return all later entries of a person if this is the first one: where they were new depends on it."""
    for badge in badges:
        if connection.execute(_SQL["is_used_sooner"], {"person": badge, "entry_ms": entry_ms}).fetchone() is not None:
            return []
    return list(_entries_after(connection, badges, entry_ms))


def _entries_after(connection: Connection, badges: Iterable[str], entry_ms: int) -> Iterator[tuple[str, int]]:
    for badge in badges:
        for site, at_ms in connection.execute(_SQL["entries_after"], {"person": badge, "entry_ms": entry_ms}):
            yield site, at_ms
            yield site, at_ms + ABSENT_MS


def mark_badge(connection: Connection, credential: str) -> None:
    """Note that every day is to be counted on which whoever has or had a badge came in, with whatever badge.

    Called after the register says anew whose it is, and before the journal forgets it.
    """
    members = Visitors(connection).members(credential) or {credential}
    badges = {credential}.union(*(Visitors(connection).badges(member) for member in members))
    _mark(connection, _entries_after(connection, badges, 0))


def _mark(connection: Connection, instants: Iterable[tuple[str, int]]) -> None:
    """Mark the local days of (site, instant); a site that the register does not hold has none yet."""
    zones: dict[str, ZoneInfo | None] = {}
    days: set[tuple[str, str]] = set()
    for site, at_ms in instants:
        if site not in zones:
            row = connection.execute(_SQL["time_zone"], {"site": site}).fetchone()
            zones[site] = None if row is None else ZoneInfo(row[0])
        if (zone := zones[site]) is not None:
            days.add((site, day_of(at_ms, zone).isoformat()))
    _mark_days(connection, days)


def _mark_days(connection: Connection, days: Iterable[tuple[str, str]]) -> None:
    connection.executemany(_SQL["mark"], [{"site": place, "day": day} for place, day in sorted(days)])


def mark_site(connection: Connection, site: str, *, other_days: bool) -> None:
    """Note that all of a site is to be counted: it is new in the register, or its days begin and end elsewhere."""
    row = connection.execute(_SQL["time_zone"], {"site": site}).fetchone()
    if row is None:
        return
    days = _all_days(connection, site, ZoneInfo(row[0]))
    if other_days:
        forget_doors(connection, site)
    _mark_days(connection, {(site, day) for day in days})


def _all_days(connection: Connection, site: str, zone: ZoneInfo) -> set[str]:
    """Return every local day of a site of which anything is or may have to be counted."""
    entries = [row[0] for row in connection.execute(_SQL["entries_of_site"], {"site": site})]
    instants = [*instants_of_doors(connection, site), *entries, *(at_ms + ABSENT_MS for at_ms in entries)]
    days = {day_of(at_ms, zone).isoformat() for at_ms in instants}
    return days | set(days_of_doors(connection, site)) | _days_with_figures(connection, site)


def _days_with_figures(connection: Connection, place: str) -> set[str]:
    return {row[0] for row in connection.execute(_SQL["days_with_figures"], {"site": place, "from_day": ""})}


def mark_zones(connection: Connection, before: Mapping[str, Members]) -> None:
    """Note that those zones are to be counted whose sites are others than `before`."""
    now = zones_with_members(connection)
    for place in before.keys() | now.keys():
        if (members := now.get(place, {})) != before.get(place, {}):
            _mark_days(connection, {(place, day) for day in _days_of_zone(connection, place, members)})


def _days_of_zone(connection: Connection, place: str, sites: Iterable[str]) -> set[str]:
    days = _days_with_figures(connection, place)
    for site, zone in time_zones(connection, sites).items():
        for (at_ms,) in connection.execute(_SQL["entries_of_site"], {"site": site}):
            days |= {day_of(at_ms, zone).isoformat(), day_of(at_ms + ABSENT_MS, zone).isoformat()}
    return days


# Settling: counting what is marked.


def is_pending(connection: Connection) -> bool:
    """Return whether days of sites are still to be counted."""
    return connection.execute(_SQL["is_pending"], _MARKS).fetchone() is not None


def zone_is_pending(connection: Connection) -> bool:
    """Return whether days of zones are still to be counted."""
    return connection.execute(_SQL["zone_is_pending"], _MARKS).fetchone() is not None


def settle_sites(connection: Connection, after: Mark = FROM_THE_NEWEST) -> Mark:
    """Count some of the marked days of sites, the newest first, and mark those days of their zones.

    Return where to go on after: each mark has its turn, however many are made meanwhile.
    """
    page = {**_MARKS, "site": after[0], "day": after[1], "most": MAX_DAYS_A_SLICE}
    marks = connection.execute(_SQL["marks_of_sites"], page).fetchall()
    ours = connection.lock_sites({site for site, _ in marks}, waits=False)
    _settle(connection, [(site, day) for site, day in marks if site in ours])
    return (marks[-1][0], marks[-1][1]) if len(marks) == MAX_DAYS_A_SLICE else FROM_THE_NEWEST


def _settle(connection: Connection, marks: Iterable[tuple[str, str]]) -> None:
    """Count marked days of places."""
    zones = zones_with_members(connection)
    days: dict[str, list[str]] = {}
    for place, day in marks:
        days.setdefault(place, []).append(day)
    for place, of_place in days.items():
        for name in ("take_mark", "drop_taken_day"):
            connection.executemany(_SQL[name], [{"site": place, "day": day} for day in of_place])
        settle_place(connection, place, members_of(zones, place), of_place)
        if place.startswith(ZONE):
            continue
        for zone in time_zones(connection, (place,)).values():
            for day in of_place:
                settle_doors(connection, place, zone, day)
        around = [name for name, members in zones.items() if place in members]
        _mark_days(connection, {(name, day) for name in around for day in of_place})


# Freezing: before the journal forgets.


def freeze(connection: Connection, before_ms: int) -> None:
    """Count what is still to be counted, and keep what depends on journal rows older than `before_ms`: they go now."""
    purged_ms = purged_until(connection)
    until_ms = before_ms + FORGOTTEN_BEFORE_MS
    if until_ms > purged_ms:
        # A mark of a later day may bear on a week or month that is about to freeze; zones are marked by their sites.
        latest = {"day": (day_of(until_ms, ZoneInfo("UTC")) + timedelta(days=32)).isoformat()}
        while marks := connection.execute(_SQL["marks_until"], latest).fetchall():
            _settle(connection, marks)
        _keep_nobody(connection, purged_ms, until_ms)
        connection.execute(_SQL["put_purged"], {"before_ms": until_ms})
    visitors = Visitors(connection)
    gone = connection.execute(_SQL["about_to_go"], {"before_ms": before_ms}).fetchall()
    used = {visitors.holder(credential, at_ms) for credential, at_ms in gone}
    connection.executemany(_SQL["put_used"], [{"pass": holder} for holder in sorted(used)])
    connection.execute(_SQL["used_by_pass"])
    connection.execute(_SQL["forget_used"], {"before_ms": before_ms})


def _keep_nobody(connection: Connection, purged_ms: int, until_ms: int) -> None:
    """Write down that nobody came in the periods that freeze now and have no row: a missing row is not known.

    Of a period before which every telecentre of a place fell silent, nothing is known.
    """
    zones = {site: ZoneInfo(time_zone) for site, _, time_zone in connection.execute(_SQL["sites"])}
    # Of what was not read yet, who knows how long it was heard: a zero too many is better than one that is lost.
    signs = {
        site: (first_ms, LAST if is_behind else heard_ms)
        for site, first_ms, heard_ms, is_behind in connection.execute(_SQL["signs"])
        if site in zones
    }
    places = {site: {site: ALL_DAYS} for site in zones} | zones_with_members(connection)
    rows: list[dict[str, str]] = []
    for place, members in places.items():
        heard = {site: signs[site] for site in members if site in signs}
        if not heard:
            continue
        own = {zones[site] for site in members if site in zones}
        for period, first in _freezing(max(purged_ms, min(first_ms for first_ms, _ in heard.values())), until_ms, own):
            was_frozen = is_frozen(period, first, own, purged_ms)
            there = within(members, first, next_day(period, first)).keys() & heard
            is_heard = any(heard[site][1] > bounds_of(period, first, zones[site])[0] for site in there)
            if is_heard and not was_frozen and is_frozen(period, first, own, until_ms):
                rows.append({"site": place, "step": period, "day": first.isoformat()})
    connection.executemany(_SQL["put_nobody"], rows)


def _freezing(from_ms: int, until_ms: int, zones: Iterable[ZoneInfo]) -> set[tuple[Period, date]]:
    """Return the periods that touch an interval."""
    days = {day for zone in zones for day in days_between(from_ms, until_ms, zone)}
    return {(period, first_day(period, day)) for period in PERIODS for day in days}


def forget_badge(connection: Connection, credential: str) -> None:
    """Forget what is kept of a badge beside the journal."""
    connection.execute(_SQL["forget_badge"], {"person": credential})


def forget_passes(connection: Connection, member: str) -> None:
    """Forget that the passes of a member were ever used."""
    connection.execute(_SQL["forget_passes"], {"member": member})


# Clock corrections and rebuilding.


def enter_again(connection: Connection, site: str, stream: str) -> None:
    """Make the journal of a stream say when each person came in: its events have other instants now."""
    with connection.overwriting():
        connection.execute(_SQL["entries_again"], {"site": site, "stream": stream, "granted": GRANTED})


def rebuild_visits(connection: Connection, place: str) -> list[CountDifference]:
    """Count all of a place anew, as far as its journal lives; return what was different before."""
    if not isinstance(place, str):  # SQLite keeps anything in a column of texts
        return drop_unreadable_counts(connection, place)
    members = members_of(zones_with_members(connection), place)
    connection.lock_sites(set(members))
    unreadable = drop_unreadable_counts(connection, place)
    _settle(connection, _pending_of(connection, [*members, place]))
    # A zone's sites have marked it again.
    _settle(connection, _pending_of(connection, [place]))
    differences = [*unreadable, *drop_stray_visits(connection, place)]
    own = time_zones(connection, (place,))
    if not own:  # a zone, or a site that the register does not hold
        found = settle_place(connection, place, members, sorted(_days_of_zone(connection, place, members)))
        return [*differences, *found, *drop_doors(connection, place)]
    for (stream,) in connection.execute(_SQL["streams"], {"site": place}).fetchall():
        enter_again(connection, place, stream)
    for site, zone in own.items():
        days = sorted(_all_days(connection, site, zone))
        differences += settle_place(connection, site, members, days)
        differences += [one for day in days for one in settle_doors(connection, site, zone, day)]
    return differences


def _pending_of(connection: Connection, places: Iterable[str]) -> list[tuple[str, str]]:
    return [(place, row[0]) for place in places for row in connection.execute(_SQL["marks_of_place"], {"site": place})]
