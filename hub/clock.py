"""Which time it is for the hub: the machine's, or, for a play of a whole year in minutes, what a file says."""

from collections.abc import Callable
from pathlib import Path

from hub.config import HubSettings
from hub.store import wall_ms

MAX_CLOCK_BYTES = 20
"""UTC in milliseconds has 13 digits today; what is longer is another file."""


class ClockFileError(ValueError):
    """The file of the simulated clock cannot be read, or holds no time: one sentence."""


def clock_of(settings: HubSettings) -> Callable[[], int]:
    """Return what tells the time to everything in the hub that dates or judges by a wall clock.

    Raises:
        ClockFileError: the settings name a simulated clock and its file holds no time.
    """
    file = settings.simulated_clock
    if file is None:
        return wall_ms

    def simulated_ms() -> int:
        return read_clock(file)

    simulated_ms()
    return simulated_ms


def read_clock(file: Path) -> int:
    """Return the UTC milliseconds that a file holds; whoever steps it replaces the file, so none is half written.

    Raises:
        ClockFileError: it cannot be read, or holds something else.
    """
    try:
        with file.open("rb") as stream:
            content = stream.read(MAX_CLOCK_BYTES + 1)
    except OSError as error:
        raise ClockFileError(f"{file}: the simulated clock cannot be read ({error.strerror})") from error
    text = content.strip()
    if len(content) > MAX_CLOCK_BYTES or not text.isdigit():
        raise ClockFileError(f"{file}: the simulated clock holds no UTC milliseconds, such as 1774746000000")
    return int(text)
