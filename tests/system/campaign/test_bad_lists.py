"""Bad lists of rights come to a real agent over a real broker: the alarm arrives at the hub, the door still opens."""

import time
from collections.abc import Iterator
from datetime import datetime
from functools import partial
from pathlib import Path
from random import Random
from zoneinfo import ZoneInfo

import pytest

from contract.events import RightsRefused, decode
from contract.limits import MAX_RIGHTS_BYTES
from contract.rights import RightsList
from contract.topics import topic_for
from tests.support.brokers import RunningBroker
from tests.support.rights import sealed
from tests.support.small_hub import SmallHub
from tests.support.waiting import eventually
from tests.system.campaign.siege import READERS, Siege, besieged, card_of, rights_at

SITE = "murat"


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[tuple[int, SmallHub]]:
    broker = RunningBroker("iotcore", tmp_path)
    broker.start()
    hub = SmallHub(broker.port, site=SITE)
    yield broker.port, hub
    hub.stop()
    broker.kill()


def later(seconds: int, *, site: str = SITE, expires_at: int | None = None) -> RightsList:
    """Return a list without any badge, issued a while after the one in force: in force, it would shut everybody out."""
    now_ms = round(time.time() * 1000) + seconds * 1000
    in_force = rights_at(datetime.now(ZoneInfo("Europe/Paris")))
    change = {"site": site, "version": now_ms, "issued_at": min(now_ms, expires_at or now_ms) - 1, "badges": []}
    return in_force.model_copy(update=change | {"expires_at": expires_at or now_ms + 86_400_000})


def bad_lists() -> dict[str, bytes]:
    """Return the bad inputs of a list of rights, by the reason that the alarm gives."""
    hour_ago_ms = round(time.time() * 1000) - 4_000_000
    return {
        "signature": sealed(later(1), signing_key=bytes(32)),
        "site": sealed(later(2, site="allanche"), site=SITE),
        "older": sealed(later(-7_200)),
        "expired": sealed(later(3, expires_at=hour_ago_ms)),
        "seal": sealed(later(4))[:-20],
        "size": b"TCS1" + bytes(MAX_RIGHTS_BYTES),
        "form": b"not a list at all",
        "content": sealed(later(5).model_copy(update={"holidays": ["2026-02-30"]})),
    }


def refusals_at(hub: SmallHub) -> list[str]:
    events = [decode(line) for _, line in sorted(hub.rows.items())]
    return [event.value.reason for event in events if isinstance(event, RightsRefused)]


def opens(siege: Siege, number: int) -> None:
    siege.let_in(READERS[number % len(READERS)], card_of("carol", Random(number)))


def test_every_bad_list_gives_its_alarm_and_the_door_opens_by_the_last_good_one(hub: tuple[int, SmallHub]) -> None:
    port, heard = hub
    told: list[str] = []
    with besieged(port) as siege:
        for number, (reason, bad) in enumerate(bad_lists().items()):
            heard.publish(topic_for(SITE, "rights"), bad)
            told.append(reason)
            eventually(partial(is_told, heard, told), what=f"the alarm for {reason} is at the hub")
            opens(siege, number)
        heard.publish(topic_for(SITE, "rights"), sealed(later(60)))
        eventually(
            lambda: siege.present(READERS[0], card_of("carol", Random())) != "GRANTED", what="a good list counts"
        )
        assert siege.present(READERS[1], card_of("carol", Random())) == "DENIED_UNKNOWN_CREDENTIAL"


def is_told(hub: SmallHub, reasons: list[str]) -> bool:
    return refusals_at(hub) == reasons


def test_a_reader_that_was_tried_ten_times_takes_a_pause_and_then_opens_at_once() -> None:
    with besieged(9, max_attempts=10) as siege:
        reasons = siege.suffer_at(READERS[0], "old key", 12, "lock-out")
        assert reasons == ["DENIED_VERIFICATION_FAILED"] * 10 + ["DENIED_LOCKOUT"] * 2
        assert siege.present(READERS[0], card_of("carol", Random(1))) == "DENIED_LOCKOUT"
        opens(siege, 1)
        eventually(lambda: siege.present(READERS[0], card_of("carol", Random())) == "GRANTED", what="the pause is over")
