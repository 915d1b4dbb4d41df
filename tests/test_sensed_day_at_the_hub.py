"""A day with known presence, from what the sensors' threads report to the figures of the hub: desks and a room.

The truth is in tests/support/sensed_day.py; what it makes of the desks' states is asked in tests/edge/core.
"""

from dataclasses import replace
from pathlib import Path

import pytest

from contract.events import Event, RoomStateChanged
from edge.core.effects import Publish
from edge.core.observations import Tick
from edge.core.occupancy import PresenceRules
from edge.core.room import RoomRules
from edge.core.site import begin, decide
from hub.store.rows import OccupancyRow
from tests.edge.core.test_sensed_day import ERROR_S, HOLD_S, PLAN_OF_DAY, truth
from tests.support.moments import MONDAY_NINE, at
from tests.support.sensed_day import (
    BOOKED,
    CLOSE_S,
    DAY_S,
    DESKS,
    HOUR_S,
    IN_CALL,
    PULLED_S,
    PUT_BACK_S,
    ROOM,
    STUCK_FROM_S,
    observations,
    room_observations,
)
from tests.support.sensed_figures import counted

OPENING = "Mo-Fr 09:00-19:00"
PLAN = replace(
    PLAN_OF_DAY,
    rooms={
        "room-01": RoomRules(
            "room-01",
            PresenceRules((ROOM.sensor,), settle_s=2.0, hold_s=HOLD_S),
            ghost_after_s=600.0,
            bookings_kept_s=6 * HOUR_S,
            bookings="room-01-bookings",
            display="room-01-display",
        )
    },
    devices={
        **PLAN_OF_DAY.devices,
        ROOM.sensor: "radar",
        "room-01-bookings": "bookings",
        "room-01-display": "samsung-mdc",
    },
)


@pytest.fixture(scope="module")
def events() -> list[Event]:
    site, effects = begin(PLAN, at(0), "1.0")
    seen = sorted([*observations(1), *room_observations(1)], key=lambda one: one.at.mono_s)
    for each in [*seen, Tick(at(DAY_S))]:
        site, told = decide(site, each)
        effects += told
    return [effect.event for effect in effects if isinstance(effect, Publish)]


@pytest.fixture(scope="module")
def desks(events: list[Event], tmp_path_factory: pytest.TempPathFactory) -> dict[str, OccupancyRow]:
    return counted(tmp_path_factory.mktemp("hub"), events, "desk", opening_hours=OPENING)


def unknown_s(row: OccupancyRow) -> float:
    return (row.available_ms - row.observed_ms) / 1000


def test_the_hub_counts_the_occupied_time_of_every_desk_within_the_error_of_its_sensor(
    desks: dict[str, OccupancyRow],
) -> None:
    for desk in (desk for desk in DESKS if not desk.unknown):
        error_s = ERROR_S[desk.sensor.rpartition("-")[2]] * max(1, len(desk.stays))
        assert abs(desks[desk.id].occupied_ms / 1000 - truth(desk, 0, CLOSE_S)) <= error_s, desk.id
        assert unknown_s(desks[desk.id]) <= 1.0, desk.id


def test_the_hub_counts_nothing_of_a_stuck_radar_and_of_a_pulled_plug(desks: dict[str, OccupancyRow]) -> None:
    stuck, pulled = desks["desk-03"], desks["desk-04"]
    assert CLOSE_S - STUCK_FROM_S - HOLD_S <= unknown_s(stuck) <= CLOSE_S - 2 * HOUR_S
    assert stuck.occupied_ms / 1000 <= truth(DESKS[2], 0, STUCK_FROM_S) + HOLD_S
    assert PUT_BACK_S - PULLED_S <= unknown_s(pulled) <= PUT_BACK_S - PULLED_S + 130.0
    assert abs(pulled.occupied_ms / 1000 - (6 - 2) * HOUR_S) <= 3 * ERROR_S["pin"]


def test_every_moment_of_a_desk_is_occupied_vacant_or_unknown_and_vacant_is_no_more_than_the_truth(
    desks: dict[str, OccupancyRow],
) -> None:
    for desk in DESKS:
        vacant_s = (desks[desk.id].observed_ms - desks[desk.id].occupied_ms) / 1000
        away_s = CLOSE_S - truth(desk, 0, CLOSE_S)
        assert desks[desk.id].available_ms == CLOSE_S * 1000
        assert vacant_s <= away_s + ERROR_S[desk.sensor.rpartition("-")[2]] * len(desk.stays), desk.id


def test_the_room_says_what_happened_in_it_and_the_hub_counts_it(events: list[Event], tmp_path: Path) -> None:
    row = counted(tmp_path, events, "room", opening_hours=OPENING)["room-01"]
    (away_s, back_s), error_s = ROOM.unknown[0], ERROR_S["radar"]
    assert abs(row.occupied_ms / 1000 - truth(ROOM, 0, CLOSE_S)) <= error_s * len(ROOM.stays)
    assert back_s - away_s <= unknown_s(row) <= back_s - away_s + 1.0


def test_the_room_is_booked_a_ghost_in_a_call_and_free_when_it_was(events: list[Event]) -> None:
    start_ms = round(MONDAY_NINE.timestamp() * 1000)
    told = [(event.value.state, (event.t - start_ms) / 1000) for event in events if isinstance(event, RoomStateChanged)]
    (first, _), (second, second_end) = BOOKED
    expected = [
        ("free", 0.0),
        ("booked", first),
        ("ghost", first + 600),
        ("free", BOOKED[0][1]),
        ("unknown", ROOM.unknown[0][0]),
        ("free", ROOM.unknown[0][1]),
        ("booked", second),
        ("occupied", ROOM.stays[0][0]),
        ("in_call", IN_CALL[0]),
        ("occupied", IN_CALL[1]),
        ("booked", ROOM.stays[0][1]),
        ("free", second_end),
        ("occupied", ROOM.stays[1][0]),
        ("free", ROOM.stays[1][1]),
    ]
    assert [state for state, _ in told] == [state for state, _ in expected]
    for (state, at_s), (_, truly_s) in zip(told, expected, strict=True):
        assert abs(at_s - truly_s) <= ERROR_S["radar"], state
