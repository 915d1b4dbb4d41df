"""What a card and a sentence say, for every state and alarm, in every language."""

from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

from contract.events import DeskState, DoorAlarm, DoorState, Fault, RoomState
from contract.messages import Now, Status
from hub.live import Frame, LiveBoard
from hub.routes.attention import MAX_POINTS, points
from hub.routes.cards import card, device_name, number_of, summary, view_of
from hub.texts import LANGUAGES, words
from tests.hub.test_live import MURAT
from tests.support.telecentres import MINUTE_MS, NOON_MS, now_of, status_of

FRENCH = words("fr")


def frame_with(
    desks: str = "vo",
    *,
    room: RoomState = "free",
    door: tuple[DoorState, DoorAlarm] = ("locked", "NORMAL"),
    since: int | None = NOON_MS - 5 * MINUTE_MS,
    status: Status | None = None,
) -> Frame:
    board = LiveBoard([MURAT])
    board.take_now(now_of("murat", desks, rooms=(room,), door=door, since=since), NOON_MS)
    board.take_status(status or status_of("murat"), NOON_MS)
    return board.look(NOON_MS)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("alarm", [one for one in get_args(DoorAlarm) if one != "NORMAL"])
def test_every_alarm_makes_a_sentence_with_its_time(alarm: DoorAlarm, language: str) -> None:
    (point,) = points(frame_with(door=("open", alarm)), words(language))
    assert "Murat" in point.sentence
    assert "11:55" in point.sentence
    assert point.remedy


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_moment_that_nobody_knows_still_ends_the_sentence(language: str) -> None:
    (point,) = points(frame_with(door=("open", "DOOR_OPEN_TOO_LONG"), since=None), words(language))
    assert "  " not in point.sentence
    assert " ." not in point.sentence


@pytest.mark.parametrize("fault", get_args(Fault))
def test_every_fault_is_told_with_its_remedy(fault: Fault) -> None:
    frame = frame_with(status=status_of("murat", faults={"reader-01": fault}))
    (trouble,) = card(frame.sites["murat"], view_of(frame, FRENCH)).troubles
    assert trouble.name == "Lecteur de badges 1"
    assert trouble.sentence == FRENCH(f"fault.{fault}")
    assert trouble.remedy == FRENCH(f"fault.{fault}_remedy")


@pytest.mark.parametrize(
    ("device", "name"),
    [
        ("desk-02-radar", "Capteur du poste 2"),
        ("desk-12", "Capteur du poste 12"),
        ("room-01-radar", "Capteur de la salle 1"),
        ("room-01-bookings", "Agenda de la salle 1"),
        ("room-01-display", "Écran de la salle 1"),
        ("reader-01", "Lecteur de badges 1"),
        ("door-01", "Porte 1"),
        ("outbox", "Mémoire du boîtier"),
        ("window-left", "window-left"),
        ("reader", "reader"),
    ],
)
def test_a_device_is_called_as_people_call_it(device: str, name: str) -> None:
    assert device_name(device, FRENCH) == name


def test_broken_devices_are_named_and_one_alone_says_what_to_do() -> None:
    def said(*devices: str) -> tuple[str, str]:
        (point,) = points(frame_with(status=status_of("murat", faults=dict.fromkeys(devices, "unplugged"))), FRENCH)
        return point.sentence, point.remedy

    assert said("reader-01") == (
        "1 appareil de Murat ne fonctionne pas bien\u00a0: Lecteur de badges 1.",
        "L'appareil a été débranché. Rebranchez son câble\u00a0; il repart de lui-même.",
    )
    sentence, remedy = said("reader-01", "desk-01-pin", "desk-02-radar", "desk-03-pin")
    assert sentence.endswith("Lecteur de badges 1, Capteur du poste 1, Capteur du poste 2….")
    assert remedy == FRENCH("remedy.devices")


@pytest.mark.parametrize(("device", "grade"), [("reader-01", "alarm"), ("desk-01-pin", "notice")])
def test_a_dead_reader_is_an_alarm_for_nobody_can_enter(device: str, grade: str) -> None:
    (point,) = points(frame_with(status=status_of("murat", faults={device: "silent"})), FRENCH)
    assert point.grade == grade


def test_a_place_is_called_by_its_number_or_by_its_id() -> None:
    assert number_of("desk-07") == "7"
    assert number_of("desk-window") == "desk-window"


@pytest.mark.parametrize("state", get_args(RoomState))
@pytest.mark.parametrize("language", LANGUAGES)
def test_every_state_of_a_room_has_a_shape_and_a_word(state: RoomState, language: str) -> None:
    frame = frame_with(room=state)
    (room,) = card(frame.sites["murat"], view_of(frame, words(language))).rooms
    assert room.shape
    assert room.word


def test_a_site_whose_desks_are_all_unknown_has_no_number() -> None:
    frame = frame_with("uu")
    assert card(frame.sites["murat"], view_of(frame, FRENCH)).free == "?"


def test_unknown_desks_are_not_counted_as_free_nor_in_the_total() -> None:
    assert summary(frame_with("vu"), FRENCH) == "1 poste libre sur 1"
    assert summary(frame_with("uu"), FRENCH) == "Aucun poste connu"


def test_a_backlog_is_worth_a_sentence_when_it_is_large_or_old() -> None:
    def said(depth: int, age_ms: int) -> list[str]:
        status = status_of("murat", depth=depth, oldest_at=NOON_MS - age_ms)
        return [point.sentence for point in points(frame_with(status=status), FRENCH)]

    assert said(20, MINUTE_MS) == []
    assert said(20, 60 * MINUTE_MS) == []
    assert said(20, 61 * MINUTE_MS) == ["20 événements de Murat attendent d'être transmis depuis\u00a010:59."]
    assert len(said(501, MINUTE_MS)) == 1


def test_senders_outside_the_register_come_last_and_more_than_a_dozen_are_counted() -> None:
    board = LiveBoard([MURAT])
    for number in range(MAX_POINTS + 2):
        board.take_now(now_of(f"site-{number}", "v"), NOON_MS)
    found = points(board.look(NOON_MS), FRENCH)
    assert found[0].grade == "stale"
    assert found[1].sentence == "«\u00a0site-0\u00a0» envoie des données mais n'est pas au registre."
    assert len(found) == MAX_POINTS + 3


RESOURCE = st.one_of(
    st.from_regex(r"[a-z0-9][a-z0-9-]{0,39}", fullmatch=True),
    st.sampled_from(["reader", "degraded", "down", "desk", "desk-", "desk-1-", "room-01-x", "0", "a-00", "outbox"]),
)
SINCE = st.one_of(st.none(), st.integers(0, 2**53), st.integers(NOON_MS - 10**9, NOON_MS + 10**9))


def places(**parts: st.SearchStrategy[object]) -> st.SearchStrategy[object]:
    return st.lists(st.fixed_dictionaries({"id": RESOURCE, "since": SINCE, **parts}), max_size=3)


def one_of(kind: object) -> st.SearchStrategy[object]:
    return st.sampled_from(get_args(kind))


NOW = st.fixed_dictionaries(
    {
        "site": st.just("murat"),
        "as_of": st.integers(0, 2**53),
        "clock": st.sampled_from(["synced", "holdover", "unsynced"]),
        "desks": places(state=one_of(DeskState)),
        "rooms": places(state=one_of(RoomState)),
        "doors": places(state=one_of(DoorState), alarm=one_of(DoorAlarm)),
    }
)
DEVICES = places(kind=st.just("device"), health=st.sampled_from(["ok", "down"]), fault=st.none() | one_of(Fault))


@settings(max_examples=100, deadline=None)
@given(now=NOW, devices=DEVICES, at=st.integers(0, 2**53), language=st.sampled_from(LANGUAGES))
def test_whatever_a_valid_message_says_the_board_can_show_it(
    now: object, devices: object, at: int, language: str
) -> None:
    status = status_of("murat").model_dump()
    status["report"].update(at=at, devices=devices)
    board = LiveBoard([MURAT])
    board.take_now(TypeAdapter(Now).validate_python(now), NOON_MS)
    board.take_status(TypeAdapter(Status).validate_python(status), NOON_MS)
    frame = board.look(NOON_MS)
    shown = card(frame.sites["murat"], view_of(frame, words(language)))
    assert shown.name == "Murat"
    assert all(point.sentence and point.remedy for point in points(frame, words(language)))
