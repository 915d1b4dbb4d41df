"""What a page shows of the live board: cards, counts and what needs a person. Pure: from a frame and a language."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from contract.events import DeskState, DoorAlarm
from hub.live import Frame, LiveDesk, LiveDevice, LiveDoor, LiveRoom, LiveSite
from hub.texts import Words, parse_instant

MAX_POINTS = 12
"""Points that need a person, shown at once: who has more begins with these."""

MAX_NAMED = 3
"""Devices that one point names: a point is two lines, and the telecentre's page has them all."""

BACKLOG_EVENTS = 500
"""More waiting than this is not the last minute's traffic: a site has some hundred events an hour."""

BACKLOG_AGE_MS = 900_000
"""Waiting longer than 15 minutes is a link that does not keep up."""

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


@dataclass(frozen=True)
class Point:
    """Something that needs a person: one sentence, its remedy, and how grave it is (`alarm`, `stale`, `notice`)."""

    grade: str
    site_id: str | None
    sentence: str
    remedy: str


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
        words(f"room_state.{room['state']}"),
        view.since(room["since"], site["time_zone"]),
        view.moment(room["since"], site["time_zone"]),
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
    key = f"fault.{fault}" if fault else f"device.{'degraded' if device['health'] == 'degraded' else 'down'}"
    return Trouble(
        device_name(device["id"], words), view.moment(device["since"], zone), words(key), words(f"{key}_remedy")
    )


DEVICE_PARTS: tuple[tuple[str, str, str], ...] = (
    ("room", "bookings", "room_bookings"),
    ("room", "display", "room_display"),
    ("room", "", "room_sensor"),
    ("desk", "", "desk_sensor"),
    ("reader", "", "reader"),
    ("door", "", "door"),
)
"""How a device's id begins and ends, and what people call it."""

ALONE = ("agent", "outbox")
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


def points(frame: Frame, words: Words) -> list[Point]:
    """Return what needs a person: alarms first, then silent sites, then the rest; within these by name of site."""
    view = view_of(frame, words)
    found = [point for site in frame.sites.values() for point in _points_of(site, view)]
    found.extend(
        Point("notice", None, words("attention.unregistered", name=name), words("remedy.unregistered"))
        for name in frame.unregistered
    )
    grades = ("alarm", "stale", "notice")
    return sorted(found, key=lambda point: grades.index(point.grade))


def _points_of(site: LiveSite, view: View) -> Iterator[Point]:
    words, here = view.words, site["site_id"]
    of_site = words.of(site["name"])
    if not site["online"]:
        key = "stale" if site["as_of"] else "never"
        since = view.for_how_long(site["stale_since"], site["time_zone"])
        yield Point("stale", here, words(f"attention.{key}", of_site=of_site, since=since), words(f"remedy.{key}"))
        return
    for door in site["doors"]:
        if door["alarm"] != "NORMAL":
            yield _door_point(door, site, view)
    if site["backlog"] and site["backlog"]["storage"] != "ok":
        yield Point("alarm", here, words("attention.storage", of_site=of_site), words("remedy.storage"))
    if site["devices_down"]:
        yield _devices_point(site, view)
    if _is_behind(site, view):
        yield _backlog_point(site, view)


def _door_point(door: LiveDoor, site: LiveSite, view: View) -> Point:
    words = view.words
    alarm: DoorAlarm = door["alarm"]
    sentence = words(
        f"attention.{alarm}",
        door=words("attention.the_door")
        if len(site["doors"]) == 1
        else words("attention.the_door_n", n=number_of(door["id"])),
        of_site=words.of(site["name"]),
        since=view.for_how_long(door["since"], site["time_zone"]),
    )
    grade = "notice" if alarm == "FREE_ACCESS" else "alarm"
    return Point(grade, site["site_id"], sentence, words(f"remedy.{alarm}"))


def _devices_point(site: LiveSite, view: View) -> Point:
    words, down = view.words, site["devices_down"]
    troubles = [trouble(device, site["time_zone"], view) for device in down]
    names = ", ".join(one.name for one in troubles[:MAX_NAMED]) + ("…" if len(down) > MAX_NAMED else "")
    sentence = words.some("attention.devices", len(down), of_site=words.of(site["name"]), names=names)
    remedy = f"{troubles[0].sentence} {troubles[0].remedy}" if len(down) == 1 else words("remedy.devices")
    return Point("notice", site["site_id"], sentence, remedy)


def _is_behind(site: LiveSite, view: View) -> bool:
    backlog = site["backlog"]
    if backlog is None or backlog["depth"] == 0:
        return False
    oldest = parse_instant(backlog["oldest_at"])
    aged = oldest is not None and (view.now - oldest).total_seconds() * 1000 > BACKLOG_AGE_MS
    return aged or backlog["depth"] > BACKLOG_EVENTS


def _backlog_point(site: LiveSite, view: View) -> Point:
    words, backlog = view.words, site["backlog"]
    depth, oldest = (backlog["depth"], backlog["oldest_at"]) if backlog else (0, None)
    since = view.for_how_long(oldest, site["time_zone"])
    sentence = words.some("attention.backlog", depth, of_site=words.of(site["name"]), since=since)
    return Point("notice", site["site_id"], sentence, words("remedy.backlog"))
