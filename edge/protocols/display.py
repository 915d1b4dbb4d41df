"""What every display protocol has in common: one question over one connection, and how it may end."""

from typing import Literal, Protocol

Power = Literal["on", "standby", "warming", "cooling", "unknown"]

MAX_ANSWER_BYTES = 1024
"""An answer takes some ten to forty bytes; who says more than this does not speak the protocol."""


class GarbledError(ValueError):
    """The other end does not speak this protocol."""


class RefusedError(ValueError):
    """The display understands and refuses: one sentence that says what it wants. Never the password."""


class Question(Protocol):
    """One question for the power. `power` is None until the answer is whole."""

    power: Power | None
    noise_count: int
    """Bytes that belonged to nothing, and were passed over."""

    def opening(self) -> bytes:
        """Return what is said first, once connected."""

    def take(self, data: bytes) -> bytes:
        """Take what the display said and return what is said next.

        Raises:
            GarbledError: it does not speak the protocol.
            RefusedError: it wants something else of us first.
        """
