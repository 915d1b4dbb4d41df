"""The cards in people's hands: made from their badges and kept, since a secured card remembers what was done to it."""

from random import Random

from simulators.attackers import copy_of, uid_copy_of
from simulators.badges import Badge
from simulators.cards import Card, Classic1k, Ntag21x, Phone
from simulators.desfire import Desfire
from simulators.ntag424 import Ntag424


class NothingToCopyError(LookupError):
    """The card has no number of its own."""


class Wallet:
    """Gives the card of a badge, or a copy of it as a thief would make one."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._secured: dict[str, Ntag424 | Desfire] = {}

    def card(self, badge: Badge) -> Card:
        """Return the card: the same one each time for a secured badge, so that an enrolment lasts."""
        if badge.kind == "phone":
            return Phone(self._seeded())
        if badge.kind == "classic":
            return Classic1k(badge.uid)
        if badge.kind == "ntag":
            return Ntag21x(badge.uid)
        if badge.name not in self._secured:
            self._secured[badge.name] = self._made(badge)
        return self._secured[badge.name]

    def copy(self, badge: Badge) -> Card:
        """Return another card with the same number and, of a secured badge, the same name; but not its key.

        Raises:
            NothingToCopyError: it is a phone.
        """
        card = self.card(badge)
        if isinstance(card, Phone):
            raise NothingToCopyError("a phone draws a new number at each presentation: there is nothing to copy")
        if isinstance(card, Ntag424 | Desfire):
            return copy_of(card, self._seeded())
        return card if isinstance(card, Classic1k) else uid_copy_of(card)

    def _made(self, badge: Badge) -> Ntag424 | Desfire:
        kind = Desfire if badge.kind == "desfire" else Ntag424
        card = kind(badge.uid, self._seeded())
        if badge.secret is not None:
            card.personalise(badge.secret.badge_id, badge.secret.key)
        return card

    def _seeded(self) -> Random:
        return Random(self._random.getrandbits(64))
