"""The cards' cryptography against what NXP and the IETF have published; the reader's side has its own tests of it."""

import tomllib
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulators.ev2 import (
    MAX_COMMANDS,
    IntegrityError,
    Mode,
    Session,
    SessionKeys,
    cmac,
    decrypt,
    key_check,
    padded,
    session_keys,
    short_mac,
    unpadded,
)
from simulators.ntag424 import Ntag424Applet, factory_application

UID = bytes.fromhex("04958caa5c5e80")
MODES = {"mac": Mode.MAC, "full": Mode.FULL}


def _vectors(kind: str) -> list[dict[str, Any]]:
    folder = Path(__file__).parent.parent / "vectors"
    found = []
    for name in ("aes", "ev2", "ev2_card"):
        found += tomllib.loads((folder / f"{name}.toml").read_text(encoding="utf-8")).get(kind, [])
    return found


def _each(kind: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("vector", _vectors(kind), ids=lambda vector: str(vector["name"]))


def _of(vector: dict[str, Any], key: str) -> bytes:
    return bytes.fromhex(vector[key])


class Drawn(Random):
    """A generator that draws what a published exchange has drawn."""

    def __init__(self, *drawn: bytes) -> None:
        super().__init__(0)
        self._drawn = list(drawn)

    def randbytes(self, n: int) -> bytes:
        drawn = self._drawn.pop(0)
        assert len(drawn) == n
        return drawn


def _session(vector: dict[str, Any]) -> Session:
    keys = SessionKeys(_of(vector, "encryption_key"), _of(vector, "mac_key"))
    return Session(0, keys, _of(vector, "transaction"), vector["counter"])


def _sent(vector: dict[str, Any]) -> tuple[int, bytes, bytes, Mode]:
    header = _of(vector, "header")
    return vector["instruction"], header, bytes.fromhex(vector["said"][0])[5 + len(header) : -1], MODES[vector["mode"]]


@_each("cmac")
def test_a_cmac_is_the_published_one(vector: dict[str, Any]) -> None:
    assert cmac(_of(vector, "key"), _of(vector, "message")) == _of(vector, "cmac")


@_each("short_mac")
def test_the_short_form_of_a_cmac_is_the_published_one(vector: dict[str, Any]) -> None:
    assert short_mac(_of(vector, "key"), _of(vector, "message")) == _of(vector, "mac")


@_each("diversified")
def test_a_derived_key_is_the_published_one(vector: dict[str, Any]) -> None:
    assert cmac(_of(vector, "master"), b"\x01" + _of(vector, "input")) == _of(vector, "key")


@_each("key_check")
def test_the_check_of_a_new_key_is_the_published_one(vector: dict[str, Any]) -> None:
    assert key_check(_of(vector, "key")) == _of(vector, "check")


@_each("session_keys")
def test_session_keys_are_the_published_ones(vector: dict[str, Any]) -> None:
    expected = SessionKeys(_of(vector, "encryption_key"), _of(vector, "mac_key"))
    assert session_keys(*(_of(vector, name) for name in ("key", "rnd_a", "rnd_b"))) == expected


@_each("authentication")
def test_the_card_answers_a_published_authentication_to_the_letter(vector: dict[str, Any]) -> None:
    said = [(bytes.fromhex(command), bytes.fromhex(response)) for command, response in vector["said"]]
    rnd_b = decrypt(_of(vector, "key"), said[0][1][:16])
    is_first = said[0][0][1] == 0x71
    drawn = (_of(vector, "transaction"), rnd_b) if is_first else (rnd_b,)
    card = Ntag424Applet(factory_application(Drawn(*drawn), UID))
    card(bytes.fromhex("00a4040007d276000085010100"))
    keys = SessionKeys(_of(vector, "encryption_key"), _of(vector, "mac_key"))
    if not is_first:
        card.application.session = Session(3, keys, _of(vector, "transaction"), counter=2)
    for command, response in said:
        assert card(command) == response
    session = card.application.session
    assert session is not None
    assert (session.key_number, session.transaction) == (vector["number"], _of(vector, "transaction"))
    assert session.counter == (0 if is_first else 2)
    assert session_keys(_of(vector, "key"), _of(vector, "rnd_a"), rnd_b) == keys


@_each("message")
def test_a_published_command_is_opened_and_answered_as_published(vector: dict[str, Any]) -> None:
    session = _session(vector)
    assert session.opened(*_sent(vector)) == _of(vector, "data")
    assert session.counter == vector["counter"] + 1
    answer = session.sealed(_of(vector, "answer"), MODES[vector["mode"]])
    assert answer + b"\x91\x00" == bytes.fromhex(vector["said"][1])


@_each("key_change")
def test_the_card_takes_a_published_change_of_key_and_answers_to_the_letter(vector: dict[str, Any]) -> None:
    card = Ntag424Applet(factory_application(Random(1), UID))
    card(bytes.fromhex("00a4040007d276000085010100"))
    card.application.session = _session(vector)
    command, response = (bytes.fromhex(part) for part in vector["said"])
    assert card(command) == response
    key = card.application.keys[vector["number"]]
    assert (key.value, key.version) == (_of(vector, "new"), 1)
    # Whoever has changed the key of the session has none any more.
    assert (card.application.session is None) == (vector["number"] == 0)


@_each("message")
def test_a_flipped_bit_anywhere_in_a_command_is_an_integrity_error(vector: dict[str, Any]) -> None:
    code, header, sent, mode = _sent(vector)
    for place in range(len(sent)):
        wrong = bytearray(sent)
        wrong[place] ^= 0x10
        with pytest.raises(IntegrityError):
            _session(vector).opened(code, header, bytes(wrong), mode)


@_each("message")
def test_a_command_said_twice_is_an_integrity_error(vector: dict[str, Any]) -> None:
    session = _session(vector)
    session.opened(*_sent(vector))
    with pytest.raises(IntegrityError):
        session.opened(*_sent(vector))


def test_at_its_end_the_command_counter_ends_the_session() -> None:
    session = Session(0, SessionKeys(bytes(16), bytes(16)), bytes(4), MAX_COMMANDS)
    with pytest.raises(IntegrityError, match="counter"):
        session.opened(0xF5, b"\x02", b"", Mode.PLAIN)


@given(st.binary(max_size=70))
def test_padding_is_taken_off_again_and_fills_whole_blocks(data: bytes) -> None:
    assert len(padded(data)) % 16 == 0
    assert unpadded(padded(data)) == data


@pytest.mark.parametrize("data", [b"", bytes(16), b"\x01" * 16, b"\x80" + bytes(16)])
def test_what_has_no_padding_is_an_integrity_error(data: bytes) -> None:
    with pytest.raises(IntegrityError):
        unpadded(data)
