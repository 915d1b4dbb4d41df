"""The unmodified nfcpy on a simulated reader's port: what a test needs to hold a card before it and speak to it."""

import contextlib
import termios
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import nfc
import nfc.tag
from nfc.clf import RemoteTarget, pn532, transport

LOST = (OSError, termios.error, IndexError, pn532.Chipset.Error, nfc.clf.Error, nfc.tag.TagCommandError)
"""What nfcpy raises when the wire, the chip or the card fails."""

Answer = TypeVar("Answer")


def patiently(act: Callable[[], Answer], tries: int = 10) -> Answer:
    """Return what `act` returns; nfcpy gives a reader 100 ms to acknowledge, and a loaded machine may need longer."""
    for _ in range(tries - 1):
        with contextlib.suppress(OSError):
            return act()
    return act()


PATIENCE = 20
"""How many times longer than nfcpy a test waits for an answer: it gives 100 ms, a busy machine may need more."""


class PatientLine(transport.TTY):  # type: ignore[misc]  # nfcpy has no types
    """The line to a reader, with time to wait."""

    patience = PATIENCE

    def read(self, timeout: float) -> Any:  # noqa: ANN401
        """Return the next frame."""
        return super().read(timeout * self.patience)


def open_reader(port: Path, *, patience: int = PATIENCE) -> Any:  # noqa: ANN401 - nfcpy has no types
    """Return nfcpy's frontend on a port of any name; a wire that loses what is awaited wants no patience (1)."""
    line = PatientLine(str(port))
    line.patience = patience
    try:
        device = pn532.init(line)
    except LOST:
        line.close()
        raise
    frontend = nfc.ContactlessFrontend()
    frontend.device = device
    frontend.device._path = str(port)
    return frontend


def drop(frontend: Any) -> None:  # noqa: ANN401
    """Leave a reader that is gone: nfcpy's own close would fail on it."""
    with contextlib.suppress(*LOST):
        frontend.device.chipset.close()
    frontend.device = None


@contextlib.contextmanager
def opened(port: Path, *, patience: int = PATIENCE) -> Iterator[Any]:
    """Open a reader, and close it at the end."""
    frontend = open_reader(port, patience=patience)
    try:
        yield frontend
    finally:
        frontend.close()


def activated(frontend: Any) -> Any:  # noqa: ANN401
    """Return the card in the field as nfcpy's tag, None when it sees none or cannot wake it."""
    target = frontend.sense(RemoteTarget("106A"))
    return target and nfc.tag.activate(frontend, target)


def apdus(frontend: Any) -> Callable[[bytes], bytes]:  # noqa: ANN401
    """Return what says an APDU to the card in the field and gives its response."""
    tag = activated(frontend)
    if tag is None:
        raise nfc.clf.TimeoutError
    return lambda command: bytes(tag.transceive(command))
