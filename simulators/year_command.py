"""What `telecentre-sim year` does around a play: its days, its folder, its words."""

import signal
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from datetime import date
from pathlib import Path
from types import FrameType
from typing import NoReturn

from simulators.year_courier import CourierError
from simulators.year_hub import HubError
from simulators.year_play import Options, Play
from simulators.year_world import YEAR


class YearError(Exception):
    """The year cannot be played: one sentence with its remedy."""


def _stop(_: int, __: FrameType | None) -> NoReturn:
    """End the play where it is, so that its hub is stopped on the way out."""
    raise YearError("stopped before the end: nothing is known of the rest of the year")


def run_year(
    seed: int, first: date | None, last: date | None, folder: Path | None, say: Callable[[str], None]
) -> dict[str, object]:
    """Play from the first day to the one before the last, say how it goes, and return what came of it.

    Raises:
        YearError: the days are not of the year that is played, the folder is there already, or the hub fails.
    """
    days = (first or YEAR[0], last or YEAR[1])
    if not YEAR[0] <= days[0] < days[1] <= YEAR[1]:
        raise YearError(f"--from and --to must lie in order between {YEAR[0]} and {YEAR[1]}: the days of that year")
    if folder is not None and folder.exists():
        raise YearError(f"{folder} is there already: a year begins with a new hub, so name another folder")
    signal.signal(signal.SIGTERM, _stop)
    with ExitStack() as stack:
        here = folder or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="telecentre-year-")))
        try:
            tally = Play(Options(seed, days, here.absolute()), say).run()
        except (HubError, CourierError, OSError) as error:
            raise YearError(str(error)) from error
    for line in tally.table():
        say(line)
    return {"seed": seed, "from": days[0].isoformat(), "to": days[1].isoformat(), **tally.told()}
