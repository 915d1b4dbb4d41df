"""Indicators over HTTP: of a desk, a telecentre, a zone, by every step; refusals by field; CSV that says the same."""

import csv
import io
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from fastapi import FastAPI

from hub.indicators import NAMES, ROOM_NAMES
from hub.live import LiveBoard
from hub.routes.context import QueryError
from hub.routes.indicators import CSV_HEADER, CSV_NAMES, are_whole_months
from hub.routes.period import check_doors, check_reading
from hub.store.rows import Asked
from tests.support.telecentres import MIDNIGHT_MS, MINUTE_MS, Change, cantal, put_bookings, put_history
from tests.support.web import app_on, ask

HOUR_MS = 60 * MINUTE_MS
NINE_MS = MIDNIGHT_MS + 9 * HOUR_MS
EVENING_MS = MIDNIGHT_MS + 20 * HOUR_MS
SATURDAY = {"from": "2026-11-21", "to": "2026-11-22"}
PATH = "/api/v1/indicators"


@pytest.fixture
def app(tmp_path: Path) -> Iterator[FastAPI]:
    """Saturday evening; open 9 to 12; at Murat two of six desks were in use together from 10:30 to 11, at Ydes one."""
    store = cantal(tmp_path, now_ms=EVENING_MS)
    at_eight, ten, half, eleven = NINE_MS - HOUR_MS, NINE_MS + HOUR_MS, NINE_MS + 90 * MINUTE_MS, NINE_MS + 2 * HOUR_MS
    seen: list[Change] = [(at_eight, f"desk-{n:02}", "vacant") for n in range(1, 7)]
    busy: list[Change] = [
        *((ten, "desk-01", "occupied"), (half, "desk-02", "occupied")),
        *((eleven, "desk-01", "vacant"), (eleven + 30 * MINUTE_MS, "desk-02", "vacant")),
    ]
    put_history(store, "murat", [*seen, *busy], until=NINE_MS + 4 * HOUR_MS)
    four: list[Change] = [(at_eight, f"desk-{n:02}", "vacant") for n in range(1, 5)]
    put_history(
        store,
        "ydes",
        [*four, (half, "desk-01", "occupied"), (eleven, "desk-01", "vacant")],
        until=NINE_MS + 4 * HOUR_MS,
    )
    put_bookings(
        store,
        "murat",
        [
            *((at_eight, "room-01", "came"), (ten, "room-01", "no_show")),
            *((half, "room-01", "came"), (eleven, "room-01", "unknown")),
        ],
    )
    yield app_on(store, LiveBoard(), now_ms=EVENING_MS)
    store.close()


def figures(app: FastAPI, **asked: str) -> list[dict[str, object]]:
    answer = ask(app, PATH, {**SATURDAY, **asked})
    assert answer.status_code == 200, answer.text
    found: list[dict[str, object]] = answer.json()["figures"]
    return found


def values(one: dict[str, object], *names: str) -> list[object]:
    found = one["values"]
    assert isinstance(found, dict)
    return [found[name] for name in names]


def test_a_day_of_one_site_has_every_indicator(app: FastAPI) -> None:
    (one,) = figures(app, site="murat")
    named = one.pop("values")
    assert one == {
        "place": "murat",
        "level": "site",
        "site_id": "murat",
        "resource": None,
        "resources": 6,
        "start": "2026-11-21T00:00:00+01:00",
        "end": "2026-11-22T00:00:00+01:00",
        "coverage": 1.0,
        "status": "A",
    }
    assert isinstance(named, dict)
    assert list(named) == ["peak_at" if name == "peak_at_ms" else name for name in NAMES]
    assert named["occupied_ms"] == 2 * HOUR_MS
    assert named["occupancy_rate"] == 0.1111
    assert (named["peak"], named["peak_at"], named["min_free"]) == (2, "2026-11-21T10:30:00+01:00", 4)
    assert (named["sessions"], named["dwell_median_ms"]) == (2, HOUR_MS)


def test_the_peak_of_a_zone_is_what_was_in_use_there_at_the_same_time(app: FastAPI) -> None:
    (one,) = figures(app, zone="reseau:cantal")
    assert (one["place"], one["level"], one["site_id"], one["resources"]) == ("reseau:cantal", "zone", None, 47)
    assert values(one, "peak", "peak_at") == [3, "2026-11-21T10:30:00+01:00"]


def test_the_telecentres_of_a_zone_can_be_told_apart(app: FastAPI) -> None:
    found = figures(app, zone="reseau:cantal", by="site")
    assert len(found) == 10
    assert {one["level"] for one in found} == {"site"}


def test_all_zones_are_answered_when_none_is_named(app: FastAPI) -> None:
    assert "reseau:cantal" in {one["place"] for one in figures(app, by="zone")}


def test_a_desk_has_no_peak(app: FastAPI) -> None:
    first, second, *_ = figures(app, site="murat", by="resource")
    assert (first["level"], first["resource"], first["site_id"]) == ("resource", "desk-01", "murat")
    assert values(second, "occupied_ms", "peak", "peak_at", "saturation") == [HOUR_MS, None, None, None]


def test_one_sensor_that_is_dead_nearly_all_day_leaves_a_rate_and_no_saturation(app: FastAPI) -> None:
    """One desk was known for two of three hours at Vic, for one at Mauriac; the others all the time."""
    for site, known_h in (("vic-sur-cere", 2), ("mauriac", 1)):
        desks = [place.id for place in next(one for one in app.state.context.store.sites(site)).desks]
        seen: list[Change] = [(NINE_MS, desk, "occupied") for desk in desks]
        dead: Change = (NINE_MS + known_h * HOUR_MS, desks[0], "unknown")
        put_history(app.state.context.store, site, [*seen, dead], until=NINE_MS + 3 * HOUR_MS)
    names = ("saturable_ms", "saturation", "average_occupancy", "peak")
    (whole,), (broken,) = figures(app, site="vic-sur-cere"), figures(app, site="mauriac")
    assert (whole["status"], broken["status"]) == ("A", "A")
    assert values(whole, *names) == [2 * HOUR_MS, 1.0, whole["resources"], whole["resources"]]
    assert values(broken, *names) == [HOUR_MS, None, None, broken["resources"]]
    hours = figures(app, site="mauriac", step="hour")
    assert [values(one, "saturation")[0] for one in hours] == [1.0, None, None]


BOOKINGS = ("bookings", "no_shows", "no_show_rate")


@pytest.mark.parametrize("place", [{"site": "murat"}, {"zone": "reseau:cantal"}, {"site": "murat", "by": "resource"}])
@pytest.mark.parametrize("step", ["day", "week", "month", "quarter", "year"])
def test_rooms_have_their_bookings_too(app: FastAPI, place: dict[str, str], step: str) -> None:
    (one,) = [one for one in figures(app, kind="room", step=step, **place) if values(one, "bookings") != [None]]
    assert set(ROOM_NAMES) <= set(one["values"])  # type: ignore[call-overload] # the answer's own shape is tested above
    assert values(one, *BOOKINGS) == [4, 1, 0.3333]


def test_a_booking_counts_in_the_hour_of_its_start_and_no_booking_is_no_zero(app: FastAPI) -> None:
    hours = figures(app, site="murat", kind="room", step="hour")
    found = {str(one["start"])[11:16]: values(one, *BOOKINGS) for one in hours}
    assert found == {
        "08:00": [1, 0, 0.0],
        "09:00": [None, None, None],
        "10:00": [2, 1, 0.5],
        "11:00": [1, None, None],
    }


@pytest.mark.parametrize(
    ("step", "start", "end"),
    [
        ("week", "2026-11-16", "2026-11-23"),
        ("month", "2026-11-01", "2026-12-01"),
        ("quarter", "2026-10-01", "2027-01-01"),
        ("year", "2026-01-01", "2027-01-01"),
    ],
)
@pytest.mark.parametrize("path", [PATH, "/api/v1/occupancy"])
def test_longer_periods_begin_and_end_at_local_midnight(
    app: FastAPI, path: str, step: str, start: str, end: str
) -> None:
    (one,) = ask(app, path, {"from": start, "to": end, "site": "murat", "step": step}).json()["figures"]
    assert (one["start"][:10], one["end"][:10]) == (start, end)
    assert one["start"][11:] in ("00:00:00+01:00", "00:00:00+02:00")
    assert (one.get("values") or one)["occupied_ms"] == 2 * HOUR_MS


def test_hours_can_be_asked(app: FastAPI) -> None:
    found = figures(app, site="murat", step="hour")
    assert [(str(one["start"])[11:16], *values(one, "peak")) for one in found] == [
        ("09:00", 0),
        ("10:00", 2),
        ("11:00", 1),
    ]


def test_what_nobody_observed_is_null_and_never_zero(app: FastAPI) -> None:
    (one,) = figures(app, site="mauriac")
    assert (one["coverage"], one["status"]) == (0.0, "M")
    assert values(one, "occupancy_rate", "peak", "saturation", "dwell_median_ms") == [None] * 4


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({"site": "paris"}, "site"),
        ({"zone": "paris"}, "zone"),
        ({"zone": "reseau:cantal", "site": "murat"}, "zone"),
        ({"site": "murat", "by": "zone"}, "by"),
        ({"by": "person"}, "by"),
        ({"from": "yesterday"}, "from"),
        ({"from": "2026-11-21T10:00:00"}, "from"),
        ({"from": "2026-11-23", "to": "2026-11-24"}, "from"),
        ({"to": "2026-11-20"}, "from"),
        ({"to": "2045-11-20"}, "from"),
        ({"to": ""}, "to"),
        ({"step": "minute"}, "step"),
        ({"step": "hour", "from": "2020-01-01"}, "step"),
        ({"kind": "person"}, "kind"),
        ({"format": "xlsx"}, "format"),
        ({"who": "me"}, "who"),
    ],
)
def test_a_wrong_question_gets_its_field_and_one_sentence(app: FastAPI, asked: dict[str, str], field: str) -> None:
    refused = ask(app, PATH, {**SATURDAY, **asked})
    assert refused.status_code == 422
    assert refused.json()["field"] == field
    assert refused.json()["message"].endswith(".")


def test_more_than_one_question_may_read_is_refused_but_for_months_that_are_over(app: FastAPI) -> None:
    """Ten years of 47 desks are 172,000 days of desks: a network of twenty times as many would be too many."""
    sites = [replace(site, id=f"{site.id}-{n}") for n in range(20) for site in app.state.context.store.sites()]
    first, last = date(2016, 12, 1), date(2026, 11, 1)
    with pytest.raises(QueryError, match="ask for one zone, or in parts") as refused:
        check_reading(sites, "desk", first, last)
    assert refused.value.field == "to"
    places = [Asked(site.id, "site", (site.id,)) for site in sites]
    assert are_whole_months(places, first, last, EVENING_MS, sites)
    assert not are_whole_months(places, first, date(2026, 12, 1), EVENING_MS, sites)
    assert not are_whole_months(places, date(2016, 12, 2), last, EVENING_MS, sites)
    assert not are_whole_months([Asked("massif", "zone", ("murat",))], first, last, EVENING_MS, sites)


def test_hours_and_doors_of_many_places_are_bounded_too(app: FastAPI) -> None:
    """A month of 20,000 desks is one figure a hour for their zone, and would be read from 15 million rows."""
    sites = [replace(site, id=f"{site.id}-{n}") for n in range(425) for site in app.state.context.store.sites()]
    first, last = date(2026, 10, 1), date(2026, 11, 1)
    check_reading(sites, "desk", first, last)
    with pytest.raises(QueryError, match="in parts"):
        check_reading(sites, "desk", first, last, "hour")
    check_doors(sites, first, last)
    with pytest.raises(QueryError, match="in parts"):
        check_doors(sites, date(2025, 10, 1), last)


def test_csv_says_the_same_with_durations_in_minutes(app: FastAPI) -> None:
    answer = ask(app, PATH, {**SATURDAY, "site": "murat", "format": "csv"})
    header, row = csv.reader(io.StringIO(answer.text), delimiter=";")
    assert tuple(header) == CSV_HEADER
    told = dict(zip(header, row, strict=True))
    assert (told["id_lieu"], told["niveau"], told["couverture"], told["obs_status"]) == (
        "murat",
        "telecentre",
        "1.0",
        "A",
    )
    assert (told["minutes_occupees"], told["pic"], told["duree_mediane_minutes"]) == ("120.0", "2", "60.0")
    assert (told["pic_debut"], told["reservations"]) == ("2026-11-21T10:30:00+01:00", "")
    header, row = csv.reader(
        io.StringIO(ask(app, PATH, {**SATURDAY, "site": "murat", "kind": "room", "format": "csv"}).text), delimiter=";"
    )
    told = dict(zip(header, row, strict=True))
    assert (told["reservations"], told["reservations_sans_venue"], told["taux_sans_venue"]) == ("4", "1", "0.3333")
    assert 'filename="indicateurs-desk-murat-2026-11-21-2026-11-22.csv"' in answer.headers["content-disposition"]


def test_every_indicator_has_a_column() -> None:
    assert set(CSV_NAMES) == {*NAMES, *ROOM_NAMES}


def test_an_answer_that_did_not_change_is_not_sent_again(app: FastAPI) -> None:
    first = ask(app, PATH, SATURDAY)
    assert ask(app, PATH, SATURDAY, {"if-none-match": first.headers["etag"]}).status_code == 304


@pytest.mark.parametrize(("path", "places"), [("indicators", 47), ("doors", 10)])
def test_a_telecentre_of_several_zones_counts_as_often_as_it_is_read(
    app: FastAPI, monkeypatch: pytest.MonkeyPatch, path: str, places: int
) -> None:
    """Each of the ten telecentres belongs to two zones at least: the massif and the network."""
    monkeypatch.setattr("hub.routes.period.MAX_PLACE_DAYS", places)
    asked = {**SATURDAY, "zone": "massif-central"}
    assert ask(app, f"/api/v1/{path}", {**asked, "by": "site"}).status_code == 200
    assert ask(app, f"/api/v1/{path}", asked).status_code == 200
    refused = ask(app, f"/api/v1/{path}", {**SATURDAY, "by": "zone"})
    assert (refused.status_code, refused.json().get("field")) == (422, "to")
