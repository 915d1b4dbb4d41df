"""What goes wrong in a visio room, from the wire to the screen.

For each fault of its devices one row: what the driver reports, what the history keeps, what the health document says,
and what a person reads.
"""

import errno
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from zoneinfo import ZoneInfo

import pytest

from contract.events import encode
from edge.core import views
from edge.core.effects import Publish
from edge.core.moment import Moment
from edge.core.observations import Booking, BookingsRead, DeviceFailed, DisplayRead, Observation, PresenceRead
from edge.core.site import Site, begin, decide
from edge.devices.bookings import Bookings, Feed, WebBookings
from edge.devices.device import Driver
from edge.devices.display import Display
from edge.protocols import pjlink as pjlink_codec
from edge.protocols import samsung_mdc
from hub.texts import LANGUAGES, words
from simulators.calendars import CalendarServer, Manner
from simulators.displays import Manners, Screen, pjlink, samsung
from simulators.folder import calendar_of
from tests.support.bench import Bench
from tests.support.heard import Heard, running
from tests.support.moments import at as at_s
from tests.support.plan import PLAN
from tests.support.screen import screen_of

DISPLAY, BOOKINGS = "room-01-display", "room-01-bookings"
Seen = BookingsRead | DeviceFailed | DisplayRead


@contextmanager
def a_samsung(manners: Manners) -> Iterator[Driver]:
    with Bench() as bench:
        server = samsung(Screen(), random=Random(1), manners=manners)
        bench.run(server.start())
        yield Display("room-01", ("127.0.0.1", server.port), lambda _: samsung_mdc.PowerQuestion(0), bytes, 0.02)
        bench.run(server.stop())


@contextmanager
def a_forbidden_address() -> Iterator[Driver]:
    def forbidden(*_: object) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(socket, "create_connection", forbidden)
        yield Display("room-01", ("192.0.2.21", 4352), pjlink_codec.PowerQuestion, lambda: b"right", 0.02)


@contextmanager
def a_projector(password: bytes) -> Iterator[Driver]:
    with Bench() as bench:
        server = pjlink(Screen(), password="right", random=Random(1))
        bench.run(server.start())
        yield Display("room-01", ("127.0.0.1", server.port), pjlink_codec.PowerQuestion, lambda: password, 0.02)
        bench.run(server.stop())


@contextmanager
def a_calendar(manner: Manner, *, login: bool = False, there: bool = True) -> Iterator[Driver]:
    with Bench() as bench:
        server = CalendarServer()
        server.put("/room.ics", calendar_of([]), 0)
        server.calendars["/room.ics"].manner = manner
        server.calendars["/room.ics"].authorization = "Bearer right" if login else ""
        bench.run(server.start())
        url = f"http://127.0.0.1:{server.port}/room.ics"
        if not there:
            bench.run(server.stop())
        feed = Feed(url, 10.0, "bearer" if login else None, lambda: b"wrong", within_s=1.0)
        yield WebBookings("room-01", feed, ZoneInfo("Europe/Paris"))
        bench.run(server.stop())


@contextmanager
def a_file(content: bytes | None, folder: Path) -> Iterator[Driver]:
    file = folder / "room.ics"
    if content is not None:
        file.write_bytes(content)
    yield Bookings("room-01", file, ZoneInfo("Europe/Paris"))


@dataclass(frozen=True)
class Row:
    """One fault: what makes it, its word, and the sentence and the room's word on the screen."""

    device: str
    make: Callable[[Path], object]
    fault: str
    sentence: str
    room: str


SILENT = "L'appareil est branché mais ne dit plus rien."
GARBLED = "L'appareil envoie des messages illisibles."
SCREEN_REFUSES = "L'écran refuse le mot de passe ou attend un autre protocole."
UNREACHABLE = "L'écran n'est pas joignable par le réseau."
NO_CALENDAR = "Le serveur du calendrier ne donne pas le calendrier de la salle."
CALENDAR_REFUSES = "Le serveur du calendrier refuse notre identification ou son certificat ne compte pas."
UNREADABLE = "Le fichier ou le calendrier ne peut pas être lu."
UNKNOWN = "réservations inconnues"

TABLE = {
    "a display that hangs": Row(DISPLAY, lambda _: a_samsung(Manners(hangs=True)), "silent", SILENT, "libre"),
    "a display that breaks off": Row(DISPLAY, lambda _: a_samsung(Manners(half=True)), "silent", SILENT, "libre"),
    "a display of another kind": Row(DISPLAY, lambda _: a_samsung(Manners(garbage=True)), "garbled", GARBLED, "libre"),
    "a display that refuses": Row(
        DISPLAY, lambda _: a_samsung(Manners(refuses=True)), "refused", SCREEN_REFUSES, "libre"
    ),
    "a wrong password": Row(DISPLAY, lambda _: a_projector(b"wrong"), "refused", SCREEN_REFUSES, "libre"),
    "a forbidden address": Row(DISPLAY, lambda _: a_forbidden_address(), "absent", UNREACHABLE, "libre"),
    "no password": Row(DISPLAY, lambda _: a_projector(b""), "refused", SCREEN_REFUSES, "libre"),
    "no calendar server": Row(BOOKINGS, lambda _: a_calendar("good", there=False), "absent", NO_CALENDAR, UNKNOWN),
    "a server that never answers": Row(BOOKINGS, lambda _: a_calendar("hang"), "silent", NO_CALENDAR, UNKNOWN),
    "a byte a second": Row(BOOKINGS, lambda _: a_calendar("drip"), "silent", NO_CALENDAR, UNKNOWN),
    "a server in trouble": Row(BOOKINGS, lambda _: a_calendar("error"), "garbled", NO_CALENDAR, UNKNOWN),
    "redirects without end": Row(BOOKINGS, lambda _: a_calendar("loop"), "garbled", NO_CALENDAR, UNKNOWN),
    "half a calendar": Row(BOOKINGS, lambda _: a_calendar("broken_off"), "garbled", NO_CALENDAR, UNKNOWN),
    "50 MB": Row(BOOKINGS, lambda _: a_calendar("huge"), "unreadable", UNREADABLE, UNKNOWN),
    "50 MB in chunks": Row(BOOKINGS, lambda _: a_calendar("huge_chunked"), "unreadable", UNREADABLE, UNKNOWN),
    "a page that is no calendar": Row(BOOKINGS, lambda _: a_calendar("not_ical"), "unreadable", UNREADABLE, UNKNOWN),
    "a login that is refused": Row(
        BOOKINGS, lambda _: a_calendar("good", login=True), "refused", CALENDAR_REFUSES, UNKNOWN
    ),
    "a redirect in the clear": Row(BOOKINGS, lambda _: a_calendar("astray"), "refused", CALENDAR_REFUSES, UNKNOWN),
    "a file that is not there": Row(BOOKINGS, lambda path: a_file(None, path), "absent", NO_CALENDAR, UNKNOWN),
    "a file that is no calendar": Row(BOOKINGS, lambda path: a_file(b"hello", path), "unreadable", UNREADABLE, UNKNOWN),
    "a file cut short": Row(
        BOOKINGS, lambda path: a_file(calendar_of([(0, 1)]).encode()[:60], path), "unreadable", UNREADABLE, UNKNOWN
    ),
}


def site_after(heard: Heard, device: str) -> tuple[Site, list[str], Moment]:
    """Decide on what was heard while the room's sensor sees nobody; return the site and the kinds of its events."""
    failed = heard.of(DeviceFailed)[0]
    site, _ = begin(PLAN, failed.at.moved_to(failed.at.mono_s - 30), "0.1.0")
    seen: list[Seen | PresenceRead] = [failed, failed]
    if device == DISPLAY:
        seen.insert(0, BookingsRead(failed.at.moved_to(failed.at.mono_s - 29), "room-01", ()))
    told: list[str] = []
    for after_s in range(-28, 1):
        at = failed.at.moved_to(failed.at.mono_s + after_s)
        site, _ = decide(site, PresenceRead(at, "room-01-radar", present=False))
    for each in seen:
        site, effects = decide(site, each)
        told += [effect.event.kind for effect in effects if isinstance(effect, Publish)]
    return site, told, failed.at


@pytest.mark.parametrize("name", TABLE)
def test_a_fault_is_told_in_the_same_words_from_the_wire_to_the_screen(name: str, tmp_path: Path) -> None:
    row = TABLE[name]
    make: Callable[[Path], object] = row.make
    with make(tmp_path) as driver, running(driver, row.device) as heard:  # type: ignore[attr-defined]  # of its kind
        assert heard.hears(DeviceFailed)
    site, told, at = site_after(heard, row.device)
    assert {seen.fault for seen in heard.of(DeviceFailed)} == {row.fault}
    assert told.count("device_lost") == 1
    health = next(device for device in views.devices_of(site, at) if device.id == row.device)
    assert (health.health, health.fault) == ("down", row.fault)
    shown = screen_of(site, at)
    assert [trouble.sentence for trouble in shown.troubles] == [row.sentence]
    assert all(trouble.remedy.endswith(".") for trouble in shown.troubles)
    assert [room.word for room in shown.rooms] == [row.room]


@pytest.mark.parametrize("language", LANGUAGES)
def test_bookings_that_are_not_known_are_said_so_in_every_language(language: str) -> None:
    said = words(language)("room_state.bookings_unknown")
    assert said != words(language)("room_state.unknown")


def test_a_confidential_room_tells_neither_bookings_nor_call_anywhere() -> None:
    rooms = {"room-01": replace(PLAN.rooms["room-01"], confidential=True)}
    start = at_s(0)
    site, _ = begin(replace(PLAN, rooms=rooms), start, "0.1.0")
    booked = Booking(start.wall_ms, start.wall_ms + 3_600_000)
    said: list[str] = []
    for second in range(1, 1500):
        at = at_s(second)
        seen: list[Observation] = [PresenceRead(at, "room-01-radar", present=second > 1000)]
        seen += [BookingsRead(at, "room-01", (booked,)), DisplayRead(at, "room-01", "on")] if second == 1 else []
        for each in seen:
            site, effects = decide(site, each)
            said += [encode(effect.event).decode() for effect in effects if isinstance(effect, Publish)]
        said.append(views.now_of(site, at).model_dump_json())
        said += [device.model_dump_json() for device in views.devices_of(site, at)]
    told = "\n".join(said)
    assert '"state":"free"' in told
    assert '"state":"occupied"' in told
    assert [word for word in ("booked", "ghost", "in_call", "standby") if word in told] == []
