import tomllib
from collections.abc import Generator
from pathlib import Path
from typing import Any, TypeVar

import pytest

from edge.protocols.apdu import CardError
from edge.protocols.ev2 import Session, WrongKeyError, authenticate, cmac, session_keys, short_mac

VECTORS = Path(__file__).parents[2] / "vectors"
AES: dict[str, list[dict[str, Any]]] = tomllib.loads((VECTORS / "aes.toml").read_text(encoding="utf-8"))
EV2: dict[str, list[dict[str, Any]]] = tomllib.loads((VECTORS / "ev2.toml").read_text(encoding="utf-8"))
FIRST = EV2["authentication"][0]
FULL = EV2["message"][2]
Outcome = TypeVar("Outcome")


def name_of(vector: dict[str, Any]) -> str:
    return str(vector["name"])


def held(conversation: Generator[bytes, bytes, Outcome], *said: list[str]) -> Outcome:
    """Hold a conversation as it was recorded: each command must be the recorded one."""
    answer: bytes | None = None
    try:
        for command, response in said:
            spoken = next(conversation) if answer is None else conversation.send(answer)
            assert spoken.hex() == command
            answer = bytes.fromhex(response)
        assert answer is not None
        conversation.send(answer)
    except StopIteration as end:
        outcome: Outcome = end.value
        return outcome
    raise AssertionError("the conversation goes on")


def session_of(vector: dict[str, Any]) -> Session:
    return Session(
        bytes.fromhex(vector["encryption_key"]),
        bytes.fromhex(vector["mac_key"]),
        transaction=bytes.fromhex(vector["transaction"]),
        counter=vector["counter"],
    )


def message_of(vector: dict[str, Any]) -> Generator[bytes, bytes, bytes]:
    session = session_of(vector)
    say = session.with_mac if vector["mode"] == "mac" else session.encrypted
    return say(vector["instruction"], bytes.fromhex(vector["header"]), bytes.fromhex(vector["data"]))


def authentication_of(vector: dict[str, Any]) -> Generator[bytes, bytes, Session]:
    return authenticate(bytes.fromhex(vector["key"]), vector["number"], bytes.fromhex(vector["rnd_a"]))


@pytest.mark.parametrize("vector", AES["cmac"], ids=name_of)
def test_a_cmac_is_the_published_one(vector: dict[str, Any]) -> None:
    assert cmac(bytes.fromhex(vector["key"]), bytes.fromhex(vector["message"])).hex() == vector["cmac"]


@pytest.mark.parametrize("vector", AES["short_mac"], ids=name_of)
def test_a_short_mac_is_the_published_one(vector: dict[str, Any]) -> None:
    assert short_mac(bytes.fromhex(vector["key"]), bytes.fromhex(vector["message"])).hex() == vector["mac"]


@pytest.mark.parametrize("vector", EV2["session_keys"], ids=name_of)
def test_session_keys_are_the_published_ones(vector: dict[str, Any]) -> None:
    keys = session_keys(*(bytes.fromhex(vector[part]) for part in ("key", "rnd_a", "rnd_b")))
    assert [key.hex() for key in keys] == [vector["encryption_key"], vector["mac_key"]]


@pytest.mark.parametrize("vector", EV2["authentication"], ids=name_of)
def test_an_authentication_says_what_is_published_and_ends_in_the_published_session(vector: dict[str, Any]) -> None:
    session = held(authentication_of(vector), *vector["said"])
    # A session shows its keys to nobody: they are the same if the next command is.
    known = session_of({**vector, "counter": 0})
    assert next(session.encrypted(0x8D, b"\x03", b"x")) == next(known.encrypted(0x8D, b"\x03", b"x"))


@pytest.mark.parametrize("vector", EV2["message"], ids=name_of)
def test_a_message_of_a_session_is_the_published_one(vector: dict[str, Any]) -> None:
    assert held(message_of(vector), vector["said"]).hex() == vector["answer"]


@pytest.mark.parametrize("vector", EV2["key_change"], ids=name_of)
def test_a_change_of_keys_is_the_published_one(vector: dict[str, Any]) -> None:
    old = bytes.fromhex(vector["old"]) if "old" in vector else None
    change = session_of(vector).change_key(vector["number"], bytes.fromhex(vector["new"]), old=old, version=1)
    held(change, vector["said"])


def test_a_card_that_does_not_know_our_random_number_is_not_believed() -> None:
    conversation = authenticate(bytes.fromhex(FIRST["key"]), 0, bytes(16))
    next(conversation)
    conversation.send(bytes.fromhex(FIRST["said"][0][1]))
    # A recording of a whole valid exchange: its random number was another one.
    with pytest.raises(WrongKeyError):
        conversation.send(bytes.fromhex(FIRST["said"][1][1]))


@pytest.mark.parametrize(
    "answer", ["91ae", "9100", "", "00", "00" * 15 + "9100", "00" * 33 + "9100", "00" * 32 + "917e"]
)
def test_no_other_answer_ends_an_authentication_well(answer: str) -> None:
    conversation = authentication_of(FIRST)
    next(conversation)
    conversation.send(bytes.fromhex(FIRST["said"][0][1]))
    with pytest.raises(CardError):
        conversation.send(bytes.fromhex(answer))


@pytest.mark.parametrize(
    "answer", ["91ae", "9140", "", "91af", "00" * 15 + "91af", "00" * 17 + "91af", "00" * 16 + "9100"]
)
def test_no_other_answer_begins_an_authentication(answer: str) -> None:
    conversation = authentication_of(FIRST)
    next(conversation)
    with pytest.raises(CardError):
        conversation.send(bytes.fromhex(answer))


@pytest.mark.parametrize("bit", range(0, 26 * 8, 7))
def test_an_answer_of_which_one_bit_was_changed_is_refused(bit: int) -> None:
    vector = EV2["message"][4]
    answer = bytearray.fromhex(vector["said"][1])
    answer[bit // 8] ^= 1 << bit % 8
    conversation = message_of(vector)
    next(conversation)
    with pytest.raises(CardError):
        conversation.send(bytes(answer))


def test_a_command_that_was_answered_is_never_sent_again_under_the_same_number() -> None:
    session = session_of(FULL)
    write = bytes.fromhex(FULL["header"]), bytes.fromhex(FULL["data"])
    held(session.encrypted(FULL["instruction"], *write), FULL["said"])
    assert next(session.encrypted(FULL["instruction"], *write)).hex() != FULL["said"][0]


def test_neither_a_session_nor_an_error_shows_a_key() -> None:
    session = session_of(FULL)
    conversation = session.encrypted(0x8D, b"\x03", b"x")
    next(conversation)
    with pytest.raises(CardError) as refused:
        conversation.send(bytes.fromhex("00112233445566778899911e"))
    said = repr(session) + repr(refused.value)
    assert "00112233" not in said
    assert FULL["mac_key"] not in said
    assert repr(bytes.fromhex(FULL["mac_key"])) not in said


@pytest.mark.parametrize(("key", "rnd_a"), [(bytes(15), bytes(16)), (bytes(16), bytes(15))])
def test_a_key_or_random_number_of_another_length_is_a_bug(key: bytes, rnd_a: bytes) -> None:
    with pytest.raises(ValueError, match="16 bytes"):
        next(authenticate(key, 0, rnd_a))
