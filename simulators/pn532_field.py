"""The field in front of a PN532: which cards are in it, which of them anticollision chooses, and what the air carries.

Source: ISO/IEC 14443-3 (type A), 6.5.
"""

from dataclasses import dataclass

from simulators.cards import Card


@dataclass
class Leaving:
    """A card that is pulled away at its `frames`-th frame since it was presented.

    It still hears that frame if `hears_last`, and does what it says; its answer is lost either way.
    """

    frames: int
    hears_last: bool = True

    def is_last(self) -> bool:
        """Count a frame, and say whether it is the last one."""
        self.frames -= 1
        return self.frames <= 0


class Field:
    """The cards in the field, and those among them that were chosen last: several only if they share a UID."""

    def __init__(self) -> None:
        self._cards: list[Card] = []
        self._chosen: list[Card] = []
        self._leaving: dict[int, Leaving] = {}

    @property
    def cards(self) -> tuple[Card, ...]:
        """All cards in the field."""
        return tuple(self._cards)

    @property
    def has_chosen(self) -> bool:
        """Whether a card listens to frames."""
        return bool(self._chosen)

    def present(self, card: Card, leaving: Leaving | None) -> None:
        """Bring a card in, freshly powered."""
        if card in self._cards:
            return
        card.reset()
        self._cards.append(card)
        if leaving is not None:
            self._leaving[id(card)] = leaving

    def remove(self, card: Card) -> None:
        """Take a card away."""
        if card in self._cards:
            self._cards.remove(card)
            self._leaving.pop(id(card), None)
            card.reset()
        if card in self._chosen:
            self._chosen.remove(card)

    def forget(self) -> None:
        """Have chosen nobody."""
        self._chosen = []

    def power_off(self) -> None:
        """Take every card's power, and give it back."""
        self.forget()
        for card in self._cards:
            card.reset()

    def found(self, wanted: bytes) -> list[tuple[bytes, list[Card]]]:
        """Return ATQA and cards of each UID in the field, only the wanted one if there is one, as anticollision goes.

        At a collision a reader goes on with the cards that sent a one (6.5.3.1); bits travel from the lowest up. Cards
        with the same UID never collide: they are found, chosen and heard together. All that have not been chosen yet
        answer the request at once: their ATQA overlay.
        """
        answering = [card for card in self._cards if not wanted or card.anticollision.uid == wanted]
        answering.sort(key=_bits_on_the_air, reverse=True)
        by_uid: dict[bytes, list[Card]] = {}
        for card in answering:
            by_uid.setdefault(card.anticollision.uid, []).append(card)
        found, done = [], 0
        for cards in by_uid.values():
            found.append((_overlaid([card.anticollision.sens_res for card in answering[done:]]), cards))
            done += len(cards)
        return found

    def choose(self, cards: list[Card]) -> None:
        """Select the cards of one UID."""
        for card in cards:
            card.select()
        self._chosen = list(cards)

    def exchange(self, frame: bytes) -> tuple[bytes | None, float]:
        """Return what the air carries after a frame to the chosen cards, None for silence, and how late it came."""
        answers: list[bytes] = []
        late_s = 0.0
        for card in list(self._chosen):
            leaving = self._leaving.get(id(card))
            if leaving is not None and leaving.is_last():
                if leaving.hears_last:
                    card.exchange(frame)
                self.remove(card)
            elif (answer := card.exchange(frame)) is not None:
                answers.append(answer)
                late_s = max(late_s, card.late_s)
        return (_overlaid(answers) if answers else None), late_s


def _bits_on_the_air(card: Card) -> str:
    uid = card.anticollision.uid
    levels = uid if len(uid) == 4 else b"\x88" + uid
    return "".join(f"{byte:08b}"[::-1] for byte in levels)


def _overlaid(answers: list[bytes]) -> bytes:
    """Return what a receiver hears when several answer at once: ones cover zeros, and no CRC_A survives it."""
    heard = bytearray(max(map(len, answers)))
    for answer in answers:
        for place, byte in enumerate(answer):
            heard[place] |= byte
    return bytes(heard)
