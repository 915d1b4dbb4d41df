"""Configuring the radar without a wire: what is said, when it is said again, and what ends it."""

import tomllib
from pathlib import Path
from typing import Any

import pytest
from aio_ld2410.protocol import command as oracle
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.protocols.ld2410 import GATES, FrameError, Reply, decode_reply, encode_command
from edge.protocols.ld2410_config import (
    ASK_FIRMWARE,
    ASK_PARAMETERS,
    BAUD_INDEXES,
    ENABLE,
    END,
    READ_PARAMETERS,
    REPLY_WITHIN_S,
    RESET_TO_FACTORY,
    RESTART_MODULE,
    SET_SENSITIVITY,
    START_ENGINEERING,
    STOP_ENGINEERING,
    TRIES,
    Command,
    CommandError,
    Conversation,
    Parameters,
    decode_parameters,
    set_baud,
    write_parameters,
)

VECTORS: list[dict[str, Any]] = tomllib.loads(
    (Path(__file__).parents[2] / "vectors" / "ld2410.toml").read_text(encoding="utf-8")
)["frame"]
WANTED = Parameters(8, 8, 5, (20,) * GATES, (25,) * GATES)
THRESHOLDS = st.lists(st.integers(0, 100), min_size=GATES, max_size=GATES).map(tuple)
PARAMETERS = st.builds(Parameters, st.integers(2, 8), st.integers(2, 8), st.integers(0, 0xFFFF), THRESHOLDS, THRESHOLDS)


def frame(command: Command) -> bytes:
    return encode_command(command.word, command.value)


def published(name: str) -> bytes:
    return bytes.fromhex(next(vector["hex"] for vector in VECTORS if vector["name"] == name))


def answer(command: Command, value: bytes = b"", *, succeeded: bool = True) -> Reply:
    return Reply(command.word, succeeded, value)


@pytest.mark.parametrize(
    ("name", "command"),
    [
        ("enable configuration", ENABLE),
        ("end configuration", END),
        ("read parameters", ASK_PARAMETERS),
        ("engineering on", START_ENGINEERING),
        ("engineering off", STOP_ENGINEERING),
        ("write parameters", write_parameters(WANTED)[0]),
    ],
)
def test_a_command_is_the_published_one(name: str, command: Command) -> None:
    assert frame(command) == published(name)


def test_the_published_parameters_are_read() -> None:
    reply = decode_reply(published("read parameters, reply")[6:-4])
    assert decode_parameters(reply.value) == WANTED


@given(PARAMETERS)
@settings(max_examples=60, deadline=None)
def test_another_program_reads_what_is_written(wanted: Parameters) -> None:
    ends, *gates = (oracle.Command.parse(frame(command)[6:-4]) for command in write_parameters(wanted))
    assert (ends.data.moving_max_distance_gate, ends.data.static_max_distance_gate) == (
        wanted.max_moving_gate,
        wanted.max_static_gate,
    )
    assert ends.data.presence_timeout == wanted.no_one_s
    assert [int(gate.data.distance_gate) for gate in gates] == list(range(GATES))
    assert tuple(int(gate.data.moving_threshold) for gate in gates) == wanted.moving_threshold_pct
    assert tuple(int(gate.data.static_threshold) for gate in gates) == wanted.static_threshold_pct


@pytest.mark.parametrize("command", [RESTART_MODULE, RESET_TO_FACTORY, ASK_FIRMWARE, *map(set_baud, BAUD_INDEXES)])
def test_another_program_knows_the_command(command: Command) -> None:
    assert int(oracle.Command.parse(frame(command)[6:-4]).code) == command.word


def test_a_speed_that_the_module_does_not_know_is_no_command() -> None:
    with pytest.raises(KeyError):
        set_baud(14_400)


@given(st.binary(max_size=40))
@settings(max_examples=200, deadline=None)
def test_no_answer_breaks_the_decoder(value: bytes) -> None:
    try:
        decode_parameters(value)
    except FrameError:
        return


def test_the_longest_line_of_settings_fits_the_health_document() -> None:
    assert len(str(Parameters(8, 8, 65535, (100,) * GATES, (100,) * GATES))) == 84


def test_commands_are_said_one_after_another_each_once_it_is_acknowledged() -> None:
    talk = Conversation([ENABLE, ASK_PARAMETERS, END])
    assert talk.say(0.0) == frame(ENABLE)
    assert talk.say(0.1) == b""
    talk.take(answer(ENABLE))
    assert talk.say(0.1) == frame(ASK_PARAMETERS)
    talk.take(answer(ASK_PARAMETERS, b"\xaa"))
    talk.say(0.2)
    talk.take(answer(END))
    assert talk.finished
    assert (talk.value_of(READ_PARAMETERS), talk.say(9.0)) == (b"\xaa", b"")


def test_a_command_that_nobody_answers_is_said_three_times_and_given_up() -> None:
    talk = Conversation([ENABLE])
    said = [talk.say(step * REPLY_WITHIN_S) for step in range(TRIES)]
    assert said == [frame(ENABLE)] * TRIES
    with pytest.raises(CommandError, match="does not answer command ff") as caught:
        talk.say(TRIES * REPLY_WITHIN_S)
    assert caught.value.reason == "silent"


def test_a_refused_command_ends_the_conversation() -> None:
    talk = Conversation([ENABLE, *write_parameters(WANTED)])
    talk.say(0.0)
    talk.take(answer(ENABLE))
    talk.say(0.0)
    with pytest.raises(CommandError, match="refuses command 60") as caught:
        talk.take(answer(write_parameters(WANTED)[0], succeeded=False))
    assert caught.value.reason == "refused"


def test_a_second_answer_to_a_repeated_command_is_passed_over() -> None:
    talk = Conversation([ENABLE, END])
    talk.say(0.0)
    talk.say(REPLY_WITHIN_S)
    talk.take(answer(ENABLE))
    talk.take(answer(ENABLE))
    assert talk.say(1.0) == frame(END)
    assert not talk.finished


def test_every_gate_has_its_own_command() -> None:
    assert [command.word for command in write_parameters(WANTED)[1:]] == [SET_SENSITIVITY] * GATES
