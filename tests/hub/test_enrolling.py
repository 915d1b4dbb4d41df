"""Enrolments at the hub: what is sent, what comes into the register, and what is said to who asked."""

import secrets
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from contract.commands import CancelEnrolment, Command, EnrolSecured, EnrolUid, decode_command
from contract.events import Enrolment, EnrolmentEnded, EnrolmentOutcome, encode
from contract.messages import BatchHeader
from contract.sealing import public_key_of, unseal
from hub.__main__ import main
from hub.badge_keys import badge_key
from hub.config import IssuingSettings
from hub.enrolling import Enrolments
from hub.enrolment import OUTCOMES, Enrolling, sentence
from hub.keys import make_keys, read_keys
from hub.passes import PassError, Person, Terms, read_moment
from hub.receiver import Batch
from hub.store.enrolments import Wish, ask, cancel, forget, read
from hub.store.issues import put_site_key
from hub.store.pass_changes import add_member, add_pass, end_pass
from hub.store.passes import read_register
from tests.support.bench import eventually
from tests.support.telecentres import NOON_MS, cantal

PRIVATE_KEY = bytes(range(32))
MINUTE_MS = 60_000


class Air:
    """The line to the broker: keeps what was published, and may be away."""

    def __init__(self) -> None:
        self.sealed: list[tuple[str, bytes]] = []
        self.number = 1

    def connection(self) -> int:
        return self.number

    def publish_sealed(self, channel: str, site: str, sealed: bytes) -> object:
        assert channel == "cmd"
        self.sealed.append((site, sealed))
        return object()


class Hub:
    """A hub that enrols, on a clock of ours, and what murat hears of it."""

    def __init__(self, folder: Path) -> None:
        self.store, self.air, self.now_ms = cantal(folder), Air(), NOON_MS
        self.heard, self.crashes, self._seq = {"murat"}, list[BaseException](), 0
        self.settings = IssuingSettings(signing_key_file=folder / "signing.key", master_key_file=folder / "master.key")
        make_keys(self.settings, secrets.token_bytes)
        with self.store.changed() as connection:
            put_site_key(connection, "murat", public_key_of(PRIVATE_KEY).hex(), NOON_MS)
            member = add_member(connection, None, Person("Ada Canary"), NOON_MS, secrets.token_bytes)
            terms = Terms("visitor", read_moment("2026-01-01"))
            self.pass_id = add_pass(connection, member, terms, NOON_MS, secrets.token_bytes)
        self.start()

    def start(self) -> None:
        self.enrolments = Enrolments(
            self.settings,
            self.store,
            self.air,
            lambda site: site in self.heard,
            now_ms=lambda: self.now_ms,
            token=secrets.token_bytes,
            on_crash=self.crashes.append,
        )
        self.enrolments.start()

    def stop(self) -> None:
        self.enrolments.stop(20)
        assert self.crashes == []

    def ask(self, *, uid: bool = False, resume: bool = False) -> Enrolling:
        wish = Wish(self.pass_id, "murat", "reader-01", uid=uid, resume=resume)
        with self.store.changed() as connection:
            return ask(connection, wish, self.now_ms, secrets.token_bytes)

    def now(self, one: Enrolling) -> Enrolling:
        with self.store.seen() as connection:
            found = read(connection, one.site, one.command)
        assert found is not None
        return found

    def commands(self) -> list[Command]:
        verify_key = bytes.fromhex(read_keys(self.settings).verify_key)
        keys = {"verify_key": verify_key, "private_key": PRIVATE_KEY}
        return [
            decode_command(unseal("command", site, sealed, **keys, max_bytes=4_096, max_body=4_096))
            for site, sealed in self.air.sealed
        ]

    def says(self, one: Enrolling, outcome: EnrolmentOutcome, *, reader: str = "reader-01") -> None:
        """Let the telecentre's history bring the end of a command."""
        value = Enrolment(command=one.command, outcome=outcome)
        event = EnrolmentEnded(subject=reader, value=value, t=self.now_ms, clock="synced", up=1)
        self._seq += 1
        header = BatchHeader(site="murat", stream="5" * 32, boot="b" * 32, first=self._seq, n=1, sent_at=self.now_ms)
        writer = self.store.writer()
        with writer.transaction():
            writer.receive(Batch(header, [encode(event)]), self.now_ms)
        writer.close()

    def labels(self) -> list[str]:
        with self.store.seen() as connection:
            return [badge.label for badge in read_register(connection).badges]

    def sent(self, one: Enrolling) -> Enrolling:
        assert eventually(lambda: one.command in {command.id for command in self.commands()})
        return self.now(one)

    def ended(self, one: Enrolling) -> Enrolling:
        assert eventually(lambda: self.now(one).outcome is not None)
        return self.now(one)


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Hub]:
    made = Hub(tmp_path)
    yield made
    made.stop()
    made.store.close()


def test_a_badge_comes_into_the_register_when_it_is_made_and_not_before(hub: Hub) -> None:
    one = hub.sent(hub.ask())
    (command,) = hub.commands()
    assert isinstance(command.order, EnrolSecured)
    assert (command.order.badge, command.order.resume) == (one.badge, False)
    master = bytes.fromhex((hub.settings.master_key_file or Path()).read_text())
    assert command.order.key == badge_key(master, bytes.fromhex(one.badge or ""), "cantal").hex()
    assert command.expires_at - command.issued_at == 30_000
    assert hub.labels() == []
    hub.says(one, "done")
    assert [hub.ended(one).label] == hub.labels()
    assert sentence(hub.now(one)) == f"Badge {hub.labels()[0]}."


def test_a_badge_of_the_uid_class_has_the_credential_that_the_site_keeps(hub: Hub) -> None:
    one = hub.sent(hub.ask(uid=True))
    (command,) = hub.commands()
    assert isinstance(command.order, EnrolUid)
    hub.says(one, "done")
    hub.ended(one)
    with hub.store.seen() as connection:
        (badge,) = read_register(connection).badges
    assert (badge.credential, badge.site, badge.badge) == (command.order.credential, "murat", None)


@pytest.mark.parametrize("outcome", [one for one in OUTCOMES if one not in ("done", "unreached")])
def test_any_other_end_leaves_the_register_as_it_was(hub: Hub, outcome: EnrolmentOutcome) -> None:
    one = hub.sent(hub.ask())
    hub.says(one, outcome)
    assert hub.ended(one).outcome == outcome
    assert hub.labels() == []


def test_a_card_in_doubt_is_finished_with_the_same_badge_and_key(hub: Hub) -> None:
    one = hub.sent(hub.ask())
    hub.says(one, "failed")
    hub.ended(one)
    again = hub.sent(hub.ask(resume=True))
    first, second = (command.order for command in hub.commands())
    assert isinstance(first, EnrolSecured)
    assert second == first.model_copy(update={"resume": True})
    hub.says(again, "done")
    assert hub.ended(again).label is not None
    with pytest.raises(PassError, match="no card of this pass is in doubt"):
        hub.ask(resume=True)


def test_what_was_never_answered_is_in_doubt_and_a_late_answer_still_counts(hub: Hub) -> None:
    one = hub.sent(hub.ask())
    hub.now_ms += 5 * MINUTE_MS
    again = hub.ask(resume=True)
    assert again.badge == one.badge
    hub.stop()
    hub.says(one, "done")
    hub.start()
    assert hub.ended(one).label is not None
    hub.says(again, "done")
    # Both commands were about one badge, which is in the register once.
    assert eventually(lambda: hub.now(again).outcome is not None)
    assert len(hub.labels()) == 1


def test_a_telecentre_that_is_not_heard_is_sent_nothing(hub: Hub) -> None:
    hub.heard.clear()
    one = hub.ask()
    hub.now_ms += 10_000
    assert (hub.ended(one).outcome, hub.air.sealed) == ("unreached", [])


def test_a_telecentre_that_comes_back_within_seconds_is_sent_its_command(hub: Hub) -> None:
    hub.heard.clear()
    one = hub.ask()
    hub.heard.add("murat")
    assert hub.sent(one).outcome is None


def test_a_hub_without_its_broker_gives_up_soon_and_sends_nothing_later(hub: Hub) -> None:
    hub.air.number = 0
    one = hub.ask()
    hub.now_ms += 10_000
    assert hub.ended(one).outcome == "unreached"
    hub.air.number = 2
    assert hub.air.sealed == []


def test_a_command_is_sent_once_whatever_becomes_of_the_hub(hub: Hub) -> None:
    one = hub.sent(hub.ask())
    hub.stop()
    hub.start()
    hub.says(one, "nobody_came")
    hub.ended(one)
    assert len(hub.air.sealed) == 1


def test_who_cancels_has_the_reader_asked_to_stop(hub: Hub) -> None:
    one = hub.sent(hub.ask())
    with hub.store.changed() as connection:
        cancel(connection, one, hub.now_ms)
    assert eventually(lambda: len(hub.air.sealed) == 2)
    assert hub.commands()[1].order == CancelEnrolment(reader="reader-01")
    hub.says(one, "cancelled")
    assert hub.ended(one).outcome == "cancelled"


def test_a_reader_has_one_enrolment_at_a_time(hub: Hub) -> None:
    hub.ask()
    with pytest.raises(PassError, match="waits for another badge"):
        hub.ask()


def test_the_end_that_another_reader_tells_is_not_believed(hub: Hub) -> None:
    one = hub.sent(hub.ask())
    hub.says(one, "done", reader="reader-02")
    hub.says(one, "nobody_came")
    assert hub.ended(one).outcome == "nobody_came"


def test_a_badge_whose_pass_was_ended_meanwhile_is_none_and_its_id_is_told(hub: Hub) -> None:
    one = hub.sent(hub.ask())
    with hub.store.changed() as connection:
        end_pass(connection, hub.pass_id, hub.now_ms)
    hub.says(one, "done")
    ended = hub.ended(one)
    assert (ended.label, hub.labels()) == (None, [])
    assert f"--badge-id {one.badge}" in sentence(ended)


def test_an_enrolment_is_forgotten_after_ninety_days(hub: Hub) -> None:
    one = hub.sent(hub.ask())
    hub.says(one, "nobody_came")
    hub.ended(one)
    with hub.store.changed() as connection:
        forget(connection, hub.now_ms + 91 * 86_400_000)
        assert read(connection, one.site, one.command) is None


@pytest.mark.parametrize("uid", [False, True])
def test_every_end_has_its_sentence_and_its_remedy(uid: bool) -> None:
    one = Enrolling(
        "murat", "0" * 32, "reader-01", "8d3h5w1ny6rt", "k7q2m9x4", None if uid else "ab" * 16, False, 60, 0
    )
    for outcome in (*OUTCOMES, None):
        for label in ("K7-Q2M", None):
            said = sentence(replace(one, outcome=outcome, label=label))
            assert said.endswith(".")
            assert "{" not in said


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["NOPASS", "--site", "murat", "--reader", "reader-01"], "pass"),
        (["PASS", "--site", "nowhere", "--reader", "reader-01"], "not in the register"),
        (["PASS", "--site", "mauriac", "--reader", "reader-01"], "has no key of 'mauriac'"),
        (["PASS", "--site", "murat", "--reader", "reader-01", "--resume"], "no card of this pass is in doubt"),
        (["PASS", "--site", "murat", "--reader", "reader-01", "--resume", "--uid"], "--resume is of a secured badge"),
    ],
)
def test_what_cannot_be_enrolled_is_refused_in_one_sentence(
    hub: Hub, tmp_path: Path, words: list[str], said: str
) -> None:
    toml = tmp_path / "hub.toml"
    toml.write_text(
        f'[database]\nfile = "{hub.store.file}"\n[issuing]\nsigning_key_file = "signing.key"\n'
        'master_key_file = "master.key"\n'
    )
    words = [hub.pass_id if word == "PASS" else word for word in words]
    result = CliRunner().invoke(main, ["badge", "enrol", *words, "--config", str(toml)])
    assert result.exit_code in (1, 2)
    assert said in result.output
    assert "Traceback" not in result.output
