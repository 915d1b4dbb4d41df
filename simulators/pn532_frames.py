"""The host link of the PN532: frames out, and frames found again in whatever the host wrote.

Source: NXP UM0701-02 (PN532 user manual), 6.2.1: normal 6.2.1.1, extended 6.2.1.2, ACK 6.2.1.3, NACK 6.2.1.4,
error 6.2.1.5.
"""

from enum import Enum

ACK = bytes.fromhex("0000ff00ff00")
NACK = bytes.fromhex("0000ffff0000")
ERROR = bytes.fromhex("0000ff01ff7f8100")
"""The syntax error frame: the chip does not know the command, or its parameters."""

MAX_BODY_BYTES = 265
"""The longest frame that the chip takes: direction byte, command code and 263 bytes (Diagnose uses them all)."""
HOST_TO_CHIP = 0xD4
CHIP_TO_HOST = 0xD5


class Signal(Enum):
    """A frame without a body."""

    ACK = "ack"
    NACK = "nack"


def response_frame(code: int, data: bytes = b"") -> bytes:
    """Return the frame that answers the command `code`: a normal one, extended beyond 255 bytes of body.

    >>> response_frame(0x14).hex()
    '0000ff02fed5151600'
    """
    body = bytes((CHIP_TO_HOST, code + 1)) + data
    if len(body) > 255:
        size = len(body).to_bytes(2, "big")
        head = b"\x00\x00\xff\xff\xff" + size + bytes((-sum(size) & 0xFF,))
    else:
        head = bytes((0, 0, 0xFF, len(body), -len(body) & 0xFF))
    return head + body + bytes((-sum(body) & 0xFF, 0))


class FrameFinder:
    """What the host wrote, cut into frames; bytes that make no frame are counted in `noise` and skipped.

    A frame whose checksums are wrong is noise: the chip does not acknowledge it, and the host repeats it (6.2.2).
    """

    def __init__(self) -> None:
        self.noise = 0
        self._buffer = bytearray()

    def clear(self) -> None:
        """Forget a frame begun."""
        self._buffer.clear()

    def feed(self, data: bytes) -> list[Signal | bytes]:
        """Return the frames that `data` completes: a signal, or command code and parameters."""
        self._buffer += data
        found: list[Signal | bytes] = []
        while (item := self._next()) is not None:
            found.append(item)
        return found

    def _next(self) -> Signal | bytes | None:
        buffer = self._buffer
        while True:
            start = buffer.find(b"\x00\xff")
            if start < 0:
                # Only a last zero can still begin a start code; zeros are the preamble, and no noise.
                self._skip(len(buffer) - buffer.endswith(b"\x00"))
                return None
            self._skip(start)
            if len(buffer) < 4:
                return None
            item = self._at_start()
            if item == b"":
                self._skip(2)
                continue
            return item

    def _skip(self, count: int) -> None:
        self.noise += count - self._buffer.count(0, 0, count)
        del self._buffer[:count]

    def _at_start(self) -> Signal | bytes | None:
        """Return the frame after the start code, None when bytes are missing, b"" when it is none."""
        buffer = self._buffer
        signal = {b"\x00\xff": Signal.ACK, b"\xff\x00": Signal.NACK}.get(bytes(buffer[2:4]))
        if signal is not None:
            del buffer[:4]
            return signal
        head, size, right = 4, buffer[2], (buffer[2] + buffer[3]) & 0xFF == 0
        if buffer[2:4] == b"\xff\xff":
            if len(buffer) < 7:
                return None
            head, size, right = 7, int.from_bytes(buffer[4:6], "big"), sum(buffer[4:7]) & 0xFF == 0
        if not right or not 2 <= size <= MAX_BODY_BYTES:
            return b""
        if len(buffer) < head + size + 1:
            return None
        body = bytes(buffer[head : head + size + 1])
        if sum(body) & 0xFF or body[0] != HOST_TO_CHIP:
            return b""
        del buffer[: head + size + 1]
        return body[1:-1]
