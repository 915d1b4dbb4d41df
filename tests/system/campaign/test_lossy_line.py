"""F6: 64 kbit/s, and of every ten packets three are lost, by the kernel's own TCP."""

from collections.abc import Iterator

import pytest

from contract.events import decode
from tests.support.brokers import RunningBroker
from tests.support.events import desk
from tests.support.fault_proxy import FaultProxy, Faults
from tests.support.long_form import CAMPAIGN_MINUTES
from tests.support.lossy_network import LossyNetwork, NotAllowedError, Weather
from tests.support.outbox_agent import Agent, agent, folder
from tests.support.small_hub import SmallHub
from tests.support.waiting import eventually
from tests.system.campaign.linked import is_drained, linked
from tests.system.campaign.test_bad_lines import SITE, broker, hub

__all__ = ["agent", "broker", "folder", "hub"]  # fixtures

RURAL = Weather(loss=0.3, delay_s=0.1, bytes_per_s=8_000)
EVENTS = 20_000 if CAMPAIGN_MINUTES else 1_500
LONG_S = 1_500.0 if CAMPAIGN_MINUTES else 150.0
"""With so much loss TCP waits twice as long each time: some connections are given up and made again."""


@pytest.fixture
def lossy(broker: RunningBroker) -> Iterator[LossyNetwork]:
    try:
        with LossyNetwork(broker.port, RURAL) as network:
            yield network
    except NotAllowedError as error:
        pytest.skip(f"no network namespace or TUN device: {error}")


def all_came_once(hub: SmallHub) -> bool:
    return hub.changed_rows == 0 and [decode(hub.rows[key]).up for key in sorted(hub.rows)] == list(range(EVENTS))


@pytest.mark.needs_netns
@pytest.mark.timeout(2 * LONG_S)
def test_with_three_packets_of_ten_lost_everything_comes_once(agent: Agent, lossy: LossyNetwork, hub: SmallHub) -> None:
    link = linked(agent, SITE, lossy.port)
    agent.store(*[desk(number) for number in range(EVENTS)])
    link.start()
    eventually(lambda: is_drained(agent, link), what="drained over the lossy line", within_s=LONG_S)
    link.stop(20)
    assert all_came_once(hub)
    share = lossy.lost / (lossy.lost + lossy.passed)
    print(f"{lossy.lost} of {lossy.lost + lossy.passed} packets were lost")  # noqa: T201 -- the figure
    assert 0.15 < share < 0.5, "the line is as bad as it says"


@pytest.mark.timeout(2 * LONG_S)
def test_a_line_that_stalls_as_lost_packets_make_it_drains(agent: Agent, broker: RunningBroker, hub: SmallHub) -> None:
    with FaultProxy(broker.port) as line:
        line.put(Faults(loss=0.3, bytes_per_s=8_000))
        link = linked(agent, SITE, line.port)
        agent.store(*[desk(number) for number in range(EVENTS)])
        link.start()
        eventually(lambda: is_drained(agent, link), what="drained over the stalling line", within_s=LONG_S)
        link.stop(20)
    assert all_came_once(hub)


def test_messages_that_come_twice_count_once(agent: Agent, broker: RunningBroker, hub: SmallHub) -> None:
    with FaultProxy(broker.port) as line:
        line.put(Faults(repeats=True))
        link = linked(agent, SITE, line.port)
        agent.store(*[desk(number) for number in range(EVENTS)])
        link.start()
        eventually(lambda: is_drained(agent, link), what="drained")
        link.stop(20)
        assert len(line.attempts) == 1, "a repetition ends no connection"
    assert len(hub.headers) > len({(header.stream, header.first) for header in hub.headers}), "they did come twice"
    assert all_came_once(hub)
