"""One fault of the line at a time, between an edge and its broker; a small hub answers."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from contract.events import decode
from tests.support.brokers import RunningBroker
from tests.support.events import desk
from tests.support.fault_proxy import NO_FAULTS, FaultProxy, Faults
from tests.support.outbox_agent import Agent, agent, folder
from tests.support.small_hub import SmallHub
from tests.support.waiting import eventually
from tests.system.campaign.edge import KEEPALIVE_S
from tests.system.campaign.linked import is_drained, linked

__all__ = ["agent", "folder"]  # fixtures

SITE = "murat"
BUSY_S = 2.0
"""What a busy machine may add to a deadline of the link's own."""


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[RunningBroker]:
    running = RunningBroker("mosquitto", tmp_path)
    running.start()
    yield running
    running.kill()


@pytest.fixture
def hub(broker: RunningBroker) -> Iterator[SmallHub]:
    running = SmallHub(broker.port, site=SITE)
    yield running
    running.stop()


@pytest.fixture
def line(broker: RunningBroker) -> Iterator[FaultProxy]:
    with FaultProxy(broker.port) as proxy:
        yield proxy


def test_a_black_hole_is_noticed_within_one_and_a_half_keepalives(
    agent: Agent, line: FaultProxy, hub: SmallHub
) -> None:
    link = linked(agent, SITE, line.port)
    agent.store(desk(0))
    link.start()
    eventually(lambda: is_drained(agent, link), what="drained")
    line.put(Faults(silent=True))
    begin_s = time.monotonic()
    for number in range(1, 500):
        agent.put(desk(number))
    put_s = time.monotonic() - begin_s
    eventually(lambda: not link.online, what="noticed")
    noticed_s = time.monotonic() - begin_s
    line.put(NO_FAULTS)
    eventually(lambda: len(hub.rows) == 500, what="everything came", within_s=60)
    link.stop(20)
    assert noticed_s <= 1.5 * KEEPALIVE_S + BUSY_S
    assert put_s < 1.0, "nobody who puts an event waits for the line"


@pytest.mark.usefixtures("hub")
def test_a_quiet_connection_that_works_is_kept(agent: Agent, line: FaultProxy) -> None:
    link = linked(agent, SITE, line.port)
    agent.store(desk(0))
    link.start()
    eventually(lambda: is_drained(agent, link), what="drained")
    line.put(Faults(delay_s=0.3))
    time.sleep(1.5 * KEEPALIVE_S + 1.0)
    assert len(line.attempts) == 1
    assert link.online
    link.stop(20)


def test_connections_cut_in_the_middle_of_a_message_lose_nothing(agent: Agent, line: FaultProxy, hub: SmallHub) -> None:
    link = linked(agent, SITE, line.port)
    agent.store(*[desk(number) for number in range(4_000)])
    line.cut_after(10_000)
    link.start()
    for size_bytes in (3_000, 25_000):
        eventually(lambda: len(line.attempts) > 1 or is_drained(agent, link), what="cut")
        line.cut_after(size_bytes)
    eventually(lambda: is_drained(agent, link), what="drained all the same", within_s=90)
    link.stop(20)
    assert len(line.attempts) >= 2
    assert [decode(hub.rows[key]).up for key in sorted(hub.rows)] == list(range(4_000))
    assert hub.changed_rows == 0


def test_a_slow_thin_and_flapping_line_drains_without_a_storm(agent: Agent, line: FaultProxy, hub: SmallHub) -> None:
    link = linked(agent, SITE, line.port)
    agent.store(*[desk(number) for number in range(1_000)])
    begin_s = time.monotonic()
    line.put(Faults(delay_s=0.2, bytes_per_s=8_000))
    link.start()
    for _ in range(4):
        eventually(lambda: link.online, what="connected", within_s=60)
        line.cut()
        eventually(lambda: not link.online, what="lost")
        if time.monotonic() - begin_s > 6.0:
            break
    attempts, lasted_s = len(line.attempts), time.monotonic() - begin_s
    line.put(NO_FAULTS)
    eventually(lambda: is_drained(agent, link), what="drained", within_s=90)
    link.stop(20)
    assert len(hub.rows) == 1_000
    assert attempts <= 2 + lasted_s / 2, "pauses double from a second on; tests/edge/test_pauses.py has the average"
