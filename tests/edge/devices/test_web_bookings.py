"""A room's calendar over HTTP, against a simulated server with every bad manner; the real program fetches."""

import base64
import logging
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal
from zoneinfo import ZoneInfo

import pytest

from edge.core.observations import BookingsRead, DeviceFailed, DeviceReady
from edge.devices.bookings import Feed, WebBookings
from simulators.calendars import Calendar, CalendarServer, Manner
from simulators.folder import calendar_of
from tests.support.authority import Authority
from tests.support.bench import Bench, eventually
from tests.support.heard import WITHIN_S, Heard, running

PARIS = ZoneInfo("Europe/Paris")
DEVICE = "room-01-bookings"
PATH = "/private-3f8a/room.ics"


def hours_from_now(start_h: float, end_h: float) -> tuple[int, int]:
    now_s = int(time.time())
    return now_s + int(start_h * 3600), now_s + int(end_h * 3600)


class Web:
    """A calendar server on a bench."""

    def __init__(self, bench: Bench, server: CalendarServer, scheme: str) -> None:
        self.bench = bench
        self.server = server
        self.scheme = scheme

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.server.port}{PATH}"

    @property
    def calendar(self) -> Calendar:
        return self.server.calendars[PATH]

    def put(self, *bookings: tuple[int, int], changed_s: int = 1_700_000_000) -> None:
        self.bench.call(self.server.put, PATH, calendar_of(list(bookings)), changed_s)

    def behave(self, manner: Manner) -> None:
        self.bench.call(setattr, self.calendar, "manner", manner)

    def statuses(self) -> list[int]:
        return [status for _, status, _ in self.server.answered]


@contextmanager
def web(*, etags: bool = True, tls: ssl.SSLContext | None = None) -> Iterator[Web]:
    with Bench() as bench:
        server = CalendarServer(etags=etags, tls=tls)
        bench.run(server.start())
        try:
            served = Web(bench, server, "https" if tls else "http")
            served.put(hours_from_now(1, 2))
            yield served
        finally:
            bench.run(server.stop())


Login = Literal["basic", "bearer"]


def driver_of(url: str, secret: Callable[[], bytes] = bytes, login: Login | None = None) -> WebBookings:
    return WebBookings("room-01", Feed(url, 0.1, login, secret), PARIS)


def spans(seen: BookingsRead) -> list[tuple[int, int]]:
    return [(booking.start_ms // 1000, booking.end_ms // 1000) for booking in seen.bookings]


def last(heard: Heard) -> list[tuple[int, int]]:
    return spans(heard.of(BookingsRead)[-1])


@pytest.mark.parametrize("etags", [True, False], ids=["ETag", "Last-Modified alone"])
def test_a_calendar_that_has_not_changed_is_not_sent_again(etags: bool) -> None:
    with web(etags=etags) as served:
        booked = hours_from_now(1, 2)
        served.put(booked)
        with running(driver_of(served.url), DEVICE) as heard:
            assert heard.hears(BookingsRead, times=3)
            assert [spans(seen) for seen in heard.of(BookingsRead)[:3]] == [[booked]] * 3
        assert served.statuses()[:3] == [200, 304, 304]


def test_a_calendar_that_changes_is_read_anew() -> None:
    with web() as served, running(driver_of(served.url), DEVICE) as heard:
        assert heard.hears(BookingsRead, times=2)
        later = hours_from_now(3, 4)
        served.put(later, changed_s=1_700_000_100)
        assert eventually(lambda: last(heard) == [later], WITHIN_S)
        assert len(heard.of(DeviceReady)) == 1


FAULTS: dict[Manner, str] = {
    "huge": "unreadable",
    "huge_chunked": "unreadable",
    "not_ical": "unreadable",
    "broken_off": "garbled",
    "error": "garbled",
    "loop": "garbled",
    "astray": "refused",
}


@pytest.mark.parametrize("manner", FAULTS)
def test_a_server_that_misbehaves_is_told_in_the_right_word_and_the_last_good_bookings_stay(manner: Manner) -> None:
    with web() as served, running(driver_of(served.url), DEVICE) as heard:
        assert heard.hears(BookingsRead)
        before = last(heard)
        served.put(hours_from_now(5, 6), changed_s=1_700_000_200)
        served.behave(manner)
        assert heard.hears(DeviceFailed, lambda seen: seen.fault == FAULTS[manner])
        assert last(heard) == before
        served.put(*before)
        served.behave("good")
        # What was refused is asked again after half an hour only.
        assert FAULTS[manner] == "refused" or heard.hears(DeviceReady, times=2)
        assert eventually(lambda: last(heard) == before, WITHIN_S)


def test_a_server_that_is_not_there_is_absent() -> None:
    with web() as served:
        url = served.url
        served.bench.run(served.server.stop())
        with running(driver_of(url), DEVICE) as heard:
            assert heard.hears(DeviceFailed, lambda seen: seen.fault == "absent")


def test_no_calendar_at_the_address_is_absent() -> None:
    with web() as served, running(driver_of(served.url + "x"), DEVICE) as heard:
        assert heard.hears(DeviceFailed, lambda seen: seen.fault == "absent")


@pytest.mark.parametrize(
    ("login", "secret", "header"),
    [
        ("basic", b"room:pass", "Basic " + base64.b64encode(b"room:pass").decode()),
        ("bearer", b"token.x-1", "Bearer token.x-1"),
    ],
    ids=["basic", "bearer"],
)
def test_a_login_is_shown_and_one_that_is_refused_waits(
    login: Login, secret: bytes, header: str, caplog: pytest.LogCaptureFixture
) -> None:
    given = [b"wrong:secret" if login == "basic" else b"wrong-secret"]
    with web() as served:
        served.bench.call(setattr, served.calendar, "authorization", header)
        with (
            caplog.at_level(logging.INFO),
            running(driver_of(served.url, secret=lambda: given[0], login=login), DEVICE) as heard,
        ):
            assert heard.hears(DeviceFailed, lambda seen: seen.fault == "refused")
            assert not eventually(lambda: len(served.statuses()) > 1, within_s=1.5)
            given[0] = secret
            assert heard.hears(BookingsRead)
    told = caplog.text
    assert "status 401" in told
    assert [word for word in ("wrong", "private-3f8a", "Basic", "Bearer") if word in told] == []


def test_a_login_does_not_go_along_to_another_server() -> None:
    with web() as here, web() as there:
        here.bench.call(setattr, here.calendar, "moved_to", there.url)
        here.bench.call(setattr, here.calendar, "authorization", "Bearer token")
        with running(driver_of(here.url, secret=lambda: b"token", login="bearer"), DEVICE) as heard:
            assert heard.hears(BookingsRead)
        assert here.server.answered[0][2]["authorization"] == "Bearer token"
        assert "authorization" not in there.server.answered[0][2]


@pytest.mark.parametrize("manner", ["hang", "drip", "drip_headers"])
def test_a_server_that_never_ends_its_answer_is_given_up(manner: Manner) -> None:
    with web() as served:
        served.behave(manner)
        driver = WebBookings("room-01", Feed(served.url, every_s=0.1, within_s=1.0), PARIS)
        with running(driver, DEVICE) as heard:
            assert heard.hears(DeviceFailed, lambda seen: seen.fault == "silent")


def test_an_agent_that_stops_does_not_wait_for_a_server_that_hangs() -> None:
    with web() as served:
        served.behave("hang")
        with running(driver_of(served.url), DEVICE):
            assert eventually(lambda: served.statuses() != [], WITHIN_S)
            begun_s = time.monotonic()
        assert time.monotonic() - begun_s < 5


def test_an_empty_answer_that_nobody_asked_for_is_no_empty_calendar() -> None:
    with web() as served:
        served.behave("unasked")
        with running(driver_of(served.url), DEVICE) as heard:
            assert heard.hears(DeviceFailed, lambda seen: seen.fault == "garbled")
            assert heard.of(BookingsRead) == []


def test_a_certificate_counts_only_by_its_authority(tmp_path: Path) -> None:
    ours, other = Authority(tmp_path / "ours"), Authority(tmp_path / "other")
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(*ours.server())
    with web(tls=tls) as served:
        for authority in (None, other.ca_file):
            with running(WebBookings("room-01", Feed(served.url, 0.1, ca_file=authority), PARIS), DEVICE) as heard:
                assert heard.hears(DeviceFailed, lambda seen: seen.fault == "refused")
        with running(WebBookings("room-01", Feed(served.url, 0.1, ca_file=ours.ca_file), PARIS), DEVICE) as heard:
            assert heard.hears(BookingsRead)
