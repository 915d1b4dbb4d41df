import logging
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from random import Random

import nfc.clf
import pytest

from edge.core.observations import CredentialSeen, DeviceFailed, NoiseCounted
from edge.devices.card import CONVERSATION_S, Card, ask_badge
from simulators.attackers import Bluff, Recorder, Relay, Replayer, copy_of, uid_copy_of
from simulators.cards import Card as AnyCard
from simulators.cards import Classic1k, IsoDepCard, Ntag21x
from simulators.desfire import Desfire
from simulators.iso_dep import DONE, IsoDep, NdefApplet
from simulators.ntag424 import Ntag424, Ntag424Applet, factory_application
from simulators.wire import Faults
from tests.support.bench import eventually
from tests.support.card_site import BADGE, KEY, KEYS, OTHER_KEY, UID, ntag, site


@pytest.mark.parametrize("step", [0, 1, 2, 3])
def test_a_badge_pulled_away_at_any_step_is_told_to_stay_and_the_reader_is_ready_again(step: int) -> None:
    with site() as at:
        applet, heard = Ntag424Applet(ntag().application), []

        def leaving(command: bytes) -> bytes:
            heard.append(command)
            if len(heard) > step:
                at.chip.remove()
            return applet(command)

        at.present(IsoDepCard(UID, IsoDep(leaving)))
        seen = at.sees()
        assert (seen.badge, seen.refusal) == (None, "pulled_away")
        assert at.is_ready_again()


def test_a_badge_at_the_edge_of_the_field_is_told_once_and_believed_when_it_comes_nearer() -> None:
    with site() as at:
        applet, silent = Ntag424Applet(ntag().application), threading.Event()
        silent.set()
        card = Weak(IsoDep(applet, forget=applet.reset), silent)
        at.present(card)
        assert at.sees().refusal == "pulled_away"
        asked = card.asked
        assert eventually(lambda: card.asked > asked + 4, 15)
        assert len(at.heard.of(CredentialSeen)) == 1
        silent.clear()
        assert at.sees(2).badge == BADGE


class Weak(IsoDepCard):
    """A card with enough power for anticollision and not for a computation."""

    def __init__(self, blocks: IsoDep, silent: threading.Event) -> None:
        super().__init__(UID, blocks)
        self._silent = silent
        self.asked = 0

    def exchange(self, frame: bytes) -> bytes | None:
        self.asked += 1
        return None if self._silent.is_set() else super().exchange(frame)


def test_a_slow_badge_is_waited_for() -> None:
    with site() as at:
        at.present(ntag(extensions=2))
        assert at.sees().badge == BADGE


def test_a_badge_that_asks_for_more_time_again_and_again_is_given_up_and_the_reader_is_ready_again() -> None:
    with site() as at:
        # Its waiting time is 4.9 s, of which it asks for the 59-fold each time: nfcpy by itself would wait for ever.
        at.present(IsoDepCard(UID, IsoDep(lambda _: DONE, ats=bytes.fromhex("067777e10280"), extensions=10**9)))
        seen = at.sees()
        assert (seen.badge, seen.refusal) == (None, "pulled_away")
        assert at.is_ready_again()
        assert CONVERSATION_S < 2


def test_a_relay_proves_nothing_however_right_its_answers() -> None:
    with site(relay_limit_s=0.15) as at:
        at.present(Relay(ntag(), 0.2))
        seen = at.sees()
        assert (seen.badge, seen.refusal) == (BADGE, "late")
        assert at.is_ready_again()


def test_a_badge_that_is_late_once_is_asked_again_before_anybody_is_told() -> None:
    with site(relay_limit_s=0.15) as at:
        relay = Relay(ntag(), 0.2)
        at.present(relay)
        assert eventually(lambda: relay.late_s > 0, 15)
        at.remove()
        at.present(ntag())
        assert at.sees().refusal is None


def recording_of(badge: Ntag424) -> Replayer:
    recorder = Recorder(badge)
    with site() as at:
        at.present(recorder)
        assert at.sees().refusal is None
        return at.bench.call(recorder.replayer)


ATTACKERS: dict[str, Callable[[Ntag424, Random], AnyCard]] = {
    "copy": copy_of,
    "copied number": lambda badge, _: uid_copy_of(badge),
    "made up": lambda badge, random: Bluff(badge, random, "random"),
    "sent back": lambda badge, random: Bluff(badge, random, "echo"),
    "recording": lambda badge, _: recording_of(badge),
    "relay": lambda badge, _: Relay(badge, 0.2),
}


@pytest.mark.parametrize("attacker", ATTACKERS)
def test_no_attacker_is_taken_for_a_badge(attacker: str) -> None:
    cards = [ATTACKERS[attacker](ntag(uid=bytes([4, 0, 0, 0, 0, 2, number])), Random(number)) for number in range(2)]
    with site(relay_limit_s=0.15, uid_badges=True) as at:
        for number, card in enumerate(cards, 1):
            at.present(card)
            seen = at.sees(number)
            assert seen.badge is None or seen.refusal in ("wrong_key", "late"), seen.refusal
            at.remove()
        assert at.is_ready_again()


@pytest.mark.parametrize(
    "cards",
    [
        (lambda: Classic1k(bytes.fromhex("a1b2c3d4")), lambda: Classic1k(bytes.fromhex("a1b2c3d5"))),
        (lambda: Ntag424(UID, Random(1)), lambda: Desfire(bytes.fromhex("04000000000001"), Random(2))),
        (lambda: IsoDepCard(UID, IsoDep(NdefApplet())), lambda: ntag(uid=bytes.fromhex("04000000000002"))),
    ],
)
def test_two_cards_at_once_are_refused_and_the_reader_is_ready_again(cards: tuple[Callable[[], AnyCard], ...]) -> None:
    with site() as at:
        at.present(*(card() for card in cards))
        seen = at.sees()
        assert (seen.badge, seen.refusal, seen.uid_hash) == (None, "two_cards", None)
        assert at.is_ready_again()


def test_of_two_numbers_at_once_none_is_taken_where_cards_are_known_by_them() -> None:
    with site(uid_badges=True) as at:
        at.present(Ntag21x(UID), Ntag21x(bytes.fromhex("04000000000001")))
        seen = at.sees()
        assert (seen.badge, seen.refusal, seen.uid_hash) == (None, "two_cards", None)
        assert at.is_ready_again()


def test_a_badge_that_proves_itself_is_believed_whatever_lies_beside_it() -> None:
    with site() as at:
        # Anticollision finds the badge first: a one goes before a zero, from the lowest bit up.
        at.present(ntag(uid=bytes.fromhex("04ffffffffffff")), IsoDepCard(UID, IsoDep(NdefApplet())))
        assert at.sees().badge == BADGE


def test_a_long_answer_arrives_in_parts() -> None:
    with site() as at:
        # More than one frame for the file: refused for its content, and understood as a whole.
        at.present(IsoDepCard(UID, IsoDep(lambda _: bytes(600) + DONE)))
        assert at.sees().refusal == "wrong_application"
        assert at.is_ready_again()


def test_a_wire_full_of_garbage_gives_noise_and_a_badge_all_the_same() -> None:
    with site(Faults(garbage=0.002)) as at:
        for number in range(6):
            at.present(ntag(uid=bytes([4, 0, 0, 0, 0, 1, number])))
            assert at.heard.hears(CredentialSeen, lambda seen: seen.badge == BADGE, times=number + 1)
            at.remove()
        at.bench.set_faults(at.port, Faults(garbage=0.05))
        assert at.heard.hears(NoiseCounted)


def test_neither_number_nor_key_nor_name_of_a_badge_appears_in_a_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.WARNING, logger="nfc")
    with site() as at:
        at.present(ntag())
        assert at.sees().badge == BADGE
        at.remove()
        at.present(ntag(OTHER_KEY, uid=bytes.fromhex("04000000000003")))
        assert at.sees(2).refusal == "wrong_key"
    said = caplog.text.lower() + repr(at.driver) + repr(at.heard.of(object))
    for secret in (UID, KEY, OTHER_KEY):
        assert secret.hex() not in said
        assert repr(secret) not in said


def test_a_factory_new_card_has_no_name_to_show() -> None:
    # What the reader relies on to tell blank from ours, said of the simulated card itself.
    applet = Ntag424Applet(factory_application(Random(1), UID))
    assert applet(bytes.fromhex("00a4040007d276000085010100")) == DONE
    assert applet(bytes.fromhex("90ad0000070300000014000000"))[-2:] != b"\x91\x00"


class Babbler:
    """What nfcpy's frontend would be with a card, or a wire, that says anything at all."""

    max_send_data_size = max_recv_data_size = 264

    def __init__(self, random: Random) -> None:
        self._random = random

    def exchange(self, frame: bytes, timeout: float) -> bytearray:  # noqa: ARG002  # as nfcpy calls it
        random = self._random
        if random.random() < 0.1:
            raise random.choice([nfc.clf.TimeoutError, nfc.clf.TransmissionError, nfc.clf.ProtocolError])
        if frame[0] == 0xE0 and random.random() < 0.8:
            return bytearray.fromhex("067777710280")
        if random.random() < 0.5:
            sense = [
                b"\x90\x00",
                b"\x91\x00",
                b"TCB1" + BADGE + b"\x91\x00",
                bytes(16) + b"\x91\xaf",
                bytes(32) + b"\x91\x00",
            ]
            return bytearray([frame[0] & 1 | 2]) + random.choice(sense)
        noise = bytearray(random.randbytes(random.choice([0, 1, 2, 3, 20, 260])))
        return bytearray(random.choice([b"\x02", b"\x03", b"\x12", b"\xa2", b"\xf2", b""])) + noise


def test_whatever_a_card_says_the_conversation_ends_in_time_and_in_a_refusal(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL, "nfc")
    for seed in range(1_500):
        random, asked = Random(seed), 0
        target = nfc.clf.RemoteTarget("106A", sens_res=bytearray(b"\x44\x03"), sel_res=bytearray(b"\x20"))
        target.sdd_res = bytearray(UID)

        def left_s() -> float:
            nonlocal asked
            asked += 1
            return CONVERSATION_S - asked * 0.01

        card = Card(Babbler(random), target, clock=lambda: 0.0, left_s=left_s)
        shown = ask_badge(card, KEYS, partial(random.randbytes, 16), relay_limit_s=1.0)
        assert shown.refusal in ("pulled_away", "unreadable", "wrong_application", "wrong_key")
        assert asked < 200


def test_many_taps_leave_nothing_behind() -> None:
    with site() as at:
        for number in range(60):
            before = len(list(Path("/proc/self/fd").iterdir())), threading.active_count()
            at.present(ntag(uid=bytes([4, 0, 0, 0, 0, 3, number])))
            assert at.heard.hears(CredentialSeen, lambda seen: seen.refusal is None, times=number + 1)
            at.remove()
            assert (len(list(Path("/proc/self/fd").iterdir())), threading.active_count()) == before
        assert not at.heard.of(DeviceFailed)
