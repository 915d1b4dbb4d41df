"""Serial ports by path: whether one is there, whether it may be used, and what a failure on it means."""

import errno
import os
from pathlib import Path

from contract.events import Fault
from edge.devices.device import DeviceError

_FAULTS: dict[int, Fault] = {
    errno.ENOENT: "absent",
    errno.EACCES: "refused",
    errno.EPERM: "refused",
    errno.EBUSY: "refused",
    errno.EWOULDBLOCK: "refused",
    errno.ENODEV: "silent",
    errno.ETIMEDOUT: "silent",
}
"""nfcpy says ENODEV for a chip that does not answer as it should; an exclusive port in use answers EWOULDBLOCK."""


def is_pty(path: str) -> bool:
    """Return whether a port is a pseudo-terminal, and so a simulated device."""
    return os.path.realpath(path).startswith("/dev/pts/")


class Port:
    """One serial port of the settings; remembers whether it was there at the last failure."""

    def __init__(self, path: str, *, simulated: bool) -> None:
        self.path = path
        self._simulated = simulated
        self._node = self._look()

    def check(self) -> None:
        """Raise the reason for which the port cannot be opened, if there is one.

        Raises:
            DeviceError: it is not there, or it is a pseudo-terminal in a real installation.
        """
        self._node = self._look()
        if self._node is None:
            raise DeviceError("absent", f"{self.path} does not exist")
        if not self._simulated and is_pty(self.path):
            raise DeviceError("refused", f"{self.path} is a simulated device, and the settings do not allow them")

    def trouble(self, error: BaseException, fallback: Fault) -> DeviceError:
        """Return what an error on the open port means: unplugged if the port has gone, else by its number."""
        if self._look() is None:
            return DeviceError("unplugged", f"{self.path} has gone")
        number = getattr(error, "errno", None)
        return DeviceError(_FAULTS.get(number or 0, fallback), f"{self.path}: {error}")

    def may_be_back(self) -> bool:
        """Return whether the port is there now and was not, or is another than it was."""
        node = self._look()
        if node is None:
            self._node = None
            return False
        return node != self._node

    def _look(self) -> tuple[int, int] | None:
        try:
            found = Path(self.path).stat()
        except OSError:
            return None
        return found.st_dev, found.st_ino
