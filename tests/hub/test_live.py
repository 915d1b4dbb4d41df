"""The live board: what may be shown as true, and until when."""

import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract.events import RoomState
from contract.messages import Status
from hub.instants import instant
from hub.live import MAX_UNREGISTERED, SILENCE_MS, LiveBoard
from hub.live_answer import LiveSite
from hub.store import Resource, Site
from tests.support.telecentres import MINUTE_MS, NOON_MS, cantal, now_of, status_of

MURAT = Site(
    id="murat",
    name="Murat",
    time_zone="Europe/Paris",
    opening_hours="24/7",
    latitude=None,
    longitude=None,
    code_insee=None,
    network="cantal",
    network_name="Cantal",
    desks=(Resource("desk-01", confidential=False), Resource("desk-02", confidential=False)),
    rooms=(Resource("room-01", confidential=True),),
    doors=(Resource("door-01", confidential=False),),
)
OFFLINE = Status(site="murat", online=False)


def board_at_noon() -> LiveBoard:
    board = LiveBoard([MURAT])
    board.take_now(now_of("murat", "vo", rooms=("free",)), NOON_MS)
    board.take_status(status_of("murat"), NOON_MS)
    return board


def murat(board: LiveBoard, now_ms: int = NOON_MS) -> LiveSite:
    return board.snapshot(now_ms)["sites"][0]


def test_a_site_that_was_never_heard_is_stale_and_its_desks_are_unknown() -> None:
    site = murat(LiveBoard([MURAT]))
    assert not site["online"]
    assert site["as_of"] is site["stale_since"] is None
    assert [desk["state"] for desk in site["desks"]] == ["unknown", "unknown"]
    assert [door["state"] for door in site["doors"]] == ["unknown"]


def test_a_site_with_a_snapshot_and_a_fresh_status_is_shown_as_true() -> None:
    site = murat(board_at_noon())
    assert site["online"]
    assert site["stale_since"] is None
    assert site["desks"][1] == {"id": "desk-02", "state": "occupied", "since": "2026-11-21T10:22:00.000Z"}


def test_a_snapshot_without_a_status_is_not_trusted() -> None:
    board = LiveBoard([MURAT])
    board.take_now(now_of("murat", "vo"), NOON_MS)
    assert not murat(board)["online"]


def test_a_status_without_a_snapshot_is_not_enough() -> None:
    board = LiveBoard([MURAT])
    board.take_status(status_of("murat"), NOON_MS)
    assert not murat(board)["online"]


def test_a_site_goes_stale_after_180_seconds_of_silence_and_not_before() -> None:
    board = board_at_noon()
    assert murat(board, NOON_MS + SILENCE_MS)["online"]
    assert not murat(board, NOON_MS + SILENCE_MS + 1)["online"]


def test_a_stale_site_says_since_when_and_what_it_was_last() -> None:
    site = murat(board_at_noon(), NOON_MS + 10 * MINUTE_MS)
    assert site["stale_since"] == site["as_of"] == "2026-11-21T11:00:00.000Z"
    assert [desk["state"] for desk in site["desks"]] == ["vacant", "occupied"]


def test_a_sign_of_life_confirms_an_older_snapshot() -> None:
    board = board_at_noon()
    board.take_status(status_of("murat", at=NOON_MS + 2 * MINUTE_MS), NOON_MS + 2 * MINUTE_MS)
    assert murat(board, NOON_MS + 4 * MINUTE_MS)["online"]
    assert murat(board)["as_of"] == "2026-11-21T11:02:00.000Z"


def test_the_will_makes_a_site_stale_at_once() -> None:
    board = board_at_noon()
    board.take_status(OFFLINE, NOON_MS + 1_000)
    site = murat(board, NOON_MS + 1_000)
    assert not site["online"]
    assert site["stale_since"] == "2026-11-21T11:00:00.000Z"


def test_a_site_that_comes_back_is_shown_as_true_again() -> None:
    board = board_at_noon()
    board.take_status(OFFLINE, NOON_MS + 1_000)
    board.take_status(status_of("murat", at=NOON_MS + 2_000), NOON_MS + 2_000)
    assert murat(board, NOON_MS + 2_000)["online"]


def test_after_a_restart_a_retained_status_counts_from_when_it_was_said() -> None:
    board = LiveBoard([MURAT])
    long_ago = NOON_MS - 60 * MINUTE_MS
    board.take_now(now_of("murat", "vo", as_of=long_ago), NOON_MS, retained=True)
    board.take_status(status_of("murat", at=long_ago), NOON_MS, retained=True)
    site = murat(board)
    assert not site["online"]
    assert site["stale_since"] == "2026-11-21T10:00:00.000Z"


def test_after_a_restart_a_retained_snapshot_with_a_fresh_status_is_true() -> None:
    board = LiveBoard([MURAT])
    board.take_now(now_of("murat", "vo", as_of=NOON_MS - 60 * MINUTE_MS), NOON_MS, retained=True)
    board.take_status(status_of("murat"), NOON_MS)
    assert murat(board)["online"]


def test_a_retained_status_of_a_site_without_a_clock_proves_nothing() -> None:
    board = LiveBoard([MURAT])
    board.take_now(now_of("murat", "vo", clock="unsynced", as_of=5), NOON_MS, retained=True)
    board.take_status(status_of("murat", at=5, clock="unsynced"), NOON_MS, retained=True)
    assert not murat(board)["online"]


def test_a_site_without_a_clock_is_believed_while_it_speaks() -> None:
    board = LiveBoard([MURAT])
    board.take_now(now_of("murat", "vo", clock="unsynced", as_of=5, since=None), NOON_MS)
    board.take_status(status_of("murat", at=5, clock="unsynced"), NOON_MS)
    site = murat(board)
    assert site["online"]
    assert site["as_of"] == "2026-11-21T11:00:00.000Z"
    assert site["desks"][0]["since"] is None


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("free", "free"),
        ("booked", "free"),
        ("ghost", "free"),
        ("occupied", "occupied"),
        ("in_call", "occupied"),
        ("unknown", "unknown"),
        ("out_of_service", "out_of_service"),
    ],
)
def test_a_confidential_room_is_never_more_than_free_or_occupied(said: RoomState, shown: RoomState) -> None:
    board = board_at_noon()
    board.take_now(now_of("murat", "vo", rooms=(said,)), NOON_MS)
    assert murat(board)["rooms"] == [{"id": "room-01", "state": shown, "since": None, "confidential": True}]


def test_a_registered_desk_that_the_site_does_not_speak_of_is_unknown() -> None:
    board = board_at_noon()
    board.take_now(now_of("murat", "v"), NOON_MS)
    assert [desk["state"] for desk in murat(board)["desks"]] == ["vacant", "unknown"]


def test_a_desk_that_is_not_registered_comes_after_those_that_are() -> None:
    board = board_at_noon()
    board.take_now(now_of("murat", "vov"), NOON_MS)
    assert [desk["id"] for desk in murat(board)["desks"]] == ["desk-01", "desk-02", "desk-03"]


def test_devices_down_and_backlog_are_reported() -> None:
    board = board_at_noon()
    board.take_status(status_of("murat", depth=7, oldest_at=NOON_MS, faults={"desk-01-pin": "stuck"}), NOON_MS)
    site = murat(board)
    assert site["backlog"] == {
        "depth": 7,
        "oldest_at": "2026-11-21T11:00:00.000Z",
        "storage": "ok",
        "stream": "0" * 32,
        "acknowledged_at": "2026-11-21T11:00:00.000Z",
        "size_bytes": 4_096,
        "quota_bytes": 1 << 30,
        "refused_count": 0,
        "disk_free_bytes": 3_000_000_000,
    }
    assert [(device["id"], device["fault"]) for device in site["devices_down"]] == [("desk-01-pin", "stuck")]


def test_a_sender_outside_the_register_is_named_and_not_shown() -> None:
    board = board_at_noon()
    board.take_now(now_of("elsewhere", "v"), NOON_MS)
    answer = board.snapshot(NOON_MS)
    assert answer["unregistered"] == ["elsewhere"]
    assert [site["site_id"] for site in answer["sites"]] == ["murat"]


def test_senders_outside_the_register_are_remembered_up_to_a_bound() -> None:
    board = LiveBoard([MURAT])
    for number in range(MAX_UNREGISTERED + 50):
        board.take_now(now_of(f"site-{number}", "v"), NOON_MS)
    assert len(board.snapshot(NOON_MS)["unregistered"]) == MAX_UNREGISTERED


def test_a_site_that_is_imported_after_it_spoke_is_shown_at_once() -> None:
    board = LiveBoard()
    board.take_now(now_of("murat", "vo"), NOON_MS)
    board.take_status(status_of("murat"), NOON_MS)
    board.take_register([MURAT])
    assert murat(board)["online"]


def test_the_register_of_the_cantal_shows_ten_sites_and_47_desks(tmp_path: Path) -> None:
    store = cantal(tmp_path)
    answer = LiveBoard(store.sites()).snapshot(NOON_MS)
    store.close()
    assert len(answer["sites"]) == 10
    assert sum(len(site["desks"]) for site in answer["sites"]) == 47


def test_a_frame_comes_only_when_something_changed() -> None:
    board = board_at_noon()
    first = board.tick(NOON_MS)
    assert board.tick(NOON_MS + 1_000).version == first.version
    board.take_now(now_of("murat", "oo", rooms=("free",)), NOON_MS)
    second = board.tick(NOON_MS + 2_000)
    assert second.version == first.version + 1
    assert second.changed == {"murat"}


def test_a_message_that_says_the_same_again_makes_no_frame() -> None:
    board = board_at_noon()
    first = board.tick(NOON_MS)
    board.take_now(now_of("murat", "vo", rooms=("free",)), NOON_MS)
    assert board.tick(NOON_MS).version == first.version


def test_silence_makes_a_frame_by_itself() -> None:
    board = board_at_noon()
    first = board.tick(NOON_MS)
    later = board.tick(NOON_MS + SILENCE_MS + 1)
    assert later.version == first.version + 1
    assert not later.sites["murat"]["online"]


def test_a_site_that_left_the_register_leaves_the_frame() -> None:
    board = board_at_noon()
    board.tick(NOON_MS)
    board.take_register([])
    frame = board.tick(NOON_MS)
    assert frame.redraw
    assert not frame.sites


def test_an_empty_register_still_has_a_first_frame() -> None:
    assert LiveBoard().tick(NOON_MS).version == 1


def test_threads_that_speak_at_once_lose_nothing() -> None:
    board = LiveBoard([MURAT])

    def speak() -> None:
        for _ in range(50):
            board.take_now(now_of("murat", "vo"), NOON_MS)

    threads = [threading.Thread(target=speak) for _ in range(4)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        board.tick(NOON_MS)
    for thread in threads:
        thread.join()
    assert [desk["state"] for desk in murat(board)["desks"]] == ["vacant", "occupied"]


def test_a_moment_beyond_all_calendars_is_as_good_as_none() -> None:
    assert instant(2**53) is None


@given(st.integers(min_value=0, max_value=4_102_444_800_000))
def test_an_instant_names_the_same_millisecond(at_ms: int) -> None:
    text = instant(at_ms)
    assert text is not None
    date, _, clock = text.removesuffix("Z").partition("T")
    year, month, day = (int(part) for part in date.split("-"))
    hours, minutes, seconds = clock.split(":")
    days = _days_before(year, month) + day - 1
    milliseconds = (int(hours) * 60 + int(minutes)) * 60_000 + int(seconds.replace(".", ""))
    assert days * 86_400_000 + milliseconds == at_ms


def _days_before(year: int, month: int) -> int:
    """Return the days from 1970 to a month, by counting leap years: an oracle without the calendar library."""
    years = year - 1
    leaps = years // 4 - years // 100 + years // 400 - (1969 // 4 - 1969 // 100 + 1969 // 400)
    is_leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    lengths = [31, 29 if is_leap else 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
    return (year - 1970) * 365 + leaps + sum(lengths[: month - 1])
