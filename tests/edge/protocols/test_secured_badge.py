from collections.abc import Callable, Generator
from functools import partial
from random import Random
from typing import TypeVar

import pytest

from edge.protocols.apdu import CardError, CardGoneError, native
from edge.protocols.secured_badge import Personalisation, Proof, personalise, prove
from simulators.attackers import Bluff, Recorder, copy_of
from simulators.desfire import Desfire, DesfireApplet
from simulators.ntag424 import Ntag424, Ntag424Applet
from tests.support.block_reader import BlockReader, blocks_of

UID = bytes.fromhex("04a1b2c3d4e5f6")
BADGE, KEY = bytes.fromhex("a1b2c3d4e5f60718293a4b5c6d7e8f90"), bytes.fromhex("f6105b3c631bb6e0a29489d47e4cfd74")
OTHER_BADGE, OTHER_KEY = bytes(range(100, 116)), bytes(range(16))
STEPS = 10
"""Commands of an enrolment: select, read, authenticate (2), settings, name, settings, key, authenticate (2)."""
Outcome = TypeVar("Outcome")
Applet = Callable[[bytes], bytes]


def factory_new() -> Ntag424:
    return Ntag424(UID, Random(4))


def ours(badge: bytes = BADGE, key: bytes = KEY) -> Ntag424:
    card = factory_new()
    card.personalise(badge, key)
    return card


def applet_of(card: Ntag424) -> Ntag424Applet:
    """The card in a new field."""
    card.application.reset()
    return Ntag424Applet(card.application)


def held(
    conversation: Generator[bytes, bytes, Outcome],
    applet: Applet,
    *,
    gone_before: int = -1,
    gone_after: int = -1,
) -> Outcome:
    """Hold a conversation; the card leaves before it hears a command of that number, or after it has obeyed it."""
    number = 0
    try:
        command = next(conversation)
        while True:
            if number == gone_before:
                conversation.throw(CardGoneError())
                raise AssertionError("the conversation goes on without a card")
            answer = applet(command)
            if number == gone_after:
                conversation.throw(CardGoneError())
                raise AssertionError("the conversation goes on without a card")
            command, number = conversation.send(answer), number + 1
    except StopIteration as end:
        outcome: Outcome = end.value
        return outcome


def enrolled(applet: Applet, *, gone_before: int = -1, gone_after: int = -1, seed: int = 1) -> Personalisation:
    draw = Random(seed)
    conversation = personalise(BADGE, KEY, {OTHER_BADGE: OTHER_KEY}, lambda: draw.randbytes(16))
    return held(conversation, applet, gone_before=gone_before, gone_after=gone_after)


def proof(applet: Applet, keys: dict[bytes, bytes] | None = None) -> Proof:
    draw = Random(2)
    return held(prove({BADGE: KEY} if keys is None else keys, lambda: draw.randbytes(16)), applet)


def test_a_badge_proves_who_it_is() -> None:
    assert proof(applet_of(ours())) == Proof(BADGE)


def test_a_desfire_that_also_has_an_application_for_phones_proves_who_it_is() -> None:
    applet = desfire_applet()

    def with_text(command: bytes) -> bytes:
        return b"\x90\x00" if command[:2] == b"\x00\xa4" else applet(command)

    assert proof(with_text) == Proof(BADGE)


def desfire_applet() -> Applet:
    card = Desfire(UID, Random(4))
    card.personalise(BADGE, KEY)
    for kept in vars(card).values():
        if isinstance(kept, DesfireApplet):
            return kept
    raise AssertionError("a DESFire has an applet")


def test_a_badge_without_a_key_only_says_its_name() -> None:
    assert proof(applet_of(ours()), {}) == Proof(None, BADGE, "unknown_badge")


def test_a_copy_that_knows_the_name_and_not_the_key_proves_nothing() -> None:
    assert proof(applet_of(ours(key=OTHER_KEY))) == Proof(None, BADGE, "wrong_key")


def test_a_recording_of_a_whole_valid_exchange_proves_nothing() -> None:
    applet, recording = applet_of(ours()), list[bytes]()

    def recorded(command: bytes) -> bytes:
        recording.append(applet(command))
        return recording[-1]

    assert proof(recorded) == Proof(BADGE)
    replayed, draw = iter(recording), Random(3)
    conversation = prove({BADGE: KEY}, lambda: draw.randbytes(16))
    assert held(conversation, lambda _: next(replayed)) == Proof(None, BADGE, "wrong_key")


def test_in_a_thousand_tries_no_attacker_proves_anything() -> None:
    badge = ours()
    recorder = Recorder(badge)
    assert proof(BlockReader(blocks_of(recorder)).apdu) == Proof(BADGE)
    for seed in range(1_000):
        random = Random(seed)
        draw = partial(random.randbytes, 16)
        attackers = copy_of(badge, random), Bluff(badge, random), Bluff(badge, random, "echo"), recorder.replayer()
        for card in attackers:
            shown = held(prove({BADGE: KEY}, draw), BlockReader(blocks_of(card)).apdu)
            assert shown == Proof(None, BADGE, "wrong_key")


@pytest.mark.parametrize("name", [b"", bytes(20), b"TCB2" + BADGE, b"TCB1" + BADGE[:15], b"TCB1" + BADGE + b"\0"])
def test_another_layout_is_not_one_of_our_badges(name: bytes) -> None:
    def answering(command: bytes) -> bytes:
        return b"\x90\x00" if command[:1] == b"\x00" else name + b"\x91\x00"

    assert proof(answering) == Proof(None, None, "wrong_application")


def test_a_factory_new_card_becomes_the_badge() -> None:
    card = factory_new()
    assert enrolled(applet_of(card)) == "done"
    assert proof(applet_of(card)) == Proof(BADGE)


def test_only_the_key_of_a_badge_writes_to_it_afterwards() -> None:
    card = factory_new()
    assert enrolled(applet_of(card)) == "done"
    applet = applet_of(card)
    applet(bytes.fromhex("00a4040007d276000085010100"))
    for file in (2, 3):
        write = native(0x8D, bytes([file]) + bytes(3) + bytes([4, 0, 0]) + b"evil")
        assert applet(write)[-2:] != b"\x91\x00"
    assert proof(applet_of(card)) == Proof(BADGE)


@pytest.mark.parametrize("step", range(STEPS))
@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_card_pulled_away_is_still_blank_or_already_complete_and_can_be_finished(moment: str, step: int) -> None:
    card = factory_new()
    where = {f"gone_{moment}": step}
    outcome = enrolled(applet_of(card), **where)
    complete = proof(applet_of(card)) == Proof(BADGE)
    if outcome == "pulled_away":
        assert not complete
        assert card.application.keys[0].value == bytes(16)
    else:
        assert outcome in ("uncertain", "done")
        assert complete or outcome == "uncertain"
    assert enrolled(applet_of(card), seed=9) == "done"
    assert proof(applet_of(card)) == Proof(BADGE)


def test_a_blank_card_on_which_an_enrolment_stopped_can_become_another_badge() -> None:
    card = factory_new()
    assert enrolled(applet_of(card), gone_after=6) == "pulled_away"
    draw = Random(5)
    again = personalise(OTHER_BADGE, OTHER_KEY, {BADGE: KEY}, lambda: draw.randbytes(16))
    assert held(again, applet_of(card)) == "done"
    assert proof(applet_of(card), {OTHER_BADGE: OTHER_KEY}) == Proof(OTHER_BADGE)


def test_a_card_that_is_already_a_badge_of_ours_is_left_as_it_is() -> None:
    card = ours(OTHER_BADGE, OTHER_KEY)
    assert enrolled(applet_of(card)) == "already_ours"
    assert proof(applet_of(card), {OTHER_BADGE: OTHER_KEY}) == Proof(OTHER_BADGE)


@pytest.mark.parametrize("card", [ours(bytes(range(50, 66)), bytes([7] * 16)), ours(OTHER_BADGE, bytes([7] * 16))])
def test_a_card_with_a_key_of_somebody_else_is_left_as_it_is(card: Ntag424) -> None:
    before = bytes(card.application.files[3].content)
    assert enrolled(applet_of(card)) == "not_blank"
    assert bytes(card.application.files[3].content) == before


def test_a_card_that_is_no_ntag_424_is_not_personalised() -> None:
    assert enrolled(desfire_applet()) == "wrong_application"
    assert enrolled(lambda _: b"\x6d\x00") == "wrong_application"


@pytest.mark.parametrize("step", range(4, 8))
def test_a_card_whose_answers_are_changed_on_the_way_is_never_said_to_be_done(step: int) -> None:
    applet, number = applet_of(factory_new()), -1

    def disturbed(command: bytes) -> bytes:
        nonlocal number
        number += 1
        answer = applet(command)
        return b"\x91\x1e" if number == step else answer

    assert enrolled(disturbed) in ("not_blank", "uncertain")


def test_a_badge_that_was_tried_with_wrong_keys_makes_us_wait_and_then_proves_itself() -> None:
    card, outcomes = ours(), list[str]()
    for _ in range(50):
        assert proof(applet_of(card), {BADGE: OTHER_KEY}).doubt == "wrong_key"
    for _ in range(200):
        try:
            outcomes.append(str(proof(applet_of(card)).doubt))
            break
        except CardError as error:
            outcomes.append(f"{error.status:04x}")
    assert outcomes[-1] == "None"
    assert set(outcomes[:-1]) == {"91ad"}


def test_an_answer_without_a_status_is_an_error_without_data() -> None:
    with pytest.raises(CardError, match="no status"):
        proof(lambda _: b"\x90")


def test_more_than_a_short_command_can_hold_is_a_bug() -> None:
    with pytest.raises(ValueError, match="too many"):
        native(0x8D, bytes(256))
