"""Asking for figures, as docs/figures.md says: its example, and a period that is not wholly between `from` and `to`."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI

from hub.live import LiveBoard
from tests.support.entries import ADA, put_taps
from tests.support.telecentres import MIDNIGHT_MS, MINUTE_MS, cantal
from tests.support.web import app_on, ask

HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS
PAGES = Path(__file__).parents[3] / "docs"
DESKS = 6
OPEN_HOURS = {12: 11, 13: 11, 14: 3, 16: 11, 17: 11}
"""Of Murat, by day of November 2026: 11 November is a holiday, 15 November a Sunday."""


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FastAPI]:
    """Saturday 21 November, in the evening; Ada was let in at Murat on each of the last twenty-one days."""
    now_ms = MIDNIGHT_MS + 20 * HOUR_MS
    store = cantal(Path(tmp_path_factory.mktemp("hub")), now_ms=now_ms)
    days_ms = [MIDNIGHT_MS - days * DAY_MS for days in range(20, -1, -1)]
    put_taps(
        store,
        "murat",
        [(day_ms + 9 * HOUR_MS, ADA, "GRANTED") for day_ms in days_ms],
        until=MIDNIGHT_MS + 10 * HOUR_MS,
    )
    yield app_on(store, LiveBoard(), now_ms=now_ms)
    store.close()


def periods(app: FastAPI, subject: str, step: str, first: str, last: str) -> list[tuple[str, str, int]]:
    """Return the first and the last day of each period that is answered, and its available hours or its count."""
    answer = ask(app, f"/api/v1/{subject}", {"site": "murat", "step": step, "from": first, "to": last})
    assert answer.status_code == 200, answer.text
    return [(one["start"][:10], one["end"][:10], amount(one)) for one in answer.json()["figures"]]


def amount(figure: dict[str, Any]) -> int:
    """Return the open hours of one desk, or how often somebody came in."""
    told = figure | figure.get("values", {})
    count: int | None = told.get("visits", told.get("granted"))
    return told["available_ms"] // (DESKS * HOUR_MS) if count is None else count


@pytest.mark.parametrize("subject", ["occupancy", "indicators"])
def test_a_week_of_time_is_cut_to_the_days_that_begin_within_and_keeps_its_bounds(app: FastAPI, subject: str) -> None:
    assert periods(app, subject, "week", "2026-11-11", "2026-11-18") == [
        ("2026-11-09", "2026-11-16", OPEN_HOURS[12] + OPEN_HOURS[13] + OPEN_HOURS[14]),
        ("2026-11-16", "2026-11-23", OPEN_HOURS[16] + OPEN_HOURS[17]),
    ]
    within = sum(OPEN_HOURS.values())
    for step, first, after in (("month", "2026-11-01", "2026-12-01"), ("quarter", "2026-10-01", "2027-01-01")):
        assert periods(app, subject, step, "2026-11-11", "2026-11-18") == [(first, after, within)]


@pytest.mark.parametrize("subject", ["visits", "doors"])
def test_a_week_of_persons_or_doors_is_whole_if_it_begins_within_and_else_left_out(app: FastAPI, subject: str) -> None:
    assert periods(app, subject, "week", "2026-11-09", "2026-11-10") == [("2026-11-09", "2026-11-16", 7)]
    assert periods(app, subject, "week", "2026-11-10", "2026-11-17") == [("2026-11-16", "2026-11-23", 6)]
    assert periods(app, subject, "month", "2026-11-02", "2026-11-21") == []


@pytest.mark.parametrize("subject", ["occupancy", "indicators", "visits", "doors"])
def test_a_day_is_answered_whole_if_it_begins_within_and_else_left_out(app: FastAPI, subject: str) -> None:
    found = periods(app, subject, "day", "2026-11-11T10:30:00+01:00", "2026-11-12T10:30:00+01:00")
    assert [(first, last) for first, last, _ in found] == [("2026-11-12", "2026-11-13")]
    assert found[0][2] in (1, OPEN_HOURS[12])


def test_every_address_that_a_page_asks_with_curl_is_answered(app: FastAPI) -> None:
    pages = {page.name: page.read_text(encoding="utf-8") for page in PAGES.glob("*.md")}
    asked = [
        (name, address) for name, text in pages.items() for address in re.findall(r"curl '?http://[^/]+([^'\s]+)", text)
    ]
    assert "figures.md" in {name for name, _ in asked}
    assert {address: ask(app, address).status_code for _, address in asked} == {address: 200 for _, address in asked}
