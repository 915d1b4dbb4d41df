"""A copy of a running hub, and the way back: what is kept, what is told, and what is refused."""

import json
import sqlite3
import stat
from contextlib import closing
from pathlib import Path

import pytest

from contract.messages import Held, Hello
from hub.store import Store, StoreDownError
from hub.store.backup import BackupError, back_up, restore
from hub.store.issues import held_since, resume
from hub.store.lock import claimed
from tests.hub.test_hub_cli import config, imported, run
from tests.hub.test_receiver import NOW, STREAM, access, batch, desk
from tests.support.telecentres import cantal

__all__ = ["config"]  # fixtures

DAY_MS = 86_400_000


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A hub's database with two events, one of which names a credential."""
    store = cantal(tmp_path, now_ms=NOW)
    writer = store.writer()
    with writer.transaction():
        writer.receive(batch(access(), desk(), persons={1: "k7q2m9x4"}), NOW)
        writer.settle_sites({"murat"})
    writer.close()
    store.close()
    return tmp_path / "hub.db"


def events(file: Path) -> int:
    store = Store(file)
    try:
        return store.totals().events
    finally:
        store.close()


def add_one(file: Path) -> None:
    writer = Store(file).writer()
    with writer.transaction():
        writer.receive(batch(desk(), first=3), NOW)
    writer.close()


def test_a_copy_is_whole_private_and_one_file(file: Path, tmp_path: Path) -> None:
    copy = back_up(file, tmp_path / "copy.db", NOW)
    assert (copy.events, copy.size_bytes) == (2, (tmp_path / "copy.db").stat().st_size)
    assert stat.S_IMODE((tmp_path / "copy.db").stat().st_mode) == 0o600
    assert sorted(path.name for path in tmp_path.iterdir()) == ["copy.db", "hub.db"]


def test_a_copy_is_made_while_the_hub_writes(file: Path, tmp_path: Path) -> None:
    with claimed(file), closing(sqlite3.connect(file, isolation_level=None)) as hub:
        hub.execute("begin immediate")
        hub.execute("delete from event")
        back_up(file, tmp_path / "copy.db", NOW)
        hub.execute("commit")
    with closing(sqlite3.connect(tmp_path / "copy.db")) as copy:
        assert copy.execute("select count(*) from event").fetchone() == (2,)


def test_a_copy_never_overwrites(file: Path, tmp_path: Path) -> None:
    (tmp_path / "copy.db").write_text("precious")
    with pytest.raises(BackupError, match="is there already"):
        back_up(file, tmp_path / "copy.db", NOW)
    assert (tmp_path / "copy.db").read_text() == "precious"


def test_a_copy_of_nothing_makes_no_database(tmp_path: Path) -> None:
    with pytest.raises(BackupError, match="no database to copy"):
        back_up(tmp_path / "hub.db", tmp_path / "copy.db", NOW)
    assert list(tmp_path.iterdir()) == []


def test_a_copy_that_cannot_be_written_leaves_nothing(file: Path, tmp_path: Path) -> None:
    with pytest.raises(BackupError, match="cannot be written"):
        back_up(file, tmp_path / "nowhere" / "copy.db", NOW)
    assert [path.name for path in tmp_path.iterdir()] == ["hub.db"]


def test_a_damaged_database_gives_no_copy(file: Path, tmp_path: Path) -> None:
    content = bytearray(file.read_bytes())
    content[8_192:24_576] = bytes(16_384)
    file.write_bytes(content)
    with pytest.raises(BackupError, match="damaged"):
        back_up(file, tmp_path / "copy.db", NOW)
    assert [path.name for path in tmp_path.iterdir() if "copy" in path.name] == []


def test_a_restore_brings_the_copy_back_and_keeps_what_was_there(file: Path, tmp_path: Path) -> None:
    back_up(file, tmp_path / "copy.db", NOW)
    add_one(file)
    done = restore(file, tmp_path / "copy.db", NOW + 5_000)
    assert (done.events, events(file)) == (2, 2)
    assert done.aside is not None
    assert events(done.aside) == 3
    assert restore(file, tmp_path / "copy.db", NOW + 6_000).events == 2, "a copy can be restored again"


def test_a_restore_is_a_row_that_everybody_who_reads_the_database_sees(file: Path, tmp_path: Path) -> None:
    back_up(file, tmp_path / "copy.db", NOW)
    restore(file, tmp_path / "copy.db", NOW + 5_000)
    store = Store(file)
    (row,) = store.totals().restores
    assert (row.backup_at_ms, row.restored_at_ms, row.events) == (NOW, NOW + 5_000, 2)
    assert store.recorded().restores == (row,)
    store.close()


def test_a_restore_holds_the_lists_although_somebody_resumed_by_a_clock_that_was_ahead(
    file: Path, tmp_path: Path
) -> None:
    store = Store(file)
    with store.changed() as connection:
        resume(connection, NOW + 10 * 365 * DAY_MS)
    store.close()
    back_up(file, tmp_path / "copy.db", NOW)
    restore(file, tmp_path / "copy.db", NOW + 5_000)
    store = Store(file)
    with store.changed() as connection:
        assert held_since(connection) is not None
        resume(connection, NOW + 6_000)
        assert held_since(connection) is None
    store.close()


def test_a_restored_hub_answers_what_the_copy_has(file: Path, tmp_path: Path) -> None:
    back_up(file, tmp_path / "copy.db", NOW)
    add_one(file)
    restore(file, tmp_path / "copy.db", NOW)
    writer = Store(file).writer()
    with writer.transaction():
        (ack,) = writer.greet(
            Hello(site="murat", hello_id="0" * 16, streams=[Held(stream=STREAM, first=1, last=3)]), NOW
        )
    writer.close()
    assert ack.seq == 2


def test_who_badged_more_than_90_days_ago_does_not_come_back(file: Path, tmp_path: Path) -> None:
    back_up(file, tmp_path / "copy.db", NOW)
    done = restore(file, tmp_path / "copy.db", NOW + 91 * DAY_MS)
    assert done.forgotten == 1
    assert b"k7q2m9x4" not in file.read_bytes(), "not even in a page that is free again"


def test_a_database_that_is_gone_or_damaged_can_be_restored(file: Path, tmp_path: Path) -> None:
    back_up(file, tmp_path / "copy.db", NOW)
    file.unlink()
    assert restore(file, tmp_path / "copy.db", NOW).aside is None
    file.write_bytes(b"what the disk left of it" * 500)
    file.with_name("hub.db-wal").write_bytes(b"and of its journal")
    aside = restore(file, tmp_path / "copy.db", NOW + 1_000).aside
    assert aside is not None
    assert aside.read_bytes().startswith(b"what the disk left")
    assert aside.with_name(aside.name + "-wal").read_bytes() == b"and of its journal"
    assert events(file) == 2


def test_what_a_killed_hub_left_in_its_journal_is_kept_aside_too(file: Path, tmp_path: Path) -> None:
    back_up(file, tmp_path / "copy.db", NOW)
    (tmp_path / "killed").mkdir()
    writer = Store(file).writer()
    with writer.transaction():
        writer.receive(batch(desk(), first=3), NOW)
    for name in ("hub.db", "hub.db-wal"):  # as a power cut leaves them
        (tmp_path / "killed" / name).write_bytes((tmp_path / name).read_bytes())
    writer.close()
    aside = restore(tmp_path / "killed" / "hub.db", tmp_path / "copy.db", NOW).aside
    assert aside is not None
    assert (events(aside), events(tmp_path / "killed" / "hub.db")) == (3, 2)


def refused(file: Path, source: Path) -> str:
    """Return why a restore is refused; the database is as it was, and nothing is left behind."""
    before = {path.name: path.read_bytes() for path in file.parent.iterdir() if path.name != "hub.db.lock"}
    with pytest.raises((BackupError, StoreDownError)) as error:
        restore(file, source, NOW)
    after = {path.name: path.read_bytes() for path in file.parent.iterdir() if path.name != "hub.db.lock"}
    assert before == after
    return str(error.value)


def test_a_restore_refuses_what_is_no_sound_copy(file: Path, tmp_path: Path) -> None:
    back_up(file, tmp_path / "copy.db", NOW)
    content = bytearray((tmp_path / "copy.db").read_bytes())
    (tmp_path / "text.db").write_text("no database at all, and long enough to be looked at" * 20)
    (tmp_path / "cut.db").write_bytes(content[: len(content) // 2])
    with closing(sqlite3.connect(tmp_path / "other.db")) as other:
        other.execute("create table anything (x)")
    with (
        closing(sqlite3.connect(tmp_path / "newer.db")) as newer,
        closing(sqlite3.connect(tmp_path / "copy.db")) as copy,
    ):
        copy.backup(newer)
        newer.execute("insert into migration values (9999, 'later')")
        newer.commit()
    assert "no such file" in refused(file, tmp_path / "nothing.db")
    assert "no database" in refused(file, tmp_path / "text.db")
    assert "damaged" in refused(file, tmp_path / "cut.db")
    assert "not the database of a hub" in refused(file, tmp_path / "other.db")
    assert "newer hub" in refused(file, tmp_path / "newer.db")
    assert "not made by" in refused(file, file)


def test_a_restore_refuses_while_a_hub_runs_or_a_command_writes(file: Path, tmp_path: Path) -> None:
    back_up(file, tmp_path / "copy.db", NOW)
    with claimed(file):
        assert "in use by a hub: stop it first" in refused(file, tmp_path / "copy.db")
    with closing(sqlite3.connect(file)) as command:
        command.execute("pragma journal_mode = wal")
        command.execute("select count(*) from event").fetchone()
        with pytest.raises(BackupError, match="a command has it open"):
            restore(file, tmp_path / "copy.db", NOW)
    assert events(file) == 2


def test_the_commands_say_what_they_did(config: Path, tmp_path: Path) -> None:
    imported(config).close()
    copy = tmp_path / "copy.db"
    assert "0 events" in run("backup", copy, "--config", config).output
    assert run("backup", copy, "--config", config).exit_code == 1
    told = json.loads(run("restore", copy, "--config", config, "--json").output)
    assert (told["events"], told["forgotten"]) == (0, 0)
    assert Path(told["aside"]).is_file()
    assert "Start the hub" in run("restore", copy, "--config", config).output
    assert len(json.loads(run("status", "--config", config, "--json").output)["restores"]) == 1
    assert "restored" in run("status", "--config", config).output
    missing = run("restore", tmp_path / "nothing.db", "--config", config)
    assert (missing.exit_code, len(missing.output.strip().splitlines())) == (1, 1)


def test_a_second_hub_on_the_same_database_says_so_in_one_line(config: Path) -> None:
    with claimed(config.parent / "hub.db"):
        second = run("serve", "--config", config)
    assert second.exit_code == 1
    assert "is in use by a hub: stop it first" in second.output
