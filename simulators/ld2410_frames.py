"""The bytes of the LD2410: reports and replies going out, commands found in what the host wrote.

Source: Hi-Link LD2410 serial communication protocol V1.02, 2.1 (frames) and 2.3 (reports).
"""

import struct
from dataclasses import dataclass

GATES = 9
MAX_COMMAND_BYTES = 64
"""The buffer that the module announces when it enters configuration mode."""

_COMMAND_HEAD, _COMMAND_TAIL = bytes.fromhex("fdfcfbfa"), bytes.fromhex("04030201")
_REPORT_HEAD, _REPORT_TAIL = bytes.fromhex("f4f3f2f1"), bytes.fromhex("f8f7f6f5")


@dataclass(frozen=True)
class Report:
    """One report, before it is bytes."""

    state: int = 0
    """0 nobody, 1 moving, 2 still, 3 both."""
    moving_cm: int = 0
    moving_energy: int = 0
    static_cm: int = 0
    static_energy: int = 0
    detection_cm: int = 0
    max_moving_gate: int = GATES - 1
    """What the module can do, not what it is set to: hosts find the energies by it, and it is 8 in every trace."""
    max_static_gate: int = GATES - 1
    moving_energies: tuple[int, ...] = (0,) * GATES
    static_energies: tuple[int, ...] = (0,) * GATES
    light: int = 0
    out: int = 0

    def frame(self, *, engineering: bool) -> bytes:
        """Return the report as the module sends it: 23 bytes, or 45 in engineering mode."""
        basic = (self.state, self.moving_cm, self.moving_energy, self.static_cm, self.static_energy, self.detection_cm)
        body = struct.pack("<BHBHBH", *basic)
        if engineering:
            body += bytes((self.max_moving_gate, self.max_static_gate))
            body += bytes(self.moving_energies) + bytes(self.static_energies) + bytes((self.light, self.out))
        body = bytes((0x01 if engineering else 0x02, 0xAA)) + body + b"\x55\x00"
        return _REPORT_HEAD + len(body).to_bytes(2, "little") + body + _REPORT_TAIL


def reply_frame(code: int, data: bytes = b"", *, well: bool = True) -> bytes:
    """Return the module's reply to the command `code`; one that fails carries no data.

    >>> reply_frame(0xFE).hex()
    'fdfcfbfa0400fe01000004030201'
    """
    body = struct.pack("<BBH", code, 1, 0 if well else 1) + (data if well else b"")
    return _COMMAND_HEAD + len(body).to_bytes(2, "little") + body + _COMMAND_TAIL


class CommandFinder:
    """What the host wrote, cut into commands; bytes that make none are skipped."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def clear(self) -> None:
        """Forget a command begun."""
        self._buffer.clear()

    def feed(self, data: bytes) -> list[bytes]:
        """Return the commands that `data` completes: code, a zero, value."""
        self._buffer += data
        found = []
        while (command := self._next()) is not None:
            found.append(command)
        return found

    def _next(self) -> bytes | None:
        buffer = self._buffer
        while True:
            start = buffer.find(_COMMAND_HEAD)
            if start < 0:
                del buffer[: max(0, len(buffer) - len(_COMMAND_HEAD) + 1)]
                return None
            del buffer[:start]
            if len(buffer) < 6:
                return None
            size = int.from_bytes(buffer[4:6], "little")
            if 2 <= size <= MAX_COMMAND_BYTES:
                if len(buffer) < size + 10:
                    return None
                body, tail = bytes(buffer[6 : 6 + size]), buffer[6 + size : 10 + size]
                if tail == _COMMAND_TAIL:
                    del buffer[: size + 10]
                    return body
            del buffer[:1]
