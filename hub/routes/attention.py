"""What needs a person, in words: for the board's list, for one telecentre's page and for programs. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from hub.alarms import OutboxNow, Raised, RightsNow, SiteNow, live_alarms, recorded_alarms
from hub.live import Frame
from hub.live_answer import LiveDoor, LiveSite
from hub.routes.cards import View, number_of, trouble, view_of
from hub.texts import Words, parse_instant

MAX_POINTS = 12
"""Points that need a person, shown at once: who has more begins with these."""

MAX_NAMED = 3
"""Devices that one point names: a point is two lines, and the telecentre's page has them all."""

GRADE_ORDER = ("alarm", "stale", "notice")

COUNTED = (
    "refusing",
    "backlog",
    "gap",
    "conflicting_event",
    "quarantined",
    "suspect_time",
    "other_version",
    "refused_messages",
    "unknown_messages",
    "rights_refused",
    "emergency_opened",
)
"""Reasons whose sentence says how many."""


@dataclass(frozen=True)
class Point:
    """Something that needs a person: one sentence, its remedy, and how grave it is (`alarm`, `stale`, `notice`)."""

    grade: str
    site_id: str | None
    sentence: str
    remedy: str
    reason: str
    since_ms: int | None = None
    until_ms: int | None = None
    count: int = 0


def points(frame: Frame, words: Words) -> list[Point]:
    """Return what needs a person: alarms first, then silent sites, then the rest; within these by name of site."""
    view = view_of(frame, words)
    found = _database(frame, view)
    found += [point for site in frame.sites.values() for point in _points_of(site, view)]
    found.extend(_recorded(frame, view))
    if any(site["rights"]["is_held"] for site in frame.sites.values()):
        found.append(_point(Raised("rights_held", None), "", "UTC", view))
    if any(site["rights"]["has_leapt"] for site in frame.sites.values()):
        found.append(_point(Raised("rights_clock", None), "", "UTC", view))
    found.extend(
        Point("notice", None, words("attention.unregistered", name=name), words("remedy.unregistered"), "unregistered")
        for name in frame.unregistered
    )
    return sorted(found, key=lambda point: GRADE_ORDER.index(point.grade))


def points_of(frame: Frame, site_id: str, words: Words) -> list[Point]:
    """Return what needs a person at one site, and what concerns every site; that it is silent, its banner says."""
    view = view_of(frame, words)
    found = _database(frame, view)
    found += [point for point in _points_of(frame.sites[site_id], view) if point.grade != "stale"]
    found.extend(point for point in _recorded(frame, view) if point.site_id == site_id or point.reason == "restored")
    return sorted(found, key=lambda point: GRADE_ORDER.index(point.grade))


def _points_of(site: LiveSite, view: View) -> Iterator[Point]:
    if site["online"]:
        for door in site["doors"]:
            if door["alarm"] != "NORMAL":
                yield _door_point(door, site, view)
    for raised in live_alarms(_site_now(site), round(view.now.timestamp() * 1000)):
        yield _point(raised, site["name"], site["time_zone"], view)
    if site["online"] and site["devices_down"]:
        yield _devices_point(site, view)


def _database(frame: Frame, view: View) -> list[Point]:
    away = frame.database_away
    if away is None:
        return []
    zone = next((site["time_zone"] for site in frame.sites.values()), "UTC")
    return [_point(Raised(away.reason, None, away.since_ms), "", zone, view)]


def _recorded(frame: Frame, view: View) -> Iterator[Point]:
    zone = next((site["time_zone"] for site in frame.sites.values()), "UTC")
    recorded = frame.recorded
    for raised in recorded_alarms(recorded.alarms, recorded.gaps, recorded.restores, frame.at_ms):
        site = frame.sites.get(raised.site or "")
        name = site["name"] if site else raised.site or ""
        yield _point(raised, name, site["time_zone"] if site else zone, view)


def _point(raised: Raised, name: str, zone: str, view: View) -> Point:
    words, reason = view.words, raised.reason
    fields = {
        "of_site": words.of(name),
        "since": _full_moment(raised.since_ms, zone, view) if reason == "restored" else _since(raised, zone, view),
        "until": _full_moment(raised.until_ms, zone, view),
        "share": words.percent(raised.share),
        "left": words.duration(raised.left_ms),
    }
    key = f"attention.{reason}"
    return Point(
        raised.grade,
        raised.site,
        words.some(key, raised.count, **fields) if reason in COUNTED else words(key, **fields),
        words(f"remedy.{reason}"),
        reason,
        raised.since_ms,
        raised.until_ms,
        raised.count,
    )


def _since(raised: Raised, zone: str, view: View) -> str:
    at = None if raised.since_ms is None else _instant(raised.since_ms)
    return view.words.since(at, zone, view.now) or view.words("time.since_some_time")


def _full_moment(at_ms: int | None, zone: str, view: View) -> str:
    return "" if at_ms is None else view.words.full_moment(_instant(at_ms), zone)


def _instant(at_ms: int) -> datetime:
    return datetime.fromtimestamp(at_ms / 1000, UTC)


def _ms(text: str | None) -> int | None:
    at = parse_instant(text)
    return None if at is None else round(at.timestamp() * 1000)


def _site_now(site: LiveSite) -> SiteNow:
    backlog = site["backlog"]
    outbox = backlog and OutboxNow(
        backlog["depth"],
        _ms(backlog["oldest_at"]),
        backlog["size_bytes"],
        backlog["quota_bytes"],
        backlog["refused_count"],
        backlog["storage"] == "ok",
    )
    contested_ms = _ms(site["contested_at"])
    return SiteNow(site["site_id"], site["online"], _ms(site["as_of"]), contested_ms, outbox, _rights_now(site))


def _rights_now(site: LiveSite) -> RightsNow | None:
    rights = site["rights"]
    if rights["latest_version"] is None and not rights["is_too_large"]:
        return None
    revoked_ms, too_large = _ms(rights["revoked_at"]), rights["is_too_large"]
    return RightsNow(_ms(rights["issued_at"]), _ms(rights["expires_at"]), revoked_ms, rights["may_open_s"], too_large)


def _devices_point(site: LiveSite, view: View) -> Point:
    words, count = view.words, len(site["devices_down"])
    troubles = [trouble(device, site["time_zone"], view) for device in site["devices_down"]]
    names = ", ".join(one.name for one in troubles[:MAX_NAMED]) + ("…" if count > MAX_NAMED else "")
    sentence = words.some("attention.devices", count, of_site=words.of(site["name"]), names=names)
    remedy = f"{troubles[0].sentence} {troubles[0].remedy}" if count == 1 else words("remedy.devices")
    # Without its reader nobody enters: that is as grave as a door that stays open.
    grade = "alarm" if any(device["kind"] == "reader" for device in site["devices_down"]) else "notice"
    return Point(grade, site["site_id"], sentence, remedy, "devices", count=count)


def _door_point(door: LiveDoor, site: LiveSite, view: View) -> Point:
    words = view.words
    alarm = door["alarm"]
    alone = len(site["doors"]) == 1
    sentence = words(
        f"attention.{alarm}",
        door=words("attention.the_door") if alone else words("attention.the_door_n", n=number_of(door["id"])),
        of_site=words.of(site["name"]),
        since=view.for_how_long(door["since"], site["time_zone"]),
    )
    grade = "notice" if alarm == "FREE_ACCESS" else "alarm"
    return Point(grade, site["site_id"], sentence, words(f"remedy.{alarm}"), alarm, _ms(door["since"]))
