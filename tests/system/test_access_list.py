"""The shipped access list against every topic: who may say and hear what, tried by clients that try everything."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from contract.identity import BUCKET_COUNT, bucket_of
from contract.topics import CHANNELS, Channel, all_sites, hub_topic, topic_for
from tests.support.secure_broker import SecureBroker
from tests.support.visitor import Visitor
from tests.support.waiting import eventually

ALLOWED = {"Success", "No matching subscribers"}
SAID_BY_SITES: set[Channel] = {"up", "hello", "now", "status"}
SAID_BY_THE_HUB: set[Channel] = {"ack", "rights", "cmd"}
MURAT, YDES = bucket_of("murat"), bucket_of("ydes")
FOREIGN_NAMES = [f"tc/v1/{bucket}/{name}" for bucket in ("00", "hub") for name in ("hub/up", "nobody/up", "nobody/cmd")]
OTHER_TOPICS = [
    "tc",
    "tc/v1",
    "tc/v2/00/murat/up",
    "murat",
    "anything",
    f"tc/v1/{MURAT:02x}/murat",
    "$SYS/broker/clients",
]
SEALED = b"who may enter murat"


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecureBroker]:
    """One broker for all: nothing that a test publishes is retained, and no test looks at another's messages."""
    running = SecureBroker(tmp_path_factory.mktemp("broker"))
    running.start()
    yield running
    running.kill()


@pytest.fixture(scope="module")
def hostile(broker: SecureBroker) -> Iterator[Visitor]:
    """A site that shows its valid certificate and does as it likes."""
    visitor = Visitor(broker, "murat")
    yield visitor
    visitor.leave()


@pytest.fixture
def ydes(broker: SecureBroker) -> Iterator[Visitor]:
    visitor = Visitor(broker, "ydes")
    yield visitor
    visitor.leave()


@pytest.fixture
def hub(broker: SecureBroker) -> Iterator[Visitor]:
    visitor = Visitor(broker, "hub")
    yield visitor
    visitor.leave()


def test_the_channels_are_those_of_the_contract() -> None:
    assert set(CHANNELS) == SAID_BY_SITES | SAID_BY_THE_HUB


@pytest.mark.parametrize("channel", CHANNELS)
def test_a_site_writes_on_its_own_four_channels_and_no_others(hostile: Visitor, channel: Channel) -> None:
    outcome = hostile.outcome(topic_for("murat", channel), b"mine")
    assert (outcome in ALLOWED) == (channel in SAID_BY_SITES), outcome
    assert outcome in {*ALLOWED, "Not authorized"}


@pytest.mark.parametrize("channel", CHANNELS)
def test_a_site_writes_on_no_channel_of_another_site(hostile: Visitor, channel: Channel) -> None:
    assert hostile.outcome(topic_for("ydes", channel), b"not mine") == "Not authorized"
    # Nor by way of a bucket that is not the other's, where nobody should listen.
    for bucket in (MURAT, (YDES + 1) % BUCKET_COUNT):
        assert hostile.outcome(f"tc/v1/{bucket:02x}/ydes/{channel}", b"not mine") == "Not authorized"


@pytest.mark.parametrize("topic", [hub_topic(MURAT), hub_topic(YDES), *FOREIGN_NAMES, *OTHER_TOPICS])
def test_a_site_writes_on_no_topic_of_the_hub_nor_on_any_other(hostile: Visitor, topic: str) -> None:
    assert hostile.outcome(topic, b"not mine") == "Not authorized"


def test_a_site_writes_nothing_by_its_will_either(broker: SecureBroker, ydes: Visitor, hub: Visitor) -> None:
    hub.listen([all_sites("status")])
    ydes.listen([topic_for("ydes", "cmd")])
    for topic in (topic_for("ydes", "status"), topic_for("ydes", "cmd"), topic_for("murat", "status")):
        left = Visitor(broker, "murat", will=topic)
        eventually(lambda: left.accepted or left.lost, what="an answer")  # noqa: B023 -- used at once
        left.vanish()
    eventually(lambda: hub.heard, what="the Will that is allowed")
    assert [message.topic for message in hub.heard] == [topic_for("murat", "status")]
    assert ydes.heard == []


def test_a_site_hears_what_the_hub_says_to_it_and_nothing_else(
    broker: SecureBroker, hub: Visitor, ydes: Visitor
) -> None:
    listening = Visitor(broker, "murat").listen(["#", "+/#", "tc/v1/#", *(all_sites(channel) for channel in CHANNELS)])
    for channel in sorted(SAID_BY_THE_HUB):
        for site in ("ydes", "murat"):
            assert hub.outcome(topic_for(site, channel), SEALED) in ALLOWED
    for channel in sorted(SAID_BY_SITES):
        assert ydes.outcome(topic_for("ydes", channel), b"of ydes") in ALLOWED
        # Not even what it says itself comes back to it.
        assert listening.outcome(topic_for("murat", channel), b"of murat") in ALLOWED
    for bucket in range(BUCKET_COUNT):
        assert hub.outcome(hub_topic(bucket), b"a hub") in ALLOWED
    eventually(lambda: hub_topic(BUCKET_COUNT - 1) in {message.topic for message in listening.heard}, what="the last")
    heard = {message.topic for message in listening.heard}
    own = {topic_for("murat", channel) for channel in SAID_BY_THE_HUB}
    assert heard == own | {hub_topic(bucket) for bucket in range(BUCKET_COUNT)}
    listening.leave()


def test_what_is_retained_for_a_site_is_kept_from_another(broker: SecureBroker, hub: Visitor) -> None:
    eventually(lambda: hub.accepted, what="accepted")
    hub.publish(topic_for("ydes", "rights"), SEALED, retain=True)
    hub.publish(topic_for("murat", "rights"), SEALED, retain=True)
    eventually(lambda: len(hub.outcomes) == 2, what="both are there")
    curious = Visitor(broker, "murat").listen(["#"])
    eventually(lambda: curious.heard, what="its own")
    assert {message.topic for message in curious.heard} == {topic_for("murat", "rights")}
    for site in ("ydes", "murat"):
        hub.publish(topic_for(site, "rights"), b"", retain=True)
    eventually(lambda: len(hub.outcomes) == 4, what="both are gone")
    curious.leave()


@pytest.mark.parametrize("channel", CHANNELS)
def test_the_hub_writes_what_sites_hear_and_cannot_speak_for_a_site(hub: Visitor, channel: Channel) -> None:
    for site in ("murat", "ydes", "a-site-of-tomorrow"):
        outcome = hub.outcome(topic_for(site, channel), b"of the hub")
        assert (outcome in ALLOWED) == (channel in SAID_BY_THE_HUB), outcome


@pytest.mark.parametrize("topic", OTHER_TOPICS)
def test_the_hub_writes_on_no_other_topic(hub: Visitor, topic: str) -> None:
    assert hub.outcome(topic, b"of the hub") == "Not authorized"


def test_the_hub_hears_what_sites_say_and_nothing_else(broker: SecureBroker, ydes: Visitor, hub: Visitor) -> None:
    hub.listen(["#"])
    for channel in sorted(SAID_BY_SITES):
        assert ydes.outcome(topic_for("ydes", channel), b"of ydes") == "Success"
    for channel in sorted(SAID_BY_THE_HUB):
        hub.outcome(topic_for("ydes", channel), b"of the hub")
    hub.outcome(hub_topic(0), b"a hub")
    last = Visitor(broker, "murat")
    last.outcome(topic_for("murat", "status"), b"the last")
    eventually(lambda: b"the last" in {message.payload for message in hub.heard}, what="the last")
    heard = {message.topic for message in hub.heard if message.payload == b"of ydes"}
    assert heard == {topic_for("ydes", channel) for channel in SAID_BY_SITES}
    # What it says of itself to every site is readable by everybody, the hub included.
    assert {message.payload for message in hub.heard} == {b"of ydes", b"the last", b"a hub"}
    last.leave()


@pytest.mark.parametrize("name", ["+", "#", "ydes/up", " ", "Hub", "ydes ", "é"])
def test_a_certificate_with_a_strange_name_opens_nothing_of_a_site(broker: SecureBroker, name: str) -> None:
    # No authority should issue one; if it does, a pattern in a name matches no other site's topics.
    broker.authority.client(name, "strange")
    stranger = Visitor(broker, "strange")
    eventually(lambda: stranger.accepted or stranger.lost, what="an answer")
    if stranger.accepted:
        stranger.listen(["#"])
        for channel in CHANNELS:
            assert stranger.outcome(topic_for("ydes", channel), b"not mine") == "Not authorized"
        hub = Visitor(broker, "hub")
        for channel in sorted(SAID_BY_THE_HUB):
            hub.outcome(topic_for("ydes", channel), SEALED)
        assert stranger.outcome(topic_for("murat", "up"), b"not mine") == "Not authorized"
        assert SEALED not in {message.payload for message in stranger.heard}
        hub.leave()
    stranger.leave()


def test_a_client_id_ends_no_other_site_s_connection(broker: SecureBroker, ydes: Visitor) -> None:
    eventually(lambda: ydes.accepted, what="accepted")
    impostor = Visitor(broker, "murat", client_id="ydes")
    assert impostor.outcome(topic_for("murat", "up"), b"mine") in ALLOWED
    assert ydes.outcome(topic_for("ydes", "up"), b"still here") in ALLOWED
    assert ydes.lost == ""
    impostor.leave()


def test_the_access_list_names_every_channel_of_the_contract_and_no_others() -> None:
    text = (Path(__file__).parents[2] / "firmware_config" / "mosquitto" / "acl").read_text(encoding="utf-8")
    lines = [line.split() for line in text.splitlines() if line and not line.startswith("#")]
    own = {(kind[1], kind[2].removeprefix("tc/v1/+/%u/")) for kind in lines if "%u" in kind[-1]}
    assert own == {("write", name) for name in SAID_BY_SITES} | {("read", name) for name in SAID_BY_THE_HUB}
    hub = {(kind[1], kind[2].removeprefix("tc/v1/+/+/")) for kind in lines if kind[0] == "topic" and "+/+" in kind[-1]}
    assert hub == {("read", name) for name in SAID_BY_SITES} | {("write", name) for name in SAID_BY_THE_HUB}
