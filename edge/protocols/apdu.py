"""Command and response APDUs as secured badges need them, and the shape of a conversation with a card, sans-IO.

A conversation is a generator: it yields a command APDU, is sent the card's response APDU, and returns its outcome. Who
carries the bytes throws `CardGoneError` into it when the card does not answer.

Source:
    ISO/IEC 7816-4 5.1 (APDUs), 11.1.1 (SELECT); NXP NT4H2421Gx 8.5 and MF2DL(H)x0 8.4 (native commands wrapped in
    APDUs of class 90).
"""

from collections.abc import Generator
from dataclasses import dataclass
from typing import TypeVar

Outcome = TypeVar("Outcome")
Conversation = Generator[bytes, bytes, Outcome]

DONE = 0x9000
NATIVE_DONE = 0x9100
MORE_FRAMES = 0x91AF
AUTHENTICATION_ERROR = 0x91AE
AUTHENTICATION_DELAY = 0x91AD
"""After fifty failures in a row a card makes everybody wait. Source: NT4H2421Gx 9.1.4."""

MAX_DATA_BYTES = 255
"""A short APDU; nothing that we say to a badge is longer."""


class CardError(ValueError):
    """The card answered what the conversation cannot go on with; the text names the status word and no data."""

    def __init__(self, sentence: str, status: int = 0) -> None:
        super().__init__(f"{sentence} ({status:04x})")
        self.status = status


class CardGoneError(Exception):
    """The card does not answer any more."""


@dataclass(frozen=True, slots=True)
class Response:
    """A response APDU: its data, and its two status bytes as one number."""

    data: bytes
    status: int


def response(apdu: bytes) -> Response:
    """Return the parts of a response APDU.

    Raises:
        CardError: it is too short to hold a status.
    """
    if len(apdu) < 2:
        raise CardError("the response has no status")
    return Response(bytes(apdu[:-2]), int.from_bytes(apdu[-2:], "big"))


def select_by_name(name: bytes) -> bytes:
    """Return the command that selects an application by its DF name."""
    return b"\x00\xa4\x04\x00" + bytes([len(name)]) + name + b"\x00"


def native(instruction: int, data: bytes = b"") -> bytes:
    """Return a native command of NTAG 424 DNA and DESFire, wrapped in an APDU.

    Raises:
        ValueError: the data is longer than a short APDU.
    """
    if len(data) > MAX_DATA_BYTES:
        raise ValueError(f"{len(data)} bytes are too many for a short APDU")
    length = bytes([len(data)]) if data else b""
    return bytes([0x90, instruction, 0, 0]) + length + data + b"\x00"
