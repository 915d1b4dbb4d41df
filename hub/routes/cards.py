"""What a page shows of the live board: cards and counts. Pure: from a frame and a language."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from contract.events import DeskState, Fault
from hub.live import Frame
from hub.live_answer import LiveDesk, LiveDevice, LiveDoor, LiveRoom, LiveSite
from hub.texts import Words, parse_instant

DESK_STATES: tuple[DeskState, ...] = ("vacant", "occupied", "unknown", "out_of_service")


@dataclass(frozen=True)
class Shape:
    """One place: its shape, and the words that say the same."""

    id: str
    name: str
    shape: str
    word: str
    since: str
    since_short: str = ""
    """The same moment without its `since`, for a column that says it."""
    alarm: str = ""
    last: str = ""
    """What it was when the site was last heard, in a sentence; empty while it is heard."""
    was: str = ""
    """Same, in a word."""
    sentence: str = ""
    """All of it, for those who do not see the shape."""


@dataclass(frozen=True)
class Trouble:
    """A device that does not work: what, since when, why, and what to do."""

    name: str
    since_short: str
    sentence: str
    remedy: str


@dataclass(frozen=True)
class Card:
    """One telecentre."""

    site_id: str
    name: str
    stale: bool
    heard: bool
    """Whether anything was ever heard of it."""
    freshness: str
    free: str
    """The big number; `?` while nobody knows."""
    free_label: str
    counts: str
    desks: list[Shape]
    rooms: list[Shape]
    doors: list[Shape]
    troubles: list[Trouble]
    devices: str
    """One sentence when there is no trouble to list."""
    backlog: str
    outbox: list[tuple[str, str]]
    """What the site keeps for the hub, and where: name and value; empty while it is not heard."""
    rights: str
    """Which list decides at its doors, and how long a revoked badge could still open; empty if the hub issues none."""
    rights_table: list[tuple[str, str]]


@dataclass(frozen=True)
class View:
    """How a reader sees times and words."""

    words: Words
    now: datetime

    def since(self, at: str | None, zone: str) -> str:
        """Return since when, in words; empty when nobody knows."""
        return self.words.since(parse_instant(at), zone, self.now)

    def moment(self, at: str | None, zone: str) -> str:
        """Return when, in words; empty when nobody knows."""
        when = parse_instant(at)
        return "" if when is None else self.words.moment(when, zone, self.now)

    def for_how_long(self, at: str | None, zone: str) -> str:
        """Return since when, for a sentence that needs an end."""
        return self.since(at, zone) or self.words("time.since_some_time")

    def shown(self, shape: Shape, *, stale: bool) -> Shape:
        """Return the shape with its sentence, or `?` with its last known state when the site is no longer heard."""
        said = self.words("card.place", name=shape.name, word=shape.word, since=shape.since).rstrip()
        if not stale:
            return replace(shape, sentence=said)
        last = self.words("card.last_known", word=shape.word, since=shape.since).rstrip()
        said = self.words("card.place", name=shape.name, word=last, since="").rstrip()
        return replace(shape, shape="unknown", word="?", since="", alarm="", last=last, was=shape.word, sentence=said)


def view_of(frame: Frame, words: Words) -> View:
    """Return how this frame is read in one language."""
    return View(words, datetime.fromtimestamp(frame.at_ms / 1000, UTC))


def number_of(place: str) -> str:
    """Return the number at the end of an id, without zeros: `desk-01` -> `1`; the whole id when it has none."""
    _, _, tail = place.rpartition("-")
    return str(int(tail)) if tail.isascii() and tail.isdigit() else place


def card(site: LiveSite, view: View) -> Card:
    """Return the card of one telecentre."""
    words, zone = view.words, site["time_zone"]
    states = Counter(desk["state"] for desk in site["desks"])
    free, total = states["vacant"], len(site["desks"])
    stale = not site["online"]
    known = site["online"] and states["unknown"] < total
    return Card(
        site_id=site["site_id"],
        name=site["name"],
        stale=stale,
        heard=site["as_of"] is not None,
        freshness=_freshness(site, view),
        free=words.number(free) if known else ("?" if total else "0"),
        free_label=_free_label(words, free if known else total, total),
        counts=_counts(words, states) if site["online"] else "",
        desks=[view.shown(desk_shape(desk, zone, view), stale=stale) for desk in site["desks"]],
        rooms=[view.shown(room_shape(room, site, view), stale=stale) for room in site["rooms"]],
        doors=[view.shown(door_shape(door, site, view), stale=stale) for door in site["doors"]],
        troubles=[] if stale else [trouble(device, zone, view) for device in site["devices_down"]],
        devices=words("site.all_devices_well" if site["online"] else "site.devices_unknown"),
        backlog="" if stale else _backlog(site, view),
        outbox=[] if stale else outbox_table(site, view),
        rights=_rights(site, view),
        rights_table=_rights_table(site, view),
    )


def _free_label(words: Words, free: int, total: int) -> str:
    if not total:
        return words("card.no_desk")
    return words.some("card.free", free, total=words.number(total))


def _freshness(site: LiveSite, view: View) -> str:
    words, zone, as_of = view.words, site["time_zone"], parse_instant(site["as_of"])
    if as_of is None:
        return words("card.never")
    if site["online"]:
        return words("card.fresh", time=words.clock(as_of, zone))
    return words("card.stale", since=words.since(as_of, zone, view.now))


def _counts(words: Words, states: Mapping[DeskState, int]) -> str:
    """Return the counts in words, without the free ones: these are the big number."""
    shown = [state for state in DESK_STATES[1:] if states[state]]
    return " · ".join(words.some(f"desk_count.{state}", states[state]) for state in shown)


def _backlog(site: LiveSite, view: View) -> str:
    backlog = site["backlog"]
    if backlog is None:
        return ""
    if backlog["depth"] == 0:
        return view.words("site.backlog_none")
    since = view.for_how_long(backlog["oldest_at"], site["time_zone"])
    return view.words.some("site.backlog", backlog["depth"], since=since)


def outbox_table(site: LiveSite, view: View) -> list[tuple[str, str]]:
    """Return what a site keeps for the hub, and where, as it said last."""
    backlog, words, zone = site["backlog"], view.words, site["time_zone"]
    if backlog is None:
        return []
    free_bytes = backlog["disk_free_bytes"]
    used = words(
        "site.outbox_used_of", used=words.size(backlog["size_bytes"]), quota=words.size(backlog["quota_bytes"])
    )
    values = {
        "waiting": words.number(backlog["depth"]),
        "oldest": view.moment(backlog["oldest_at"], zone) or words("site.outbox_none"),
        "acknowledged": view.moment(backlog["acknowledged_at"], zone) or words("site.outbox_none"),
        "stream": backlog["stream"] or words("site.outbox_none"),
        "storage": words("site.outbox_ok" if backlog["storage"] == "ok" else "site.outbox_degraded"),
        "used": used,
        "disk": words("site.outbox_unknown") if free_bytes is None else words.size(free_bytes),
        "refused": words.number(backlog["refused_count"]),
    }
    return [(words(f"site.outbox_{name}"), value) for name, value in values.items()]


def _rights(site: LiveSite, view: View) -> str:
    rights, words = site["rights"], view.words
    if rights["latest_version"] is None:
        return ""
    in_force = view.moment(rights["issued_at"], site["time_zone"]) or words("rights.unknown")
    return words("card.rights", moment=in_force, bound=_bound(site, words))


def _bound(site: LiveSite, words: Words) -> str:
    """Return for how long a revoked badge could still open; a figure also when it is none."""
    may_open_s = site["rights"]["may_open_s"]
    if may_open_s is None:
        return words("rights.unbounded")
    return words.duration(may_open_s * 1_000) if may_open_s else words("statistics.seconds", n=0)


def _rights_table(site: LiveSite, view: View) -> list[tuple[str, str]]:
    rights, words, zone = site["rights"], view.words, site["time_zone"]
    if rights["latest_version"] is None:
        return []
    issued, unknown = parse_instant(rights["issued_at"]), words("rights.unknown")
    age_ms = None if issued is None else round((view.now - issued).total_seconds() * 1_000)
    values = {
        "in_force": view.moment(rights["issued_at"], zone) or unknown,
        "age": unknown if age_ms is None else words.duration(max(0, age_ms)),
        "badges": unknown if rights["badges"] is None else words.number(rights["badges"]),
        "expires": view.moment(rights["expires_at"], zone) or unknown,
        "latest": view.moment(rights["latest_issued_at"], zone) or words("rights.none"),
        "revoked": view.moment(rights["revoked_at"], zone) or words("rights.none"),
        "bound": _bound(site, words),
    }
    return [(words(f"rights.{name}"), value) for name, value in values.items()]


def desk_shape(desk: LiveDesk, zone: str, view: View) -> Shape:
    """Return one desk's shape and words."""
    words, since = view.words, desk["since"]
    return Shape(
        desk["id"],
        words("card.desk", n=number_of(desk["id"])),
        desk["state"],
        words(f"desk_state.{desk['state']}"),
        view.since(since, zone),
        view.moment(since, zone),
    )


ROOM_SHAPES = {"free": "vacant", "in_call": "occupied"}
"""Rooms that are drawn as a desk in the same situation; the others have a shape of their own name."""


def room_shape(room: LiveRoom, site: LiveSite, view: View) -> Shape:
    """Return one room's shape and words."""
    words = view.words
    key = "card.confidential" if room["confidential"] else "card.room"
    alone = len(site["rooms"]) == 1
    return Shape(
        room["id"],
        words(key) if alone else words(f"{key}_n", n=number_of(room["id"])),
        ROOM_SHAPES.get(room["state"], room["state"]),
        words("room_state.bookings_unknown" if _lacks_bookings(room, site) else f"room_state.{room['state']}"),
        view.since(room["since"], site["time_zone"]),
        view.moment(room["since"], site["time_zone"]),
    )


def _lacks_bookings(room: LiveRoom, site: LiveSite) -> bool:
    """Return whether a room is unknown for its calendar alone: its sensors work, and see nobody."""
    if room["state"] != "unknown" or room["confidential"]:
        return False
    down = {device["id"] for device in site["devices_down"] if device["health"] == "down"}
    others = {f"{room['id']}-bookings", f"{room['id']}-display"}
    return f"{room['id']}-bookings" in down and not any(
        name.startswith(f"{room['id']}-") and name not in others for name in down
    )


def door_shape(door: LiveDoor, site: LiveSite, view: View) -> Shape:
    """Return one door's shape and words; an alarm speaks before the state."""
    words, alarm = view.words, door["alarm"]
    return Shape(
        door["id"],
        _door_name(door, site, words),
        "unknown" if door["state"] == "unknown" else f"door_{door['state']}",
        words(f"door_state.{door['state']}") if alarm == "NORMAL" else words(f"door_alarm.{alarm}"),
        view.since(door["since"], site["time_zone"]),
        view.moment(door["since"], site["time_zone"]),
        "" if alarm in ("NORMAL", "FREE_ACCESS") else alarm,
    )


def _door_name(door: LiveDoor, site: LiveSite, words: Words) -> str:
    return words("card.door") if len(site["doors"]) == 1 else words("card.door_n", n=number_of(door["id"]))


def trouble(device: LiveDevice, zone: str, view: View) -> Trouble:
    """Return what is wrong with a device and what to do, in plain sentences."""
    words, fault = view.words, device["fault"]
    key = fault_key(device["kind"], fault) if fault else f"device.{device['health']}"
    return Trouble(
        device_name(device["id"], words), view.moment(device["since"], zone), words(key), words(f"{key}_remedy")
    )


def fault_key(kind: str, fault: Fault) -> str:
    """Return the text that says a fault of this kind of device; its remedy stands beside it."""
    return ROOM_FAULTS.get((kind, fault), f"fault.{fault}")


ROOM_FAULTS = {
    ("bookings", "absent"): "device.bookings_unanswered",
    ("bookings", "silent"): "device.bookings_unanswered",
    ("bookings", "garbled"): "device.bookings_unanswered",
    ("bookings", "refused"): "device.bookings_refused",
    ("samsung-mdc", "absent"): "device.display_unreachable",
    ("samsung-mdc", "refused"): "device.display_refused",
    ("pjlink", "absent"): "device.display_unreachable",
    ("pjlink", "refused"): "device.display_refused",
}
"""What is meant by some faults where there is no cable to look at: by kind of device and fault."""

DEVICE_PARTS: tuple[tuple[str, str, str], ...] = (
    ("room", "bookings", "room_bookings"),
    ("room", "display", "room_display"),
    ("room", "", "room_sensor"),
    ("desk", "", "desk_sensor"),
    ("reader", "light", "reader_light"),
    ("reader", "", "reader"),
    ("door", "", "door"),
)
"""How a device's id begins and ends, and what people call it."""

ALONE = ("agent", "outbox", "rights")
"""What there is once in a telecentre, and has no number."""


def device_name(device: str, words: Words) -> str:
    """Return what people call a device: `desk-02-radar` -> `Capteur du poste 2`; its id when it has another form."""
    kind, number, *rest = [*device.split("-"), ""]
    for begins, ends, key in DEVICE_PARTS:
        if kind == begins and number.isascii() and number.isdigit() and (not ends or rest[0] == ends):
            return words(f"device.{key}", n=str(int(number)))
    return words(f"device.{device}") if device in ALONE else device


def summary(frame: Frame, words: Words) -> str:
    """Return the whole network in one line: free desks of those that are known, and how many sites are not heard."""
    heard = [site for site in frame.sites.values() if site["online"]]
    desks = [desk for site in heard for desk in site["desks"] if desk["state"] != "unknown"]
    free, silent = sum(desk["state"] == "vacant" for desk in desks), len(frame.sites) - len(heard)
    line = words.some("page.free_desks", free, total=words.number(len(desks))) if desks else words("page.no_known_desk")
    return f"{line} · {words.some('page.unknown_sites', silent)}" if silent else line
