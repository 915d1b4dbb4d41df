"""What is true now in every telecentre, from the now lane alone: twelve days of history behind never delay it.

What must stay true here: a figure is shown as fresh only while its site proves that it is alive. A retained message is
what a broker remembers, not a proof of life; it counts from the moment it was said, not from the moment it came.
The functions are pure; `LiveBoard` adds a lock, so that ingestion and web threads share one board.
"""

import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from threading import Lock

from contract.events import Clock, RoomState
from contract.messages import Now, Report, Status
from hub.alarms import Claims, after_claim
from hub.health import Away
from hub.instants import instant, required_instant
from hub.live_answer import Backlog, LiveAnswer, LiveDesk, LiveDevice, LiveDoor, LiveRoom, LiveSite
from hub.live_rights import live_rights
from hub.store.rows import Issued, Recorded, Resource, Site

SILENCE_MS = 180_000
"""A status comes every 60 s: three missed ones in a row are no accident (TC1, Topics)."""

MAX_UNREGISTERED = 100
"""Unregistered senders that are remembered; were there more, the broker's access control would be the trouble."""

NEVER_MORE_THAN: Mapping[RoomState, RoomState] = {"booked": "free", "ghost": "free", "in_call": "occupied"}
"""What a confidential room (telemedicine) says instead; the edge does it first, this is the second lock."""


@dataclass(frozen=True)
class Heard:
    """The last that was heard of one site."""

    now: Now | None = None
    now_at_ms: int | None = None
    report: Report | None = None
    last: Report | None = None
    """The last report, also of a site that has gone: its list of rights stays in force while it is not heard."""
    connected: bool = False
    alive_at_ms: int | None = None
    """The last proof of life: a status that said `online`."""
    claims: Claims = field(default_factory=Claims)
    """Who spoke for the site since this hub started."""


NEVER_HEARD = Heard()
"""Of a site that was not heard yet; made once, for every tick looks at every site."""


@dataclass(frozen=True)
class Frame:
    """The whole network at one moment, and what changed since the version before."""

    version: int
    at_ms: int
    sites: Mapping[str, LiveSite]
    changed: frozenset[str]
    redraw: bool = False
    """The register or the record changed: what changed since the version before is everything."""
    unregistered: tuple[str, ...] = ()
    recorded: Recorded = field(default_factory=Recorded)
    database_away: Away | None = None
    """Since when the database does not answer or takes nothing; the live lane needs none."""

    def answer(self, only: frozenset[str] | None = None) -> LiveAnswer:
        """Return the frame as `GET /api/v1/live` gives it; with `only`, of these sites alone."""
        return {
            "generated_at": required_instant(self.at_ms),
            "sites": [site for name, site in self.sites.items() if only is None or name in only],
            "unregistered": list(self.unregistered),
        }


def true_at_ms(said_at_ms: int, clock: Clock, received_at_ms: int, *, retained: bool) -> int | None:
    """Return the moment for which a message speaks, never after its reception; None if nobody can know.

    A site whose clock is not set cannot say; then reception counts, unless the broker had kept the message.
    """
    if clock != "unsynced":
        return min(said_at_ms, received_at_ms)
    return None if retained else received_at_ms


def after_now(heard: Heard, message: Now, received_at_ms: int, *, retained: bool) -> Heard:
    """Return what is known of a site after its snapshot came."""
    at_ms = true_at_ms(message.as_of, message.clock, received_at_ms, retained=retained)
    return replace(heard, now=message, now_at_ms=at_ms)


def after_status(heard: Heard, message: Status, received_at_ms: int, *, retained: bool) -> Heard:
    """Return what is known of a site after its status, or its Will, came."""
    if not message.online:
        return replace(heard, connected=False, report=None)
    if message.report is None:  # it says that it is there and nothing else: as good a proof, when it is fresh
        at_ms = None if retained else received_at_ms
    else:
        at_ms = true_at_ms(message.report.at, message.report.clock, received_at_ms, retained=retained)
    claims = heard.claims
    if message.report is not None and not retained:  # what a broker remembers may be anybody's, from any time
        claims = after_claim(claims, message.report.boot, message.report.outbox.stream, received_at_ms)
    last = message.report or heard.last
    return replace(heard, connected=True, report=message.report, last=last, alive_at_ms=at_ms, claims=claims)


def is_online(heard: Heard, now_ms: int) -> bool:
    """Return whether the site's snapshot may be shown as true: connected, heard within 180 s, and there is one."""
    if heard.now is None or not heard.connected or heard.alive_at_ms is None:
        return False
    return now_ms - heard.alive_at_ms <= SILENCE_MS


def as_of_ms(heard: Heard) -> int | None:
    """Return until when the snapshot is known to be true: a later sign of life confirms it."""
    if heard.now is None:
        return None
    known = [at_ms for at_ms in (heard.now_at_ms, heard.alive_at_ms) if at_ms is not None]
    return max(known, default=None)


def live_site(site: Site, heard: Heard, now_ms: int, issued: Issued | None = None) -> LiveSite:
    """Return what the board shows of one site: the register's places in their order, then any others it speaks of."""
    online, as_of = is_online(heard, now_ms), instant(as_of_ms(heard))
    return {
        "site_id": site.id,
        "name": site.name,
        "time_zone": site.time_zone,
        "online": online,
        "as_of": as_of,
        "stale_since": None if online else as_of,
        "desks": _desks(site, heard.now),
        "rooms": _rooms(site, heard.now),
        "doors": _doors(site, heard.now),
        "backlog": _backlog(heard.report),
        "contested_at": instant(heard.claims.contested_ms),
        "devices_down": _devices_down(heard.report),
        "rights": live_rights(heard.last.rights if heard.last else None, issued),
    }


def _in_order(registered: Iterable[Resource], spoken_of: Iterable[str]) -> list[str]:
    return list(dict.fromkeys([*(place.id for place in registered), *sorted(spoken_of)]))


def _desks(site: Site, now: Now | None) -> list[LiveDesk]:
    spoken = {desk.id: desk for desk in now.desks} if now else {}
    return [
        {"id": name, "state": spoken[name].state, "since": instant(spoken[name].since)}
        if name in spoken
        else {"id": name, "state": "unknown", "since": None}
        for name in _in_order(site.desks, spoken)
    ]


def _rooms(site: Site, now: Now | None) -> list[LiveRoom]:
    spoken = {room.id: room for room in now.rooms} if now else {}
    confidential = {place.id for place in site.rooms if place.confidential}
    rooms: list[LiveRoom] = []
    for name in _in_order(site.rooms, spoken):
        state: RoomState = spoken[name].state if name in spoken else "unknown"
        since = instant(spoken[name].since) if name in spoken else None
        if name in confidential:
            state, since = NEVER_MORE_THAN.get(state, state), None
        rooms.append({"id": name, "state": state, "since": since, "confidential": name in confidential})
    return rooms


def _doors(site: Site, now: Now | None) -> list[LiveDoor]:
    spoken = {door.id: door for door in now.doors} if now else {}
    return [
        {
            "id": name,
            "state": spoken[name].state,
            "since": instant(spoken[name].since),
            "alarm": spoken[name].alarm,
        }
        if name in spoken
        else {"id": name, "state": "unknown", "since": None, "alarm": "NORMAL"}
        for name in _in_order(site.doors, spoken)
    ]


def _backlog(report: Report | None) -> Backlog | None:
    if report is None:
        return None
    outbox = report.outbox
    return {
        "depth": outbox.depth,
        "oldest_at": instant(outbox.oldest_at),
        "storage": outbox.storage,
        "stream": outbox.stream,
        "acknowledged_at": instant(outbox.acknowledged_at),
        "size_bytes": outbox.size_bytes,
        "quota_bytes": outbox.quota_bytes,
        "refused_count": outbox.refused_count,
        "disk_free_bytes": outbox.disk_free_bytes,
    }


def _devices_down(report: Report | None) -> list[LiveDevice]:
    if report is None:
        return []
    return [
        {
            "id": device.id,
            "kind": device.kind,
            "health": device.health,
            "fault": device.fault,
            "since": instant(device.since),
        }
        for device in report.devices
        if device.health in ("down", "degraded")
    ]


@dataclass
class _Shown:
    """What the last frame showed, to find what the next one changes."""

    version: int = 0
    sites: dict[str, LiveSite] = field(default_factory=dict)
    unregistered: tuple[str, ...] = ()
    recorded: Recorded = field(default_factory=Recorded)
    database_away: Away | None = None


class LiveBoard:
    """The live board, shared by the thread that hears the sites and those that show them."""

    def __init__(self, register: Iterable[Site] = (), run: str | None = None) -> None:
        self.run = run or secrets.token_hex(4)
        """Names this life of the board: a watcher's last frame from an earlier life means nothing here."""
        self._lock = Lock()
        self._register = {site.id: site for site in register}
        self._heard: dict[str, Heard] = {}
        self._recorded = Recorded()
        self._unread_since_ms: int | None = None
        self._unwritten: Away | None = None
        self._issued: dict[str, Issued] = {}
        self._touched: set[str] = set(self._register)
        self._shown = _Shown()

    def take_register(self, register: Iterable[Site]) -> None:
        """Show these sites from now on, in this order."""
        sites = {site.id: site for site in register}
        with self._lock:
            if sites != self._register or list(sites) != list(self._register):
                self._register = sites
                self._touched.update(sites)

    def take_recorded(self, recorded: Recorded) -> None:
        """Show what the database knows to have gone wrong."""
        with self._lock:
            self._recorded = recorded

    def take_database(self, away_ms: int | None) -> None:
        """Show that the database did not answer a question at this instant, or with None that it does."""
        with self._lock:
            if away_ms is None or self._unread_since_ms is None:
                self._unread_since_ms = away_ms

    def take_unwritten(self, away: Away | None) -> bool:
        """Show since when the database takes nothing, or with None that it does: it may answer all the same.

        Returns whether it takes and yet did not answer when it was last asked: then it is worth asking again.
        """
        with self._lock:
            self._unwritten = away
            return away is None and self._unread_since_ms is not None

    def register(self) -> list[Site]:
        """Return the sites as the register last said them, for as long as the database is away."""
        with self._lock:
            return list(self._register.values())

    def take_issued(self, issued: Iterable[Issued]) -> None:
        """Show which lists of rights were issued, and what is known of them."""
        lists = {one.site: one for one in issued}
        with self._lock:
            if lists != self._issued:
                self._issued = lists
                self._touched.update(self._register)

    def take_now(self, message: Now, received_at_ms: int, *, retained: bool = False) -> None:
        """Remember a site's snapshot; `retained` when the broker had kept it."""
        with self._lock:
            heard = self._heard_of(message.site)
            if heard is not None:
                self._heard[message.site] = after_now(heard, message, received_at_ms, retained=retained)
                self._touched.add(message.site)

    def take_status(self, message: Status, received_at_ms: int, *, retained: bool = False) -> None:
        """Remember a site's status or Will; `retained` when the broker had kept it."""
        with self._lock:
            heard = self._heard_of(message.site)
            if heard is not None:
                self._heard[message.site] = after_status(heard, message, received_at_ms, retained=retained)
                self._touched.add(message.site)

    def snapshot(self, now_ms: int) -> LiveAnswer:
        """Return the answer of `GET /api/v1/live`."""
        return self.look(now_ms).answer()

    def look(self, now_ms: int) -> Frame:
        """Return the network as it is, without advancing the frames."""
        with self._lock:
            sites = {name: self._view(name, now_ms) for name in self._register}
            return Frame(self._shown.version, now_ms, sites, frozenset(), False, *self._beside())

    def last_known(self, name: str, now_ms: int) -> tuple[LiveSite, Report | None]:
        """Return a registered site as its last report had it, however long ago, and that report."""
        with self._lock:
            heard = self._heard.get(name, NEVER_HEARD)
            said = replace(heard, report=heard.last)
            return live_site(self._register[name], said, now_ms, self._issued.get(name)), said.report

    def tick(self, now_ms: int) -> Frame:
        """Return the next frame: the same version as before when nothing changed. Call it once a second."""
        with self._lock:
            shown = self._shown
            candidates = {name for name in self._touched if name in self._register}
            candidates.update(name for name, site in shown.sites.items() if self._fell_silent(name, site, now_ms))
            self._touched.clear()
            views = {name: self._view(name, now_ms) for name in candidates}
            changed = frozenset(name for name, view in views.items() if shown.sites.get(name) != view)
            beside = self._beside()
            known = shown.unregistered, shown.recorded, shown.database_away
            redraw = list(shown.sites) != list(self._register) or beside != known
            if changed or redraw or shown.version == 0:
                sites = {name: views.get(name) or shown.sites[name] for name in self._register}
                self._shown = shown = _Shown(shown.version + 1, sites, *beside)
            return Frame(shown.version, now_ms, shown.sites, changed, redraw, *beside)

    def _heard_of(self, site: str) -> Heard | None:
        heard = self._heard.get(site)
        if heard is None and site not in self._register and len(self._unregistered()) >= MAX_UNREGISTERED:
            return None
        return heard or Heard()

    def _unregistered(self) -> tuple[str, ...]:
        return tuple(sorted(self._heard.keys() - self._register.keys()))

    def _beside(self) -> tuple[tuple[str, ...], Recorded, Away | None]:
        return self._unregistered(), self._recorded, self._away()

    def _away(self) -> Away | None:
        unwritten, unread_ms = self._unwritten, self._unread_since_ms
        if unread_ms is None:
            return unwritten
        return Away(unread_ms) if unwritten is None else Away(min(unwritten.since_ms, unread_ms), unwritten.reason)

    def _view(self, name: str, now_ms: int) -> LiveSite:
        return live_site(self._register[name], self._heard.get(name, NEVER_HEARD), now_ms, self._issued.get(name))

    def _fell_silent(self, name: str, shown: LiveSite, now_ms: int) -> bool:
        return name in self._register and shown["online"] != is_online(self._heard.get(name, NEVER_HEARD), now_ms)
