"""The LD2410 radar's serial protocol, sans-IO: bytes to frames, payloads to reports and replies, commands to bytes.

Source:
    HLK-LD2410 serial communication protocol V1.02, sections 2.2 (commands) and 2.3 (reports); golden frames with their
    sources in tests/vectors/ld2410.toml.
"""

from dataclasses import dataclass
from typing import Literal

MAX_FRAME_BYTES = 64
"""The longest frame of the datasheet has 45 bytes; a longer length field is noise, not a frame to wait for."""

_OVERHEAD_BYTES = 10  # header 4, length 2, footer 4
_COMMAND_HEADER, _COMMAND_FOOTER = bytes.fromhex("fdfcfbfa"), bytes.fromhex("04030201")
_REPORT_HEADER, _REPORT_FOOTER = bytes.fromhex("f4f3f2f1"), bytes.fromhex("f8f7f6f5")
_KINDS: tuple[tuple[bytes, bytes, Literal["report", "reply"]], ...] = (
    (_REPORT_HEADER, _REPORT_FOOTER, "report"),
    (_COMMAND_HEADER, _COMMAND_FOOTER, "reply"),
)
_FIRST_BYTES = {_REPORT_HEADER[0], _COMMAND_HEADER[0]}

ENABLE_CONFIG, END_CONFIG, ENGINEERING_ON, READ_FIRMWARE = 0xFF, 0xFE, 0x62, 0xA0
GATES = 9


class FrameError(ValueError):
    """A frame is whole, but its payload is not one that the datasheet defines."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame without header, length and footer."""

    kind: Literal["report", "reply"]
    payload: bytes


@dataclass(frozen=True, slots=True)
class Gates:
    """What engineering mode adds: energies in percent (0-100), one value per gate, gate 0 first."""

    moving_energy_pct: tuple[int, ...]
    static_energy_pct: tuple[int, ...]
    light: int
    """0 (dark) to 255."""
    out_high: bool


@dataclass(frozen=True, slots=True)
class Report:
    """One target report; distances are 0 when there is no target of that kind."""

    moving: bool
    static: bool
    moving_distance_cm: int
    moving_energy_pct: int
    static_distance_cm: int
    static_energy_pct: int
    detection_distance_cm: int
    gates: Gates | None

    @property
    def present(self) -> bool:
        """Whether the radar sees anybody, moving or still."""
        return self.moving or self.static


@dataclass(frozen=True, slots=True)
class Reply:
    """The module's answer to one command."""

    command: int
    succeeded: bool
    value: bytes


class FrameSplitter:
    """Cuts a stream into frames; whatever is not a frame is skipped and counted, a run of bytes as one piece of noise.

    The frames and the count depend on the bytes alone, never on how they were cut into chunks. Less than one frame is
    kept.
    """

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._skipping = False
        self.noise_count = 0

    def feed(self, data: bytes) -> list[Frame]:
        """Return the frames that are complete now that `data` has come."""
        self._buffer += data
        frames: list[Frame] = []
        start = 0
        while start < len(self._buffer):
            found = _frame_at(self._buffer, start)
            if found == "incomplete":
                break
            if found == "none":
                start += 1
                self.noise_count += not self._skipping
                self._skipping = True
                continue
            frames.append(found)
            start += len(found.payload) + _OVERHEAD_BYTES
            self._skipping = False
        del self._buffer[:start]
        return frames


def _frame_at(buffer: bytearray, start: int) -> Frame | Literal["none", "incomplete"]:
    """Return the frame that begins at `start`, or whether more bytes could still make one."""
    if buffer[start] not in _FIRST_BYTES:
        return "none"
    for header, footer, kind in _KINDS:
        head = buffer[start : start + 4]
        if not header.startswith(head):
            continue
        if len(buffer) < start + 6:
            return "incomplete"
        size = int.from_bytes(buffer[start + 4 : start + 6], "little")
        if size + _OVERHEAD_BYTES > MAX_FRAME_BYTES:
            return "none"
        end = start + 6 + size
        tail = buffer[end : end + 4]
        if not footer.startswith(tail):
            return "none"
        return Frame(kind, bytes(buffer[start + 6 : end])) if len(tail) == 4 else "incomplete"
    return "none"


def decode_report(payload: bytes) -> Report:
    """Return the target report that a report frame carries.

    `payload` is the frame without header, length and footer: 13 bytes (basic) or 35 (engineering).

    Raises:
        FrameError: the type, head, length, state or tail is not one that the datasheet defines.

    Source:
        Protocol V1.02, section 2.3, tables 10 to 14.
    """
    length = {0x02: 13, 0x01: 35}.get(payload[0]) if payload else None
    if length != len(payload) or payload[1] != 0xAA or payload[-2:] != b"\x55\x00" or payload[2] > 3:
        raise FrameError(f"not a target report: {payload.hex()}")
    return Report(
        moving=bool(payload[2] & 1),
        static=bool(payload[2] & 2),
        moving_distance_cm=int.from_bytes(payload[3:5], "little"),
        moving_energy_pct=payload[5],
        static_distance_cm=int.from_bytes(payload[6:8], "little"),
        static_energy_pct=payload[8],
        detection_distance_cm=int.from_bytes(payload[9:11], "little"),
        gates=_decode_gates(payload[11:-2]) if payload[0] == 0x01 else None,
    )


def _decode_gates(fields: bytes) -> Gates:
    """Return the gates; the two leading bytes name the farthest gate, which is the ninth on every module."""
    if fields[0] != GATES - 1 or fields[1] != GATES - 1:
        raise FrameError(f"not nine gates: {fields.hex()}")
    return Gates(
        moving_energy_pct=tuple(fields[2:11]),
        static_energy_pct=tuple(fields[11:20]),
        light=fields[20],
        out_high=fields[21] != 0,
    )


def decode_reply(payload: bytes) -> Reply:
    """Return the answer that a reply frame carries.

    Raises:
        FrameError: it is shorter than a command word and a status, or not marked as an answer.

    Source:
        Protocol V1.02, section 2.2: the command word comes back with 0x0100 added, then a status, 0 for success.
    """
    if len(payload) < 4 or payload[1] != 0x01:
        raise FrameError(f"not a reply: {payload.hex()}")
    return Reply(command=payload[0], succeeded=payload[2:4] == b"\x00\x00", value=payload[4:])


def encode_command(command: int, value: bytes = b"") -> bytes:
    """Return the frame of one command: the word and its value, little endian.

    Source:
        Protocol V1.02, section 2.2. Outside the configuration mode the module answers only `ENABLE_CONFIG`, whose value
        is 0001.
    """
    payload = command.to_bytes(2, "little") + value
    return _COMMAND_HEADER + len(payload).to_bytes(2, "little") + payload + _COMMAND_FOOTER


def decode_firmware(value: bytes) -> str:
    """Return the version that `READ_FIRMWARE` answers, such as "1.02.22062416".

    Raises:
        FrameError: it has not 8 bytes.

    Source:
        Protocol V1.02, section 2.2.8: type (2 bytes), minor, major, and a build number of 4 bytes in BCD.
    """
    if len(value) != 8:
        raise FrameError(f"not a firmware version: {value.hex()}")
    return f"{value[3]}.{value[2]:02x}.{value[7]:02x}{value[6]:02x}{value[5]:02x}{value[4]:02x}"
