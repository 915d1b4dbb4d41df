"""The four languages say the same things, and all that can happen has its words."""

import string
from datetime import UTC, date, datetime
from typing import get_args

import pytest

from contract.events import AccessReason, CardTrouble, DeskState, DoorAlarm, DoorState, Fault, RoomState
from hub.texts import LANGUAGES, preferred_language, read_table, words

MONDAY = date(2026, 11, 16)


def fields(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}


@pytest.mark.parametrize("language", LANGUAGES[1:])
def test_every_language_has_the_same_keys_in_the_same_order(language: str) -> None:
    assert list(read_table(language)) == list(read_table("fr"))


@pytest.mark.parametrize("language", LANGUAGES[1:])
def test_every_language_fills_in_the_same_fields(language: str) -> None:
    french, other = read_table("fr"), read_table(language)
    assert [key for key in french if fields(french[key]) != fields(other[key])] == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_text_is_empty_or_shouts(language: str) -> None:
    assert [key for key, text in read_table(language).items() if not text.strip() and key != "number.group"] == []
    assert [key for key, text in read_table(language).items() if "!" in text] == []


def test_no_french_line_can_begin_with_a_mark_that_stands_after_a_space() -> None:
    parted = [
        key for key, text in read_table("fr").items() if any(pair in text for pair in (" :", " ;", " »", "« ", " %"))
    ]
    assert parted == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_reason_and_every_fault_has_a_sentence_and_a_remedy(language: str) -> None:
    table = read_table(language)
    keys = [f"reason.{name}" for name in get_args(AccessReason)] + [f"fault.{name}" for name in get_args(Fault)]
    keys += [f"badge_trouble.{name}" for name in get_args(CardTrouble)]
    for key in keys:
        assert table[key].endswith(".")
        assert table[f"{key}_remedy"].endswith(".")


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_state_has_a_word(language: str) -> None:
    table = read_table(language)
    wanted = {"desk_state": DeskState, "room_state": RoomState, "door_state": DoorState, "door_alarm": DoorAlarm}
    assert [
        f"{part}.{name}" for part, kind in wanted.items() for name in get_args(kind) if not table[f"{part}.{name}"]
    ] == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_alarm_of_a_door_has_a_sentence_and_a_remedy(language: str) -> None:
    table = read_table(language)
    for alarm in get_args(DoorAlarm):
        if alarm != "NORMAL":
            assert table[f"attention.{alarm}"].endswith(".")
            assert table[f"remedy.{alarm}"].endswith(".")


@pytest.mark.parametrize(
    ("name", "of_site"),
    [
        ("Murat", "de Murat"),
        ("Aurillac", "d'Aurillac"),
        ("Ydes", "d'Ydes"),
        ("Écully", "d'Écully"),
        ("Le Monastier", "du Monastier"),
        ("Les Ternes", "des Ternes"),
        ("La Chapelle", "de La Chapelle"),
    ],
)
def test_french_elides_before_a_vowel_and_contracts_the_article(name: str, of_site: str) -> None:
    assert words("fr").of(name) == of_site


def test_french_counts_zero_as_singular_and_english_does_not() -> None:
    assert words("fr").some("page.free_desks", 0, total=6) == "0 poste libre sur 6"
    assert words("en").some("page.free_desks", 0, total=6) == "0 desks free of 6"
    assert words("fr").some("page.free_desks", 2, total=6) == "2 postes libres sur 6"


def test_numbers_follow_the_language() -> None:
    assert words("fr").number(12_345.6, 1) == "12\u202f345,6"
    assert words("en").number(12_345.6, 1) == "12,345.6"
    assert words("de").number(12_345.6, 1) == "12.345,6"
    assert words("fr").percent(0.424) == "42\u00a0%"


def test_a_trace_is_not_nothing() -> None:
    assert words("fr").percent(0.0003) == "< 1\u00a0%"
    assert words("fr").percent(0.0) == "0\u00a0%"


@pytest.mark.parametrize(
    ("milliseconds", "said"),
    [(0, "0 min"), (40_000, "40 s"), (2_100_000, "35 min"), (7_199_000, "120 min"), (27_000_000, "7,5 h")],
)
def test_a_duration_is_as_short_as_it_is_clear(milliseconds: int, said: str) -> None:
    assert words("fr").duration(milliseconds) == said


def test_dates_are_written_in_full() -> None:
    assert words("fr").day(date(2026, 11, 21)) == "21 nov. 2026"
    assert words("de").day(date(2026, 11, 21)) == "21. Nov. 2026"
    assert words("fr").short_day(MONDAY) == "lun. 16 nov."


def test_a_moment_of_today_is_a_time_and_of_another_day_has_its_date() -> None:
    now = datetime(2026, 11, 21, 13, 30, tzinfo=UTC)
    assert words("fr").since(datetime(2026, 11, 21, 13, 2, tzinfo=UTC), "Europe/Paris", now) == "depuis\u00a014:02"
    yesterday = datetime(2026, 11, 20, 22, 59, tzinfo=UTC)
    assert words("fr").since(yesterday, "Europe/Paris", now) == "depuis le 20 nov. 2026 à 23:59"


def test_today_is_the_day_at_the_site_and_not_in_london() -> None:
    now = datetime(2026, 11, 20, 23, 30, tzinfo=UTC)  # half past midnight in Murat
    assert words("fr").moment(datetime(2026, 11, 20, 23, 5, tzinfo=UTC), "Europe/Paris", now) == "00:05"


@pytest.mark.parametrize(
    ("asked", "header", "language"),
    [
        (None, "", "fr"),
        (None, "de-AT,de;q=0.9,en;q=0.8", "de"),
        (None, "es, it;q=0.5, en;q=0.7", "en"),
        (None, "en;q=0, it;q=0.1", "it"),
        (None, "nl,es", "fr"),
        (None, "de;q=nonsense, en", "en"),
        (None, "de;q=nan, en;q=inf", "fr"),
        ("it", "de", "it"),
        ("xx", "de", "de"),
        ("../fr", "", "fr"),
    ],
)
def test_the_address_wins_then_the_browser_then_french(asked: str | None, header: str, language: str) -> None:
    assert preferred_language(asked, header) == language


def test_a_language_that_is_not_ours_is_a_mistake() -> None:
    with pytest.raises(KeyError):
        words("nl")


def test_opening_hours_are_written_as_people_do() -> None:
    assert words("fr").opening("Mo-Fr 08:00-19:00; Sa 09:00-12:00; PH off") == (
        "lun.-ven. 08:00-19:00, sam. 09:00-12:00, fermé les jours fériés"
    )
    assert words("en").opening("24/7") == "every day at all hours"
