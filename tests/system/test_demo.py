"""The main job, end to end, through the real drivers: one demo of ten telecentres, in which things go wrong.

The tests share one demo and run in the order in which they stand; the last one stops it and reads the reckoning.
"""

import html
import json
import signal
import urllib.request
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import psutil
import pytest

from simulators.folder import Folder
from tests.support.demo import RunningDemo, until

RECOVERS_WITHIN_S = 60.0
"""Back-offs of demo, device and link, start of a program: some 5 s when the machine has nothing else to do."""

REFUSED_COPY = (
    "Ce badge n'a pas pu prouver qu'il est authentique. "
    "Présentez-le à nouveau, bien à plat\xa0; si cela continue, faites-le remplacer."
)

Record = Callable[[str, object], None]


def _now() -> str:
    return datetime.now(UTC).isoformat()


def _decisions(demo: RunningDemo, site: str, since: str) -> list[dict[str, Any]]:
    answer = demo.get(f"/api/v1/decisions?site={site}&from={since.replace('+', '%2B')}")
    return list(answer["decisions"]) if answer else []


def _page(demo: RunningDemo, path: str) -> str:
    asked = urllib.request.Request(f"{demo.url}{path}", headers={"Accept-Language": "fr"})  # noqa: S310 - the hub, on loopback
    with urllib.request.urlopen(asked, timeout=5) as answer:  # noqa: S310
        return html.unescape(answer.read().decode())


def _desk_states(demo: RunningDemo) -> dict[tuple[str, str], tuple[str, str]]:
    return {
        (site, desk["id"]): (desk["state"], desk["since"])
        for site, there in demo.live().items()
        for desk in there["desks"]
    }


def _online(demo: RunningDemo) -> int:
    return sum(bool(site["online"]) for site in demo.live().values())


def _opens(demo: RunningDemo, site: str) -> bool:
    return demo.sim("tap", site).returncode == 0


def test_ten_sites_and_47_desks_come_online(demo: RunningDemo) -> None:
    until(lambda: _online(demo) == 10, within_s=60, what="ten sites online")
    assert sum(len(site["desks"]) for site in demo.live().values()) == 47


def test_every_site_moves(demo: RunningDemo) -> None:
    first = _desk_states(demo)
    moved: set[str] = set()

    def all_moved() -> bool:
        moved.update(site for (site, desk), state in _desk_states(demo).items() if state != first[(site, desk)])
        return len(moved) == 10

    until(all_moved, within_s=60, what="a desk of every site has changed")


def test_a_badge_opens_the_door_of_murat_and_the_hub_knows_it(demo: RunningDemo, record_property: Record) -> None:
    since = _now()
    tap = demo.sim("tap", "murat")
    assert tap.returncode == 0, tap.stdout + tap.stderr
    assert "the strike of door-01 pulsed" in tap.stdout
    granted = until(
        lambda: [each for each in _decisions(demo, "murat", since) if each["reason"] == "GRANTED"],
        within_s=RECOVERS_WITHIN_S,
        what="the granted event at the hub",
    )
    late = datetime.fromisoformat(granted[0]["received_at"]) - datetime.fromisoformat(granted[0]["at"])
    record_property("tap", tap.stdout)
    record_property("event_at_hub_after_s", late.total_seconds())


@pytest.mark.parametrize(
    ("badge", "reason"),
    [
        ("unknown", "DENIED_UNKNOWN_CREDENTIAL"),
        ("expired", "DENIED_CREDENTIAL_EXPIRED"),
        ("lost", "DENIED_AUTHENTICATION_FACTOR_LOST"),
        ("disabled", "DENIED_CREDENTIAL_DISABLED"),
        ("blank", "DENIED_CREDENTIAL_NOT_PROVISIONED"),
        ("tag", "DENIED_VERIFICATION_FAILED"),
    ],
)
def test_a_badge_that_may_not_enter_stays_outside_and_is_told_why(demo: RunningDemo, badge: str, reason: str) -> None:
    tap = demo.sim("tap", "montmurat", "--badge", badge)
    assert tap.returncode == 1
    assert "the door stayed shut" in tap.stdout
    assert reason in tap.stdout
    assert "red light" in tap.stdout


def test_a_copy_of_a_badge_stays_outside_and_is_told_so_in_plain_french(demo: RunningDemo) -> None:
    since = _now()
    tap = demo.sim("tap", "murat", "--clone")
    assert tap.returncode == 1, tap.stdout + tap.stderr
    door, hub, reader, copy = tap.stdout.splitlines()
    assert door == "murat: the door stayed shut (DENIED_VERIFICATION_FAILED)"
    assert hub == f"the hub says: {REFUSED_COPY}"
    assert "red light" in reader
    assert copy == "This was a copy of a secured badge: the same number and the same name, but not its key."
    told = [f"{each['sentence']} {each['remedy']}" for each in _decisions(demo, "murat", since)]
    assert REFUSED_COPY in told
    assert all(sentence in _page(demo, "/sites/murat") for sentence in REFUSED_COPY.split(". ", 1))
    assert _opens(demo, "murat"), "the badge itself opens"


def test_an_unplugged_reader_opens_nothing_and_works_again_when_it_is_back(demo: RunningDemo) -> None:
    assert demo.sim("unplug", "murat", "reader").returncode == 0
    tap = demo.sim("tap", "murat")
    assert tap.returncode == 1
    assert "did not react" in tap.stdout
    assert demo.sim("plug", "murat", "reader").returncode == 0
    until(lambda: _opens(demo, "murat"), within_s=RECOVERS_WITHIN_S, what="the reader opens again")


def test_the_desk_of_an_unplugged_radar_is_unknown_until_it_is_back(demo: RunningDemo) -> None:
    assert demo.sim("unplug", "murat", "desk-03-radar").returncode == 0
    until(lambda: demo.state_of("murat", "desk-03") == "unknown", within_s=30, what="an unknown desk")
    assert demo.sim("plug", "murat", "desk-03-radar").returncode == 0
    until(
        lambda: demo.state_of("murat", "desk-03") in ("vacant", "occupied"),
        within_s=RECOVERS_WITHIN_S,
        what="the desk is known again",
    )


def _kill(found: list[psutil.Process]) -> int:
    assert found, "no such process"
    found[0].send_signal(signal.SIGKILL)
    return found[0].pid


def test_a_killed_agent_is_back_and_opens_its_door(demo: RunningDemo) -> None:
    killed = _kill(demo.processes("telecentre-edge", "/ydes/"))
    until(
        lambda: [each for each in demo.processes("telecentre-edge", "/ydes/") if each.pid != killed],
        within_s=RECOVERS_WITHIN_S,
        what="a new agent",
    )
    until(lambda: _opens(demo, "ydes"), within_s=RECOVERS_WITHIN_S, what="the door of Ydes opens")


def test_a_killed_broker_is_back_and_events_flow(demo: RunningDemo) -> None:
    _kill(demo.processes("broker"))
    _an_event_arrives(demo)


def test_a_killed_hub_is_back_and_events_flow(demo: RunningDemo) -> None:
    _kill(demo.processes("telecentre-hub", "serve"))
    assert _opens(demo, "allanche"), "a door depends on no hub"
    _an_event_arrives(demo)


def test_killed_devices_are_back_and_their_agents_find_them(demo: RunningDemo) -> None:
    _kill(demo.processes("telecentre-sim", "site"))
    until(lambda: _opens(demo, "mauriac"), within_s=RECOVERS_WITHIN_S, what="the door of Mauriac opens")


def _an_event_arrives(demo: RunningDemo) -> None:
    since = _now()
    until(lambda: _opens(demo, "aurillac"), within_s=RECOVERS_WITHIN_S, what="the door of Aurillac opens")
    until(lambda: _decisions(demo, "aurillac", since), within_s=RECOVERS_WITHIN_S, what="a new event at the hub")
    until(lambda: _online(demo) == 10, within_s=RECOVERS_WITHIN_S, what="ten sites online again")


def test_a_second_demo_on_the_same_folder_gets_one_sentence(demo: RunningDemo) -> None:
    second = demo.sim("demo", "--port", "1")
    assert second.returncode == 1
    assert second.stderr.startswith("A demo already runs in ")
    assert len(second.stderr.splitlines()) == 1


def test_ctrl_c_leaves_equal_counts_and_nothing_behind(demo: RunningDemo) -> None:
    children = psutil.Process(demo.process.pid).children(recursive=True)
    reckoning = json.loads(demo.stop())
    assert demo.process.returncode == 0, demo.said()
    assert reckoning["equal"] is True, demo.said()
    assert reckoning["edge_events"] == reckoning["hub_events"] > 100
    assert "did not stop by itself" not in demo.said()
    assert not [child for child in children if child.is_running() and child.status() != psutil.STATUS_ZOMBIE]
    assert not Folder(demo.state).run.exists()
