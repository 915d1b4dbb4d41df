"""Who carries a secured badge in a simulation, and what a thief can make of it."""

from pathlib import Path
from random import Random

import pytest

from simulators.badges import Badge, Secret, badges_of, members_of, registered, secured
from simulators.badges_file import MAX_FILE_BYTES, BadgesFileError, read_secrets
from simulators.badges_wallet import NothingToCopyError, Wallet
from simulators.cards import Classic1k, Ntag21x, Phone
from simulators.desfire import Desfire
from simulators.ntag424 import Ntag424
from tests.support.ev2_reader import DESFIRE, NTAG, Reader

BADGE_ID, KEY = bytes(range(16)), bytes(range(100, 116))
ENTRY = {"site": "murat", "name": "jeanne", "badge_id": BADGE_ID.hex(), "key": KEY.hex()}


def _file(folder: Path, *entries: dict[str, str]) -> Path:
    path = folder / "badges.toml"
    lines = ["\n".join(["[[badge]]", *(f'{key} = "{value}"' for key, value in entry.items())]) for entry in entries]
    path.write_text("\n\n".join(lines))
    return path


def test_without_a_file_nobody_has_a_secured_badge(tmp_path: Path) -> None:
    assert read_secrets(tmp_path / "badges.toml") == {}


def test_a_file_makes_secured_badges_of_the_people_it_names(tmp_path: Path) -> None:
    path = _file(tmp_path, ENTRY, ENTRY | {"name": "louis", "card": "desfire"}, ENTRY | {"site": "ydes"})
    badges = secured(badges_of("murat", 6, seed=1), read_secrets(path)["murat"])
    assert [badge.name for badge in registered(badges) if badge.secret] == ["jeanne", "louis"]
    assert badges["jeanne"].secret == Secret(BADGE_ID, KEY)
    assert (badges["jeanne"].kind, badges["louis"].kind) == ("ntag424", "desfire")
    assert members_of(badges)[0].uid == badges_of("murat", 6, seed=1)["jeanne"].uid


def test_a_key_is_not_in_the_words_for_its_badge() -> None:
    assert KEY.hex() not in repr(Secret(BADGE_ID, KEY))
    assert repr(KEY) not in repr(Badge("jeanne", "ntag424", b"", secret=Secret(BADGE_ID, KEY)))


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("[[badge", "no TOML"),
        ("badge = 3", "nothing else"),
        ("people = []", "nothing else"),
        ("badge = [3]", "badge 1 is no table of texts"),
        ("[[badge]]\nsite = 3", "badge 1 is no table of texts"),
        ('[[badge]]\nsite = "murat"', "badge_id is missing"),
        ("\xff", "no TOML"),
        ("#" * (MAX_FILE_BYTES + 1), "longer than"),
    ],
    ids=["broken", "number", "unknown", "not-a-table", "not-a-text", "missing", "not-utf-8", "too-long"],
)
def test_a_file_that_is_none_is_refused_with_one_sentence(tmp_path: Path, content: str, sentence: str) -> None:
    path = tmp_path / "badges.toml"
    path.write_text(content, encoding="latin-1")
    with pytest.raises(BadgesFileError, match=sentence):
        read_secrets(path)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"key": "00"}, "badge 1: key must be 32 hexadecimal digits"),
        ({"badge_id": "AA" * 16}, "badge 1: badge_id must be 32"),
        ({"card": "ntag"}, "badge 1: card must be one of ntag424, desfire"),
        ({"colour": "blue"}, "badge 1: colour is unknown"),
    ],
)
def test_a_wrong_badge_is_refused_with_its_place(tmp_path: Path, change: dict[str, str], sentence: str) -> None:
    with pytest.raises(BadgesFileError, match=sentence):
        read_secrets(_file(tmp_path, ENTRY | change))


def test_two_badges_of_one_person_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadgesFileError, match="badge 2: jeanne at murat has one already"):
        read_secrets(_file(tmp_path, ENTRY, ENTRY))


@pytest.mark.parametrize(("kind", "made"), [("ntag", Ntag21x), ("classic", Classic1k), ("phone", Phone)])
def test_other_people_carry_other_cards(kind: str, made: type) -> None:
    badge = next(badge for badge in badges_of("murat", 1, seed=1).values() if badge.kind == kind)
    assert isinstance(Wallet(Random(1)).card(badge), made)


@pytest.mark.parametrize(("kind", "select"), [("ntag424", NTAG), ("desfire", DESFIRE)])
def test_a_secured_card_proves_itself_and_its_copy_does_not(kind: str, select: bytes) -> None:
    wallet = Wallet(Random(1))
    badge = Badge(
        "jeanne",
        "desfire" if kind == "desfire" else "ntag424",
        bytes.fromhex("04a1b2c3d4e5f6"),
        secret=Secret(BADGE_ID, KEY),
    )
    card, copy = wallet.card(badge), wallet.copy(badge)
    for shown, outcome in ((card, "00"), (copy, "ae")):
        assert isinstance(shown, Ntag424 | Desfire)
        assert shown.anticollision == card.anticollision
        reader = Reader(shown.applet)
        assert reader.badge_id(select) == BADGE_ID
        assert reader.authenticate(KEY) == outcome


def test_a_blank_card_keeps_what_an_enrolment_has_made_of_it() -> None:
    wallet = Wallet(Random(1))
    blank = badges_of("murat", 1, seed=1)["blank"]
    card = wallet.card(blank)
    assert isinstance(card, Ntag424)
    assert Reader(card.applet).personalise(BADGE_ID, KEY) == "00"
    assert wallet.card(blank) is card


@pytest.mark.parametrize("name", ["tag", "classic"])
def test_a_copy_of_a_plain_card_has_its_number(name: str) -> None:
    badge = badges_of("murat", 1, seed=1)[name]
    wallet = Wallet(Random(1))
    assert wallet.copy(badge).anticollision == wallet.card(badge).anticollision


def test_of_a_phone_there_is_nothing_to_copy() -> None:
    with pytest.raises(NothingToCopyError, match="nothing to copy"):
        Wallet(Random(1)).copy(Badge("phone", "phone", b""))
