"""A reader of ISO-DEP blocks for tests, without a chip and a wire, written from ISO/IEC 14443-4, 7.5."""

from collections.abc import Callable

from simulators.air import with_crc, without_crc
from simulators.cards import Card
from simulators.iso_dep import FRAME_SIZES

Exchange = Callable[[bytes], bytes | None]
"""A block in, the block that answers out, both without CRC_A."""


def blocks_of(card: Card) -> Exchange:
    """Return how blocks are said to a card that has just been brought into the field."""
    card.reset()
    card.select()

    def exchange(block: bytes) -> bytes | None:
        answer = card.exchange(with_crc(block))
        return without_crc(answer) if answer is not None else None

    return exchange


class BlockReader:
    """The other side, written from the standard: block numbers, chaining, and repeating what was lost."""

    def __init__(self, exchange: Exchange, *, frame_size_index: int = 8) -> None:
        self.exchange = exchange
        self.number = 0
        self.exchanges = 0
        self.lost: set[int] = set()
        ats = exchange(bytes((0xE0, frame_size_index << 4)))
        assert ats is not None
        self.part = FRAME_SIZES[ats[1] & 0x0F] - 3
        self.most = FRAME_SIZES[frame_size_index] - 2

    def send(self, block: bytes) -> bytes:
        """One exchange; when its answer is lost on the air, R(NAK) asks for it again."""
        answer = self.exchange(block)
        self.exchanges += 1
        if self.exchanges in self.lost:
            answer = self.exchange(bytes((0xB2 | self.number,)))
        assert answer is not None
        assert len(answer) <= self.most
        return answer

    def apdu(self, command: bytes) -> bytes:
        parts = [command[i : i + self.part] for i in range(0, len(command), self.part)] or [b""]
        for part in parts[:-1]:
            assert self.send(bytes((0x12 | self.number,)) + part) == bytes((0xA2 | self.number,))
            self.number ^= 1
        answer = self.send(bytes((0x02 | self.number,)) + parts[-1])
        while answer[0] == 0xF2:
            answer = self.send(b"\xf2" + answer[1:])
        response = b""
        while True:
            assert answer[0] & 0xEF == 0x02 | self.number
            self.number ^= 1
            response += answer[1:]
            if not answer[0] & 0x10:
                return response
            answer = self.send(bytes((0xA2 | self.number,)))
