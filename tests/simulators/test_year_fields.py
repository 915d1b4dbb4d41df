"""Every figure that the API gives is compared by the year: the fields of its answers and the columns of its files."""

from datetime import timedelta
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import Any

import pytest

import hub.routes
from hub.routes import doors, indicators, occupancy, visits
from hub.routes.doors import DoorAnswer
from hub.routes.indicators import IndicatorAnswer
from hub.routes.occupancy import FigureAnswer
from hub.routes.visits import VisitAnswer
from simulators.network import packaged_network
from simulators.year_ask import ask_occupancy, compare_rows
from simulators.year_ask_csv import DOORS, INDICATORS, OCCUPANCY, VISITS, ask_csv
from simulators.year_ask_indicators import When, ask_indicators
from simulators.year_ask_persons import ask_doors, ask_visits
from simulators.year_hub import PlayedHub
from simulators.year_tally import Tally
from simulators.year_world import make_world
from tests.support.year_outbox import TUESDAY, alive, at, badge, state, stream, truth

DAYS = (TUESDAY, TUESDAY + timedelta(days=1))
FOUND_BY = {"start"}
"""What a row is found by is compared by that; a row that is only here or there is a difference."""

ANSWERS = {
    "occupancy": set(FigureAnswer.model_fields),
    "indicators": (set(IndicatorAnswer.model_fields) - {"values"})
    | {name if name != "peak_at_ms" else "peak_at" for name in indicators.CSV_NAMES},
    "visits": set(VisitAnswer.model_fields),
    "doors": set(DoorAnswer.model_fields),
}
"""The fields of a figure by question; `values` has the indicators by name."""

FILES = {
    "occupancy": (OCCUPANCY, occupancy.CSV_HEADER),
    "indicators": (INDICATORS, indicators.CSV_HEADER),
    "visits": (VISITS, visits.CSV_HEADER),
    "doors": (DOORS, doors.CSV_HEADER),
}

NOT_FIGURES = {
    "/api/v1/alarms": "what needs a person now",
    "/api/v1/decisions": "events, one by one",
    "/api/v1/live": "what is true now",
    "/api/v1/live/stream": "the same, again and again",
    "/api/v1/sites": "the register; what it says bears on every figure",
    "/api/v1/sites/{site_id}/devices": "what devices said last",
}
"""What the year does not ask, and why."""


class SilentHub(PlayedHub):
    """A hub that answers every question with nothing, so that all that would be compared is missing."""

    def ask(self, path: str, **_: str) -> dict[str, Any] | None:
        """Return an answer without figures."""
        self.asked.add(path)
        return {"figures": []}

    def ask_text(self, path: str, **_: str) -> str:
        """Return an empty file."""
        self.asked.add(path)
        return ""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, at("23:59"))
        self.asked: set[str] = set()


@pytest.fixture(scope="module")
def compared(tmp_path_factory: pytest.TempPathFactory) -> tuple[Tally, SilentHub]:
    """What is compared of telecentres in which something of everything happened on one day."""
    silent, tally = SilentHub(tmp_path_factory.mktemp("silent")), Tally()
    said = stream(
        state("08:00", "desk-01", "vacant"),
        badge("08:05", "a"),
        badge("08:06", None, "DENIED_UNKNOWN_CREDENTIAL"),
        state("08:10", "desk-01", "occupied"),
        state("08:20", "room-01", "occupied"),
        alive("12:00"),
    )
    world = make_world(packaged_network(), 7, TUESDAY)
    truths = [truth(said, place=place) for place in world.telecentres]
    ask_occupancy(silent, truths, DAYS, tally)
    ask_visits(silent, world, truths, DAYS, tally)
    ask_doors(silent, world, truths, DAYS, tally)
    ask_indicators(silent, world, truths, When(DAYS, DAYS, DAYS), tally)
    ask_csv(silent, DAYS, tally)
    return tally, silent


@pytest.mark.parametrize("question", ANSWERS)
def test_every_field_of_an_answer_is_compared(compared: tuple[Tally, SilentHub], question: str) -> None:
    names = {name for what, name in compared[0].compared if what.split()[0] == question}
    assert names | FOUND_BY == ANSWERS[question]


@pytest.mark.parametrize("what", FILES)
def test_every_column_of_a_file_is_compared(what: str) -> None:
    columns, header = FILES[what]
    assert set(columns) == set(header)
    assert set(columns.values()) - {"kind"} <= ANSWERS[what]


def test_every_question_about_figures_is_asked(compared: tuple[Tally, SilentHub]) -> None:
    modules = [import_module(f"hub.routes.{module.name}") for module in iter_modules(hub.routes.__path__)]
    routes = [route for module in modules if hasattr(module, "router") for route in module.router.routes]
    paths = {route.path for route in routes if route.path.startswith("/api/v1/")}
    assert paths - NOT_FIGURES.keys() == compared[1].asked
    assert paths >= NOT_FIGURES.keys()


def test_a_field_that_the_truth_does_not_have_is_a_difference() -> None:
    tally = Tally()
    key = ("murat", "2026-03-10T00:00:00+01:00")
    compare_rows(tally, "doors", "murat", {key: {"granted": 1}}, {key: {"start": key[1], "granted": 1, "refused": 0}})
    assert [one.name for one in tally.first] == ["refused"]
