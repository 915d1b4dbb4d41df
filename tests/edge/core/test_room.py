import re
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import cast, get_args

import pytest

from contract.events import RoomState
from edge.core import room
from edge.core.observations import Booking, Power
from edge.core.occupancy import Occupancy, PresenceRules
from edge.core.room import Claim, Room, RoomChange, RoomRules, fuse, unknown_room
from tests.support.moments import at

PRESENCE = PresenceRules(("radar",), settle_s=2.0, hold_s=60.0)
RULES = RoomRules(
    "room-01",
    PRESENCE,
    ghost_after_s=600.0,
    bookings_kept_s=3600.0,
    bookings="room-01-bookings",
    display="room-01-display",
)
UNBOOKABLE = replace(RULES, bookings=None)
CONFIDENTIAL = replace(RULES, confidential=True)


def booking(start_s: float, end_s: float) -> Booking:
    return Booking(at(start_s).wall_ms, at(end_s).wall_ms)


class Day:
    """A room on a bench: drive it with readings and bookings, then read what was told of it."""

    def __init__(self, rules: RoomRules = RULES) -> None:
        self.rules = rules
        self.room: Room = unknown_room(rules, at(0))
        self.told: list[tuple[RoomState, float]] = []

    def radar(self, present: bool | None, from_s: float, to_s: float | None = None) -> "Day":
        """The radar's word, repeated every 2 s as its thread does; None is its loss."""
        step_s = from_s
        while step_s <= (from_s if to_s is None else to_s):
            self._take(room.elapse(self.room, self.rules, at(step_s)))
            if present is None:
                self._take(room.lose(self.room, self.rules, "radar", at(step_s)))
            else:
                self._take(room.read(self.room, self.rules, "radar", at(step_s), present=present))
            step_s += 2
        return self

    def book(self, at_s: float, *bookings: Booking) -> "Day":
        self._take(room.elapse(self.room, self.rules, at(at_s)))
        self._take(room.learn(self.room, self.rules, bookings, at(at_s)))
        return self

    def lose(self, at_s: float, device: str) -> "Day":
        self._take(room.elapse(self.room, self.rules, at(at_s)))
        self._take(room.lose(self.room, self.rules, device, at(at_s)))
        return self

    def display(self, at_s: float, power: Power) -> "Day":
        self._take(room.elapse(self.room, self.rules, at(at_s)))
        self._take(room.show(self.room, self.rules, power, at(at_s)))
        return self

    def _take(self, step: room.Step) -> None:
        self.room, told = step
        self.told += [(one.state, one.since.mono_s) for one in told if isinstance(one, RoomChange)]


def test_an_empty_room_without_bookings_is_free_from_when_it_was_seen_empty() -> None:
    day = Day().book(0).radar(present=False, from_s=1, to_s=100)
    assert day.told == [("free", 1)]


def test_an_empty_room_whose_bookings_were_never_read_is_not_called_free() -> None:
    assert Day().radar(present=False, from_s=1, to_s=100).told == []
    assert Day(UNBOOKABLE).radar(present=False, from_s=1, to_s=100).told == [("free", 1)]


def test_a_booked_room_in_which_nobody_comes_is_a_ghost_after_its_time() -> None:
    day = Day().book(0, booking(1000, 4600)).radar(present=False, from_s=1, to_s=5000)
    assert day.told == [("free", 1), ("booked", 1000), ("ghost", 1600), ("free", 4600)]


def test_a_room_whose_booking_is_shorter_than_the_wait_is_no_ghost() -> None:
    day = Day().book(0, booking(1000, 1500)).radar(present=False, from_s=1, to_s=2000)
    assert day.told == [("free", 1), ("booked", 1000), ("free", 1500)]


def test_a_room_is_occupied_whatever_its_bookings_say() -> None:
    day = Day().book(0, booking(1000, 4600)).radar(present=False, from_s=1, to_s=100).radar(True, 101, 2000)
    assert day.told == [("free", 1), ("occupied", 101)]


def test_people_who_leave_early_free_the_room_once_they_do_not_come_back() -> None:
    day = Day().book(0, booking(1000, 4600)).radar(True, 1, 2000).radar(present=False, from_s=2001, to_s=4500)
    assert day.told == [("occupied", 1), ("booked", 2001), ("free", 2601)]


def test_people_who_come_back_from_their_break_find_their_room_booked() -> None:
    day = Day().book(0, booking(1000, 4600)).radar(True, 1, 2000).radar(present=False, from_s=2001, to_s=2400)
    day.radar(True, 2401, 2500)
    assert day.told == [("occupied", 1), ("booked", 2001), ("occupied", 2401)]


def test_people_who_leave_shortly_before_the_end_keep_the_room_to_its_end() -> None:
    day = Day().book(0, booking(1000, 2500)).radar(True, 1, 2000).radar(present=False, from_s=2001, to_s=2600)
    assert day.told == [("occupied", 1), ("booked", 2001), ("free", 2500)]


def test_people_who_were_there_when_the_sensor_was_lost_have_come() -> None:
    day = Day().book(0, booking(1000, 9000)).radar(True, 1, 2000).radar(None, 2001)
    day.radar(present=False, from_s=2501, to_s=3500)
    assert day.told == [("occupied", 1), ("unknown", 2001), ("booked", 2501), ("free", 3101)]


def test_the_next_booking_waits_for_its_own_people() -> None:
    day = Day().book(0, booking(1000, 4000), booking(4000, 6000)).radar(True, 1, 2000)
    day.radar(present=False, from_s=2001, to_s=5000)
    assert day.told == [("occupied", 1), ("booked", 2001), ("free", 2601), ("booked", 4000), ("ghost", 4600)]


def test_who_left_just_before_the_start_came_for_the_booking() -> None:
    day = Day().book(0, booking(1000, 4600)).radar(True, 1, 200).radar(present=False, from_s=201, to_s=4500)
    assert day.told == [("occupied", 1), ("free", 201), ("booked", 1000), ("free", 1600)]


def test_who_left_long_before_the_start_did_not_come_for_the_booking() -> None:
    day = Day().book(0, booking(2000, 4600)).radar(True, 1, 200).radar(present=False, from_s=201, to_s=3000)
    assert day.told == [("occupied", 1), ("free", 201), ("booked", 2000), ("ghost", 2600)]


def test_a_booking_that_ends_within_the_hold_time_frees_the_room_at_its_end() -> None:
    day = Day().book(0, booking(500, 1030)).radar(True, 1, 1000).radar(present=False, from_s=1001, to_s=1100)
    assert day.told == [("occupied", 1), ("booked", 1001), ("free", 1030)]


def test_a_room_is_never_a_ghost_while_its_sensor_is_unknown() -> None:
    day = Day().book(0, booking(1000, 9000)).radar(present=False, from_s=1, to_s=1100).radar(None, 1101, 5000)
    assert day.told == [("free", 1), ("booked", 1000), ("unknown", 1101)]


def test_the_wait_for_a_ghost_begins_again_after_the_sensor_was_unknown() -> None:
    day = Day().book(0, booking(1000, 9000)).radar(present=False, from_s=1, to_s=1100).radar(None, 1101)
    day.radar(present=False, from_s=1501, to_s=2500)
    assert day.told == [("free", 1), ("booked", 1000), ("unknown", 1101), ("booked", 1501), ("ghost", 2101)]


def test_bookings_mean_nothing_while_the_clock_is_not_set() -> None:
    step = room.learn(unknown_room(RULES, at(0, "unsynced")), RULES, (booking(0, 9000),), at(0, "unsynced"))
    for second in range(1, 100, 2):
        step = room.elapse(step[0], RULES, at(second, "unsynced"))
        step = room.read(step[0], RULES, "radar", at(second, "unsynced"), present=False)
    assert (step[0].presence.state, step[0].state) == ("vacant", "unknown")


def test_a_booking_that_is_made_now_shows_now() -> None:
    day = Day().book(0).radar(present=False, from_s=1, to_s=101).book(101.5, booking(50, 3000))
    assert day.told == [("free", 1), ("booked", 101.5)]


@pytest.mark.parametrize(
    ("present", "states"), [(False, ["free"]), (True, ["occupied"])], ids=["nobody comes", "somebody comes"]
)
def test_a_confidential_room_shows_no_more_than_free_or_occupied(present: bool, states: list[RoomState]) -> None:
    day = Day(CONFIDENTIAL).book(0, booking(1000, 4600)).radar(present=present, from_s=1, to_s=5000)
    assert [state for state, _ in day.told] == states


def test_a_confidential_room_with_a_lost_sensor_is_unknown() -> None:
    day = Day(CONFIDENTIAL).radar(present=False, from_s=1, to_s=100).radar(None, 101)
    assert day.told == [("free", 1), ("unknown", 101)]


def test_back_to_back_bookings_are_one_booked_time() -> None:
    day = Day().book(0, booking(1000, 1500), booking(1500, 2000)).radar(present=False, from_s=1, to_s=2100)
    assert day.told == [("free", 1), ("booked", 1000), ("free", 2000)]


def test_people_before_a_screen_that_is_on_are_in_a_call() -> None:
    day = Day().book(0).radar(True, 1, 100).display(101, "warming").display(111, "on").radar(True, 112, 200)
    day.display(201, "cooling").radar(True, 202, 300)
    assert day.told == [("occupied", 1), ("in_call", 111), ("occupied", 201)]


def test_a_screen_that_is_left_on_does_not_make_an_empty_room_busy() -> None:
    day = Day().book(0, booking(500, 4600)).display(0, "on").radar(True, 1, 100).radar(False, 101, 1200)
    assert day.told == [("in_call", 1), ("free", 101), ("booked", 500), ("free", 1100)]


def test_a_call_whose_screen_is_lost_goes_on_as_presence() -> None:
    day = Day().book(0).display(0, "on").radar(True, 1, 100).lose(101, "room-01-display")
    assert day.told == [("in_call", 1), ("occupied", 101)]


def test_bookings_that_cannot_be_read_stay_in_force_for_a_while() -> None:
    day = Day().book(0, booking(1000, 4600)).lose(10, "room-01-bookings").radar(present=False, from_s=11, to_s=5000)
    assert day.told == [("free", 11), ("booked", 1000), ("ghost", 1600), ("unknown", 3610)]


def test_every_failed_try_does_not_make_the_bookings_younger() -> None:
    day = Day().book(0).lose(10, "room-01-bookings").radar(present=False, from_s=11, to_s=3000)
    day.lose(3001, "room-01-bookings").radar(present=False, from_s=3003, to_s=3700)
    assert day.told == [("free", 11), ("unknown", 3610)]


def test_bookings_that_are_read_again_count_again() -> None:
    day = Day().book(0).lose(10, "room-01-bookings").radar(present=False, from_s=11, to_s=4000).book(4001)
    day.radar(present=False, from_s=4003, to_s=9000)
    assert day.told == [("free", 11), ("unknown", 3610), ("free", 4001)]


def test_bookings_that_were_never_read_stay_unknown_when_they_are_lost() -> None:
    assert Day().lose(0, "room-01-bookings").radar(present=False, from_s=1, to_s=100).told == []


def test_a_room_with_people_in_it_is_occupied_whether_its_bookings_are_known_or_not() -> None:
    assert Day().lose(0, "room-01-bookings").radar(True, 1, 100).told == [("occupied", 1)]


def test_a_room_out_of_service_is_so_from_the_start_whatever_its_devices_say() -> None:
    day = Day(replace(RULES, presence=replace(PRESENCE, in_service=False)))
    assert day.room.state == "out_of_service"
    day.book(0, booking(10, 4600)).display(1, "on").radar(True, 2, 100).radar(False, 101, 1000).radar(None, 1001)
    assert day.told == []


def test_a_confidential_room_never_says_that_its_screen_is_on() -> None:
    assert Day(CONFIDENTIAL).book(0).display(0, "on").radar(True, 1, 100).told == [("occupied", 1)]


def test_a_confidential_room_whose_bookings_are_unknown_is_free_when_it_is_empty() -> None:
    day = Day(CONFIDENTIAL).lose(0, "room-01-bookings").radar(present=False, from_s=1, to_s=9000)
    assert day.told == [("free", 1)]


ROOMS = Path(__file__).parents[3] / "docs" / "rooms.md"
SOURCES: tuple[tuple[str, ...], ...] = (get_args(Occupancy), get_args(Claim), get_args(Power))


def truth_table() -> list[list[str]]:
    section = ROOMS.read_text(encoding="utf-8").partition("## Truth table")[2].partition("\n## ")[0]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in section.splitlines() if line[:1] == "|"]
    assert rows[0] == ["presence", "claim", "display", "room", "confidential room"]
    return rows[2:]


def values_of(cell: str, source: tuple[str, ...]) -> set[str]:
    named = set(source) if cell == "any" else set(re.findall(r"`(\w+)`", cell))
    assert named
    assert named <= set(source)
    return named


@pytest.mark.parametrize("row", truth_table(), ids=lambda row: " ".join(row[:3]))
def test_a_row_of_the_truth_table_comes_out_as_written(row: list[str]) -> None:
    combinations = list(product(*(values_of(cell, source) for cell, source in zip(row[:3], SOURCES, strict=True))))
    for presence, claim, power in combinations:
        for rules, cell in ((RULES, row[3]), (CONFIDENTIAL, row[4])):
            state = fuse(rules, cast("Occupancy", presence), cast("Claim", claim), cast("Power", power))
            assert f"`{state}`" == cell, (presence, claim, power)


def test_every_combination_has_exactly_one_row() -> None:
    rows = [[values_of(cell, source) for cell, source in zip(row[:3], SOURCES, strict=True)] for row in truth_table()]
    for combination in product(*SOURCES):
        fitting = [row for row in rows if all(value in cell for value, cell in zip(combination, row, strict=True))]
        assert len(fitting) == 1, combination


def test_every_state_of_a_room_is_in_the_truth_table() -> None:
    assert {row[3].strip("`") for row in truth_table()} == set(get_args(RoomState))


def test_a_confidential_room_has_four_words() -> None:
    assert {row[4].strip("`") for row in truth_table()} == {"free", "occupied", "unknown", "out_of_service"}
