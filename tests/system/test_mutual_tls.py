"""Agent, hub and the shipped Mosquitto over TLS: who has a certificate that counts, and what becomes of the others."""

import logging
import re
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from contract.messages import Now, Report, RightsStatus
from edge.config import LinkSettings
from edge.link import Link
from edge.outbox import prepare_folder
from host.tls import UNANSWERED
from tests.support.authority import Authority
from tests.support.events import T0_MS, desk
from tests.support.outbox_agent import Agent, agent, folder
from tests.support.running_hub import RunningHub
from tests.support.secure_broker import SecureBroker, secure_broker
from tests.support.visitor import Visitor
from tests.support.waiting import eventually

__all__ = ["agent", "folder", "secure_broker"]  # fixtures

WATCHED_S = 3.0
"""Long enough for a storm of reconnections to show: by the rules there is time for three."""

FOUGHT_S = 12.0
"""Two that come back each second would be connected twelve times; by doubling pauses it is five or six."""


class Site:
    """An agent reduced to its outbox and its link."""

    def __init__(self, agent: Agent, settings: LinkSettings, site: str = "murat") -> None:
        self.agent = agent
        self.site = site
        self.link = Link(
            settings,
            site,
            agent.outbox,
            now=lambda: Now(site=site, as_of=T0_MS, clock="synced", desks=[], rooms=[], doors=[]),
            report=self._report,
            random=Random(1),
            on_crash=agent.crashes.append,
        )

    def _report(self) -> Report:
        return Report(
            version="0",
            boot="b" * 32,
            started_at=T0_MS,
            at=T0_MS,
            clock="synced",
            outbox=self.agent.outbox.status(),
            rights=RightsStatus(version=0, issued_at=None, expires_at=None, credentials=0),
            devices=[],
        )


@pytest.fixture
def hub(secure_broker: SecureBroker, tmp_path: Path) -> Iterator[RunningHub]:
    running = RunningHub(tmp_path, secure_broker.hub_settings())
    yield running
    running.stop()


def told_down(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return why the link was down, as often as it was said."""
    return [record.getMessage().partition(" reason=")[2] for record in caplog.records if "link=down" in record.message]


def connections(broker: SecureBroker) -> int:
    """Return how often anybody came, once or twice of them to see whether the broker serves."""
    return broker.log().count("New connection from")


def test_an_event_reaches_the_database_over_tls_on_both_sides(
    agent: Agent, hub: RunningHub, secure_broker: SecureBroker
) -> None:
    site = Site(agent, secure_broker.link_settings("murat"))
    hub.ingest.start()
    agent.store(*[desk(number) for number in range(2_000)])
    site.link.start()
    eventually(lambda: agent.outbox.status().depth == 0, what="everything acknowledged")
    agent.store(desk(2_001))
    eventually(lambda: agent.outbox.status().depth == 0, what="an event of a running agent")
    assert hub.store.totals().events == 2_001
    assert hub.ingest.health().broker_reconnections == 0
    site.link.stop(20)


def _of_another_authority(broker: SecureBroker, folder: Path) -> LinkSettings:
    other = Authority(folder / "other", "Somebody else")
    other.client("murat")
    return broker.link_settings("murat", authority=other)


def _expired(broker: SecureBroker, _: Path) -> LinkSettings:
    broker.authority.client("murat", "expired", days=-1)
    return broker.link_settings("expired")


def _revoked(broker: SecureBroker, _: Path) -> LinkSettings:
    broker.authority.revoke("murat")
    broker.read_again()
    return broker.link_settings("murat")


def _broker_of_another_authority(broker: SecureBroker, folder: Path) -> LinkSettings:
    other = Authority(folder / "other", "Somebody else")
    return broker.link_settings("murat").model_copy(update={"ca_file": other.ca_file})


def _broker_by_another_name(broker: SecureBroker, _: Path) -> LinkSettings:
    broker.authority.server("broker.example.org")
    broker.read_again()
    return broker.link_settings("murat")


def _missing(broker: SecureBroker, folder: Path) -> LinkSettings:
    return broker.link_settings("murat").model_copy(update={"certificate_file": folder / "nowhere.crt"})


NOT_OURS = rf"the broker does not accept our certificate: .+|{re.escape(UNANSWERED)}"
"""Whether the broker's reason arrives before its end of the connection is a matter of luck."""

REFUSALS = {
    "a certificate of another authority": (_of_another_authority, NOT_OURS),
    "an expired certificate": (_expired, NOT_OURS),
    "a revoked certificate": (_revoked, NOT_OURS),
    "a broker of another authority": (_broker_of_another_authority, "the broker's certificate is not accepted: .+"),
    "a broker by another name": (
        _broker_by_another_name,
        "the broker's certificate is not accepted: Hostname mismatch.+",
    ),
    "a certificate that is not there": (_missing, r"certificate_file: .+nowhere\.crt cannot be read .+"),
}


@pytest.mark.parametrize("refusal", REFUSALS)
def test_a_certificate_that_does_not_count_is_a_link_that_is_down(
    agent: Agent, secure_broker: SecureBroker, tmp_path: Path, caplog: pytest.LogCaptureFixture, refusal: str
) -> None:
    caplog.set_level(logging.INFO)
    prepare, words = REFUSALS[refusal]
    site = Site(agent, prepare(secure_broker, tmp_path))
    agent.store(desk(1))
    site.link.start()
    eventually(lambda: told_down(caplog), what="the reason is said")
    time.sleep(WATCHED_S)
    site.link.stop(20)
    assert [why for why in told_down(caplog) if not re.fullmatch(words, why)] == []
    assert len(told_down(caplog)) == len(set(told_down(caplog)))
    assert not site.link.online
    assert connections(secure_broker) <= 5
    assert " as murat " not in secure_broker.log()
    assert agent.outbox.status().depth == 1
    assert agent.crashes == []


def test_a_client_without_any_certificate_is_refused(secure_broker: SecureBroker) -> None:
    client = Visitor(secure_broker, None)
    eventually(lambda: client.lost, what="the broker closes")
    assert not client.accepted


def test_a_renewed_certificate_needs_no_restart(
    agent: Agent, hub: RunningHub, secure_broker: SecureBroker, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    authority = secure_broker.authority
    authority.client("murat", "own", days=-1)
    site = Site(agent, secure_broker.link_settings("own"))
    hub.ingest.start()
    agent.store(desk(1))
    site.link.start()
    eventually(lambda: told_down(caplog), what="the expired one is refused")
    for kind in ("crt", "key"):
        shutil.copy(authority.folder / f"murat.{kind}", authority.folder / f"own.{kind}")
    eventually(lambda: agent.outbox.status().depth == 0, what="the renewed one is taken")
    site.link.stop(20)


def test_a_hub_whose_certificate_does_not_count_waits_and_says_why_once(
    secure_broker: SecureBroker, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    secure_broker.authority.revoke("hub")
    secure_broker.read_again()
    hub = RunningHub(tmp_path, secure_broker.hub_settings())
    hub.ingest.start()
    eventually(lambda: "broker=lost" in caplog.text, what="the reason is said")
    time.sleep(WATCHED_S)
    said = [record.getMessage() for record in caplog.records if "broker=lost" in record.getMessage()]
    assert len(said) == len(set(said))
    assert [line for line in said if "accept our certificate" not in line] == []
    assert connections(secure_broker) <= 5
    assert not hub.ingest.health().broker_connected
    hub.stop()


def test_a_hub_that_meets_a_broker_of_another_authority_says_so(
    secure_broker: SecureBroker, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    other = Authority(tmp_path / "other", "Somebody else")
    hub = RunningHub(tmp_path, secure_broker.hub_settings().model_copy(update={"ca_file": other.ca_file}))
    hub.ingest.start()
    eventually(lambda: "the broker's certificate is not accepted: " in caplog.text, what="the reason is said")
    hub.stop()


def test_both_come_back_after_the_broker_was_killed(agent: Agent, hub: RunningHub, secure_broker: SecureBroker) -> None:
    site = Site(agent, secure_broker.link_settings("murat"))
    hub.ingest.start()
    site.link.start()
    agent.store(desk(1))
    eventually(lambda: agent.outbox.status().depth == 0, what="the first event")
    secure_broker.kill()
    agent.store(desk(2))
    secure_broker.start()
    eventually(lambda: agent.outbox.status().depth == 0, what="the second event", within_s=60)
    site.link.stop(20)


def test_two_agents_with_one_certificate_do_not_fight_every_second(
    agent: Agent, hub: RunningHub, secure_broker: SecureBroker, tmp_path: Path
) -> None:
    prepare_folder(tmp_path / "clone")
    clone = Agent(tmp_path / "clone").start()
    sites = [Site(each, secure_broker.link_settings("murat")) for each in (agent, clone)]
    hub.ingest.start()
    for site in sites:
        site.link.start()
    time.sleep(FOUGHT_S)
    for site in sites:
        site.link.stop(20)
    clone.stop()
    assert secure_broker.log().count(" as murat ") <= FOUGHT_S * 0.7
