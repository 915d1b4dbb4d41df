"""Samsung MDC (Multiple Display Control): the power of a display, over TCP or a serial line.

Source: Samsung "Multiple Display Control (MDC) protocol", as printed in the manuals of its large displays (460FP-3 and
MD40B, chapter "Control codes"). A frame is `AA command id length data checksum`; the checksum is the sum of all bytes
but the first, modulo 256. An answer is a frame of command FF whose data begin with `A` (done) or `N` (not), and the
command that was asked.
"""

from edge.protocols.display import MAX_ANSWER_BYTES, GarbledError, Power, RefusedError

HEADER, POWER, ANSWER = 0xAA, 0x11, 0xFF
TLS_GREETING = b"MDCSTART<<TLS>>"
"""What a display says whose menu has "secured protocol" switched on."""

_POWERS: dict[int, Power] = {0: "standby", 1: "on", 2: "unknown"}
"""2 is a display that restarts."""


def encode_frame(command: int, display_id: int, data: bytes = b"") -> bytes:
    """Return the bytes of one frame."""
    body = bytes([command, display_id, len(data)]) + data
    return bytes([HEADER]) + body + bytes([sum(body) % 256])


class PowerQuestion:
    """One question for the power of the display `display_id`."""

    def __init__(self, display_id: int) -> None:
        self.power: Power | None = None
        self.noise_count = 0
        self._display_id = display_id
        self._heard = b""

    def opening(self) -> bytes:
        """Return the question."""
        return encode_frame(POWER, self._display_id)

    def take(self, data: bytes) -> bytes:
        """Take what the display said; nothing more is said to it.

        Raises:
            GarbledError: it does not speak MDC.
            RefusedError: it wants the secured protocol, or answers that it does not do this.
        """
        self._heard += data
        if self._heard.startswith(TLS_GREETING):
            raise RefusedError("the display wants the secured protocol: switch it off in the display's network menu")
        while self.power is None and (frame := self._next()):
            self._read(frame)
        if self.power is None and (self.noise_count > MAX_ANSWER_BYTES or len(self._heard) > MAX_ANSWER_BYTES):
            raise GarbledError("what answers does not speak Samsung MDC")
        return b""

    def _next(self) -> bytes:
        """Return command, id, length and data of the next whole frame, or nothing while more bytes are needed."""
        while self._heard:
            start = self._heard.find(HEADER)
            size = 5 + self._heard[start + 3] if start >= 0 and len(self._heard) > start + 3 else 0
            if start != 0:
                self._pass_over(start if start > 0 else len(self._heard))
            elif not size or len(self._heard) < size:
                return b""
            elif sum(self._heard[1 : size - 1]) % 256 != self._heard[size - 1]:
                self._pass_over(1)
            else:
                frame, self._heard = self._heard[1 : size - 1], self._heard[size:]
                return frame
        return b""

    def _pass_over(self, count: int) -> None:
        self.noise_count += count
        self._heard = self._heard[count:]

    def _read(self, frame: bytes) -> None:
        if frame[0] != ANSWER or len(frame) < 6 or frame[4] != POWER:
            return  # a notice of something else
        if frame[3:4] == b"N":
            raise RefusedError(f"the display refuses to say its power (MDC error {frame[5]})")
        self.power = _POWERS.get(frame[5], "unknown")
