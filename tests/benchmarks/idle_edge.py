"""B6: what one idle agent costs, with reader, four PIR and two radar desks and a room with its calendar and display."""

import tempfile
import threading
from pathlib import Path
from random import Random

import psutil

from simulators.calendars import CalendarServer
from simulators.displays import Screen, pjlink
from simulators.folder import calendar_of
from simulators.ld2410 import Ld2410
from simulators.pn532 import Pn532
from tests.benchmarks.edge_process import running_edge, write_site
from tests.benchmarks.figures import Figure
from tests.support.bench import Bench
from tests.support.brokers import RunningBroker

SETTLE_S = 10.0
WATCHED_S = 60.0
PIR_PINS = (22, 23, 24, 25)


def measure() -> list[Figure]:
    """Return the figure of B6."""
    with Bench() as bench, tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        broker = RunningBroker("iotcore", folder)
        broker.start()
        try:
            settings = write_site(folder, _site(bench, broker.port), bytes.fromhex("04a1b2c3d4e5f6"))
            with running_edge(settings, bench) as (process, _):
                cpu_pct, rss_mb = _watch(psutil.Process(process.pid))
        finally:
            broker.kill()
    return [
        Figure(
            name="B6",
            what="one idle edge",
            measured=f"{cpu_pct:.1f} % of one core, {rss_mb:.0f} MB RSS",
            peer="none",
            size=f"reader, 4 PIR desks, 2 radar desks, room with radar, calendar and display; {WATCHED_S:.0f} s",
            reach="<= 3 % of one core, <= 80 MB RSS",
            reached=cpu_pct <= 3 and rss_mb <= 80,
        )
    ]


def _watch(agent: psutil.Process) -> tuple[float, float]:
    pause = threading.Event()
    pause.wait(SETTLE_S)
    before = agent.cpu_times()
    pause.wait(WATCHED_S)
    after = agent.cpu_times()
    # Its children read the calendar.
    used_s = sum(after[:4]) - sum(before[:4])
    return 100 * used_s / WATCHED_S, agent.memory_info().rss / 1e6


def _site(bench: Bench, broker_port: int) -> str:
    reader = bench.wire(Pn532(Random(1)), name="reader")
    radars = [bench.wire(Ld2410(Random(number)), name=f"radar-{number}") for number in range(3)]
    site = (
        f'[link]\nport = {broker_port}\n[[door]]\nid = "door-01"\nstrike_pin = 17\ncontact_pin = 27\n'
        f'[[reader]]\nid = "reader-01"\ndoor = "door-01"\nport = "{reader}"\ngranted_pin = 5\nrefused_pin = 6\n'
    )
    wiring = [f'kind = "pin"\npin = {pin}' for pin in PIR_PINS]
    wiring += [f'kind = "radar"\nport = "{radar}"' for radar in radars]
    places = ["desk"] * 6 + ["room"]
    for number, (place, sensor) in enumerate(zip(places, wiring, strict=True), start=1):
        site += f'[[{place}]]\nid = "{place}-{number}"\n'
        site += _calendar_and_display(bench) if place == "room" else ""
        site += f'[[{place}.sensor]]\nid = "sensor-{number}"\n{sensor}\n'
    return site


def _calendar_and_display(bench: Bench) -> str:
    """Return the keys of a room's calendar and display, which end with the bench.

    The calendar is asked once in the time that is watched: five times as often as usual.
    """
    calendars, display = CalendarServer(), pjlink(Screen(), random=Random(4))
    calendars.put("/room.ics", calendar_of([(0, 3600)]), 0)
    bench.run(calendars.start())
    bench.run(display.start())
    url = f"http://127.0.0.1:{calendars.port}/room.ics"
    return (
        f'bookings_url = "{url}"\nbookings_every_s = 60\n'
        f'display = {{ kind = "pjlink", host = "127.0.0.1", port = {display.port} }}\n'
    )
