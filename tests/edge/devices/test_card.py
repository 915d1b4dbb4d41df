from collections.abc import Callable
from random import Random

import pytest

from contract.credentials import uid_hash
from simulators.cards import Card as AnyCard
from simulators.cards import IsoDepCard, Ntag21x, Phone
from simulators.desfire import Desfire
from simulators.iso_dep import DONE, IsoDep, NdefApplet
from simulators.ntag424 import Ntag424, Ntag424Applet
from tests.support.bench import FOUR_WIRES
from tests.support.card_site import BADGE, KEY, KEYS, OTHER_BADGE, OTHER_KEY, SITE_KEY, UID, desfire, ntag, site


@pytest.mark.parametrize("wire", FOUR_WIRES)
@pytest.mark.parametrize("card", [ntag, desfire])
def test_a_badge_proves_who_it_is_once_for_each_presentation(card: Callable[[], AnyCard], wire: str) -> None:
    with site(FOUR_WIRES[wire]) as at:
        at.present(card())
        seen = at.sees()
        assert (seen.badge, seen.refusal, seen.uid_hash) == (BADGE, None, None)
        # The second card proves that the first was not said again meanwhile.
        at.remove()
        at.present(Ntag21x(bytes.fromhex("04112233445566")))
        assert at.sees(2).badge is None


def test_a_badge_that_is_not_in_the_rights_is_not_spoken_to_any_further() -> None:
    said: list[bytes] = []
    applet = Ntag424(UID, Random(4))
    applet.personalise(OTHER_BADGE, KEY)
    with site() as at:
        at.present(listened(Ntag424Applet(applet.application), said))
        seen = at.sees()
    assert (seen.badge, seen.refusal) == (OTHER_BADGE, "unknown_badge")
    assert [command[1] for command in said] == [0xA4, 0xAD]


def test_a_badge_costs_four_commands() -> None:
    said: list[bytes] = []
    with site() as at:
        at.present(listened(Ntag424Applet(ntag().application), said))
        assert at.sees().badge == BADGE
    assert [command[1] for command in said] == [0xA4, 0xAD, 0x71, 0xAF]


def listened(applet: Callable[[bytes], bytes], said: list[bytes]) -> IsoDepCard:
    """A card whose commands are written down."""

    def answer(command: bytes) -> bytes:
        said.append(command)
        return applet(command)

    return IsoDepCard(UID, IsoDep(answer))


def test_rights_that_arrive_count_from_the_next_card_on() -> None:
    with site() as at:
        at.driver.know({})
        at.present(ntag())
        assert at.sees().refusal == "unknown_badge"
        at.driver.know(KEYS)
        assert at.is_ready_again()


@pytest.mark.parametrize("card", [ntag, desfire])
def test_a_badge_with_another_key_is_refused_and_the_reader_is_ready_again(card: Callable[..., AnyCard]) -> None:
    with site() as at:
        at.present(card(OTHER_KEY))
        seen = at.sees()
        assert (seen.badge, seen.refusal) == (BADGE, "wrong_key")
        assert at.is_ready_again()


@pytest.mark.parametrize(
    "card",
    [
        lambda: Ntag424(UID, Random(4)),
        lambda: desfire(aid=bytes.fromhex("112233")),
        lambda: Desfire(UID, Random(4)),
        lambda: IsoDepCard(UID, IsoDep(NdefApplet())),
        lambda: IsoDepCard(UID, IsoDep(lambda _: DONE)),
        lambda: IsoDepCard(UID, IsoDep(lambda _: bytes(20) + b"\x91\x00")),
    ],
    ids=["factory-new", "another application", "no application", "text only", "yes to all", "another layout"],
)
def test_a_card_without_our_application_is_refused_and_the_reader_is_ready_again(card: Callable[[], AnyCard]) -> None:
    with site() as at:
        at.present(card())
        seen = at.sees()
        assert (seen.badge, seen.uid_hash, seen.refusal) == (None, None, "wrong_application")
        assert at.is_ready_again()


def test_a_card_without_our_application_is_known_by_its_number_where_the_site_allows_that() -> None:
    with site(uid_badges=True) as at:
        at.present(IsoDepCard(UID, IsoDep(NdefApplet())))
        seen = at.sees()
    assert (seen.badge, seen.uid_hash, seen.refusal) == (None, uid_hash(SITE_KEY, UID), None)


def test_a_badge_that_fails_to_prove_itself_is_never_known_by_its_number() -> None:
    with site(uid_badges=True) as at:
        at.present(ntag(OTHER_KEY))
        assert (at.sees().uid_hash, at.sees().refusal) == (None, "wrong_key")


@pytest.mark.parametrize("answer", [b"", b"\x90"])
def test_a_card_that_answers_without_a_status_is_unreadable(answer: bytes) -> None:
    with site() as at:
        at.present(IsoDepCard(UID, IsoDep(lambda _: answer)))
        seen = at.sees()
        assert (seen.badge, seen.refusal, seen.uid_hash) == (None, "unreadable", None)
        assert at.is_ready_again()


@pytest.mark.parametrize("ats", ["01", "0278", "067777710280", "0677ff710280", "0677777f0280", "06777fe10280"])
def test_a_card_that_describes_itself_oddly_does_not_harm_the_reader(ats: str) -> None:
    with site() as at:
        at.present(IsoDepCard(UID, IsoDep(NdefApplet(), ats=bytes.fromhex(ats).ljust(2, b"\0"))))
        assert at.sees().badge is None
        assert at.is_ready_again()


def test_a_badge_that_shows_a_random_number_is_a_badge_all_the_same() -> None:
    with site() as at:
        at.present(IsoDepCard(bytes.fromhex("08112233"), IsoDep(Ntag424Applet(ntag().application))))
        assert at.sees().badge == BADGE


def test_a_random_number_without_our_application_is_no_identity() -> None:
    with site() as at:
        at.present(Phone(Random(3), sel_res=0x20))
        seen = at.sees()
        assert (seen.badge, seen.refusal, seen.uid_hash) == (None, "random_uid", None)
