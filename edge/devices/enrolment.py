"""A reader's part of an enrolment: the one order that it has, and the conversation that makes a badge of a card.

The order is given and taken back by the main thread and served by the reader's. What must stay true here: after an
order was taken back and the reader has said so, no card becomes its badge; a card that left while its key was changed
is told as uncertain, also when the reader itself failed.
"""

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from edge.core.observations import Trial
from edge.devices.card import Card
from edge.protocols.apdu import CardGoneError
from edge.protocols.secured_badge import Draw, personalise

PERSONALISATION_S = 4.0
"""A blank card becomes a badge in 0.3 s; nobody waits longer than this with a card in the hand."""

MAY_BECOME_A_BADGE = {"wrong_application", "unknown_badge", "wrong_key"}
"""What a blank card says of itself, or one on which an enrolment was interrupted; a badge proves itself instead."""


@dataclass(frozen=True, slots=True)
class Order:
    """Make the badge `badge` with `key` of a blank card; with `resume` only of the one on which this was begun."""

    command: str
    badge: bytes
    key: bytes = field(repr=False)
    resume: bool = False


class Desk:
    """The order that a reader has. `give` and `take_back` are for the main thread, the rest for the reader's."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._order: Order | None = None
        self._taken_back: str | None = None

    def give(self, order: Order) -> None:
        """Wait for a card from the next look on."""
        with self._lock:
            self._order, self._taken_back = order, None

    def take_back(self, command: str) -> None:
        """Wait no more; the reader says so when no card can become this badge any more."""
        with self._lock:
            self._taken_back = command
            if self._order is not None and self._order.command == command:
                self._order = None

    def order(self) -> Order | None:
        """Return what is to be made now."""
        with self._lock:
            return self._order

    def stopped(self) -> str | None:
        """Return the command that was taken back, once; to be asked between two cards."""
        with self._lock:
            command, self._taken_back = self._taken_back, None
            return command

    def tried(self, order: Order, result: Trial) -> None:
        """Take what came of a card: a badge is made once, and one in doubt of that card alone."""
        with self._lock:
            if self._order is not None and self._order.command == order.command:
                if result == "done":
                    self._order = None
                elif result == "uncertain":
                    self._order = replace(order, resume=True)


@dataclass(slots=True)
class Attempt:
    """One card that is made a badge: `result` is what came of it, also when the reader failed meanwhile."""

    order: Order
    result: Trial = "pulled_away"

    def hold(self, card: Card, known: Mapping[bytes, bytes], draw: Draw) -> None:
        """Speak to the card; `known` are the badges that exist (badge id to key).

        Raises:
            OSError: the reader is in trouble.
        """
        order = self.order
        conversation = personalise(order.badge, order.key, known, draw, resume=order.resume)
        try:
            self.result = card.hold(conversation)
        finally:
            # A reader that fails leaves the conversation where it was: whoever fell silent, the card may have heard.
            try:
                conversation.throw(CardGoneError())
            except StopIteration as end:
                self.result = end.value or self.result
            except CardGoneError:
                pass
