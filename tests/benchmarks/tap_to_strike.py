"""B3: from a card in the field to the strike energised, over a bare nfcpy sense loop on the same simulated reader.

How long a card waits for the next look is most of it, and is chance: the median of 150 taps at random moments is
uncertain by 2.5 ms, so that two of them differ by 5 for no reason. The taps of each reader are therefore spread evenly
over the time between two of its looks, in an order of chance.
"""

import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from random import Random
from statistics import median

from edge.devices.badge_reader import INTERVAL_S
from simulators.cards import Card, Ntag21x
from simulators.ntag424 import Ntag424
from simulators.pins import PinBoard
from simulators.pn532 import Pn532
from tests.benchmarks.eager_hub import running_hub
from tests.benchmarks.edge_process import BADGE, BADGE_KEY, running_edge, write_site
from tests.benchmarks.figures import Figure, percentile
from tests.benchmarks.replaying_edge import store_backlog
from tests.support.bench import Bench, eventually
from tests.support.brokers import RunningBroker

TAPS = 100
BACKLOG_EVENTS = 20_000
"""Twenty days of a telecentre, or three of a busy one: all is sent again once it is all there."""

REACH = "+ <= 5 ms median, + <= 15 ms p99"

NewCard = Callable[[], Card]

SITE = "bench"
UID = bytes.fromhex("04a1b2c3d4e5f6")
LOOK = bytes.fromhex("d44a")
"""InListPassiveTarget, by which a host looks into the field (PN532 user manual, 7.3.5)."""
STRIKE_PIN = 17
PULSE_S = 0.5
GONE_S = 0.7
"""Longer than a pulse, and than three looks into the field: the next tap is a new presentation and a new pulse."""


class WatchedReader(Pn532):
    """A reader that knows when it was last asked to look into the field, and how long after the look before."""

    looked_s = 0.0
    period_s = 0.0

    def receive(self, data: bytes, speed_baud: int, now_s: float) -> bytes:
        """Take note of a look."""
        if LOOK in data:
            self.period_s, self.looked_s = now_s - self.looked_s, now_s
        return super().receive(data, speed_baud, now_s)


def measure() -> list[Figure]:
    """Return the figures of B3: a secured badge, the same during a drain, and a badge known by its number alone."""
    proved_ms = _bare_ms(Random(3), _secured, BADGE.hex(), BADGE_KEY.hex())
    secured_ms = _idle_ms(Random(3), _secured)
    draining_ms, drained = _draining_ms(Random(3), _secured)
    bare_ms = _bare_ms(Random(3), _plain)
    numbered_ms = _idle_ms(Random(3), _plain)
    taps = f"{TAPS} taps each, spread evenly over the time between two looks"
    peer = f"bare nfcpy sense loop, same {INTERVAL_S * 1000:.0f} ms between looks"
    return [
        Figure(
            name="B3",
            what="card in field to strike energised: a secured badge, which proves itself in four commands",
            measured=f"{_in_words(secured_ms)} ({_more_in_words(secured_ms, proved_ms)})",
            peer=f"{peer}, activation and the same four commands: {_in_words(proved_ms)}",
            size=taps,
            reach=REACH,
            reached=_is_quick(secured_ms, proved_ms),
        ),
        Figure(
            name="B3",
            what="the same while a backlog drains as fast as it can",
            measured=f"{_in_words(draining_ms)} ({_more_in_words(draining_ms, proved_ms)})",
            peer=f"the same; the agent with nothing to send: {_in_words(secured_ms)}",
            size=f"{taps}; {BACKLOG_EVENTS:,} events, again and again to a stand-in hub through Mosquitto: "
            f"{drained:,} meanwhile",
            reach=REACH,
            reached=_is_quick(draining_ms, proved_ms) and drained >= BACKLOG_EVENTS,
        ),
        Figure(
            name="B3",
            what="a badge known by its number alone: the agent looks once more, for a second card",
            measured=f"{_in_words(numbered_ms)} ({_more_in_words(numbered_ms, bare_ms)})",
            peer=f"{peer}, which does not: {_in_words(bare_ms)}",
            size=taps,
            reach=REACH,
            reached=_is_quick(numbered_ms, bare_ms),
        ),
    ]


def _plain() -> Card:
    return Ntag21x(UID)


def _secured() -> Card:
    card = Ntag424(UID, Random(4))
    card.personalise(BADGE, BADGE_KEY)
    return card


def _in_words(taps_ms: list[float]) -> str:
    return f"median {median(taps_ms):.1f} ms, p99 {percentile(taps_ms, 0.99):.1f} ms"


def _more(taps_ms: list[float], bare_ms: list[float]) -> tuple[float, float]:
    return median(taps_ms) - median(bare_ms), percentile(taps_ms, 0.99) - percentile(bare_ms, 0.99)


def _more_in_words(taps_ms: list[float], bare_ms: list[float]) -> str:
    more_median_ms, more_p99_ms = _more(taps_ms, bare_ms)
    return f"{more_median_ms:+.1f} ms, {more_p99_ms:+.1f} ms"


def _is_quick(taps_ms: list[float], bare_ms: list[float]) -> bool:
    more_median_ms, more_p99_ms = _more(taps_ms, bare_ms)
    return more_median_ms <= 5 and more_p99_ms <= 15


def _taps_ms(
    bench: Bench, chip: WatchedReader, random: Random, card: NewCard, seen_at_s: Callable[[float], float | None]
) -> list[float]:
    """Return how long each tap took; `seen_at_s(since_s)` says when it was answered, once it was."""
    pause = threading.Event()
    took_ms: list[float] = []
    for number in random.sample(range(TAPS), TAPS):
        pause.wait(GONE_S)
        looked_s = _next_look_s(chip)
        pause.wait(max(0.0, looked_s + chip.period_s * (number + 0.5) / TAPS - time.monotonic()))

        def present(shown: Card) -> float:
            at_s = time.monotonic()
            chip.present(shown)
            return at_s

        begun_s = bench.call(present, card())
        seen_s = _answered_at_s(begun_s, seen_at_s)
        bench.call(chip.remove)
        took_ms.append((seen_s - begun_s) * 1000)
    return took_ms


def _next_look_s(chip: WatchedReader) -> float:
    before_s = chip.looked_s
    if not eventually(lambda: chip.looked_s != before_s, within_s=5, every_s=0.001):
        raise RuntimeError("the reader does not look into the field")
    return chip.looked_s


def _answered_at_s(begun_s: float, seen_at_s: Callable[[float], float | None]) -> float:
    if not eventually(lambda: seen_at_s(begun_s) is not None, within_s=5):
        raise RuntimeError("a tap was not answered within 5 s")
    return seen_at_s(begun_s) or begun_s


def _bare_ms(random: Random, card: NewCard, *proof: str) -> list[float]:
    with Bench() as bench:
        chip = WatchedReader(Random(1))
        port = bench.wire(chip)
        command = [sys.executable, "-m", "tests.benchmarks.bare_reader", str(port), str(INTERVAL_S), *proof]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            process.stdout.readline()
            seen_s: list[float] = []
            output = process.stdout

            def read() -> None:
                for line in output:
                    seen_s.append(float(line))  # noqa: PERF401  # each is wanted as soon as it comes

            threading.Thread(target=read, daemon=True).start()
            try:
                return _taps_ms(
                    bench, chip, random, card, lambda since_s: next((s for s in seen_s if s >= since_s), None)
                )
            finally:
                process.kill()


def _idle_ms(random: Random, card: NewCard) -> list[float]:
    """Return the taps of an agent whose broker is away."""
    with tempfile.TemporaryDirectory() as folder:
        return _agent_ms(random, card, Path(folder), broker_port=1)


def _draining_ms(random: Random, card: NewCard) -> tuple[list[float], int]:
    """Return the taps of an agent that hands over its backlog all the time, and how many events it did hand over."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        store_backlog(folder / "outbox", Random(1), BACKLOG_EVENTS)
        broker = RunningBroker("mosquitto", folder)
        broker.start()
        try:
            with running_hub(broker.port, SITE) as drained:
                taps_ms = _agent_ms(random, card, folder, broker.port)
            return taps_ms, drained[0]
        finally:
            broker.kill()


def _agent_ms(random: Random, card: NewCard, folder: Path, broker_port: int) -> list[float]:
    with Bench() as bench:
        chip = WatchedReader(Random(1))
        port = bench.wire(chip)
        body = (
            f"[link]\nport = {broker_port}\nhello_spread_s = 0\n"
            f'[[door]]\nid = "door-01"\nstrike_pin = {STRIKE_PIN}\npulse_s = {PULSE_S}\n'
            f'[[reader]]\nid = "reader-01"\ndoor = "door-01"\nport = "{port}"\ngranted_pin = 5\nrefused_pin = 6\n'
        )
        with running_edge(write_site(folder, body, UID), bench) as (_, board):
            _first_opening(bench, chip, board)
            return _taps_ms(bench, chip, random, card, lambda since_s: _pulsed_at_s(bench, board, since_s))


def _pulsed_at_s(bench: Bench, board: PinBoard, since_s: float) -> float | None:
    changes = bench.call(board.changes, STRIKE_PIN)
    return next((at_s for at_s, high in changes if high and at_s >= since_s), None)


def _first_opening(bench: Bench, chip: Pn532, board: PinBoard) -> None:
    """Wait until the agent has opened its reader and read its rights: until a first tap opens."""
    begun_s = time.monotonic()
    for _ in range(20):
        bench.call(chip.present, Ntag21x(UID))
        opened = eventually(lambda: _pulsed_at_s(bench, board, begun_s) is not None, within_s=2)
        bench.call(chip.remove)
        threading.Event().wait(1.0)
        if opened:
            return
    raise RuntimeError("the agent did not open within 40 s")
