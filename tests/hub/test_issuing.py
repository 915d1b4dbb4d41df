"""Issuing lists of rights: through a real broker to a telecentre that opens them with its own key."""

import secrets
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from contract.limits import MAX_RIGHTS_BYTES
from contract.rights import FreeAccess, RightsList, decode_rights
from contract.sealing import public_key_of, unseal
from contract.topics import topic_for
from hub.config import BrokerSettings, IssuingSettings
from hub.ingest import Ingest
from hub.issuing import Issuing
from hub.keys import make_keys, read_keys
from hub.live import LiveBoard
from hub.passes import NewBadge, Person, Terms, read_moment
from hub.store import Store
from hub.store.connection import transaction
from hub.store.issues import has_leapt, put_site_key, read_issued, resume
from hub.store.pass_changes import add_badge, add_free_access, add_member, add_pass, change_badge
from hub.store.sqlite import connect
from tests.support.brokers import RunningBroker, broker
from tests.support.leaving import leave
from tests.support.telecentres import NOON_MS, cantal
from tests.support.waiting import eventually

__all__ = ["broker"]

HOUR_MS = 3_600_000


class Telecentre:
    """A telecentre that hears its lists and opens them with its own key."""

    def __init__(self, port: int, site: str, verify_key: str) -> None:
        self.private_key = secrets.token_bytes(32)
        self.public_key = public_key_of(self.private_key).hex()
        self.sealed: list[bytes] = []
        self._site = site
        self._verify_key = bytes.fromhex(verify_key)
        self._lock = threading.Lock()
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id="edge-murat", protocol=mqtt.MQTTv5)
        self._client.reconnect_delay_set(1, 1)
        self._client.on_connect = lambda client, *_: client.subscribe(topic_for(site, "rights"), qos=1)
        self._client.on_message = self._heard
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()

    def _heard(self, _: mqtt.Client, __: object, message: mqtt.MQTTMessage) -> None:
        with self._lock:
            self.sealed.append(bytes(message.payload))

    def last(self) -> RightsList | None:
        with self._lock:
            sealed = self.sealed[-1] if self.sealed else None
        if sealed is None:
            return None
        keys = {"verify_key": self._verify_key, "private_key": self.private_key}
        return decode_rights(unseal("rights", self._site, sealed, **keys, max_bytes=MAX_RIGHTS_BYTES, max_body=2**24))

    def states(self) -> list[str]:
        last = self.last()
        return [] if last is None else [badge.state for badge in last.badges]

    def stop(self) -> None:
        leave(self._client)


class Bench:
    """A hub that issues lists, on a clock of ours, and the telecentre of Murat."""

    def __init__(self, running: RunningBroker, folder: Path) -> None:
        self.broker = running
        self.store = cantal(folder)
        self.now_ms = NOON_MS
        self.crashes: list[BaseException] = []
        self.settings = IssuingSettings(signing_key_file=folder / "signing.key", master_key_file=folder / "master.key")
        make_keys(self.settings, secrets.token_bytes)
        self.board = LiveBoard(self.store.sites())
        self.murat = Telecentre(running.port, "murat", read_keys(self.settings).verify_key)
        self.start()

    def start(self) -> None:
        settings = BrokerSettings(port=self.broker.port)
        crash = self.crashes.append
        self.ingest = Ingest(
            settings, self.store, self.board, now_ms=self._now, new_id=lambda: uuid4().hex, on_crash=crash
        )
        self.issuing = Issuing(
            self.settings,
            self.store,
            self.ingest,
            self.board,
            now_ms=self._now,
            token=secrets.token_bytes,
            on_crash=crash,
        )
        self.ingest.start()
        self.issuing.start()

    def _now(self) -> int:
        return self.now_ms

    def enrol(self, key: str | None = None) -> None:
        with self.store.changed() as connection:
            put_site_key(connection, "murat", key or self.murat.public_key, self.now_ms)

    def badge(self) -> str:
        with self.store.changed() as connection:
            member = add_member(connection, None, Person("Ada Canary"), self.now_ms, secrets.token_bytes)
            terms = Terms("visitor", read_moment("2026-01-01"))
            made = add_pass(connection, member, terms, self.now_ms, secrets.token_bytes)
            return add_badge(connection, made, NewBadge(), self.now_ms, secrets.token_bytes).label

    def lose(self, label: str) -> None:
        with self.store.changed() as connection:
            change_badge(connection, label, self.now_ms, state="lost")

    def rights(self) -> tuple[int | None, bool, bool]:
        """Return what the board says of Murat: for how long a revoked badge could open, too large, held."""
        (murat,) = (site for site in self.board.snapshot(self.now_ms)["sites"] if site["site_id"] == "murat")
        return murat["rights"]["may_open_s"], murat["rights"]["is_too_large"], murat["rights"]["is_held"]

    def has_leapt(self) -> bool:
        """Return whether the board says that the hub's clock is doubted."""
        (murat,) = (site for site in self.board.snapshot(self.now_ms)["sites"] if site["site_id"] == "murat")
        return murat["rights"]["has_leapt"]

    def stop(self) -> None:
        self.issuing.stop(20)
        self.ingest.stop(20)


@pytest.fixture
def bench(broker: RunningBroker, tmp_path: Path) -> Iterator[Bench]:
    made = Bench(broker, tmp_path)
    yield made
    made.stop()
    made.murat.stop()
    made.store.close()
    assert made.crashes == []


def heard(bench: Bench, *states: str) -> Callable[[], bool]:
    return lambda: bench.murat.states() == list(states)


def test_a_telecentre_with_a_key_gets_its_list_and_a_revocation_within_five_seconds(bench: Bench) -> None:
    bench.enrol()
    label = bench.badge()
    eventually(heard(bench, "active"), what="the badge is listed")
    bench.lose(label)
    eventually(heard(bench, "lost"), what="the revocation has come", within_s=5)
    last = bench.murat.last()
    assert last is not None
    assert last.badges[0].key is None
    assert last.expires_at - last.issued_at == 168 * HOUR_MS
    assert b"Canary" not in b"".join(bench.murat.sealed)


def test_a_broker_that_forgot_everything_gets_the_same_bytes_again(bench: Bench) -> None:
    bench.enrol()
    eventually(lambda: bench.murat.sealed, what="the first list")
    before = bench.murat.sealed[-1]
    bench.broker.kill()
    bench.murat.sealed.clear()
    bench.broker.start()
    eventually(lambda: bench.murat.sealed, what="the list again")
    assert set(bench.murat.sealed) == {before}


def test_a_hub_that_starts_again_gives_the_same_list_and_then_a_later_version(bench: Bench) -> None:
    bench.enrol()
    eventually(lambda: bench.murat.sealed, what="the first list")
    first = bench.murat.last()
    bench.stop()
    bench.now_ms -= 10 * HOUR_MS  # its clock came back wrong
    bench.start()
    bench.badge()
    eventually(heard(bench, "active"), what="a list after the start")
    last = bench.murat.last()
    assert first is not None
    assert last is not None
    assert last.version > first.version


def test_a_list_is_renewed_after_a_day_although_nothing_changed(bench: Bench) -> None:
    bench.enrol()
    eventually(bench.murat.last, what="the first list")
    bench.stop()
    bench.now_ms += 24 * HOUR_MS
    bench.start()

    def renewed() -> bool:
        last = bench.murat.last()
        return last is not None and last.issued_at == NOON_MS + 24 * HOUR_MS

    eventually(renewed, what="the renewed list")


def test_another_key_of_the_site_gets_a_list_sealed_to_it(bench: Bench) -> None:
    bench.enrol(key=public_key_of(secrets.token_bytes(32)).hex())
    eventually(lambda: bench.murat.sealed, what="a list that it cannot open")
    bench.murat.sealed.clear()
    bench.enrol()
    eventually(lambda: bench.murat.sealed, what="a list for the new key")
    assert bench.murat.last() is not None


def test_a_list_that_would_be_too_large_leaves_the_last_one_and_is_told(bench: Bench) -> None:
    bench.enrol()
    label = bench.badge()
    eventually(heard(bench, "active"), what="the first list")
    with bench.store.changed() as connection:
        for n in range(201):
            event = FreeAccess(door="door-01", start=NOON_MS + n, end=NOON_MS + HOUR_MS)
            add_free_access(connection, "murat", event, NOON_MS)
    eventually(lambda: bench.rights()[1], what="the board says so")
    bench.lose(label)
    eventually(lambda: bench.rights()[0] is None, what="the board knows of no bound for a site that is not heard")
    assert bench.murat.states() == ["active"]


def test_after_a_restore_nothing_is_issued_until_somebody_has_looked(bench: Bench) -> None:
    bench.enrol()
    bench.badge()
    eventually(heard(bench, "active"), what="the first list")
    bench.stop()
    put_restore(bench.store, bench.now_ms + 1)
    bench.now_ms += 2
    bench.start()
    eventually(lambda: bench.rights()[2], what="the board says that lists are held")
    bench.lose(bench.badge())
    with bench.store.seen() as connection:
        (held,) = read_issued(connection)
    assert held.issued_at_ms == NOON_MS
    with bench.store.changed() as connection:
        resume(connection, bench.now_ms)
    eventually(lambda: sorted(bench.murat.states()) == ["active", "lost"], what="lists again")
    last = bench.murat.last()
    assert last is not None
    assert last.issued_at == bench.now_ms


def test_a_clock_that_leapt_signs_nothing_until_it_is_right_again_or_somebody_says_it_is(bench: Bench) -> None:
    bench.enrol()
    bench.badge()
    eventually(heard(bench, "active"), what="the first list")
    first = bench.murat.last()
    assert first is not None
    bench.now_ms += 10 * 365 * 24 * HOUR_MS
    bench.badge()
    eventually(bench.has_leapt, what="the board says that the clock is doubted")
    assert bench.murat.last() == first
    bench.now_ms = NOON_MS + 1
    bench.badge()
    eventually(lambda: len(bench.murat.states()) == 3, what="a list by the clock that is right again")
    eventually(lambda: not bench.has_leapt(), what="the board doubts no more")
    bench.now_ms += 49 * HOUR_MS
    bench.badge()
    eventually(bench.has_leapt, what="a hub that was off for long is doubted too")
    with bench.store.changed() as connection:
        resume(connection, bench.now_ms)
    eventually(lambda: len(bench.murat.states()) == 4, what="lists again")
    last = bench.murat.last()
    assert last is not None
    assert last.issued_at == bench.now_ms


def test_a_telecentre_that_is_heard_proves_the_time(bench: Bench) -> None:
    bench.enrol()
    eventually(bench.murat.last, what="the first list")
    now_ms = NOON_MS + 49 * HOUR_MS
    with bench.store.seen() as connection:
        assert has_leapt(connection, now_ms)
    with bench.store.changed() as connection:
        connection.execute(
            "insert into stream (site, stream, position, events, quarantined, received_at, folded, heard_ms)"
            " values ('murat', 's', 1, 1, 0, 0, 1, ?)",
            (now_ms - HOUR_MS,),
        )
        assert not has_leapt(connection, now_ms)
        assert has_leapt(connection, now_ms + 48 * HOUR_MS)


def put_restore(store: Store, at_ms: int) -> None:
    connection = connect(store.file, writes=True)
    with transaction(connection):
        connection.execute("insert into restored (restored_at, backup_at, events) values (?, ?, 0)", (at_ms, at_ms - 1))
    connection.close()
