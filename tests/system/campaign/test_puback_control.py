"""The campaign has teeth: under the same fault, an edge that trusts the broker's confirmation loses events."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.support.brokers import mosquitto_path
from tests.support.fault_proxy import NO_FAULTS, Faults
from tests.support.waiting import eventually
from tests.system.campaign.campaign import drain
from tests.system.campaign.oracle import committed_at, verdict_on
from tests.system.campaign.plan import BROKER, HUB
from tests.system.campaign.puback_edge import BATCH_EVENTS, PubackEdge
from tests.system.campaign.world import World

OURS, CONTROL = "murat", "aurillac"
BEFORE, DURING, AFTER = 4, 10, 4
"""Batches sent before, during and after the minute in which the hub does not hear and the broker dies."""


def rows(database: Path, question: str, *values: object) -> list[tuple[int, ...]]:
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        return connection.execute(question, values).fetchall()


@pytest.mark.timeout(300)
def test_an_edge_that_deletes_on_puback_loses_events_and_ours_does_not(tmp_path: Path) -> None:
    mosquitto_path()
    with World(tmp_path, "mosquitto", (OURS,), seed=1, events_per_s=100.0) as world:
        world.start()

        def stored(site: str) -> int:
            return rows(world.database, "SELECT count(*) FROM event WHERE site = ?", site)[0][0]

        eventually(lambda: stored(OURS) > 0, what="the hub hears our edge", within_s=60)
        control = PubackEdge(CONTROL, world.broker.port)
        control.send(BEFORE)
        eventually(lambda: stored(CONTROL) == BEFORE * BATCH_EVENTS, what="the control works when nothing fails")

        connected = world.hub.said().count("broker=connected")
        world.lines[HUB].put(Faults(silent=True))
        control.send(DURING)
        world.kill(BROKER)
        world.lines[HUB].cut()
        world.lines[HUB].put(NO_FAULTS)
        world.revive(BROKER, rebooted=False)
        eventually(lambda: world.hub.said().count("broker=connected") > connected, what="the hub is back", within_s=60)
        heard = stored(OURS)
        eventually(lambda: stored(OURS) > heard, what="the hub has subscribed", within_s=60)

        control.send(AFTER)
        last = control.confirmed
        position = "SELECT position FROM stream WHERE stream = ?"
        eventually(lambda: rows(world.database, position, control.stream) == [(last,)], what="the control goes on")
        drain(world)
        world.hub.stop()

        found = {row[0] for row in rows(world.database, "SELECT seq FROM event WHERE stream = ?", control.stream)}
        lost = set(range(1, last + 1)) - found
        print(f"the control lost {len(lost)} of {DURING * BATCH_EVENTS} events confirmed to it")  # noqa: T201 -- the figure
        assert lost, "all of it was confirmed by the broker, which took it to its grave"
        gaps = rows(world.database, "SELECT first_seq, last_seq FROM gap WHERE stream = ?", control.stream)
        assert sum(to - first + 1 for first, to in gaps) == len(lost), "even so, the hub shows what is missing"
        ours, _ = committed_at(OURS, world.outbox_of(OURS))
        verdict = verdict_on(ours, world.database)
        assert not verdict.missing, f"ours loses nothing: {verdict}"
        assert not verdict.changed
        assert {site for site, _, _ in verdict.unknown} == {CONTROL}
