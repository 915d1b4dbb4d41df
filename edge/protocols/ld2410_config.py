"""Configuring the LD2410 radar, sans-IO: commands, what they answer, and a conversation with timeouts and retries.

Outside its configuration mode the module answers only `ENABLE`; inside it, it reports nothing. Every conversation
therefore begins with `ENABLE` and ends with `END`.

Source:
    HLK-LD2410 serial communication protocol V1.02, section 2.2; golden frames in tests/vectors/ld2410.toml.
"""

import struct
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from edge.protocols.ld2410 import (
    ENABLE_CONFIG,
    END_CONFIG,
    ENGINEERING_ON,
    GATES,
    READ_FIRMWARE,
    FrameError,
    Reply,
    encode_command,
)

WRITE_PARAMETERS, READ_PARAMETERS, ENGINEERING_OFF, SET_SENSITIVITY = 0x60, 0x61, 0x63, 0x64
SET_BAUD, FACTORY_RESET, RESTART = 0xA1, 0xA2, 0xA3

REPLY_WITHIN_S = 0.5
"""A module answers within some 50 ms; ten times that is a lost frame."""
TRIES = 3
"""A line that loses three frames in a row is not one to configure a radar over."""

MIN_GATE, MAX_GATE = 2, GATES - 1
"""The module takes no farthest gate nearer than the third (2.2.3)."""
MAX_NO_ONE_S = 0xFFFF

BAUD_INDEXES = {9_600: 1, 19_200: 2, 38_400: 3, 57_600: 4, 115_200: 5, 230_400: 6, 256_000: 7, 460_800: 8}
"""Speeds that the module knows, in baud, and how it numbers them (2.2.9)."""


class CommandError(ValueError):
    """A command was not carried out: `silent` when nothing answered, `refused` when the module said no."""

    def __init__(self, command: int, reason: Literal["silent", "refused"]) -> None:
        super().__init__(f"the radar {'does not answer' if reason == 'silent' else 'refuses'} command {command:02x}")
        self.command = command
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Command:
    """One command: its word and its value."""

    word: int
    value: bytes = b""


@dataclass(frozen=True, slots=True)
class Parameters:
    """What the module keeps in flash; one threshold for each gate, gate 0 first, 0 to 100: lower sees more."""

    max_moving_gate: int
    max_static_gate: int
    no_one_s: int
    moving_threshold_pct: tuple[int, ...]
    static_threshold_pct: tuple[int, ...]

    def __str__(self) -> str:
        moving, static = (
            " ".join(map(str, thresholds)) for thresholds in (self.moving_threshold_pct, self.static_threshold_pct)
        )
        return f"{self.max_moving_gate}/{self.max_static_gate} {self.no_one_s}s {moving} / {static}"


ENABLE = Command(ENABLE_CONFIG, b"\x01\x00")
END = Command(END_CONFIG)
ASK_FIRMWARE, ASK_PARAMETERS = Command(READ_FIRMWARE), Command(READ_PARAMETERS)
START_ENGINEERING, STOP_ENGINEERING = Command(ENGINEERING_ON), Command(ENGINEERING_OFF)
RESTART_MODULE, RESET_TO_FACTORY = Command(RESTART), Command(FACTORY_RESET)
"""Both count at once or after a restart; after `RESTART_MODULE` the module is silent for a second, and out of its
configuration mode."""


def write_parameters(wanted: Parameters) -> tuple[Command, ...]:
    """Return the commands that write every setting: farthest gates and no-one duration, then gate by gate.

    Source:
        Protocol V1.02, sections 2.2.3 and 2.2.7.
    """
    ends = _words(wanted.max_moving_gate, wanted.max_static_gate, wanted.no_one_s)
    thresholds = zip(wanted.moving_threshold_pct, wanted.static_threshold_pct, strict=True)
    gates = [Command(SET_SENSITIVITY, _words(gate, *pair)) for gate, pair in enumerate(thresholds)]
    return Command(WRITE_PARAMETERS, ends), *gates


def set_baud(speed_bd: int) -> Command:
    """Return the command that sets the speed from the next restart on.

    Raises:
        KeyError: the module does not know this speed.
    """
    return Command(SET_BAUD, BAUD_INDEXES[speed_bd].to_bytes(2, "little"))


def _words(first: int, second: int, third: int) -> bytes:
    """Return three values, each behind its number, as words of 16 and 32 bits."""
    return struct.pack("<HIHIHI", 0, first, 1, second, 2, third)


def decode_parameters(value: bytes) -> Parameters:
    """Return what `READ_PARAMETERS` answers.

    Raises:
        FrameError: the length, the head (AA) or the number of gates is not what the datasheet defines.

    Source:
        Protocol V1.02, section 2.2.4: AA, the farthest gate that there is, then the settings.
    """
    if len(value) != 6 + 2 * GATES or value[:2] != bytes((0xAA, MAX_GATE)):
        raise FrameError(f"not the parameters of nine gates: {value.hex()}")
    return Parameters(
        max_moving_gate=value[2],
        max_static_gate=value[3],
        no_one_s=int.from_bytes(value[-2:], "little"),
        moving_threshold_pct=tuple(value[4 : 4 + GATES]),
        static_threshold_pct=tuple(value[4 + GATES : 4 + 2 * GATES]),
    )


class Conversation:
    """Commands said one after another, each until it is acknowledged.

    A late answer to a repeated `SET_SENSITIVITY` may acknowledge the next gate too early: whoever writes reads back.
    """

    def __init__(self, commands: Iterable[Command]) -> None:
        self.replies: list[Reply] = []
        self._left = deque(commands)
        self._tries = 0
        self._repeat_at_s = float("-inf")

    @property
    def finished(self) -> bool:
        """Whether every command has been acknowledged."""
        return not self._left

    def value_of(self, word: int) -> bytes:
        """Return what the last acknowledged command of a word has answered, empty when there was none."""
        return next((reply.value for reply in reversed(self.replies) if reply.command == word), b"")

    def say(self, now_s: float) -> bytes:
        """Return what is to be written now: the command that is due, or nothing while its answer may still come.

        Raises:
            CommandError: it was said three times, and nothing answered.
        """
        if not self._left or now_s < self._repeat_at_s:
            return b""
        command = self._left[0]
        if self._tries == TRIES:
            raise CommandError(command.word, "silent")
        self._tries += 1
        self._repeat_at_s = now_s + REPLY_WITHIN_S
        return encode_command(command.word, command.value)

    def take(self, reply: Reply) -> None:
        """Take an answer; one to another command, such as a second answer to a repeated one, is passed over.

        Raises:
            CommandError: the module refuses the command.
        """
        if not self._left or reply.command != self._left[0].word:
            return
        if not reply.succeeded:
            raise CommandError(reply.command, "refused")
        self.replies.append(reply)
        self._left.popleft()
        self._tries, self._repeat_at_s = 0, float("-inf")
