"""Cards that are not what they say: copies, bluffs, recordings and relays of a secured badge.

Each is a card for the simulated reader, made from the badge it attacks. None of them knows the badge's key, but the
relay, which is the badge itself, heard from far away. Source: docs/badges.md, "What proves what".
"""

from dataclasses import dataclass, field
from random import Random
from typing import Literal

from simulators.air import with_crc, without_crc
from simulators.cards import Anticollision, Card, IsoDepCard, Ntag21x
from simulators.desfire import Desfire
from simulators.iso_dep import IsoDep
from simulators.ntag424 import Ntag424

MAX_FRAMES = 1_000
"""A talk at a door takes ten frames, an enrolment thirty."""

Badge = Ntag424 | Desfire


def copy_of(badge: Badge, random: Random) -> Badge:
    """Return a card with the UID, ATS and readable file of a badge and a key drawn anew: all that one can copy.

    A card with an old key is the same thing: the right name, and a key that is not the badge's.
    """
    return badge.twin(random, random.randbytes(16))


def uid_copy_of(card: Card) -> Ntag21x:
    """Return a plain tag with a copied UID: what fools a site that admits badges by their UID.

    Raises:
        ValueError: the UID has not 7 bytes.
    """
    return Ntag21x(card.anticollision.uid)


class Bluff(IsoDepCard):
    """A copy that answers the authentication as if it had succeeded.

    `random` makes the answers up; `echo` sends the reader's own proof back, which has the right length and was made
    with the right key.
    """

    def __init__(self, badge: Badge, random: Random, answer: Literal["random", "echo"] = "random") -> None:
        copy = copy_of(badge, random)
        self._answers = copy.applet
        self._random = random
        self._echoes = answer == "echo"
        blocks = IsoDep(self._bluffed, ats=copy.ats, forget=copy.applet.reset)
        super().__init__(badge.anticollision.uid, blocks)

    def _bluffed(self, command: bytes) -> bytes:
        response = self._answers(command)
        if command[:2] != b"\x90\xaf" or len(command) != 38:
            return response
        return (command[5:37] if self._echoes else self._random.randbytes(32)) + b"\x91\x00"


class Recorder:
    """A badge overheard: passes every frame on, and keeps the last talk.

    A reader that only looks whether the badge is still there says nothing to it: the talk before is kept.
    """

    late_s = 0.0

    def __init__(self, badge: Card) -> None:
        self._badge = badge
        self._begins = True
        self.said: list[tuple[bytes, bytes | None]] = []

    @property
    def anticollision(self) -> Anticollision:
        """The badge's own."""
        return self._badge.anticollision

    def select(self) -> None:
        """Be chosen; a recording begins anew with the next frame."""
        self._begins = True
        self._badge.select()

    def reset(self) -> None:
        """Lose power; the recording stays."""
        self._badge.reset()

    def exchange(self, frame: bytes) -> bytes | None:
        """Return the badge's answer."""
        answer = self._badge.exchange(frame)
        if self._begins:
            self._begins, self.said = False, []
        if len(self.said) < MAX_FRAMES:
            self.said.append((frame, answer))
        return answer

    def replayer(self) -> "Replayer":
        """Return a card that plays what was recorded."""
        return Replayer(self.anticollision, tuple(self.said))


@dataclass
class Replayer:
    """Plays a recording: to each frame the answer to that very frame, or else the next one of the recording."""

    anticollision: Anticollision
    said: tuple[tuple[bytes, bytes | None], ...]
    late_s: float = 0.0
    _next: int = field(default=0, init=False)

    def select(self) -> None:
        """Be chosen: play from the beginning."""
        self._next = 0

    def reset(self) -> None:
        """Lose power."""
        self._next = 0

    def exchange(self, frame: bytes) -> bytes | None:
        """Return the recorded bytes, CRC_A and all."""
        left = range(self._next, len(self.said))
        place = next((place for place in left if self.said[place][0] == frame), self._next)
        if place >= len(self.said):
            return None
        self._next = place + 1
        return self.said[place][1]


class Relay:
    """Two antennas and a line between them: the badge is far away, and every answer comes `delay_s` late.

    While it fetches an answer it keeps the reader waiting as a slow card would, with requests for time (WTX); so no
    frame is later than the reader allows, only the whole talk is.
    """

    STEP_S = 0.03
    """Less than the 38.7 ms that a reader grants an NTAG 424 DNA for a frame."""

    def __init__(self, badge: Card, delay_s: float) -> None:
        self.late_s = 0.0
        self._badge = badge
        self._delay_s = delay_s
        self._left_s = 0.0
        self._fetched: bytes | None = None

    @property
    def anticollision(self) -> Anticollision:
        """The badge's own."""
        return self._badge.anticollision

    def select(self) -> None:
        """Be chosen, here and there."""
        self._fetched = None
        self._badge.select()

    def reset(self) -> None:
        """Lose power, here and there."""
        self._fetched = None
        self._badge.reset()

    def exchange(self, frame: bytes) -> bytes | None:
        """Return the badge's answer when it has come, a request for more time until then."""
        block = without_crc(frame)
        self.late_s = 0.0
        if block is None:
            return None
        waits = self._fetched is not None
        if waits and block[0] == 0xF2:
            return self._later()
        if block[0] & 0xEE != 0x02:
            # The answer to select and the receipts were agreed beforehand: they need not travel.
            return self._badge.exchange(frame)
        self._fetched = self._badge.exchange(frame)
        self._left_s = self._delay_s
        return self._later() if self._fetched is not None else None

    def _later(self) -> bytes | None:
        self.late_s = min(self._left_s, self.STEP_S)
        self._left_s -= self.late_s
        if self._left_s > 0:
            return with_crc(b"\xf2\x01")
        answer, self._fetched = self._fetched, None
        return answer
