"""F7 and F4 at the hub: a silent broker is left in time; an answer lost after the commit costs a repetition.

History goes on when the line is back, and nothing of it counts twice.
"""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from hub import ingest
from hub.config import BrokerSettings
from tests.support.brokers import RunningBroker
from tests.support.events import desk
from tests.support.fault_proxy import NO_FAULTS, FaultProxy, Faults
from tests.support.long_form import CAMPAIGN_MINUTES
from tests.support.outbox_agent import Agent, agent, folder
from tests.support.running_hub import RunningHub
from tests.support.waiting import eventually
from tests.system.campaign.linked import is_drained, linked
from tests.system.campaign.test_bad_lines import broker

__all__ = ["agent", "broker", "folder"]  # fixtures

DOCS = Path(__file__).parents[3] / "docs"
SITE = "murat"
KEEPALIVE_S = ingest.KEEPALIVE_S if CAMPAIGN_MINUTES else 4
"""The short form waits less long for the same thing."""

BOUND_S = 2 * KEEPALIVE_S + 2
"""As the documents state it: 22 s. paho looks once a second."""

BUSY_S = 5.0
"""What a busy machine may add."""


@pytest.fixture
def line(broker: RunningBroker) -> Iterator[FaultProxy]:
    with FaultProxy(broker.port) as proxy:
        yield proxy


@pytest.fixture
def hub(line: FaultProxy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[RunningHub]:
    monkeypatch.setattr(ingest, "KEEPALIVE_S", KEEPALIVE_S)
    (tmp_path / "hub").mkdir()
    running = RunningHub(tmp_path / "hub", BrokerSettings(port=line.port))
    running.ingest.start()
    eventually(lambda: running.ingest.health().ready, what="the hub hears the broker")
    yield running
    running.stop()


@pytest.mark.timeout(300)
def test_a_silent_broker_is_noticed_in_time_and_left(
    agent: Agent, broker: RunningBroker, line: FaultProxy, hub: RunningHub, caplog: pytest.LogCaptureFixture
) -> None:
    link = linked(agent, SITE, broker.port)
    link.start()
    eventually(lambda: link.online, what="the edge, whose own line is well, is online")
    line.put(Faults(silent=True))
    begin_s = time.monotonic()
    agent.store(*[desk(number) for number in range(300)])
    eventually(lambda: not hub.ingest.health().broker_connected, what="noticed", within_s=BOUND_S + BUSY_S)
    print(f"noticed after {time.monotonic() - begin_s:.1f} s")  # noqa: T201 -- the figure
    assert not hub.ingest.health().ready, "and /readyz says so"
    assert "the broker has fallen silent" in caplog.text
    line.put(NO_FAULTS)
    eventually(lambda: is_drained(agent, link), what="history goes on", within_s=90)
    assert hub.store.totals().events == 300
    link.stop(20)


def test_the_bound_that_the_documents_promise_is_that_of_the_program() -> None:
    promised = f"within {2 * ingest.KEEPALIVE_S + 2} s"
    for page in ("campaign.md", "operating.md"):
        assert promised in (DOCS / page).read_text(encoding="utf-8"), page


@pytest.mark.timeout(300)
def test_a_quiet_broker_that_answers_is_kept(hub: RunningHub, line: FaultProxy) -> None:
    line.put(Faults(delay_s=1.0))
    time.sleep(BOUND_S + 1.0)
    assert hub.ingest.health().broker_connected
    assert len(line.attempts) == 1


@pytest.mark.timeout(120)
def test_a_broker_that_dies_is_told_in_plain_words(
    broker: RunningBroker, hub: RunningHub, caplog: pytest.LogCaptureFixture
) -> None:
    broker.kill()
    eventually(lambda: not hub.ingest.health().broker_connected, what="noticed at once", within_s=10)
    assert "reason='the connection to the broker was cut'" in caplog.text
    assert "Unspecified" not in caplog.text


@pytest.mark.timeout(120)
def test_an_acknowledgement_that_is_lost_after_the_commit_costs_a_repetition_and_no_more(
    agent: Agent, broker: RunningBroker, line: FaultProxy, hub: RunningHub
) -> None:
    link = linked(agent, SITE, broker.port)
    link.start()
    eventually(lambda: link.online, what="the edge is online")
    agent.store(desk(0))
    eventually(lambda: is_drained(agent, link), what="all is well at first")
    line.put(Faults(mute=True))
    agent.store(*[desk(number) for number in range(1, 100)])
    eventually(lambda: hub.store.totals().events == 100, what="the hub has committed")
    assert agent.outbox.status().depth == 99, "and its answers went nowhere"
    line.cut()
    line.put(NO_FAULTS)
    eventually(lambda: is_drained(agent, link), what="the edge knows it in the end", within_s=90)
    link.stop(20)
    totals = hub.store.totals()
    assert (totals.events, totals.quarantined, len(totals.gaps), hub.alarms()) == (100, 0, 0, {})
    assert hub.store.rebuild() == [], "no figure has counted anything twice"
