"""An agent's outbox in a process of its own, to be killed, starved of disk space or given failing syncs by a test.

python -m tests.support.outbox_child FOLDER FIRST COUNT [LIMIT_BYTES]

Puts COUNT desk events whose `up` counts from FIRST, and prints each new state of the outbox as a line of JSON. With
LIMIT_BYTES no file may grow beyond it until a line comes on standard input; 0 means instead that each 100 events are
stored before the next are put, so that the number of commits is known.
"""

import json
import resource
import sys
import threading
import time
import uuid
from pathlib import Path

from edge.config import OutboxSettings
from edge.outbox import Outbox, prepare_folder
from tests.support.events import desk


def main() -> None:
    """Run until everything is stored, or until killed."""
    folder, first, count = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    prepare_folder(folder)
    telling = threading.Lock()

    def tell(what: str) -> None:
        with telling:
            held = {item.stream: item.last for item in outbox.held()}
            sys.stdout.write(json.dumps({"what": what, "held": held, "storage": outbox.status().storage}) + "\n")
            sys.stdout.flush()

    outbox = Outbox(
        OutboxSettings(folder=folder),
        boot="0" * 32,
        new_id=lambda: uuid.uuid4().hex,
        wall_ms=lambda: time.time_ns() // 1_000_000,
        on_new_stream=lambda: tell("new_stream"),
        on_crash=lambda error: tell(f"crash {error!r}"),
    )
    outbox.on_stored(lambda: tell("stored"))
    outbox.start()
    tell("started")
    limit_bytes = int(sys.argv[4]) if len(sys.argv) > 4 else None
    if limit_bytes:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit_bytes, resource.RLIM_INFINITY))
    for number in range(first, first + count):
        while not outbox.put(desk(number), None):
            time.sleep(0.001)
        if number % 20 == 0:
            time.sleep(0.001)
        while limit_bytes == 0 and number % 100 == 0 and sum(item.last for item in outbox.held()) <= number - first:
            time.sleep(0.001)
    if limit_bytes:
        while outbox.status().storage == "ok":
            time.sleep(0.001)
        tell("degraded")
        sys.stdin.readline()
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    outbox.stop(60.0)
    tell("stopped")


if __name__ == "__main__":
    main()
