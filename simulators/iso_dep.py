"""ISO-DEP as a card speaks it (ISO/IEC 14443-4): RATS, then blocks that carry APDUs, chained both ways.

`IsoDep` knows blocks and an applet knows APDUs; a secured card is a new applet, and nothing here changes for it.
"""

from collections.abc import Callable

Applet = Callable[[bytes], bytes]
"""A command APDU in, a response APDU with its status word out."""

ATS = bytes.fromhex("067577710080")
"""Frames to the card up to 64 bytes (FSCI 5), 38.7 ms to answer (FWI 7), neither NAD nor CID, one historical byte."""
FRAME_SIZES = (16, 24, 32, 40, 48, 64, 96, 128, 256)
"""What FSCI and FSDI stand for (5.1, 5.2.3)."""
MAX_APDU_BYTES = 65_544
"""The longest extended APDU: header, lengths and 65,535 bytes."""

DONE = b"\x90\x00"
WRONG_LENGTH = b"\x67\x00"
FILE_NOT_FOUND = b"\x6a\x82"
UNKNOWN_INSTRUCTION = b"\x6d\x00"


def _nothing() -> None:
    """Forget nothing: the applet has no session."""


class IsoDep:
    """The card's side of the block protocol; frames come and go without CRC_A.

    `extensions` makes a slow card: it asks so many times for more time (WTX) before each answer of its applet.
    `forget` is called whenever the blocks begin anew, so that an applet with a session can end it.
    """

    def __init__(
        self, applet: Applet, *, ats: bytes = ATS, extensions: int = 0, forget: Callable[[], None] = _nothing
    ) -> None:
        self._applet = applet
        self._ats = ats
        self._extensions = extensions
        self._forget = forget
        # Two bytes of a frame are its CRC_A.
        self._longest = FRAME_SIZES[min(ats[1] & 0x0F, 8)] - 2
        self.reset()

    @property
    def awake(self) -> bool:
        """Whether the reader has not deselected the card."""
        return not self._deselected

    def reset(self) -> None:
        """Begin again: the next frame must be a RATS."""
        self._forget()
        self._active = self._deselected = False
        self._number = 1
        self._part_bytes = FRAME_SIZES[2] - 3
        self._command = bytearray()
        self._response: bytes | None = None
        self._waits = 0
        self._last = b""

    def exchange(self, frame: bytes) -> bytes | None:
        """Return the card's frame, None when it stays silent."""
        answer = self._block(frame) if self._active else self._activation(frame)
        if answer is not None:
            self._last = answer
        return answer

    def _activation(self, frame: bytes) -> bytes | None:
        if self._deselected or len(frame) != 2 or frame[0] != 0xE0:
            return None
        # One byte of PCB and two of CRC_A leave the rest of the reader's frame size to the APDU.
        self._part_bytes = FRAME_SIZES[min(frame[1] >> 4, 8)] - 3
        self._active = True
        return self._ats

    def _block(self, frame: bytes) -> bytes | None:
        if len(frame) > self._longest:
            return None
        kind = frame[0]
        if kind & 0xEE == 0x02:
            return self._information(frame)
        if kind & 0xEE == 0xA2:
            return self._receipt(kind)
        if kind == 0xC2:
            self._active, self._deselected = False, True
            return frame
        if kind == 0xF2 and self._waits:
            return self._next_part()
        # PPS asks for speeds: the card stays at 106 kbit/s whatever it is asked (5.3).
        return frame[:1] if kind & 0xF0 == 0xD0 else None

    def _information(self, frame: bytes) -> bytes | None:
        self._number = frame[0] & 1
        self._command += frame[1:]
        if len(self._command) > MAX_APDU_BYTES:
            self.reset()
            return None
        if frame[0] & 0x10:
            return bytes((0xA2 | self._number,))
        command = bytes(self._command)
        self._command.clear()
        self._response = self._applet(command)
        self._waits = self._extensions + 1
        return self._next_part()

    def _receipt(self, kind: int) -> bytes | None:
        if kind & 1 == self._number:
            return self._last
        if kind & 0x10:
            return bytes((0xA2 | self._number,))
        if not self._response:
            return None
        self._number ^= 1
        return self._next_part()

    def _next_part(self) -> bytes:
        """Return a request for time while the card is slow, else the next part of the response."""
        self._waits = max(0, self._waits - 1)
        if self._waits:
            return b"\xf2\x01"
        response = self._response or b""
        part, self._response = response[: self._part_bytes], response[self._part_bytes :]
        chained = 0x10 if self._response else 0
        return bytes((0x02 | chained | self._number,)) + part


class NdefApplet:
    """The NDEF application of a type 4 tag, read-only. Source: NFC Forum Type 4 Tag specification 2.0, 5.4."""

    _NAME = bytes.fromhex("d2760000850101")

    def __init__(self, message: bytes = b"") -> None:
        content = len(message).to_bytes(2, "big") + message
        size = max(len(content), 5).to_bytes(2, "big")
        # Mapping version 2.0, parts of up to 59 bytes read and 52 written, file E104, free to read, never written.
        container = bytes.fromhex("000f20003b00340406e104") + size + bytes.fromhex("00ff")
        self._files = {b"\xe1\x03": container, b"\xe1\x04": content}
        self._selected: bytes | None = None

    def __call__(self, command: bytes) -> bytes:
        """Return the response to SELECT by name, SELECT by file and READ BINARY."""
        if len(command) < 4:
            return WRONG_LENGTH
        if command[:2] == b"\x00\xa4":
            return self._select(command)
        if command[:2] != b"\x00\xb0":
            return UNKNOWN_INSTRUCTION
        content = self._files.get(self._selected or b"")
        if content is None:
            return b"\x69\x86"
        start = int.from_bytes(command[2:4], "big")
        wanted = (command[4] or 256) if len(command) > 4 else 256
        return content[start : start + wanted] + DONE

    def _select(self, command: bytes) -> bytes:
        name = command[5 : 5 + command[4]] if len(command) > 4 else b""
        if command[2] == 0x04:
            self._selected = None
            return DONE if name == self._NAME else FILE_NOT_FOUND
        if name not in self._files:
            return FILE_NOT_FOUND
        self._selected = name
        return DONE
