"""The pages as they leave the hub: complete without JavaScript, in the reader's language, stale where it is stale."""

import html
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest
from fastapi import FastAPI

from hub.live import LiveBoard
from hub.texts import LANGUAGES
from tests.support.telecentres import MIDNIGHT_MS, MINUTE_MS, NOON_MS, cantal, now_of, put_history, status_of
from tests.support.web import app_on, ask

MAX_BOARD_BYTES = 60_000
MAX_SCRIPT_BYTES = 10_000
VOID = {"meta", "link", "input", "br", "img", "hr"}


@pytest.fixture
def app(tmp_path: Path) -> Iterator[FastAPI]:
    store, board = cantal(tmp_path), LiveBoard()
    put_history(store, "murat", [(MIDNIGHT_MS, "desk-01", "occupied")], until=NOON_MS)
    board.take_now(now_of("murat", "vovuxo", rooms=("booked",), door=("open", "DOOR_OPEN_TOO_LONG")), NOON_MS)
    board.take_status(status_of("murat", faults={"desk-04-radar": "unplugged"}), NOON_MS)
    board.take_now(now_of("aurillac", "vvoovovo", rooms=("in_call", "free")), NOON_MS)
    board.take_status(status_of("aurillac", depth=1_240, oldest_at=NOON_MS - 20 * MINUTE_MS), NOON_MS)
    long_ago = NOON_MS - 30 * MINUTE_MS
    board.take_now(now_of("mauriac", "vvvvv", as_of=long_ago), long_ago)
    board.take_status(status_of("mauriac", at=long_ago), long_ago)
    yield app_on(store, board)
    store.close()


def text_of(app: FastAPI, path: str, language: str = "fr") -> str:
    answer = ask(app, path, headers={"accept-language": language})
    assert answer.status_code == 200, answer.text
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", answer.text)).replace("&#39;", "'")


def title_of(page: str) -> str:
    found = re.search(r"<h1>(.*?)</h1>", page, re.DOTALL)
    assert found is not None
    return html.unescape(re.sub(r"\s+", " ", found[1]))


def card_of(app: FastAPI, site: str) -> str:
    found = re.search(rf'<article[^>]*id="card-{site}".*?</article>', ask(app, "/").text, re.DOTALL)
    assert found is not None
    return found[0]


class Balance(HTMLParser):
    """Notes tags that are closed out of order, and ids given twice."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.wrong: list[str] = []
        self.ids: list[str] = []
        self.headings: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.ids += [value for name, value in attrs if name == "id" and value is not None]
        self.wrong += [f"{tag} {name}" for name, _ in attrs if name == "style" or name.startswith("on")]
        if re.fullmatch(r"h[1-6]", tag):
            self.headings.append(tag)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, _: str, attrs: list[tuple[str, str | None]]) -> None:
        self.ids += [value for name, value in attrs if name == "id" and value is not None]

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.wrong.append(f"/{tag}")


@pytest.mark.parametrize(
    "path", ["/", "/sites/murat", "/sites/mauriac", "/sites/murat/devices", "/statistics", "/docs", "/nowhere"]
)
def test_a_page_is_sound_has_one_h1_and_nothing_inline(app: FastAPI, path: str) -> None:
    page = Balance()
    page.feed(ask(app, path).text)
    assert page.wrong == []
    assert page.open == []
    assert len(page.ids) == len(set(page.ids))
    assert page.headings[0] == "h1"
    assert page.headings.count("h1") == 1


@pytest.mark.parametrize("path", ["/", "/sites/murat", "/statistics", "/docs"])
def test_a_page_names_nothing_outside_the_hub(app: FastAPI, path: str) -> None:
    assert re.findall(r'(?:src|href)="(?!/|#)[^"]*"', ask(app, path).text) == []


def test_the_board_weighs_less_than_sixty_kilobytes_and_its_script_less_than_ten(app: FastAPI) -> None:
    sizes = [len(ask(app, path).content) for path in ("/", "/static/board.css", "/static/live.js", "/static/icon.svg")]
    assert sum(sizes) < MAX_BOARD_BYTES
    assert sizes[2] < MAX_SCRIPT_BYTES


def test_the_board_says_the_network_in_one_line(app: FastAPI) -> None:
    assert "6 postes libres sur 13 · 8 télécentres sans nouvelles" in text_of(app, "/")


def test_a_card_has_its_free_desks_and_counts_the_others_in_words(app: FastAPI) -> None:
    card = card_of(app, "murat")
    assert "<b data-figure>2</b> <span>libres sur 6</span>" in card
    assert "2 occupés · 1 inconnu · 1 hors service" in card
    assert "À jour à 12:00" in card


def test_the_desks_of_a_card_are_shapes_in_the_order_of_their_numbers(app: FastAPI) -> None:
    shapes = re.findall(r'data-key="desk-\d+" data-value="(\w+)"', card_of(app, "murat"))
    assert shapes == ["vacant", "occupied", "vacant", "unknown", "out_of_service", "occupied"]
    assert "Poste 2\u00a0: occupé depuis\u00a011:22" in card_of(app, "murat")


def test_a_stale_card_says_since_when_and_shows_no_desk_as_free(app: FastAPI) -> None:
    card = card_of(app, "mauriac")
    assert 'class="card stale"' in card
    assert "Données périmées depuis\u00a011:30" in card
    assert "<b data-figure>?</b>" in card
    assert "is-vacant" not in card
    assert "dernier état connu\u00a0: libre" in card


def test_a_site_that_was_never_heard_says_so(app: FastAPI) -> None:
    assert "Aucune donnée reçue" in card_of(app, "ydes")


def test_what_needs_a_person_comes_first_and_gravest_first(app: FastAPI) -> None:
    page = ask(app, "/").text
    grades = re.findall(r'<li class="(alarm|stale|notice)"', page)
    assert grades == ["alarm"] + ["stale"] * 8 + ["notice"] * 2
    assert "La porte de Murat est restée ouverte depuis\u00a011:22." in page
    assert "Les données de Mauriac sont périmées depuis\u00a011:30." in page
    assert page.index('id="attention"') < page.index('id="cards"')


def test_a_calm_network_says_that_there_is_nothing(tmp_path: Path) -> None:
    store, board = cantal(tmp_path), LiveBoard()
    for site in store.sites():
        board.take_now(now_of(site.id, "v" * len(site.desks)), NOON_MS)
        board.take_status(status_of(site.id), NOON_MS)
    assert "Rien à signaler. Tous les télécentres répondent." in text_of(app_on(store, board), "/")
    store.close()


def test_an_empty_register_says_how_to_fill_it(tmp_path: Path) -> None:
    store = cantal(tmp_path)
    store.close()
    (tmp_path / "empty").mkdir()
    empty = type(store)(tmp_path / "empty" / "hub.db")
    app = app_on(empty, LiveBoard())
    assert "telecentre-hub site import" in text_of(app, "/")
    assert ask(app, "/statistics").status_code == 200
    empty.close()


def test_a_site_shows_each_desk_with_its_state_and_since_when(app: FastAPI) -> None:
    assert "Poste 2 occupé 11:22" in text_of(app, "/sites/murat")


def test_a_broken_device_is_told_with_its_remedy(app: FastAPI) -> None:
    page = text_of(app, "/sites/murat")
    assert "Capteur du poste 4 L'appareil a été débranché. Rebranchez son câble ; il repart de lui-même." in page


def test_a_site_shows_its_last_days_with_their_coverage(app: FastAPI) -> None:
    page = text_of(app, "/sites/murat")
    assert "sam. 21 nov. trop peu mesuré 3,0 h 3,0 h 18,0 h 17" in page
    assert "ven. 20 nov." in page


def test_a_site_shows_its_day_hour_by_hour(app: FastAPI) -> None:
    page = text_of(app, "/sites/murat")
    assert "Aujourd'hui, heure par heure" in page
    assert "09:00 trop peu mesuré 17" in page


def test_statistics_have_a_row_for_every_site_and_a_link_to_their_csv(app: FastAPI) -> None:
    page = ask(app, "/statistics").text
    assert page.count('<th scope="row"><a') == 10
    link = re.search(r'href="(/api/v1/occupancy[^"]+)" download', page)
    assert link is not None
    assert ask(app, link[1].replace("&amp;", "&")).headers["content-type"].startswith("text/csv")


def test_statistics_begin_with_the_newest_day(app: FastAPI) -> None:
    head = re.findall(r'<th scope="col" class="figure">(.*?)</th>', ask(app, "/statistics").text)
    assert head[:8] == [*(f"{name} {day} nov." for name, day in NEWEST_FIRST), "7 jours"]


NEWEST_FIRST = (("sam.", 21), ("ven.", 20), ("jeu.", 19), ("mer.", 18), ("mar.", 17), ("lun.", 16), ("dim.", 15))


def test_statistics_of_other_days_and_of_rooms_can_be_asked(app: FastAPI) -> None:
    page = text_of(app, "/statistics?from=2026-11-01&kind=room")
    assert "Du 1 nov. 2026 au 7 nov. 2026" in page


def test_a_wrong_day_is_refused_on_a_page(app: FastAPI) -> None:
    refused = ask(app, "/statistics?from=soon")
    assert refused.status_code == 422
    assert "L'adresse de cette page contient une valeur qui ne convient pas : « from »." in title_of(refused.text)
    assert ask(app, "/statistics?from=2026-11-21T10:00:00Z").status_code == 422
    assert ask(app, "/statistics?kind=people").status_code == 422


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/sites/murat",
        "/sites/mauriac",
        "/sites/ydes",
        "/sites/murat/devices",
        "/sites/ydes/devices",
        "/statistics",
        "/nowhere",
    ],
)
def test_every_page_can_be_read_in_every_language(app: FastAPI, path: str, language: str) -> None:
    answer = ask(app, path, {"lang": language})
    assert answer.headers["content-language"] == language
    assert f'<html lang="{language}"' in answer.text


def test_language_and_appearance_travel_in_the_links_and_in_no_cookie(app: FastAPI) -> None:
    answer = ask(app, "/", {"lang": "de", "theme": "dark"})
    assert 'data-theme="dark"' in answer.text
    assert 'href="/sites/murat?lang=de&amp;theme=dark"' in answer.text
    assert "set-cookie" not in answer.headers


def test_a_language_or_appearance_that_we_do_not_have_is_passed_over(app: FastAPI) -> None:
    answer = ask(app, "/", {"lang": "<script>", "theme": '"onload'}, {"accept-language": "it"})
    assert answer.headers["content-language"] == "it"
    assert "onload" not in answer.text
    assert "<script>" not in answer.text


def test_a_telecentre_that_does_not_exist_is_a_404_in_plain_words(app: FastAPI) -> None:
    missing = ask(app, "/sites/paris")
    assert missing.status_code == 404
    assert "Aucun télécentre ne porte ce nom." in missing.text
    assert ask(app, "/sites/paris/stream").status_code == 404


def test_without_javascript_the_page_reloads_itself(app: FastAPI) -> None:
    assert '<noscript><meta http-equiv="refresh" content="30"></noscript>' in ask(app, "/").text
