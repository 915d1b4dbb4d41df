"""What is said to a secured badge at a door and at an enrolment, sans-IO.

`prove` is the door's: four commands for an NTAG 424 DNA, and the card has proven who it is. `personalise` makes a badge
of a card as NXP delivers it. Both are conversations (edge/protocols/apdu.py); random numbers come by parameter.

Source:
    docs/badges.md (what is on a badge, and in which order it is read and written); NXP NT4H2421Gx (rev. 3.0), 8.2.3
    (files and access rights), 10 (commands).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from contract.credentials import BADGE_AID, BADGE_ID_BYTES
from edge.protocols.apdu import (
    AUTHENTICATION_DELAY,
    DONE,
    NATIVE_DONE,
    CardError,
    CardGoneError,
    Conversation,
    native,
    response,
    select_by_name,
)
from edge.protocols.ev2 import KEY_BYTES, Session, authenticate

NTAG_NAME = bytes.fromhex("d2760000850101")
LAYOUT = b"TCB1"
"""How the file of a badge begins: a telecentre badge, layout 1."""
FACTORY_KEY = bytes(KEY_BYTES)
KEY_NUMBER = 0

_BADGE_FILE, _TEXT_FILE = b"\x03", b"\x02"
_SELECT_APPLICATION, _READ, _WRITE, _CHANGE_FILE_SETTINGS = 0x5A, 0xAD, 0x8D, 0x5F
_FILE_BYTES = len(LAYOUT) + BADGE_ID_BYTES
_WHOLE_FILE = bytes(3) + _FILE_BYTES.to_bytes(3, "little")
_FREE_TO_READ = bytes.fromhex("00e0")
"""Access rights: read free (E); write, read and write, change of settings with key 0."""
_ENCRYPTED, _PLAIN = b"\x03", b"\x00"

Draw = Callable[[], bytes]
"""Gives 16 random bytes that were never given before."""

Doubt = Literal["wrong_application", "unknown_badge", "wrong_key"]


@dataclass(frozen=True, slots=True)
class Proof:
    """What a card has shown: the badge that it proved to be, or the one that it only claims to be and why not."""

    badge: bytes | None
    claimed: bytes | None = None
    doubt: Doubt | None = None


def prove(keys: Mapping[bytes, bytes], draw: Draw) -> Conversation[Proof]:
    """Return which of the badges in `keys` (badge id to key) the card proves to be.

    A badge that is not among them is not spoken to any further: it says its name, which proves nothing.
    """
    claimed = yield from _ask_name()
    if claimed is None:
        return Proof(None, doubt="wrong_application")
    key = keys.get(claimed)
    if key is None:
        return Proof(None, claimed, "unknown_badge")
    if (yield from _authenticated(key, draw)) is None:
        return Proof(None, claimed, "wrong_key")
    return Proof(claimed)


Personalisation = Literal["done", "already_ours", "not_blank", "wrong_application", "pulled_away", "uncertain"]
"""How an enrolment of a card ended. `not_blank`: it has another owner. `pulled_away`: it is still blank. `uncertain`:
it left while its key was changed; presented again, with the same badge id and key, it is `done` or made so."""


def personalise(
    badge: bytes, key: bytes, known: Mapping[bytes, bytes], draw: Draw, *, resume: bool = False
) -> Conversation[Personalisation]:
    """Make the badge `badge` with `key` of a factory-new NTAG 424 DNA; `known` are badges that exist (badge id to key).

    The key is changed last: until then the card is blank, from then on it is complete. Said again to a card on which it
    was interrupted, it finishes what it began; with `resume` it leaves every other card as it is (`not_blank`).
    """
    try:
        before = yield from _before_the_key(badge, key, known, draw, resume=resume)
    except CardGoneError:
        return "pulled_away"
    except CardError:
        return "not_blank"
    if not isinstance(before, Session):
        return before
    try:
        yield from before.change_key(KEY_NUMBER, key)
        return "uncertain" if (yield from _authenticated(key, draw)) is None else "done"
    except (CardGoneError, CardError):
        return "uncertain"


def _before_the_key(
    badge: bytes, key: bytes, known: Mapping[bytes, bytes], draw: Draw, *, resume: bool
) -> Conversation[Session | Personalisation]:
    """Do all that leaves the card blank; return the session in which its key can be changed, or why there is none."""
    if not (yield from _selects(select_by_name(NTAG_NAME), DONE)):
        return "wrong_application"
    claimed = yield from _read_name()
    if claimed == badge and (yield from _authenticated(key, draw)) is not None:
        return "done"
    if claimed is not None and claimed in known and (yield from _authenticated(known[claimed], draw)) is not None:
        return "already_ours"
    if resume and claimed != badge:
        return "not_blank"
    session = yield from _authenticated(FACTORY_KEY, draw)
    if session is None:
        return "not_blank"
    yield from session.encrypted(_CHANGE_FILE_SETTINGS, _BADGE_FILE, _ENCRYPTED + _FREE_TO_READ)
    yield from session.encrypted(_WRITE, _BADGE_FILE + _WHOLE_FILE, LAYOUT + badge)
    # Nobody shall write a link for phones into somebody's badge.
    yield from session.encrypted(_CHANGE_FILE_SETTINGS, _TEXT_FILE, _PLAIN + _FREE_TO_READ)
    return session


def _ask_name() -> Conversation[bytes | None]:
    """Select our application and return the badge id that the card shows, None when it has no such application.

    A DESFire card may carry an application for phones under the name of the NTAG's only one: a first refusal is not
    the last word.
    """
    if (yield from _selects(select_by_name(NTAG_NAME), DONE)):
        name = yield from _read_name()
        if name is not None:
            return name
    if (yield from _selects(native(_SELECT_APPLICATION, BADGE_AID), NATIVE_DONE)):
        return (yield from _read_name())
    return None


def _selects(command: bytes, success: int) -> Conversation[bool]:
    answer = response((yield command))
    return answer.status == success


def _read_name() -> Conversation[bytes | None]:
    answer = response((yield native(_READ, _BADGE_FILE + _WHOLE_FILE)))
    if answer.status != NATIVE_DONE or len(answer.data) != _FILE_BYTES or not answer.data.startswith(LAYOUT):
        return None
    return answer.data[len(LAYOUT) :]


def _authenticated(key: bytes, draw: Draw) -> Conversation[Session | None]:
    """Return a session if the card holds this key: any answer that is not the right one says that it does not.

    Raises:
        CardError: the card makes everybody wait, after too many wrong keys; asked again, it will say.
    """
    try:
        return (yield from authenticate(key, KEY_NUMBER, draw()))
    except CardError as error:
        if error.status == AUTHENTICATION_DELAY:
            raise
        return None
