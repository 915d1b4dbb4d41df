"""A PN532 reader at chip level, as a host sees it on its serial line (HSU), with cards in its field.

Source: NXP UM0701-02 (PN532 user manual), section 7 for the commands; exchanges compared with what nfcpy 1.0.4 sends.
Only the commands that an initiator of type A cards needs are known; any other gets the chip's syntax error frame.
"""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from simulators.air import with_crc, without_crc
from simulators.cards import Card
from simulators.pn532_field import Field, Leaving
from simulators.pn532_frames import ACK, ERROR, FrameFinder, Signal, response_frame

FIRST_SPEED_BAUD = 115_200
SPEEDS_BAUD = (9_600, 19_200, 38_400, 57_600, 115_200, 230_400, 460_800, 921_600, 1_288_000)
"""The codes of SetSerialBaudRate, in order (7.2.7)."""
FIRMWARE = bytes.fromhex("32010607")
"""IC PN532, version 1.6, all of ISO 14443 A and B and ISO 18092 (7.2.2)."""
WAKE_UP_BYTES = 5
"""A sleeping chip wakes at the fifth rising edge of its receive line (7.2.11); the bytes until then are lost."""
MAX_TARGETS = 2
MAX_AIR_BYTES = 262
FOR_EVER = 0xFF

_TX_MODE, _RX_MODE, _TX_CONTROL, _TX_AUTO, _FIFO_DATA = 0x6302, 0x6303, 0x6304, 0x6305, 0x6339
_CRC_ENABLED = 0x80
_AUTOMATIC_RATS = 0x10
_STATUS_TIMEOUT, _STATUS_CRC, _STATUS_OVERFLOW = 0x01, 0x02, 0x07


Command = Callable[[bytes], bytes | None]
"""Parameters in, the bytes behind the response code out; None is a syntax error."""


@dataclass
class Underway:
    """A command that takes the air, and so its time."""

    code: int
    data: bytes
    due_s: float
    answer: bytes | None = None


AirCommand = Callable[[Underway], bytes | None]
"""A command that may ask for more time by moving `due_s`, and returns None to be asked again."""


class Pn532:
    """The chip; `rf_s` is how long one exchange with the air takes.

    `present` and `remove` move cards; a card may leave between any two exchanges. The model keeps no clock and no file.
    """

    def __init__(self, random: Random, *, rf_s: float = 0.005) -> None:
        self.rf_s = rf_s
        self.unknown_commands = 0
        self._random = random
        self._field = Field()
        self._underway: Underway | None = None
        self._next_speed_baud: int | None = None
        self._frames = FrameFinder()
        self._commands: dict[int, Command] = {
            0x00: self._diagnose,
            0x02: self._get_firmware_version,
            0x04: self._get_general_status,
            0x06: self._read_register,
            0x08: self._write_register,
            0x10: self._set_serial_baud_rate,
            0x12: self._set_parameters,
            0x14: self._sam_configuration,
            0x16: self._power_down,
            0x32: self._rf_configuration,
        }
        self._air_commands: dict[int, AirCommand] = {
            0x42: self._in_communicate_thru,
            0x4A: self._in_list_passive_target,
        }
        self.power_on(0.0)

    # The card side

    def present(self, card: Card, leaving: Leaving | None = None) -> None:
        """Bring a card into the field, beside those that are there; `leaving` pulls it away in the midst of a talk."""
        self._field.present(card, leaving)

    def remove(self, card: Card | None = None) -> None:
        """Take one card away, or all of them; at the next exchange the chip hears nothing from it."""
        for gone in [card] if card is not None else self._field.cards:
            self._field.remove(gone)

    @property
    def cards(self) -> tuple[Card, ...]:
        """The cards in the field."""
        return self._field.cards

    # The wire side

    @property
    def speed_baud(self) -> int:
        """The speed of the chip's line now."""
        return self._speed_baud

    def power_on(self, now_s: float) -> None:  # noqa: ARG002 - the chip starts at once; a device may need the moment
        """Forget everything: 115200 baud, asleep until woken, field off."""
        self._speed_baud = FIRST_SPEED_BAUD
        self._next_speed_baud = None
        self._asleep, self._edges = True, 0
        self._parameters = 0x14
        self._passive_retries = FOR_EVER
        self._timeout_s = 0.0512
        self._registers: dict[int, int] = {}
        self._field_is_on = False
        self._underway = None
        self._last_frame = b""
        self._frames.clear()
        self._field.power_off()

    def receive(self, data: bytes, speed_baud: int, now_s: float) -> bytes:
        """Take bytes from the host; return acknowledgements, and the answers of the commands that need no air."""
        if speed_baud not in (self._speed_baud, self._next_speed_baud):
            self._frames.clear()
            return b""
        if self._asleep:
            data = self._woken_by(data)
        said = b""
        for frame in self._frames.feed(data):
            if frame is Signal.ACK:
                self._host_acknowledges()
            elif frame is Signal.NACK:
                said += self._last_frame
            elif isinstance(frame, bytes):
                self._change_speed(speed_baud)
                said += ACK + self._begin(frame[0], frame[1:], now_s)
        return said

    def due_s(self) -> float | None:
        """Return when the command underway will be ready."""
        return self._underway.due_s if self._underway else None

    def speak(self, now_s: float) -> bytes:
        """Return the answer of the command underway when it is ready."""
        underway = self._underway
        if underway is None or now_s < underway.due_s:
            return b""
        if underway.answer is None:
            underway.answer = self._air_commands[underway.code](underway)
            if underway.answer is None or underway.due_s > now_s:
                return b""
        self._underway = None
        return self._answer(underway.code, underway.answer)

    # Frames

    def _woken_by(self, data: bytes) -> bytes:
        """Return what the chip hears once the wake-up bytes have passed; they may come one by one."""
        for index, byte in enumerate(data):
            # 00 and 55 are what the manual has hosts send: each brings at least one rising edge.
            self._edges = self._edges + 1 if byte in (0x00, 0x55) else 0
            if self._edges == WAKE_UP_BYTES:
                self._asleep = False
                return data[index:]
        return b""

    def _host_acknowledges(self) -> None:
        if self._next_speed_baud is not None:
            self._speed_baud, self._next_speed_baud = self._next_speed_baud, None
        # An ACK while a command is underway aborts it (6.2.1.3).
        self._underway = None

    def _change_speed(self, speed_baud: int) -> None:
        # A host that closes its port at once may lose its own ACK: a right frame at the new speed says as much.
        if self._next_speed_baud == speed_baud:
            self._speed_baud, self._next_speed_baud = speed_baud, None

    def _begin(self, code: int, data: bytes, now_s: float) -> bytes:
        self._underway = None
        if code in self._air_commands and _is_well_formed(code, data):
            self._underway = Underway(code, data, now_s + self.rf_s * self._random.uniform(1.0, 1.2))
            return b""
        command = self._commands.get(code)
        return self._answer(code, command(data) if command else None)

    def _answer(self, code: int, data: bytes | None) -> bytes:
        if data is None:
            self.unknown_commands += 1
        self._last_frame = ERROR if data is None else response_frame(code, data)
        return self._last_frame

    # Commands

    def _diagnose(self, data: bytes) -> bytes | None:
        if data[:1] == b"\x00":
            return data
        return b"\x00" if data in (b"\x01", b"\x02") else None

    def _get_firmware_version(self, data: bytes) -> bytes | None:
        return None if data else FIRMWARE

    def _get_general_status(self, data: bytes) -> bytes | None:
        if data:
            return None
        targets = bytes.fromhex("0101000000") if self._field.has_chosen else b"\x00"
        return bytes((0, self._field_is_on)) + targets + b"\x00"

    def _read_register(self, data: bytes) -> bytes | None:
        if not data or len(data) % 2:
            return None
        addresses = [int.from_bytes(data[i : i + 2], "big") for i in range(0, len(data), 2)]
        return bytes(self._register(address) for address in addresses)

    def _register(self, address: int) -> int:
        if address == _TX_CONTROL:
            return self._registers.get(address, 0x80) & 0xFC | (0x03 if self._field_is_on else 0)
        return self._registers.get(address, 0)

    def _write_register(self, data: bytes) -> bytes | None:
        if not data or len(data) % 3:
            return None
        for i in range(0, len(data), 3):
            self._registers[int.from_bytes(data[i : i + 2], "big")] = data[i + 2]
        return b""

    def _set_serial_baud_rate(self, data: bytes) -> bytes | None:
        if len(data) != 1 or data[0] >= len(SPEEDS_BAUD):
            return None
        self._next_speed_baud = SPEEDS_BAUD[data[0]]
        return b""

    def _set_parameters(self, data: bytes) -> bytes | None:
        if len(data) != 1:
            return None
        self._parameters = data[0]
        return b""

    def _sam_configuration(self, data: bytes) -> bytes | None:
        return b"" if 1 <= len(data) <= 3 and 1 <= data[0] <= 4 else None

    def _power_down(self, data: bytes) -> bytes | None:
        if not 1 <= len(data) <= 2:
            return None
        self._set_field(on=False)
        self._asleep, self._edges = True, 0
        return b"\x00"

    def _rf_configuration(self, data: bytes) -> bytes | None:
        sizes = {0x01: 1, 0x02: 3, 0x04: 1, 0x05: 3, 0x0A: 11, 0x0B: 8, 0x0C: 3, 0x0D: 9}
        if not data or sizes.get(data[0]) != len(data) - 1:
            return None
        if data[0] == 0x01:
            self._set_field(on=bool(data[1] & 0x01))
        elif data[0] == 0x02:
            # 0 means none; n means 100 us doubled n - 1 times, at most 3.28 s (7.3.1).
            self._timeout_s = 100e-6 * 2 ** (min(data[3], 16) - 1) if data[3] else 0.0
        elif data[0] == 0x05:
            self._passive_retries = data[3]
        return b""

    def _set_field(self, *, on: bool) -> None:
        if not on and self._field_is_on:
            self._field.power_off()
        self._field_is_on = on

    # Commands on the air

    def _in_list_passive_target(self, underway: Underway) -> bytes | None:
        data = underway.data
        self._set_field(on=True)
        self._field.forget()
        found = self._field.found(_uid_in(data[2:]))[: data[0]] if data[1] == 0 else []
        if not found:
            if self._passive_retries == FOR_EVER:
                underway.due_s += max(self.rf_s, 0.001)
                return None
            # What was sent stays in the FIFO when nobody answers: drivers read there that the field is empty.
            self._registers[_FIFO_DATA] = 0x26
            return b"\x00"
        self._registers.update({_TX_MODE: _CRC_ENABLED, _RX_MODE: _CRC_ENABLED, _FIFO_DATA: 0})
        return bytes((len(found),)) + b"".join(self._target(n, *target) for n, target in enumerate(found, 1))

    def _target(self, number: int, sens_res: bytes, cards: list[Card]) -> bytes:
        self._field.choose(cards)
        seen = cards[0].anticollision
        target = bytes((number,)) + sens_res + bytes((seen.sel_res, len(seen.uid))) + seen.uid
        if self._parameters & _AUTOMATIC_RATS and seen.sel_res & 0x20:
            target += without_crc(self._field.exchange(with_crc(b"\xe0\x50"))[0] or b"") or b""
        return target

    def _in_communicate_thru(self, underway: Underway) -> bytes | None:
        data = underway.data
        if self._register(_TX_MODE) & _CRC_ENABLED:
            data = with_crc(data)
        heard, late_s = self._field.exchange(data) if self._field_is_on else (None, 0.0)
        if heard is None or late_s > self._timeout_s > 0:
            underway.due_s += max(0.0, self._timeout_s - self.rf_s)
            return bytes((_STATUS_TIMEOUT,))
        underway.due_s += late_s
        if self._register(_RX_MODE) & _CRC_ENABLED:
            heard = without_crc(heard)
            if heard is None:
                return bytes((_STATUS_CRC,))
        if len(heard) > MAX_AIR_BYTES:
            return bytes((_STATUS_OVERFLOW,))
        return b"\x00" + heard


def _uid_in(wanted: bytes) -> bytes:
    """Return the UID that a host asks for, without the cascade tags it puts between the parts of a longer one."""
    if len(wanted) == 8 and wanted[0] == 0x88:
        return wanted[1:]
    if len(wanted) == 12 and wanted[0] == 0x88 and wanted[4] == 0x88:
        return wanted[1:4] + wanted[5:]
    return wanted


def _is_well_formed(code: int, data: bytes) -> bool:
    if code == 0x42:
        return 1 <= len(data) <= MAX_AIR_BYTES
    return len(data) >= 2 and 1 <= data[0] <= MAX_TARGETS and data[1] <= 4
