"""Telecentres whose October 2025 a hub heard, and the export of that month as its user runs it."""

import csv
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from click.testing import CliRunner, Result

from hub.__main__ import main
from hub.release import FIGURE_COLUMNS
from hub.store import Store
from tests.support.telecentres import CANTAL, Change, put_history

HOUR_MS = 3_600_000
FIRST_MS = int(datetime(2025, 9, 30, 22, tzinfo=UTC).timestamp()) * 1000
"""Local midnight of the first of October."""

OF_MONTH = ("2025-10", "temps_occupe", "poste")
"""Period, indicator and subject of the time of desks."""


def heard(folder: Path, sites: Sequence[tuple[str, int]]) -> Path:
    """Make a hub that heard these telecentres, each with so many desks in use; return its folder."""
    file = folder / "hub.toml"
    file.write_text('[database]\nfile = "hub.db"\n[broker]\nembedded = true\n', encoding="utf-8")
    assert run("site", "import", CANTAL, "--config", file).exit_code == 0
    for site, used in sites:
        hear(file, site, used)
    return folder


def hear(config: Path, site: str, used: int) -> None:
    """Let a hub hear a telecentre's October."""
    with closing(Store(config.parent / "hub.db")) as store:
        put_history(store, site, october(store, site, used), until=FIRST_MS + 31 * 24 * HOUR_MS)
        settle(store)


def settle(store: Store) -> None:
    """Compute what is pending, as the running hub does."""
    writer = store.writer()
    try:
        pending = True
        while pending:
            with writer.transaction():
                pending = writer.settle_slice()
    finally:
        writer.close()


def october(store: Store, site: str, used: int) -> list[Change]:
    """Return a month in which so many desks are used from 9 to 17 on eight days."""
    (known,) = [it for it in store.sites() if it.id == site]
    names = [desk.id for desk in known.desks]
    changes: list[Change] = [(FIRST_MS, name, "vacant") for name in names]
    for day in (0, 1, 2, 5, 6, 7, 8, 9):
        for name in names[:used]:
            changes.append((FIRST_MS + (24 * day + 9) * HOUR_MS, name, "occupied"))
            changes.append((FIRST_MS + (24 * day + 17) * HOUR_MS, name, "vacant"))
    return sorted(changes)


def run(*arguments: str | Path) -> Result:
    """Run `telecentre-hub`."""
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def export(config: Path, folder: Path, *more: str) -> Result:
    """Export October 2025."""
    return run("export", "--month", "2025-10", "--to", folder, "--config", config, *more)


def table(file: Path) -> list[dict[str, str]]:
    """Return the rows of a file of a release."""
    with file.open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines, delimiter=";"))


def desks_of_the_month(folder: Path, indicator: str) -> dict[str, dict[str, str]]:
    """Return what is told of the desks of each place in the whole month."""
    rows = table(folder / "indicateurs.csv")
    wanted = {"periode": "2025-10", "indicateur": indicator, "ventilation": "poste"}
    return {row[FIGURE_COLUMNS[0]]: row for row in rows if wanted.items() <= row.items()}


def figures(folder: Path) -> dict[tuple[str, ...], dict[str, str]]:
    """Return the rows of a release by place, period, indicator and subject."""
    rows = table(folder / "indicateurs.csv")
    return {(row[FIGURE_COLUMNS[0]], row["periode"], row["indicateur"], row["ventilation"]): row for row in rows}
