"""Two boxes of one name, as after a copied card: the broker ends the connection of one for the other's, and back."""

import json
import re
import sys
import urllib.request
from functools import partial
from pathlib import Path

import pytest

from tests.support.waiting import eventually
from tests.system.campaign.oracle import History, committed_at, verdict_on
from tests.system.campaign.world import Process, World

SITE, TWIN = "murat", "twin"
EVENTS_PER_S = 20.0
WITHIN_S = 200.0
"""Each reaches the broker again and again, and less and less often: the link makes no storm of it."""


def alarms(world: World) -> set[tuple[str, str | None]]:
    """Return what asks for a person, as the hub's page of alarms has it."""
    found = re.search(r"\[web\]\nport = (\d+)", (world.folder / "hub.toml").read_text())
    assert found is not None
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{found[1]}/api/v1/alarms", timeout=10) as answer:
            return {(alarm["reason"], alarm["site_id"]) for alarm in json.load(answer)["alarms"]}
    except OSError:
        return set()  # the hub is still starting


def has_drained(box: Process) -> bool:
    """Return whether a box has handed everything over."""
    return "\ndrained " in box.said()


@pytest.mark.timeout(500)
def test_two_boxes_of_one_name_are_alarmed_and_neither_loses_or_doubles(tmp_path: Path) -> None:
    with World(tmp_path, "mosquitto", (SITE,), seed=1, events_per_s=EVENTS_PER_S) as world:
        words = [SITE, tmp_path / TWIN, world.lines[SITE].port, TWIN, EVENTS_PER_S, world.start_ms, "e" * 32, "no"]
        twin_command = [sys.executable, "-m", "tests.system.campaign.edge", *map(str, words)]
        twin = Process(TWIN, lambda: twin_command, tmp_path / "twin.log")
        boxes = (world.edges[SITE], twin)
        world.start()
        twin.start()
        try:
            eventually(lambda: ("contested", SITE) in alarms(world), what="the alarm", within_s=WITHIN_S)
            for box in boxes:
                box.tell("enough")
            for box in boxes:
                # One by one, as when somebody has found the second box: the other is then the only one.
                eventually(partial(has_drained, box), what=f"{box.name} drains", within_s=WITHIN_S)
                box.stop()
        finally:
            twin.give_up()
        world.hub.stop()
        history, counts = History(), {}
        for box in boxes:
            of_box, numbers = committed_at(SITE, world.outbox_of(box.name))
            assert numbers == list(range(len(numbers))), box.name
            history.digests |= of_box.digests
            history.persons |= of_box.persons
            history.blanked |= of_box.blanked
            counts[box.name] = len(numbers)
        verdict = verdict_on(history, world.database)
    assert verdict.is_right, verdict
    assert all(counts.values()), counts
