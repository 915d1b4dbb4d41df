"""A credential is forgotten: at once, in what comes later, and again when an older database is put back."""

import json
import stat
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from hub.store import Store, StoreDownError
from hub.store.backup import BackupError, back_up, restore
from hub.store.connection import Engine
from hub.store.erasures import MAX_ERASURES, ErasureError, ledger_of, read
from tests.hub.test_hub_cli import config, imported, run
from tests.hub.test_receiver import NOW, access, batch, desk
from tests.support.telecentres import cantal, store_in

__all__ = ["config"]  # fixtures

GONE, OTHER = "k7q2m9x4", "p3w8n5t6"
MINUTE_MS = 60_000


@pytest.fixture
def store(home: Path | Engine) -> Iterator[Store]:
    """A hub to which one credential came twice, and another once."""
    store = _heard(home)
    yield store
    store.close()


@pytest.fixture
def in_file(tmp_path: Path) -> Iterator[Store]:
    """The same, in a file."""
    store = _heard(tmp_path)
    yield store
    store.close()


def _heard(home: Path | Engine) -> Store:
    store = cantal(home, now_ms=NOW)
    receive(store, [access(), access(), access(), desk()], persons={1: GONE, 2: OTHER, 3: GONE})
    return store


def receive(
    store: Store, lines: list[bytes], *, first: int = 1, persons: dict[int, str] | None = None, at_ms: int = NOW
) -> None:
    writer = store.writer()
    with writer.transaction():
        writer.receive(batch(*lines, first=first, persons=persons), at_ms)
    writer.close()


def at(t: int, clock: str = "synced") -> bytes:
    event = {**json.loads(access()), "t": t, "clock": clock}
    return json.dumps(event).encode()


def named(store: Store) -> int:
    return store.totals().journal


def test_an_erased_credential_is_in_the_journal_no_more_and_its_events_stay(store: Store) -> None:
    assert store.erase(GONE, "asked on 21 November") == 2
    assert (named(store), store.totals().events) == (1, 4)


def test_an_erased_credential_is_no_longer_in_the_file(in_file: Store) -> None:
    in_file.erase(GONE, "asked on 21 November")
    in_file.close()
    assert GONE.encode() not in in_file.file.read_bytes()
    assert OTHER.encode() in in_file.file.read_bytes()


def test_the_ledger_stands_beside_the_database_ours_alone_and_names_nobody(store: Store) -> None:
    store.erase(GONE, "asked on 21 November")
    ledger = store.engine.ledger
    assert stat.S_IMODE(ledger.stat().st_mode) == 0o600
    (erasure,) = read(ledger)
    assert (erasure.at, erasure.reason, erasure.count) == (NOW, "asked on 21 November", 2)
    assert GONE not in ledger.read_text()


def test_what_a_site_still_sends_of_before_the_erasure_names_nobody(store: Store) -> None:
    store.erase(GONE, "asked")
    later = NOW + 60 * MINUTE_MS
    lines = [at(NOW - MINUTE_MS), at(NOW), at(NOW + 6 * MINUTE_MS), at(0, "unsynced"), at(NOW)]
    receive(store, lines, first=5, persons={5: GONE, 6: GONE, 7: GONE, 8: GONE, 9: OTHER}, at_ms=later)
    assert named(store) == 3, "the other one twice, and the one of after the erasure"
    assert store.totals().events == 9


def test_an_edge_whose_clock_is_some_minutes_ahead_does_not_bring_a_person_back(store: Store) -> None:
    store.erase(GONE, "asked")
    receive(store, [at(NOW + 4 * MINUTE_MS)], first=5, persons={5: GONE}, at_ms=NOW + 10 * MINUTE_MS)
    assert named(store) == 1


def test_a_restore_replays_the_erasures_that_its_copy_does_not_know(in_file: Store, tmp_path: Path) -> None:
    store = in_file
    back_up(store.file, tmp_path / "copy.db", NOW)
    store.erase(GONE, "asked")
    store.close()
    done = restore(store.file, tmp_path / "copy.db", NOW + MINUTE_MS)
    assert (done.erasures, done.erased) == (1, 2)
    assert GONE.encode() not in store.file.read_bytes(), "not even in a page that is free again"
    after = Store(store.file, now_ms=lambda: NOW)
    receive(after, [at(NOW - MINUTE_MS)], first=5, persons={5: GONE}, at_ms=NOW + 9 * MINUTE_MS)
    assert named(after) == 1, "and a site that sends its day again does not undo it"


def test_a_copy_put_back_by_hand_is_told_at_the_start_of_the_hub(in_file: Store, tmp_path: Path) -> None:
    store = in_file
    back_up(store.file, tmp_path / "copy.db", NOW)
    store.erase(GONE, "asked")
    store.close()
    (tmp_path / "copy.db").replace(store.file)
    for ending in ("-wal", "-shm"):
        store.file.with_name(store.file.name + ending).unlink(missing_ok=True)
    by_hand = Store(store.file)
    assert named(by_hand) == 3
    by_hand.writer().close()
    assert named(by_hand) == 1


def test_a_later_erasure_reaches_further_and_an_earlier_one_not_less_far(home: Path | Engine) -> None:
    for at_ms in (NOW, NOW + 60 * MINUTE_MS, NOW - 60 * MINUTE_MS):
        with closing(cantal(home, now_ms=at_ms)) as store:
            store.erase(GONE, "asked")
    store = store_in(home)
    receive(store, [at(NOW + 59 * MINUTE_MS)], persons={1: GONE}, at_ms=NOW + 90 * MINUTE_MS)
    assert named(store) == 0
    store.close()


def test_what_a_power_cut_left_of_a_line_is_not_a_line(store: Store) -> None:
    store.erase(GONE, "asked")
    ledger = store.engine.ledger
    ledger.write_bytes(ledger.read_bytes() + b'{"at":17952')
    store.erase(OTHER, "asked too")
    assert [erasure.reason for erasure in read(ledger)] == ["asked", "asked too"]


def test_a_damaged_ledger_stops_what_would_bring_somebody_back(in_file: Store, tmp_path: Path) -> None:
    store = in_file
    back_up(store.file, tmp_path / "copy.db", NOW)
    store.erase(GONE, "asked")
    ledger = ledger_of(store.file)
    ledger.write_bytes(b"\x00" + ledger.read_bytes())
    for refused, error in (
        (lambda: restore(store.file, tmp_path / "copy.db", NOW), BackupError),
        (lambda: store.erase(OTHER, "asked"), ErasureError),
        (store.writer, StoreDownError),
    ):
        with pytest.raises(error, match="line 1 is damaged: put back the copy"):
            refused()
    assert named(store) == 1, "nothing was changed"


def test_a_full_ledger_refuses_and_nothing_is_changed(store: Store) -> None:
    store.erase(GONE, "asked")
    ledger = store.engine.ledger
    ledger.write_bytes(ledger.read_bytes() * MAX_ERASURES)
    with pytest.raises(ErasureError, match="full"):
        store.erase(OTHER, "asked")
    assert named(store) == 1


def test_the_command_says_how_many_and_takes_no_nonsense(config: Path) -> None:
    store = imported(config)
    receive(store, [access()], persons={1: GONE})
    first = run("erase", GONE, "--reason", "asked", "--config", config)
    assert first.exit_code == 0
    assert first.output.startswith("1 access events no longer name this credential.")
    assert GONE not in first.output
    again = run("erase", GONE, "--reason", "asked", "--config", config, "--json")
    assert (again.exit_code, json.loads(again.output)) == (0, {"erased": 0})
    for arguments in (
        ["NOT AN ID", "--reason", "asked"],
        [GONE, "--reason", " "],
        [GONE, "--reason", f"of {GONE}"],
        [GONE, "--reason", "x" * 201],
        [GONE],
    ):
        assert run("erase", *arguments, "--config", config).exit_code == 2
    assert len(read(ledger_of(store.file))) == 2
    ledger_of(store.file).write_bytes(b"\n")
    damaged = run("erase", GONE, "--reason", "asked", "--config", config)
    assert (damaged.exit_code, len(damaged.output.strip().splitlines())) == (1, 1)
