"""The same history gives the same bytes on SQLite and on PostgreSQL: what the API answers, and what is published."""

from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from random import Random

import pytest
from click.testing import CliRunner

from hub.__main__ import main
from hub.app import create_app
from hub.config import DatabaseSettings, HubSettings, read_settings
from hub.live import LiveBoard
from hub.store import Store
from hub.store.engine import engine_of
from tests.support.comings import settle
from tests.support.entries import Tap, put_taps
from tests.support.postgres import Postgres
from tests.support.telecentres import CANTAL, HEALTHY, MINUTE_MS, Change, put_bookings, put_history
from tests.support.web import ask

DAY_MS = 24 * 60 * MINUTE_MS
FIRST_MS = int(datetime(2025, 9, 30, 22, tzinfo=UTC).timestamp()) * 1000
"""Local midnight of the first of October: a month with a day of 25 hours."""
LAST_MS = FIRST_MS + 31 * DAY_MS + 60 * MINUTE_MS
USED = {"aurillac": 8, "saint-flour": 5, "murat": 3, "mauriac": 4}

pytestmark = pytest.mark.timeout(600)
"""A month is told to a server on a machine that has other work: thousands of statements, each answered."""

OCTOBER = {"from": "2025-10-01", "to": "2025-11-01"}
QUESTIONS: list[tuple[str, dict[str, str]]] = [
    ("occupancy", {"site": "murat", "step": "hour", "by": "resource"}),
    ("occupancy", {"step": "week"}),
    ("indicators", {"site": "aurillac", "step": "hour"}),
    ("indicators", {"step": "day", "by": "site"}),
    ("indicators", {"zone": "massif-central", "step": "week"}),
    ("indicators", {"zone": "reseau:cantal", "step": "month", "kind": "room"}),
    ("indicators", {"site": "murat", "step": "quarter", "by": "resource"}),
    ("visits", {"zone": "est-cantal", "step": "day"}),
    ("visits", {"step": "week"}),
    ("doors", {"step": "day"}),
    ("doors", {"site": "murat", "step": "hour"}),
]


def put_october(store: Store) -> None:
    """Store a month of four telecentres, the same in whatever store: desks, a booked room, badges and alarms."""
    for site, used in USED.items():
        random = Random(f"october {site}")
        told: list[Change] = [(FIRST_MS, f"desk-{n:02d}", "vacant") for n in range(1, used + 1)]
        taps: list[Tap] = []
        for day in (0, 1, 2, 5, 6, 7, 8, 26):
            for n in range(1, used + 1):
                begin = FIRST_MS + day * DAY_MS + random.randrange(400, 800) * MINUTE_MS
                end = begin + random.randrange(300) * MINUTE_MS
                told += [
                    (begin, f"desk-{n:02d}", "occupied"),
                    (end, f"desk-{n:02d}", "unknown" if random.random() < 0.2 else "vacant"),
                ]
                badge = f"b{random.randrange(4 * used):07d}"
                taps.append((begin, badge, "GRANTED" if random.random() < 0.9 else "DENIED_OUT_OF_TIME_RANGE"))
        put_history(store, site, sorted(told), until=LAST_MS)
        put_taps(store, site, sorted(taps), until=LAST_MS, alarms=((FIRST_MS + DAY_MS, "FORCED_OPEN"),))
    put_bookings(store, "murat", [(FIRST_MS + 36 * 60 * MINUTE_MS, "room-01", "no_show")])
    with closing(store.writer()) as writer:
        settle(writer)


@pytest.fixture(scope="module")
def hubs(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Give the settings of two hubs that heard the same, on SQLite and on PostgreSQL."""
    folders = [tmp_path_factory.mktemp(engine) for engine in ("sqlite", "postgres")]
    name = postgres.database(folders[1]).address.name
    url = f"postgresql://telecentre@127.0.0.1:{postgres.port}/{name}"
    databases = ('file = "hub.db"', f'url = "{url}"\nerasures_file = "hub.erasures"')
    files = [folder / "hub.toml" for folder in folders]
    for file, database in zip(files, databases, strict=True):
        file.write_text(f"[database]\n{database}\n[broker]\nembedded = true\n", encoding="utf-8")
        assert CliRunner().invoke(main, ["site", "import", str(CANTAL), "--config", str(file)]).exit_code == 0
        with closing(Store(engine_of(read_settings(file).database))) as store:
            put_october(store)
    return files


@pytest.mark.parametrize("shape", ["json", "csv"])
def test_every_answer_has_the_same_bytes_on_both_engines(hubs: list[Path], tmp_path: Path, shape: str) -> None:
    settings = HubSettings(database=DatabaseSettings(file=tmp_path / "hub.db"))
    answers = []
    for file in hubs:
        with closing(Store(engine_of(read_settings(file).database))) as store:
            app = create_app(settings, store, LiveBoard(), lambda: HEALTHY, now_ms=lambda: LAST_MS)
            answers.append(
                [ask(app, f"/api/v1/{what}", {**OCTOBER, **asked, "format": shape}) for what, asked in QUESTIONS]
            )
    for (what, asked), sqlite, server in zip(QUESTIONS, *answers, strict=True):
        assert sqlite.status_code == server.status_code == 200, (what, asked, sqlite.text)
        assert sqlite.content == server.content, (what, asked)
        assert len(sqlite.content) > len(b'{"figures":[]}') * 10, (what, asked)


@pytest.mark.parametrize("audience", ["public", "agreement"])
def test_a_release_has_the_same_bytes_on_both_engines(hubs: list[Path], tmp_path: Path, audience: str) -> None:
    written = []
    for number, file in enumerate(hubs):
        folder = tmp_path / str(number)
        asked = ["export", "--month", "2025-10", "--to", str(folder), "--audience", audience, "--config", str(file)]
        done = CliRunner().invoke(main, asked)
        assert done.exit_code == 0, done.output
        written.append({one.name: one.read_bytes() for one in folder.iterdir()})
    assert written[0] == written[1]
    assert written[0].keys() >= {"indicateurs.csv", "telecentres.csv", "METHODE.md", "SHA256SUMS"}
