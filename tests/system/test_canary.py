"""A badge's number and key are nowhere: a whole demo at its most talkative, and then everything that it left behind.

The number is known beforehand, since the cards follow from the seed. Keys lie in `badges.toml`, which stands for the
cards themselves, and in the key files; nowhere else.
"""

import base64
import json
import tomllib
from collections.abc import Iterator
from pathlib import Path

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from host.crashes import NO_CORE_BYTES
from simulators.badges import badges_of
from simulators.badges_file import read_secrets
from simulators.folder import Folder
from simulators.network import packaged_network
from tests.support.canary import Search, everything_in, forms_of
from tests.support.demo import RunningDemo, until

SITES = packaged_network().sites[:2]
SEED = 7
TAPS = ("louis", "lost", "expired", "unknown", "blank", "tag", "classic", "phone")
KEY_FILES = ("hub/signing.key", "hub/badge-master.key", "site.key", "rights.key")

Said = list[tuple[str, bytes]]


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[RunningDemo]:
    running = RunningDemo.start(tmp_path, "--sites", "2", "--seed", str(SEED), "--log-level", "debug")
    try:
        yield running
    finally:
        running.give_up()


def _listening(demo: RunningDemo, said: Said) -> mqtt.Client:
    """Subscribe to everything, as soon as there is a broker."""
    hub_toml = demo.state / "hub.toml"
    until(hub_toml.exists, within_s=30, what="the hub's settings")
    broker = tomllib.loads(hub_toml.read_text(encoding="utf-8"))["broker"]
    client = mqtt.Client(CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv5)

    def subscribe(*_: object) -> None:
        client.subscribe("#", qos=1)

    client.on_connect = subscribe
    client.on_message = lambda _, __, message: said.append((message.topic, bytes(message.payload)))
    client.reconnect_delay_set(1, 1)
    client.connect_async(broker["host"], broker["port"])
    client.loop_start()
    return client


def _use_every_card(demo: RunningDemo) -> None:
    site = SITES[0].id
    until(lambda: demo.sim("tap", site).returncode == 0, within_s=60, what="the door opens")
    for name in TAPS:
        assert demo.sim("tap", site, "--badge", name).returncode == (0 if name == "louis" else 1), name
    assert demo.sim("tap", site, "--clone").returncode == 1
    assert demo.sim("unplug", site, "reader").returncode == 0
    assert demo.sim("plug", site, "reader").returncode == 0
    until(lambda: demo.sim("tap", site).returncode == 0, within_s=60, what="the door opens again")


def _leaves_no_core(demo: RunningDemo, program: str, word: str) -> bool:
    (process, *_) = demo.processes(program, word)
    limits = Path(f"/proc/{process.pid}/limits").read_text(encoding="ascii")
    [line] = [line for line in limits.splitlines() if line.startswith("Max core file size")]
    return line.split()[4:6] == [str(NO_CORE_BYTES)] * 2


def test_no_number_and_no_key_of_a_badge_is_in_any_file_log_row_or_message_of_a_run(
    demo: RunningDemo,
) -> None:
    said: Said = []
    listener = _listening(demo, said)
    try:
        demo.comes_up()
        _use_every_card(demo)
        assert _leaves_no_core(demo, "telecentre-hub", "serve")
        assert _leaves_no_core(demo, "telecentre-edge", f"/{SITES[0].id}/")
        assert json.loads(demo.stop())["equal"] is True, demo.said()
    finally:
        listener.loop_stop()
    folder = Folder(demo.state)
    numbers = {
        f"{site.id} {badge.name}": badge.uid
        for site in SITES
        for badge in badges_of(site.id, site.desks, SEED).values()
        if badge.uid
    }
    keys = {
        f"the key of {site} {name}": secret.key
        for site, badges in read_secrets(folder.badges).items()
        for name, secret in badges.items()
    }
    files = [path for path in folder.root.rglob("*.key") if path.is_file()]
    assert {path.name for path in files} == {Path(name).name for name in KEY_FILES}
    secrets = {f"{path.relative_to(folder.root)}": bytes.fromhex(path.read_text(encoding="ascii")) for path in files}
    left = [*everything_in(demo.state), ("output", demo.said().encode()), *said]
    assert {"up", "now", "status", "rights", "hello"} <= {topic.rpartition("/")[2] for topic, _ in said}
    logs = b"".join(content for where, content in left if where.startswith("log/"))
    assert b"DEBUG " in logs, "this was the most talkative run"
    assert b" nfc" not in logs
    number, key, secret = Search(numbers), Search(keys), Search(secrets)
    where_numbers = {where: number.found_in(content) for where, content in left}
    assert not {where: found for where, found in where_numbers.items() if found}
    where_keys = {where for where, content in left if key.found_in(content)}
    assert where_keys == {"badges.toml"}
    where_secrets = {where: secret.found_in(content) for where, content in left}
    assert {where: found for where, found in where_secrets.items() if found} == {name: {name} for name in secrets}


@pytest.mark.parametrize(
    "uid", [bytes.fromhex("04a1b2c3d4e5f6"), bytes.fromhex("04a1b2c3")], ids=["7 bytes", "4 bytes"]
)
def test_the_search_finds_a_number_in_whatever_form_it_is_written(tmp_path: Path, uid: bytes) -> None:
    search = Search({"canary": uid})
    forms = forms_of(uid)
    written = {uid.hex(), uid.hex(":"), uid[::-1].hex(), base64.b64encode(uid).decode().rstrip("=").lower()}
    assert {each.encode() for each in written} <= forms
    for form in forms:
        for content in (form, form.upper(), b"before " + form + b" after"):
            assert search.found_in(content) == {"canary"}, form
    (tmp_path / "file").write_bytes(b"x" + uid.hex().encode())
    assert [search.found_in(content) for _, content in everything_in(tmp_path)] == [{"canary"}]
    assert search.found_in(b"0123456789abcdef" * 100) == set()
