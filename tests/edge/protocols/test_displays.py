"""The codecs of displays and their simulators, against the same vectors, and under random bytes."""

import tomllib
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.protocols import pjlink, samsung_mdc
from edge.protocols.display import MAX_ANSWER_BYTES, GarbledError, RefusedError
from simulators.displays import MdcTalk, PjlinkTalk, Power, Screen, mdc_frame

VECTORS = tomllib.loads((Path(__file__).parents[2] / "vectors" / "displays.toml").read_text(encoding="utf-8"))
MDC: list[dict[str, Any]] = VECTORS["mdc"]
PJLINK: list[dict[str, Any]] = VECTORS["pjlink"]


def named(vector: dict[str, Any]) -> str:
    return str(vector["name"])


@pytest.mark.parametrize("vector", MDC, ids=named)
def test_both_sides_write_a_frame_as_its_source_does(vector: dict[str, Any]) -> None:
    given_data, expected = bytes.fromhex(vector["data"]), bytes.fromhex(vector["hex"])
    assert samsung_mdc.encode_frame(vector["command"], vector["display_id"], given_data) == expected
    assert mdc_frame(vector["command"], vector["display_id"], given_data) == expected


@pytest.mark.parametrize("vector", [vector for vector in MDC if "power" in vector], ids=named)
def test_an_answer_of_mdc_is_read_in_one_piece_or_many(vector: dict[str, Any]) -> None:
    answer = bytes.fromhex(vector["hex"])
    for step in (1, 3, len(answer)):
        question = samsung_mdc.PowerQuestion(1)
        for start in range(0, len(answer), step):
            question.take(answer[start : start + step])
        assert (question.power, question.noise_count) == (vector["power"], 0)


def test_a_refusal_of_mdc_is_no_power() -> None:
    question = samsung_mdc.PowerQuestion(1)
    with pytest.raises(RefusedError, match="MDC error 1"):
        question.take(bytes.fromhex(next(vector["hex"] for vector in MDC if "refused" in vector)))


def test_a_display_that_wants_the_secured_protocol_is_understood() -> None:
    with pytest.raises(RefusedError, match="secured protocol"):
        samsung_mdc.PowerQuestion(0).take(b"MDCSTART<<TLS>>")


def test_noise_before_an_answer_is_passed_over_and_counted() -> None:
    question = samsung_mdc.PowerQuestion(1)
    question.take(b"\x00\x01" + bytes.fromhex("aaff010341110100") + bytes.fromhex("aaff010341110156"))
    assert question.power == "on"
    assert question.noise_count == 10


def test_a_notice_of_another_command_is_no_answer() -> None:
    question = samsung_mdc.PowerQuestion(1)
    question.take(mdc_frame(0xFF, 1, b"A\x12\x01"))
    assert question.power is None


@pytest.mark.parametrize("power", ["on", "standby"])
@pytest.mark.parametrize("display_id", [0, 1, 254, 255])
def test_the_simulated_samsung_answers_what_our_question_reads(power: str, display_id: int) -> None:
    screen = Screen()
    screen.switch(on=power == "on")
    question = samsung_mdc.PowerQuestion(display_id)
    question.take(MdcTalk(screen, display_id).hear(question.opening()))
    assert question.power == power


@pytest.mark.parametrize("vector", PJLINK, ids=named)
def test_a_conversation_of_pjlink_goes_as_its_source_has_it(vector: dict[str, Any]) -> None:
    question = pjlink.PowerQuestion(vector["password"].encode())
    assert question.opening() == b""
    said = b"".join(question.take(bytes([byte])) for byte in vector["greeting"].encode() + b"\r")
    assert said == vector["question"].encode() + b"\r"
    question.take(vector["answer"].encode() + b"\r")
    assert question.power == vector["power"]


@pytest.mark.parametrize("pjlink_class", [1, 2])
@pytest.mark.parametrize("password", ["", "JBMIAProjectorLink"])
def test_the_simulated_pjlink_display_answers_what_our_question_reads(password: str, pjlink_class: int) -> None:
    now = [0.0]
    screen = Screen(warming_s=10.0, cooling_s=5.0, clock=lambda: now[0])
    seen: list[Power | str | None] = []
    for now[0], lit in ((0.0, False), (100.0, True), (111.0, True), (112.0, False), (118.0, False)):
        screen.switch(on=lit)
        question = pjlink.PowerQuestion(password.encode())
        talk = PjlinkTalk(screen, Random(1), password=password, pjlink_class=pjlink_class)
        question.take(talk.hear(question.take(talk.greeting())))
        seen.append(question.power)
    assert seen == ["standby", "warming", "on", "cooling", "standby"]


def test_a_wrong_password_is_refused_and_named_nowhere() -> None:
    talk = PjlinkTalk(Screen(), Random(1), password="right")
    question = pjlink.PowerQuestion(b"wrong-secret")
    with pytest.raises(RefusedError, match="refuses the password") as caught:
        question.take(talk.hear(question.take(talk.greeting())))
    assert "wrong-secret" not in str(caught.value)


def test_a_password_that_nobody_gave_us_is_asked_for() -> None:
    with pytest.raises(RefusedError, match="name none"):
        pjlink.PowerQuestion(b"").take(b"PJLINK 1 498e4a67\r")


@pytest.mark.parametrize("line", [b"HTTP/1.1 400 Bad Request\r", b"PJLINK 2\r", b"\xff\r", b"\r"])
def test_who_greets_otherwise_does_not_speak_pjlink(line: bytes) -> None:
    with pytest.raises(GarbledError):
        pjlink.PowerQuestion(b"").take(line)


@pytest.mark.parametrize("line", [b"%1POWR=ERR1\r", b"%1POWR=ERR2\r", b"%1POWR=7\r"])
def test_a_display_that_does_not_know_the_question_says_so(line: bytes) -> None:
    question = pjlink.PowerQuestion(b"")
    question.take(b"PJLINK 0\r")
    with pytest.raises(GarbledError, match="does not know"):
        question.take(line)


@settings(max_examples=300)
@given(st.lists(st.binary(max_size=200), max_size=30), st.booleans())
def test_whatever_is_said_a_question_stays_bounded(parts: list[bytes], samsung: bool) -> None:
    question: samsung_mdc.PowerQuestion | pjlink.PowerQuestion
    question = samsung_mdc.PowerQuestion(0) if samsung else pjlink.PowerQuestion(b"secret")
    heard_count = 0
    try:
        for part in parts:
            question.take(part)
            heard_count += len(part)
    except (GarbledError, RefusedError):
        return
    if question.power is None:
        assert question.noise_count <= heard_count
        assert question.noise_count <= MAX_ANSWER_BYTES


@settings(max_examples=300)
@given(st.binary(max_size=40), st.sampled_from([0, 1]), st.integers(0, 255))
def test_an_answer_is_found_behind_any_noise_that_holds_no_header(noise: bytes, lit: int, display_id: int) -> None:
    noise = noise.replace(b"\xaa", b"\x00").replace(b"MDC", b"mdc")
    question = samsung_mdc.PowerQuestion(display_id)
    question.take(noise + mdc_frame(0xFF, display_id, bytes([ord("A"), 0x11, lit])))
    assert question.power == ("on" if lit else "standby")
    assert question.noise_count == len(noise)
