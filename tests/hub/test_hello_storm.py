"""A restart of the broker: every site asks at once, and one that badges meanwhile does not wait for all the others."""

import time

from contract.messages import Held, Hello
from contract.topics import topic_for
from edge.core.sender import TIMER_MIN_S
from tests.hub.test_ingest import Bench, bench
from tests.hub.test_receiver import batch, desk
from tests.support.brokers import broker
from tests.support.waiting import eventually

__all__ = ["bench", "broker"]  # fixtures

SITES = 1_000
"""In one instant. All 4,072 spread their Hellos over 30 s, which is 136 a second."""

STREAMS = 3
"""Of each site: an agent is started again a few times a month."""

LIVE_EVERY = 100
"""Hellos between two live events."""


def hello(number: int) -> tuple[str, bytes]:
    site = f"site-{number}"
    streams = [Held(stream=f"{STREAMS * number + nth:032x}", first=1, last=5) for nth in range(STREAMS)]
    said = Hello(site=site, hello_id=f"{number:016x}", streams=streams)
    return topic_for(site, "hello"), said.model_dump_json().encode()


def test_a_live_event_amid_the_hellos_of_all_sites_is_acknowledged_before_its_site_asks_again(bench: Bench) -> None:
    bench.start()
    hellos = [hello(number) for number in range(SITES)]
    sent_s: dict[int, float] = {}
    waited_s: list[float] = []

    def look() -> bool:
        position, now_s = bench.edge.position(), time.monotonic()
        waited_s.extend(now_s - sent_s.pop(seq) for seq in list(sent_s) if seq <= position)
        return not sent_s

    for number, (topic, payload) in enumerate(hellos):
        bench.edge.publish(topic, payload)
        if number % LIVE_EVERY == 0:
            seq = number // LIVE_EVERY + 1
            sent_s[seq] = time.monotonic()
            bench.edge.send(batch(desk(), first=seq))
            look()
    eventually(look, what="every live event is acknowledged")
    answered = {ack.site for ack in bench.edge.acks if ack.hello_id is not None}
    assert max(waited_s) < TIMER_MIN_S, f"{max(waited_s):.2f} s, with {len(answered)} Hellos answered by then"
    eventually(lambda: len({ack.site for ack in bench.edge.acks if ack.hello_id}) == SITES, what="all are answered")
    assert bench.ingest.health().messages_dropped == {"full": 0, "site": 0, "behind": 0}
