"""One day of an edge's outbox on the disk, without its pauses: what the process had the disk write.

Run as a program: `python -m tests.benchmarks.stored_day FOLDER EVENTS`. Each event is durable before the next comes,
and each acknowledgement is written, as at one event every minute or two. Prints the bytes that the kernel counts as
written for this process.
"""

import secrets
import sys
import threading
from pathlib import Path
from random import Random

from edge.config import OutboxSettings
from edge.core.sender import Positions
from edge.outbox import Outbox, prepare_folder
from tests.benchmarks.replaying_edge import BOOT, START_MS, STEP_MS, backlog, crash, wait_until_stored

WRITTEN_WITHIN_S = 30.0


def main(folder: Path, count: int) -> None:
    """Store and acknowledge so many events, one by one."""
    prepare_folder(folder)
    outbox = Outbox(
        OutboxSettings(folder=folder),
        boot=BOOT,
        new_id=lambda: secrets.token_hex(16),
        wall_ms=lambda: START_MS + count * STEP_MS,
        on_new_stream=lambda: None,
        on_crash=crash,
    )
    told = threading.Event()
    outbox.on_stored(told.set)
    outbox.start()
    before = _written_bytes()
    for number, event in enumerate(backlog(Random(1), count), start=1):
        outbox.put(event, None)
        wait_until_stored(outbox, number)
        told.clear()
        outbox.acknowledge(Positions({outbox.held()[0].stream: number}, answered=True))
        if not told.wait(WRITTEN_WITHIN_S):
            raise RuntimeError("the outbox did not write a position")
    outbox.stop(WRITTEN_WITHIN_S)
    sys.stdout.write(f"{_written_bytes() - before}\n")


def _written_bytes() -> int:
    lines = Path("/proc/self/io").read_text().splitlines()
    return int(dict(line.split(": ") for line in lines)["write_bytes"])


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
