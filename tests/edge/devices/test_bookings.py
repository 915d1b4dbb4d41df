import datetime as dt
import os
import threading
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from edge.core.observations import BookingsRead, DeviceFailed
from edge.devices.bookings import Bookings, read_bookings
from edge.devices.calendar import MAX_BOOKINGS, MAX_FILE_BYTES
from edge.devices.device import DeviceError
from tests.support.heard import running
from tests.support.moments import wall_ms

PARIS = ZoneInfo("Europe/Paris")
NOW = dt.datetime.fromisoformat("2026-11-23T09:00:00+01:00")


def calendar(*entries: str) -> bytes:
    events = [
        f"BEGIN:VEVENT\nUID:{index}\nSUMMARY:Madame Durand\n{text}\nEND:VEVENT" for index, text in enumerate(entries)
    ]
    return "\n".join(["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//test", *events, "END:VCALENDAR", ""]).encode()


def spans(content: bytes, now: dt.datetime = NOW) -> list[tuple[int, int]]:
    return [(booking.start_ms, booking.end_ms) for booking in read_bookings(content, PARIS, now)]


TEN_TO_ELEVEN = [(wall_ms("2026-11-23T10:00:00+01:00"), wall_ms("2026-11-23T11:00:00+01:00"))]


@pytest.mark.parametrize(
    "entry",
    [
        "DTSTART:20261123T090000Z\nDTEND:20261123T100000Z",
        "DTSTART;TZID=Europe/Paris:20261123T100000\nDTEND;TZID=Europe/Paris:20261123T110000",
        "DTSTART:20261123T100000\nDTEND:20261123T110000",
        "DTSTART:20261123T100000\nDURATION:PT1H",
    ],
    ids=["UTC", "zone", "floating", "duration"],
)
def test_a_booking_is_read_in_every_way_of_writing_its_time(entry: str) -> None:
    assert spans(calendar(entry)) == TEN_TO_ELEVEN


def test_a_whole_day_is_the_day_of_the_site() -> None:
    expected = [(wall_ms("2026-11-23T00:00:00+01:00"), wall_ms("2026-11-24T00:00:00+01:00"))]
    assert spans(calendar("DTSTART;VALUE=DATE:20261123")) == expected


def test_a_weekly_booking_keeps_its_hour_when_the_clocks_change() -> None:
    weekly = "DTSTART;TZID=Europe/Paris:20261019T100000\nDTEND;TZID=Europe/Paris:20261019T110000\nRRULE:FREQ=WEEKLY"
    assert spans(calendar(weekly)) == TEN_TO_ELEVEN


def test_an_excluded_occurrence_does_not_book_the_room() -> None:
    weekly = "DTSTART;TZID=Europe/Paris:20261019T100000\nDTEND;TZID=Europe/Paris:20261019T110000\nRRULE:FREQ=WEEKLY"
    assert spans(calendar(weekly + "\nEXDATE;TZID=Europe/Paris:20261123T100000")) == []


@pytest.mark.parametrize("line", ["STATUS:CANCELLED", "TRANSP:TRANSPARENT"])
def test_a_cancelled_or_transparent_entry_does_not_book_the_room(line: str) -> None:
    assert spans(calendar(f"DTSTART:20261123T090000Z\nDTEND:20261123T100000Z\n{line}")) == []


def test_bookings_come_in_order_and_bounded() -> None:
    many = calendar(
        *(f"DTSTART:20261123T{hour:02}{minute:02}00Z\nDURATION:PT1M" for minute in range(60) for hour in range(8))
    )
    found = spans(many)
    assert found == sorted(found)
    assert len(found) == MAX_BOOKINGS


def test_a_past_and_a_far_booking_are_left_out() -> None:
    assert spans(calendar("DTSTART:20261101T090000Z\nDURATION:PT1H", "DTSTART:20261224T090000Z\nDURATION:PT1H")) == []


@pytest.mark.parametrize(
    "content",
    [
        b"not a calendar",
        b"\xff\xfe\x00",
        b"",
        calendar("DTSTART:yesterday\nDTEND:tomorrow"),
        calendar("DTSTART;TZID=Europe:20261123T090000\nDURATION:PT1H"),
    ],
    ids=["text", "bytes", "empty", "times", "a zone that is a folder"],
)
def test_a_calendar_that_cannot_be_read_says_so(content: bytes) -> None:
    with pytest.raises(DeviceError) as caught:
        read_bookings(content, PARIS, NOW)
    assert caught.value.fault == "unreadable"
    assert "Durand" not in str(caught.value)


@pytest.mark.parametrize(
    "rule",
    ["FREQ=DAILY;INTERVAL=0", "FREQ=SECONDLY", "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30"],
    ids=["0", "second", "never"],
)
def test_an_entry_that_would_be_read_for_ever_is_given_up(rule: str) -> None:
    with pytest.raises(DeviceError, match="not in time"):
        read_bookings(calendar(f"DTSTART:20200101T090000Z\nDURATION:PT1S\nRRULE:{rule}"), PARIS, NOW, within_s=3.0)


def test_an_agent_that_stops_does_not_wait_for_a_calendar(tmp_path: Path) -> None:
    file = tmp_path / "room.ics"
    file.write_bytes(calendar("DTSTART:20200101T090000Z\nDURATION:PT1S\nRRULE:FREQ=DAILY;INTERVAL=0"))
    stopping = threading.Event()
    stopping.set()
    with pytest.raises(DeviceError):
        read_bookings(file.read_bytes(), PARIS, NOW, stopping=stopping)


def test_a_missing_file_is_absent_and_read_once_it_is_there(tmp_path: Path) -> None:
    file = tmp_path / "room.ics"
    with running(Bookings("room-01", file, PARIS), "room-01-bookings") as heard:
        assert heard.hears(DeviceFailed, lambda seen: seen.fault == "absent")
        file.write_bytes(calendar("DTSTART:20261123T090000Z\nDTEND:20261123T100000Z"))
        assert heard.hears(BookingsRead)


def test_a_file_that_is_too_large_is_not_read(tmp_path: Path) -> None:
    file = tmp_path / "room.ics"
    file.write_bytes(bytes(MAX_FILE_BYTES + 1))
    with running(Bookings("room-01", file, PARIS), "room-01-bookings") as heard:
        assert heard.hears(DeviceFailed, lambda seen: seen.fault == "unreadable")


def test_a_broken_file_is_read_again_once_it_is_corrected(tmp_path: Path) -> None:
    file = tmp_path / "room.ics"
    file.write_bytes(b"not a calendar")
    with running(Bookings("room-01", file, PARIS), "room-01-bookings") as heard:
        assert heard.hears(DeviceFailed)
        file.write_bytes(calendar())
        assert heard.hears(BookingsRead)


def test_a_broken_file_that_has_not_changed_is_not_read_again(tmp_path: Path) -> None:
    file, good = tmp_path / "room.ics", calendar()
    file.write_bytes(b"x" * len(good))
    with running(Bookings("room-01", file, PARIS), "room-01-bookings") as heard:
        assert heard.hears(DeviceFailed)
        before, count = file.stat(), len(heard.of(DeviceFailed))
        corrected = tmp_path / "corrected.ics"
        corrected.write_bytes(good)
        os.utime(corrected, ns=(before.st_atime_ns, before.st_mtime_ns))
        corrected.replace(file)
        assert heard.hears(DeviceFailed, lambda _: len(heard.of(DeviceFailed)) > count)
        assert heard.of(BookingsRead) == []
