"""Badges, cards and phones as they answer in a reader's field: type A, from anticollision to their own commands.

A card hears and answers frames as they are on the air, CRC_A included. Sources: NXP NTAG213/215/216 data sheet
(rev. 3.2), NXP MF1S50YYX_V1 data sheet (rev. 3.2), ISO/IEC 14443-3.
"""

from dataclasses import dataclass
from random import Random
from typing import ClassVar, Protocol

from simulators.air import with_crc, without_crc
from simulators.iso_dep import FILE_NOT_FOUND, IsoDep


@dataclass(frozen=True)
class Anticollision:
    """What a reader learns of a card before the first command."""

    sens_res: bytes
    """ATQA, most significant byte first, as the PN532 reports it."""
    sel_res: int
    """SAK: 00 type 2, 08 MIFARE Classic 1K, 20 ISO-DEP, 60 ISO-DEP and NFC-DEP."""
    uid: bytes


class Card(Protocol):
    """What the chip needs of a card."""

    @property
    def anticollision(self) -> Anticollision:
        """What the card says of itself in the present field."""

    def select(self) -> None:
        """Be the card that anticollision has chosen."""

    def reset(self) -> None:
        """Lose power: the field went, or the card left it."""

    @property
    def late_s(self) -> float:
        """How much later than at once the last answer came."""

    def exchange(self, frame: bytes) -> bytes | None:
        """Return the answer to a frame on the air, None for silence."""


class Ntag21x:
    """An NTAG213, 215 or 216: a type 2 tag with a 7-byte UID, which anyone can copy onto another tag.

    Commands: GET_VERSION, READ, FAST_READ, WRITE, READ_SIG, HALT. Any other, or a wrong page, gets a NAK, after which
    the tag must be selected again.
    """

    _SIZES: ClassVar = {"213": (45, 0x0F, 0x12), "215": (135, 0x11, 0x3E), "216": (231, 0x13, 0x6D)}
    """Pages, storage size byte of GET_VERSION, size byte of the capability container."""
    late_s = 0.0
    _NAK_ARGUMENT = b"\x00"
    _ACK = b"\x0a"

    def __init__(self, uid: bytes, model: str = "213") -> None:
        if len(uid) != 7:
            raise ValueError("the UID of an NTAG21x has 7 bytes")
        pages, self._storage, container = self._SIZES[model]
        self.anticollision = Anticollision(b"\x00\x44", 0x00, uid)
        self._memory = bytearray(pages * 4)
        # UID with its two check bytes, internal byte, no lock; capability container; an empty NDEF message.
        self._memory[0:9] = uid[:3] + bytes((_check(b"\x88" + uid[:3]),)) + uid[3:] + bytes((_check(uid[3:]),))
        self._memory[9] = 0x48
        self._memory[12:16] = bytes((0xE1, 0x10, container, 0x00))
        self._memory[16:19] = b"\x03\x00\xfe"
        self._selected = False

    def select(self) -> None:
        """Be chosen."""
        self._selected = True

    def reset(self) -> None:
        """Lose power; the memory stays."""
        self._selected = False

    def exchange(self, frame: bytes) -> bytes | None:
        """Return the answer on the air: data with CRC_A, or a 4-bit ACK or NAK as one byte."""
        command = without_crc(frame)
        if not self._selected or command is None:
            return None
        if command[0] == 0x50:
            self._selected = False
            return None
        answer = self._answer(command)
        if answer is None:
            self._selected = False
            return self._NAK_ARGUMENT
        return answer if answer == self._ACK else with_crc(answer)

    def _answer(self, command: bytes) -> bytes | None:
        pages = len(self._memory) // 4
        if command == b"\x60":
            return bytes((0x00, 0x04, 0x04, 0x02, 0x01, 0x00, self._storage, 0x03))
        if command == b"\x3c\x00":
            return bytes(32)
        if command[0] == 0x30 and len(command) == 2 and command[1] < pages:
            # Reading rolls over to page 0 behind the last one.
            return bytes((self._memory + self._memory)[command[1] * 4 :][:16])
        if command[0] == 0x3A and len(command) == 3 and command[1] <= command[2] < pages:
            return bytes(self._memory[command[1] * 4 : command[2] * 4 + 4])
        if command[0] == 0xA2 and len(command) == 6 and 4 <= command[1] < pages:
            self._memory[command[1] * 4 : command[1] * 4 + 4] = command[2:]
            return self._ACK
        return None


class Classic1k:
    """A MIFARE Classic 1K: readable by its UID alone here, since its cipher is broken and proves nothing.

    It answers an authentication with its nonce, then is silent for a reader that does not speak Crypto-1; any other
    command gets a NAK.
    """

    late_s = 0.0
    _NONCE = bytes.fromhex("01200145")

    def __init__(self, uid: bytes) -> None:
        if len(uid) not in (4, 7):
            raise ValueError("the UID of a MIFARE Classic has 4 or 7 bytes")
        self.anticollision = Anticollision(b"\x00\x04" if len(uid) == 4 else b"\x00\x44", 0x08, uid)
        self._listens = False

    def select(self) -> None:
        """Be chosen."""
        self._listens = True

    def reset(self) -> None:
        """Lose power."""
        self._listens = False

    def exchange(self, frame: bytes) -> bytes | None:
        """Return a nonce to an authentication, a NAK to anything else."""
        command = without_crc(frame)
        if not self._listens or command is None:
            return None
        self._listens = False
        if command[0] in (0x60, 0x61) and len(command) == 2:
            return self._NONCE
        return None if command[0] == 0x50 else b"\x04"


class IsoDepCard:
    """A card that speaks ISO-DEP: anticollision here, blocks in `IsoDep`, commands in the applet behind it."""

    late_s = 0.0

    def __init__(self, uid: bytes, blocks: IsoDep, *, sens_res: bytes = b"\x03\x44", sel_res: int = 0x20) -> None:
        self._seen = Anticollision(sens_res, sel_res, uid)
        self._blocks = blocks
        self._selected = False

    @property
    def anticollision(self) -> Anticollision:
        """What the card says of itself in the present field."""
        return self._seen

    def select(self) -> None:
        """Be chosen; blocks begin with the next RATS."""
        self._selected = True
        self._blocks.reset()

    def reset(self) -> None:
        """Lose power."""
        self._selected = False
        self._blocks.reset()

    def exchange(self, frame: bytes) -> bytes | None:
        """Return the block that answers, with its CRC_A."""
        block = without_crc(frame)
        if not self._selected or block is None:
            return None
        answer = self._blocks.exchange(block)
        if answer is None:
            return None
        self._selected = self._blocks.awake
        return with_crc(answer)


class Deaf:
    """A broken card: seen by anticollision, and silent from then on."""

    late_s = 0.0

    def __init__(self, anticollision: Anticollision) -> None:
        self.anticollision = anticollision

    def select(self) -> None:
        """Be chosen."""

    def reset(self) -> None:
        """Lose power."""

    def exchange(self, frame: bytes) -> bytes | None:  # noqa: ARG002 - it hears nothing
        """Stay silent."""
        return None


class Phone(IsoDepCard):
    """A phone that emulates a card: a random UID (08..., ISO/IEC 14443-3 6.5.4) at each field, and no application."""

    def __init__(self, random: Random, sel_res: int = 0x60) -> None:
        self._random = random
        super().__init__(self._drawn_uid(), IsoDep(lambda _: FILE_NOT_FOUND), sens_res=b"\x00\x04", sel_res=sel_res)

    def reset(self) -> None:
        """Lose the field: the next one sees another UID."""
        super().reset()
        self._seen = Anticollision(self._seen.sens_res, self._seen.sel_res, self._drawn_uid())

    def _drawn_uid(self) -> bytes:
        return b"\x08" + self._random.randbytes(3)


def _check(data: bytes) -> int:
    """Return the block check character of a UID part: all its bytes added without carry."""
    check = 0
    for byte in data:
        check ^= byte
    return check
