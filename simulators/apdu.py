"""Command APDUs as a card takes them apart. Source: ISO/IEC 7816-4, 5.1 (short lengths)."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Apdu:
    """A command: four bytes of header, data, and how many bytes of answer are wanted at most (None: Le is absent)."""

    code: int
    parameters: bytes
    data: bytes
    wanted: int | None


def apdu_of(body: bytes) -> Apdu | None:
    """Return the command in the bytes behind the class byte, None when its lengths do not add up.

    >>> apdu_of(bytes.fromhex("b0000014")).wanted
    20
    """
    if len(body) < 3:
        return None
    code, parameters, rest = body[0], body[1:3], body[3:]
    if len(rest) <= 1:
        return Apdu(code, parameters, b"", (rest[0] or 256) if rest else None)
    size, data = rest[0], rest[1:]
    if not size or len(data) not in (size, size + 1):
        return None
    wanted = (data[size] or 256) if len(data) > size else None
    return Apdu(code, parameters, data[:size], wanted)
