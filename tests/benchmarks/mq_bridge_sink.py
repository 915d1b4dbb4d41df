"""The peer of B2: mq-bridge, which moves JSON lines from a file into SQLite under the key (site, stream, seq).

Run as a program: `python -m tests.benchmarks.mq_bridge_sink LINES DATABASE COUNT`; prints the seconds from its start to
the last row. A file is its fastest way in; it checks no batch, walks no timeline and computes no figure.
"""

import json
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import closing
from importlib.util import find_spec
from pathlib import Path

TABLE = """
create table event (
    site text, stream text, seq integer, subject text, kind text, value text, t integer, clock text, up integer,
    primary key (site, stream, seq)
)
"""
BATCH_ROWS = 1_000
WITHIN_S = 120.0
LOOK_EVERY_S = 0.02


def is_there() -> bool:
    """Return whether mq-bridge is installed."""
    return find_spec("mq_bridge") is not None


def rows_per_s(folder: Path, lines: Mapping[str, list[bytes]]) -> float:
    """Return how many events a second it stores, in a process of its own."""
    folder.mkdir()
    with (folder / "in.jsonl").open("w", encoding="utf-8") as out:
        for site, events in lines.items():
            for seq, line in enumerate(events, start=1):
                event = json.loads(line)
                row = event | {"site": site, "stream": site, "seq": seq, "value": json.dumps(event["value"])}
                out.write(f"{json.dumps(row)}\n")
    count = sum(map(len, lines.values()))
    command = [sys.executable, "-m", "tests.benchmarks.mq_bridge_sink"]
    command += [str(folder / "in.jsonl"), str(folder / "peer.db"), str(count)]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=2 * WITHIN_S)
    return count / float(done.stdout.splitlines()[-1])


def main(file: Path, database: Path, count: int) -> None:
    """Bridge a file into a new database, and say how long it took."""
    import mq_bridge  # noqa: PLC0415 -- only where it is measured: a machine may be without it

    with closing(sqlite3.connect(database)) as connection:
        connection.execute("pragma journal_mode = wal")
        connection.execute(TABLE)
        connection.commit()
        sink = {"url": f"sqlite://{database}", "table": "event", "columns": "auto", "key": "site,stream,seq"}
        source = {"path": str(file), "format": "raw"}
        route = {"input": {"file": source}, "output": {"sqlx": sink}, "batch_size": BATCH_ROWS, "exit_on_empty": True}
        bridge = mq_bridge.Route.from_config(route)
        begun_s = time.perf_counter()
        bridge.start()
        pause = threading.Event()
        while connection.execute("select count(*) from event").fetchone()[0] < count:
            if time.perf_counter() - begun_s > WITHIN_S:
                raise RuntimeError(f"mq-bridge has not stored {count} events within {WITHIN_S:.0f} s")
            pause.wait(LOOK_EVERY_S)
        sys.stdout.write(f"{time.perf_counter() - begun_s}\n")
        bridge.stop()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
