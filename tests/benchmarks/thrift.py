"""B8: how few bytes an event takes on the line in catch-up, and on the SD card."""

import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from random import Random

from contract.events import encode
from contract.topics import topic_for
from tests.benchmarks.counting_line import CountingLine
from tests.benchmarks.figures import Figure
from tests.benchmarks.replay import (
    EVENTS_PER_SITE,
    SITES,
    expect_ready,
    running_hub,
    say_go,
    wait_until_committed,
    waiting_edge,
)
from tests.benchmarks.replaying_edge import backlog
from tests.support.brokers import RunningBroker

EVENTS_A_DAY = 1_000
PUBLISH_BYTES = 8
"""Fixed header of two bytes and a length of two, topic length, packet identifier, no properties; MQTT 5.0, 3.3."""
PUBACK_BYTES = 4
STORED_WITHIN_S = 300


def measure() -> list[Figure]:
    """Return the two figures of B8."""
    site = SITES[0]
    up_bytes, down_bytes = _carried(site)
    each, back = up_bytes / EVENTS_PER_SITE, down_bytes / EVENTS_PER_SITE
    line_bytes = sum(len(encode(event)) for event in backlog(Random(site), EVENTS_PER_SITE)) / EVENTS_PER_SITE
    alone = line_bytes + len(topic_for(site, "up")) + PUBLISH_BYTES
    written_mb = _written_in_a_day() / 1e6
    return [
        Figure(
            name="B8",
            what="catch-up on the wire: every byte of the MQTT connection",
            measured=f"{each:.1f} bytes an event up, {back:.1f} down",
            peer=f"one event a message, computed: {alone:.0f} bytes up, {PUBACK_BYTES} down",
            size=f"{EVENTS_PER_SITE:,} events through Mosquitto, without TCP and TLS",
            reach="<= 30 bytes an event",
            reached=each + back <= 30,
        ),
        Figure(
            name="B8",
            what="SD card: what the outbox has the kernel write in a day",
            measured=f"{written_mb:.1f} MB",
            peer="none",
            size=f"{EVENTS_A_DAY:,} events, one by one, in an outbox that holds a month, prunes and blanks; "
            "every block that the kernel writes for the process, journal and checkpoints; without ext4's own journal",
            reach="<= 20 MB a day",
            reached=0 < written_mb <= 20,
        ),
    ]


def _carried(site: str) -> tuple[int, int]:
    """Return the bytes that an edge's connection carries up and down until the hub has its backlog."""
    with tempfile.TemporaryDirectory() as name, ExitStack() as running:
        folder = Path(name)
        broker = RunningBroker("mosquitto", folder)
        broker.start()
        running.callback(broker.kill)
        line = running.enter_context(CountingLine(broker.port))
        database = running.enter_context(running_hub(folder, broker.port))
        edge = running.enter_context(waiting_edge(site, folder / site, line.port))
        expect_ready(edge)
        say_go(edge)
        wait_until_committed(database, EVENTS_PER_SITE)
        return line.up_bytes, line.down_bytes


def _written_in_a_day() -> int:
    with tempfile.TemporaryDirectory() as name:
        command = [sys.executable, "-m", "tests.benchmarks.stored_day", str(Path(name) / "outbox"), str(EVENTS_A_DAY)]
        done = subprocess.run(command, check=True, timeout=STORED_WITHIN_S, stdout=subprocess.PIPE, text=True)
        return int(done.stdout)
