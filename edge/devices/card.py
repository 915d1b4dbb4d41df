"""One ISO-DEP card in the field, through unmodified nfcpy: a conversation with it, bounded in time, and what it proved.

nfcpy speaks the blocks of ISO/IEC 14443-4 in software. It has no end of its own for a card that asks for more time
again and again: it is therefore given a frontend that ends every conversation when its time is over.
"""

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import nfc.clf
import nfc.tag
import nfc.tag.tt4

from contract.credentials import UID_LENGTHS
from edge.core.observations import CardRefusal
from edge.protocols.apdu import CardError, CardGoneError, Conversation
from edge.protocols.ev2 import SECOND_STEP
from edge.protocols.secured_badge import Draw, prove

CONVERSATION_S = 1.5
"""A badge proves itself in 0.1 s. Six attempts to hear a DESFire that has left take 0.6 s; nobody waits longer than
this for a door, and the reader looks for the next card."""

SILENCES = 2
"""nfcpy would ask a silent card six times, which takes 0.3 s; it is asked twice, and again at the next look."""

ISO_DEP_SAK = 0x20
"""The bit of SAK by which a card says that it speaks ISO-DEP. Source: ISO/IEC 14443-3 6.5.3.4."""

_CLASSIC_SAK = 0x08
_NFC_DEP_SAK = 0x40
_RANDOM_UID = 0x08

_GONE = (nfc.clf.CommunicationError, nfc.tag.TagCommandError, IndexError)
"""What nfcpy lets out when a card leaves, or answers with blocks that make no sense (IndexError)."""

_LIST_CARDS, _AT_MOST_TWO, _TYPE_A = 0x4A, 2, 0
_LIST_WITHIN_S = 0.5

Outcome = TypeVar("Outcome")
Seconds = Callable[[], float]


@dataclass(frozen=True, slots=True)
class Shown:
    """What a card has shown of itself; the fields are those of `CredentialSeen`: with a refusal, a badge is a claim."""

    uid_hash: bytes | None = None
    refusal: CardRefusal | None = None
    badge: bytes | None = None


@dataclass(slots=True)
class _Air:
    """What nfcpy's tag asks of its frontend; after the conversation's time every card is silent."""

    frontend: Any
    left_s: Seconds
    """How much of the conversation's time is left."""
    silences: int = 0

    @property
    def max_send_data_size(self) -> int:
        """The longest frame to a card."""
        return int(self.frontend.max_send_data_size)

    @property
    def max_recv_data_size(self) -> int:
        """The longest frame from a card."""
        return int(self.frontend.max_recv_data_size)

    def exchange(self, frame: bytes, timeout: float) -> Any:  # noqa: ANN401  # nfcpy has no types, and names `timeout`
        """Send a frame and return the card's, waiting so many seconds for it."""
        left_s = self.left_s()
        if left_s <= 0 or self.silences >= SILENCES:
            # The one error after which nfcpy does not ask again.
            raise nfc.clf.ProtocolError
        try:
            answer = self.frontend.exchange(frame, min(timeout, left_s))
        except nfc.clf.TimeoutError:
            self.silences += 1
            raise
        self.silences = 0
        return answer


def draw() -> bytes:
    """Return 16 random bytes for an authentication."""
    return secrets.token_bytes(16)


def card_refusal(sak: int, uid: bytes) -> CardRefusal | None:
    """Return why a card's number is no identity, or None; `sak` is what the card answered to its selection.

    Source:
        ISO/IEC 14443-3 6.4.4 (a single-size UID that begins with 08 is random); NXP AN10833 (bit 4 of SAK is MIFARE
        Classic); NFC Forum Digital (bit 7 of SAK is NFC-DEP, which phones speak).
    """
    if sak & _NFC_DEP_SAK:
        return "phone"
    if len(uid) == 4 and uid[0] == _RANDOM_UID:
        return "random_uid"
    if sak & _CLASSIC_SAK:
        return "classic"
    return None if len(uid) in UID_LENGTHS else "unreadable"


class Card:
    """An ISO-DEP card that nfcpy has just found; `left_s` says how much time there is for it."""

    def __init__(self, frontend: Any, target: Any, *, clock: Seconds, left_s: Seconds) -> None:  # noqa: ANN401  # nfcpy
        self._frontend = _Air(frontend, left_s)
        self._target = target
        self._clock = clock
        self.second_step_s = 0.0
        """How long the card took for the step of an authentication that only the badge itself can answer."""

    def hold(self, conversation: Conversation[Outcome]) -> Outcome:
        """Activate the card, hold a conversation with it and return its outcome.

        Raises:
            CardGoneError: the card does not answer (any more), and the conversation has no outcome for that.
            CardError: the card's answers make no sense, and the conversation has no outcome for that.
            OSError: the reader is in trouble.
        """
        tag = None
        try:
            command = next(conversation)
            while True:
                try:
                    tag = tag or self._activate()
                    answer = self._ask(tag, command)
                except _GONE:
                    command = conversation.throw(CardGoneError())
                else:
                    command = conversation.send(answer)
        except StopIteration as end:
            outcome: Outcome = end.value
            return outcome

    def _activate(self) -> Any:  # noqa: ANN401  # nfcpy has no types
        # Not by `nfc.tag.activate`: it believes a card's ATQA before its SAK, and fails on one that says type 1 there.
        return nfc.tag.tt4.Type4ATag(self._frontend, self._target)

    def _ask(self, tag: Any, command: bytes) -> bytes:  # noqa: ANN401  # nfcpy has no types
        began_s = self._clock()
        answer = bytes(tag.transceive(command))
        if command.startswith(SECOND_STEP):
            self.second_step_s = self._clock() - began_s
        return answer


def ask_badge(card: Card, keys: Mapping[bytes, bytes], draw: Draw, *, relay_limit_s: float) -> Shown:
    """Let the card prove which badge of `keys` (badge id to key) it is.

    A right answer that comes later than `relay_limit_s` may have come from a badge elsewhere: it is refused.

    Raises:
        OSError: the reader is in trouble.
    """
    try:
        proof = card.hold(prove(keys, draw))
    except CardGoneError:
        return Shown(refusal="pulled_away")
    except CardError:
        return Shown(refusal="unreadable")
    if proof.badge is None:
        return Shown(refusal=proof.doubt, badge=proof.claimed)
    if card.second_step_s > relay_limit_s:
        return Shown(refusal="late", badge=proof.badge)
    return Shown(badge=proof.badge)


def is_alone(frontend: Any) -> bool:  # noqa: ANN401  # nfcpy has no types
    """Return whether there are less than two cards in the field; ends whatever was going on with one.

    nfcpy always asks the chip for one card: this asks for two, once the field has been off.

    Raises:
        OSError: the reader is in trouble.
    """
    frontend.device.mute()
    listed = frontend.device.chipset.command(_LIST_CARDS, bytes([_AT_MOST_TWO, _TYPE_A]), _LIST_WITHIN_S)
    return not listed or listed[0] < _AT_MOST_TWO
