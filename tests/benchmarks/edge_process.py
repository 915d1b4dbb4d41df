"""A real agent in a process of its own, on the simulated devices of a bench."""

import os
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from contract.credentials import uid_hash
from simulators.pins import PinBoard
from tests.support.bench import Bench, eventually
from tests.support.rights import CENTURY_MS, SETTINGS, a_list, install, of_uid_class, secured

SITE_KEY = bytes(range(32))
BADGE, BADGE_KEY = bytes(range(60, 76)), bytes(range(200, 216))
"""A secured badge that may enter."""
STOP_S = 20.0


def write_site(folder: Path, body: str, uid: bytes) -> Path:
    """Write the settings of a site that lets in one secured badge, and one by its number; return their TOML file."""
    head = (
        'site = "bench"\ntime_zone = "Europe/Paris"\nsimulated = true\nlog_level = "warning"\n'
        '[outbox]\nfolder = "outbox"\n'
        f"{SETTINGS}uid_badges = true\n"
    )
    tomllib.loads(head + body)
    (folder / "site.toml").write_text(head + body)
    (folder / "site.key").write_text(SITE_KEY.hex())
    in_force = a_list(of_uid_class("bench"), secured("proven", BADGE, BADGE_KEY), site="bench", life_ms=CENTURY_MS)
    install(folder, in_force, {"bench": uid_hash(SITE_KEY, uid)})
    return folder / "site.toml"


@contextmanager
def running_edge(settings: Path, bench: Bench) -> Iterator[tuple[subprocess.Popen[bytes], PinBoard]]:
    """Run `telecentre-edge run` until the block ends; give its process and the board that holds its pins."""
    board = bench.board()
    environment = {**os.environ, "GPIOZERO_PIN_FACTORY": "telecentre-sim", "TELECENTRE_SIM_PINS": str(board.path)}
    environment["PYTHONPATH"] = str(_as_on_a_pi(settings.parent))
    program = Path(sys.executable).with_name("telecentre-edge")
    command = [str(program), "run", "--config", str(settings)]
    process = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)
    try:
        if not eventually(lambda: bench.call(lambda: board.connected), within_s=30):
            raise RuntimeError("the agent did not take its pins within 30 s")
        yield process, board
    finally:
        process.terminate()
        process.wait(STOP_S)


def _as_on_a_pi(folder: Path) -> Path:
    """Return a folder that hides what only the tests install: sqlite-utils takes numpy along if it can, 18 MB."""
    hidden = folder / "as-on-a-pi"
    hidden.mkdir(exist_ok=True)
    (hidden / "numpy.py").write_text('raise ImportError("not in requirements/edge.txt")\n')
    return hidden
