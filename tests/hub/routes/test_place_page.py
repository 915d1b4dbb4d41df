"""One place closely on the page of statistics: in four languages, without JavaScript, empty where nothing is."""

import html
import re
import tomllib
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest
from fastapi import FastAPI

from hub.live import LiveBoard
from hub.network import Network
from hub.routes.place_lines import counted, period_name
from hub.routes.statistics import MAX_SHOWN_SITES
from hub.store import VisitRow
from hub.store.rows import VisitStatus
from hub.texts import LANGUAGES, words
from tests.support.entries import ADA, BEA, put_taps
from tests.support.telecentres import CANTAL, MIDNIGHT_MS, MINUTE_MS, Change, cantal, put_bookings, put_history
from tests.support.web import app_on, ask

HOUR_MS = 60 * MINUTE_MS
NINE_MS = MIDNIGHT_MS + 9 * HOUR_MS
EVENING_MS = MIDNIGHT_MS + 20 * HOUR_MS


@pytest.fixture
def app(tmp_path: Path) -> Iterator[FastAPI]:
    """Saturday evening; one of Murat's six desks was in use from 9 to 11, and two persons came in."""
    store = cantal(tmp_path, now_ms=EVENING_MS)
    seen: list[Change] = [(NINE_MS - HOUR_MS, f"desk-{n:02}", "vacant") for n in range(1, 7)]
    busy: list[Change] = [(NINE_MS, "desk-01", "occupied"), (NINE_MS + 2 * HOUR_MS, "desk-01", "vacant")]
    put_history(store, "murat", [*seen, *busy], until=NINE_MS + 4 * HOUR_MS)
    put_taps(
        store, "murat", [(NINE_MS, ADA, "GRANTED"), (NINE_MS + HOUR_MS, BEA, "GRANTED")], until=NINE_MS + 4 * HOUR_MS
    )
    yield app_on(store, LiveBoard(), now_ms=EVENING_MS)
    store.close()


def lines(app: FastAPI, **asked: str) -> dict[str, list[str]]:
    """Return the cells of the table of one place by the name of their line."""
    answer = ask(app, "/statistics", {"lang": "fr", **asked})
    assert answer.status_code == 200, answer.text
    table = answer.text.partition('class="closely"')[2].partition("</table>")[0]
    rows = re.findall(r'<tr><th scope="row">(.*?)</th>(.*?)</tr>', table, re.DOTALL)
    return {
        html.unescape(name): [
            " ".join(html.unescape(re.sub(r"<[^>]+>", " ", cell)).split())
            for cell in re.findall(r"<td[^>]*>(.*?)</td>", cells, re.DOTALL)
        ]
        for name, cells in rows
    }


def test_a_telecentre_shows_its_indicators_period_beside_period(app: FastAPI) -> None:
    found = lines(app, place="murat")
    assert found["Taux d'occupation"][0].startswith("11 % fiable vu")
    assert found["Postes occupés à la fois, au plus"] == ["1 sur 6 le 21 nov. 2026 à 09:00", "", "", ""]
    assert found["Aucun poste libre"][0] == "0 %"
    assert found["Séjours"][0] == "1"
    assert found["Durée médiane d'un séjour"][0] == "2,0 h moyenne 2,0 h, 9 sur 10 jusqu'à 2,0 h"
    assert found["Visites"][0] == "2 provisoire"
    assert found["Demi-journées"][0] == "2"
    assert found["Visiteurs différents"][0] == "2 ne s'additionnent pas"


def test_a_zone_that_has_the_id_of_a_telecentre_can_be_chosen(tmp_path: Path) -> None:
    content = tomllib.loads(CANTAL.read_text(encoding="utf-8"))
    valley = {"id": "murat", "name": "Pays de Murat", "level": "valley", "sites": ["murat", "allanche"]}
    store = cantal(tmp_path, now_ms=EVENING_MS)
    store.import_network(Network.model_validate({**content, "zone": [valley]}))
    app = app_on(store, LiveBoard(), now_ms=EVENING_MS)
    for place, name in (("murat", "Murat"), ("zone:murat", "Pays de Murat")):
        page = ask(app, "/statistics", {"lang": "fr", "place": place}).text
        assert re.findall(r'<option value="([^"]*)" selected>([^<]*)', page)[0] == (place, name)
        assert re.search(rf'<h2 id="place-title">[^<]*:\s{name}</h2>', page)
    store.close()


def test_a_network_is_shown_when_none_is_chosen(app: FastAPI) -> None:
    page = ask(app, "/statistics", {"lang": "fr"}).text
    assert re.search(r'<h2 id="place-title">Un lieu de près\s:\sCyberCantal Télécentres</h2>', page)
    assert MAX_SHOWN_SITES == 200, "a larger network is not read whole for a page that nobody asked for"


def test_a_share_of_a_time_in_which_all_desks_were_hardly_known_together_is_not_shown(app: FastAPI) -> None:
    seen: list[Change] = [(NINE_MS - HOUR_MS, f"desk-{n:02}", "occupied") for n in range(1, 6)]
    dead: Change = (NINE_MS + HOUR_MS, "desk-01", "unknown")
    put_history(app.state.context.store, "mauriac", [*seen, dead], until=NINE_MS + 4 * HOUR_MS)
    found = lines(app, place="mauriac")
    assert found["Taux d'occupation"][0].startswith("100 % fiable vu")
    assert found["Aucun poste libre"] == ["trop peu mesuré", "", "", ""]


def test_rooms_show_nothing_where_nothing_is_known_and_no_line_of_bookings_that_nobody_can_count(app: FastAPI) -> None:
    found = lines(app, place="murat", kind="room")
    assert "Réservations" not in found
    assert found["Occupé hors des horaires"][0] == ""
    assert found["Taux d'occupation"][0] == "non mesuré"


def test_rooms_show_how_many_bookings_there_were_and_to_which_share_nobody_came(app: FastAPI) -> None:
    first, *others, missed, unseen = [NINE_MS + n * HOUR_MS for n in range(5)]
    store, room = app.state.context.store, "room-01"
    put_bookings(
        store,
        "murat",
        [
            *((start, room, "came") for start in (first, *others)),
            (missed, room, "no_show"),
            (unseen, room, "unknown"),
        ],
    )
    found = lines(app, place="murat", kind="room")
    assert found["Réservations"] == ["5", "", "", ""]
    assert found["Réservations sans venue"][0] == "1 25 % de celles que l'on connaît"


@pytest.mark.parametrize(("step", "visitors"), [("week", "2 ne s'additionnent pas"), ("quarter", ""), ("year", "")])
def test_visits_add_up_over_months_and_different_visitors_do_not(app: FastAPI, step: str, visitors: str) -> None:
    found = lines(app, place="murat", step=step)
    assert found["Visites"][0].startswith("2")
    assert found["Visiteurs différents"][0] == visitors


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_labels_the_form_and_every_line(app: FastAPI, language: str) -> None:
    page = ask(app, "/statistics", {"lang": language, "place": "murat", "kind": "room"}).text
    section = page.partition('<section id="place"')[2]
    assert section.count("<label>") == 3
    assert len(re.findall(r"<(?:select|input)(?![^>]*hidden)", section.partition("</form>")[0])) == 3
    assert '<th scope="row"></th>' not in section
    assert "place." not in re.sub(r"<[^>]+>", "", section)


def test_the_form_keeps_what_the_reader_chose(app: FastAPI) -> None:
    page = ask(app, "/statistics", {"lang": "de", "theme": "dark", "place": "murat", "step": "week"}).text
    assert '<input type="hidden" name="lang" value="de">' in page
    assert '<input type="hidden" name="theme" value="dark">' in page
    assert '<option value="murat" selected>' in page
    assert '<option value="week" selected>' in page


def test_every_file_that_is_linked_is_there(app: FastAPI) -> None:
    page = ask(app, "/statistics", {"place": "murat", "step": "quarter"}).text
    links = [html.unescape(link) for link in re.findall(r'href="(/api/v1/[^"]+)"', page)]
    assert len(links) == 4
    for link in links:
        answer = ask(app, link)
        assert (answer.status_code, answer.headers["content-type"]) == (200, "text/csv; charset=utf-8"), link


@pytest.mark.parametrize(
    "asked",
    [
        {"place": "paris"},
        {"step": "hour"},
        {"until": "soon"},
        {"until": "2026-11-21T10:00:00Z"},
        {"kind": "person"},
    ],
)
def test_a_wrong_address_is_one_sentence(app: FastAPI, asked: dict[str, str]) -> None:
    refused = ask(app, "/statistics", asked)
    assert refused.status_code == 422
    assert refused.text.count("<h1>") == 1


def test_a_day_to_come_of_a_period_under_way_shows_today(app: FastAPI) -> None:
    assert lines(app, place="murat", until="2026-11-30") == lines(app, place="murat")


@pytest.mark.parametrize(
    "asked",
    [
        {"from": "2026-11-22"},
        {"from": "2030-01-01"},
        {"until": "2026-12-01"},
        {"until": "2026-11-23", "step": "week"},
        {"until": "2027-01-01", "step": "year"},
    ],
)
def test_a_period_that_has_not_begun_is_refused_as_the_api_refuses_it(app: FastAPI, asked: dict[str, str]) -> None:
    refused = ask(app, "/statistics", {"place": "murat", **asked})
    assert refused.status_code == 422
    assert words("fr")("page.not_begun") in html.unescape(refused.text)


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_period_that_has_not_begun_has_its_sentence_and_remedy_in_every_language(app: FastAPI, language: str) -> None:
    page = ask(app, "/statistics", {"lang": language, "from": "2030-01-01"}).text
    sentence = words(language)("page.not_begun")
    assert ":" in sentence
    assert f"<h1>{sentence}</h1>" in html.unescape(page)


def visits(status: VisitStatus) -> VisitRow:
    return VisitRow("murat", "month", "2026-11-01", 0, 1, status, 3, 2, 2, 1, 2, 1)


def test_several_months_are_as_final_as_the_least_of_them() -> None:
    both = counted([visits("frozen"), visits("provisional")], is_sum=True)
    assert both is not None
    assert (both.visits, both.half_days, both.unique_visitors, both.status) == (6, 4, None, "provisional")
    assert counted([], is_sum=False) is None


def test_a_period_is_named_as_people_say_it() -> None:
    names = [period_name(date(2026, 10, 1), step, words("fr")) for step in ("month", "quarter", "year", "week")]
    assert names == ["oct. 2026", "T4 2026", "2026", "semaine du 1 oct. 2026"]
