"""What docs/scaling.md says of each table is what the migrations made, on PostgreSQL itself."""

import re
from contextlib import closing
from pathlib import Path

from hub.store import Store
from hub.store.schema import statements
from tests.support.postgres import Postgres

PAGE = Path(__file__).parents[2] / "docs" / "scaling.md"

TABLES = """
    select table_name from information_schema.tables where table_schema = 'public' and table_type = 'BASE TABLE'
"""
KEYS = """
    select t.relname, a.attname from pg_index as i
    join pg_class as t on t.oid = i.indrelid
    join pg_namespace as n on n.oid = t.relnamespace and n.nspname = 'public'
    join pg_attribute as a on a.attrelid = t.oid and a.attnum = i.indkey[0]
    where i.indisprimary
"""
SITES = "select table_name from information_schema.columns where table_schema = 'public' and column_name = 'site'"
FOREIGN_KEYS = "select count(*) from pg_constraint where contype = 'f'"


NAMED = re.compile(r"`(\w+)\.sql: (\w+)`")
BY_SITE = re.compile(r"\bsite = :site\b")


def distribution() -> dict[str, str]:
    """Return what the page says of each table."""
    return dict(re.findall(r"^\| `(\w+)` \| (site|everywhere) \|", PAGE.read_text(encoding="utf-8"), re.MULTILINE))


def test_every_table_has_its_distribution_and_what_is_spread_is_keyed_by_site(
    postgres: Postgres, tmp_path: Path
) -> None:
    with closing(Store(postgres.database(tmp_path))) as store, store.seen() as connection:
        tables = {name for (name,) in connection.execute(TABLES)}
        keys = dict(connection.execute(KEYS).fetchall())
        with_site = {name for (name,) in connection.execute(SITES)}
        assert connection.execute(FOREIGN_KEYS).fetchone()[0] == 0
    assert set(distribution()) == tables
    for table, where in distribution().items():
        if where == "site":
            assert table in with_site, table
            assert keys.get(table, "site") == "site", table
        else:
            assert keys[table] != "site", table


def test_the_statements_that_reach_across_sites_are_there_and_do() -> None:
    named = set(NAMED.findall(PAGE.read_text(encoding="utf-8")))
    assert len(named) > 10
    spread = {table for table, where in distribution().items() if where == "site"}
    for file, name in sorted(named):
        statement = statements(file)[name]
        assert spread & set(re.findall(r"\w+", statement)), name
        assert BY_SITE.search(statement) is None, name


def test_what_the_ingest_asks_of_all_sites_is_named() -> None:
    """Statements by which events are stored and figures computed: those that name no site are on the page."""
    spread = {table for table, where in distribution().items() if where == "site"}
    named = set(NAMED.findall(PAGE.read_text(encoding="utf-8")))
    for file in ("history", "timeline", "usage", "bookings", "doors"):
        for name, statement in statements(file).items():
            tables = re.findall(r"\b(?:from|join|into|update)\s+(\w+)", statement)
            by_site = statement.startswith("insert into") or re.search(r"\bsite = (?::site|\?)", statement)
            assert by_site or (file, name) in named or not spread.intersection(tables), (file, name)
