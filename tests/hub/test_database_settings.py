"""Where the database is: a file or a server; no password in the settings, nothing in plain to another machine."""

from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner

from host.settings import SettingsError
from hub.__main__ import main
from hub.config import read_settings
from hub.store import Store, StoreDownError
from hub.store.backup import BackupError, note_restored
from hub.store.engine import engine_of
from hub.store.issues import held_since
from hub.store.marks import translate
from hub.store.postgres import Address, PostgresServer
from tests.hub.test_receiver import NOW, access, batch
from tests.support.postgres import Postgres
from tests.support.telecentres import cantal

LEDGER = 'erasures_file = "hub.erasures"'


def settings_of(folder: Path, *lines: str) -> Path:
    file = folder / "hub.toml"
    file.write_text("\n".join(["[database]", *lines]) + "\n", encoding="utf-8")
    return file


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ([], "either file (SQLite) or url (PostgreSQL)"),
        (['file = "hub.db"', 'url = "postgresql:///t?host=/run"', LEDGER], "either file (SQLite) or url (PostgreSQL)"),
        (['file = "hub.db"', LEDGER], "go with a url"),
        (['url = "postgresql://localhost/t"'], "erasures_file says where"),
        (['url = "postgresql://me:hush@localhost/t"', LEDGER], "no password belongs into the settings"),
        (['url = "postgresql://localhost/t?password=hush"', LEDGER], "no password belongs into the settings"),
        (['url = "postgresql://db.example.org/t"', LEDGER], "set ca_file"),
        (['url = "mysql://localhost/t"', LEDGER], "an address is postgresql://"),
        (['url = "postgresql://localhost"', LEDGER], "an address is postgresql://"),
        (['url = "postgresql://localhost:port/t"', LEDGER], "an address is postgresql://"),
        (['url = "postgresql://localhost/t?sslmode=disable"', LEDGER], "an address is postgresql://"),
        (['url = "postgresql://localhost/t?host=/run"', LEDGER], "an address is postgresql://"),
    ],
)
def test_an_address_that_cannot_be_used_is_refused_in_one_sentence(tmp_path: Path, lines: list[str], said: str) -> None:
    with pytest.raises(SettingsError) as refused:
        read_settings(settings_of(tmp_path, *lines))
    assert said in str(refused.value)
    assert "hush" not in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("url", "host", "port"),
    [
        ("postgresql://hub@localhost:6432/t", "localhost", 6432),
        ("postgresql://hub@[::1]/t", "::1", 5432),
        ("postgresql://hub@/t?host=/var/run/postgresql", "/var/run/postgresql", 5432),
    ],
)
def test_the_password_comes_from_a_file_of_its_own_and_is_never_shown(
    tmp_path: Path, url: str, host: str, port: int
) -> None:
    (tmp_path / "word").write_text("hush\n", encoding="utf-8")
    config = settings_of(tmp_path, f'url = "{url}"', LEDGER, 'password_file = "word"')
    engine = engine_of(read_settings(config).database)
    assert isinstance(engine, PostgresServer)
    assert engine.address == Address(host, port, "t", "hub", "hush")
    assert engine.ledger == tmp_path / "hub.erasures"
    assert "hush" not in repr(engine.address)


def test_a_server_on_another_machine_is_reached_by_tls_with_its_authority(tmp_path: Path) -> None:
    config = settings_of(tmp_path, 'url = "postgresql://hub@db.example.org/t"', LEDGER, 'ca_file = "ca.pem"')
    engine = engine_of(read_settings(config).database)
    assert isinstance(engine, PostgresServer)
    assert engine.address.ca_file == tmp_path / "ca.pem"


def test_a_server_without_tls_is_refused_where_an_authority_is_named(postgres: Postgres, tmp_path: Path) -> None:
    plain = postgres.database(tmp_path, over_tcp=True).address
    address = Address(plain.host, plain.port, plain.name, plain.user, ca_file=tmp_path / "ca.pem")
    with pytest.raises(StoreDownError, match=r"ca\.pem|SSL"):
        PostgresServer(address, tmp_path / "hub.erasures").reader()


def test_a_database_that_sorts_by_code_points_is_taken(postgres: Postgres, tmp_path: Path) -> None:
    postgres.run("create database sorts template template0 encoding UTF8 locale 'C.UTF-8'", "postgres")
    Store(postgres.named("sorts", tmp_path)).close()


def test_a_database_in_another_order_or_encoding_is_refused(postgres: Postgres, tmp_path: Path) -> None:
    postgres.run("create database latin template template0 encoding LATIN1 locale 'C'", "postgres")
    with pytest.raises(StoreDownError, match=r"sorts by C in LATIN1: make the database with createdb"):
        Store(postgres.named("latin", tmp_path))


def test_a_server_that_is_not_there_is_said_in_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(StoreDownError) as refused:
        Store(PostgresServer(Address(str(tmp_path), 5432, "t"), tmp_path / "hub.erasures"))
    assert "\n" not in str(refused.value)


def test_a_copy_of_a_server_is_made_by_its_own_tools(tmp_path: Path) -> None:
    config = settings_of(tmp_path, 'url = "postgresql://hub@localhost/t"', LEDGER)
    for command in ("backup", "restore"):
        refused = CliRunner().invoke(main, [command, str(tmp_path / "copy.db"), "--config", str(config)])
        assert refused.exit_code == 1
        assert "pg_dump" in refused.output
        assert len(refused.output.strip().splitlines()) == 1


def test_a_way_back_is_noted_and_forgets_again_whom_the_ledger_names(postgres: Postgres, tmp_path: Path) -> None:
    server = postgres.database(tmp_path)
    with closing(cantal(server, now_ms=NOW)) as store:
        with closing(store.writer()) as writer, writer.transaction():
            writer.receive(batch(access(), access(), persons={1: "k7q2m9x4", 2: "p3w8n5t6"}), NOW)
        store.erase("k7q2m9x4", "asked")
        with store.changed() as connection:
            connection.execute("delete from erasure")  # a copy of before knows nothing of it
            connection.execute("update journal set person = 'k7q2m9x4'")
        done = note_restored(server, NOW - 3_600_000, NOW + 1)
        assert (done.events, done.erasures, done.erased) == (2, 1, 1)
        assert [row.backup_at_ms for row in store.totals().restores] == [NOW - 3_600_000]
        with store.seen() as connection:
            assert held_since(connection) == NOW + 1, "no list is issued until somebody has looked"
        with pytest.raises(BackupError, match="later than now"):
            note_restored(server, NOW + 2, NOW)


def test_a_file_notes_its_way_back_by_itself(tmp_path: Path) -> None:
    config = settings_of(tmp_path, 'file = "hub.db"')
    for moment, code in (("2026-11-20T03:00+01:00", 1), ("2026-11-20T03:00", 1), ("yesterday", 1)):
        done = CliRunner().invoke(main, ["restored", "--copy-of", moment, "--config", str(config)])
        assert done.exit_code == code
        assert "brings it back" in done.output


def test_names_and_marks_of_a_statement_become_those_of_psycopg() -> None:
    statement = "select a, '%' from t where b = :b and c = ? and d = :b_2 /*lock for update*/"
    assert translate(statement) == b"select a, '%%' from t where b = %(b)s and c = %s and d = %(b_2)s for update"
