"""The board in a real browser: what stands on the page is what the API says, and it changes without a reload."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
import uvicorn
from playwright.sync_api import Browser, Page

from hub.app import create_app
from hub.config import DatabaseSettings, HubSettings
from hub.live import LiveBoard
from hub.live_answer import LiveSite
from hub.serve import WebServer
from hub.store import Store, wall_ms
from tests.support.browser import chromium, visit
from tests.support.ports import free_port
from tests.support.telecentres import HEALTHY, MINUTE_MS, cantal, now_of, status_of
from tests.support.waiting import eventually

NOT_TOLD = [{"state": "not told"}]
STOPS_WITHIN_S = 30.0
SHOWN_MS = 20_000
"""A change is on the page after a second; a busy machine gets twenty."""


@dataclass
class RunningHub:
    """The web part of a hub on a free port; the bench plays the sites."""

    url: str
    board: LiveBoard
    server: uvicorn.Server

    def stop(self) -> None:
        """Ask the server to stop."""
        self.server.should_exit = True

    def say(self, site: str, desks: str, *, ago_ms: int = 0) -> None:
        """Let a site say how its desks are, some time ago."""
        at = wall_ms() - ago_ms
        self.board.take_now(now_of(site, desks, rooms=("free",), as_of=at, since=at - MINUTE_MS), at)
        self.board.take_status(status_of(site, at=at), at)

    def live(self) -> list[LiveSite]:
        """Return what the API says."""
        answer: list[LiveSite] = httpx.get(f"{self.url}/api/v1/live").json()["sites"]
        return answer


@contextmanager
def served(store: Store, board: LiveBoard) -> Iterator[RunningHub]:
    """Serve the application from a thread of this process."""
    app = create_app(HubSettings(database=DatabaseSettings(file=store.file)), store, board, lambda: HEALTHY)
    port = free_port()
    server = WebServer(uvicorn.Config(app, host="127.0.0.1", port=port, log_config=None), app)
    thread = threading.Thread(target=server.run, name="web")
    thread.start()
    try:
        eventually(lambda: server.started, what="the web server listens")
        yield RunningHub(f"http://127.0.0.1:{port}", board, server)
    finally:
        server.should_exit = True
        thread.join(STOPS_WITHIN_S)
        assert not thread.is_alive()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as one:
        yield one


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[RunningHub]:
    """Ten sites: eight as they are now, Mauriac silent for half an hour, Vic-sur-Cère never heard."""
    store = cantal(tmp_path, now_ms=wall_ms())
    with served(store, LiveBoard()) as hub:
        for site in store.sites():
            if site.id not in ("mauriac", "vic-sur-cere"):
                hub.say(site.id, "vou" + "v" * (len(site.desks) - 3))
        hub.say("mauriac", "vvvvv", ago_ms=30 * MINUTE_MS)
        yield hub
    store.close()


def figures(page: Page) -> dict[str, str]:
    """Return the big number of every card."""
    return {
        card.get_attribute("data-site") or "": card.locator(".free b").inner_text()
        for card in page.locator(".card").all()
    }


def settled(hub: RunningHub, page: Page) -> None:
    """Wait until the page is live, shows what the API says, and marks nothing as changed any more."""
    page.locator("#pulse", has_text="en direct").wait_for(timeout=SHOWN_MS)
    eventually(
        lambda: figures(page) == said(hub.live()) and page.locator(".changed").count() == 0,
        what="the page shows what the API says",
    )


def said(sites: list[LiveSite]) -> dict[str, str]:
    """Return the same numbers as the API has them."""
    return {
        site["site_id"]: str(sum(desk["state"] == "vacant" for desk in site["desks"])) if site["online"] else "?"
        for site in sites
    }


@pytest.mark.parametrize(("width", "height", "dark"), [(1920, 1080, False), (1920, 1080, True), (360, 740, False)])
def test_the_figures_on_the_page_are_those_of_the_api(
    hub: RunningHub, browser: Browser, tmp_path: Path, width: int, height: int, *, dark: bool
) -> None:
    with visit(browser, width=width, height=height, dark=dark) as seen:
        seen.page.goto(hub.url)
        settled(hub, seen.page)
        assert len(figures(seen.page)) == 10
        picture = tmp_path / "board.png"
        seen.page.screenshot(path=picture, full_page=True)
        assert picture.stat().st_size > 10_000
        assert seen.page.evaluate("document.documentElement.scrollWidth") == width
        assert seen.complaints == []
        assert [url for url in seen.requests if not url.startswith(hub.url)] == []


@pytest.mark.parametrize("path", ["/", "/sites/murat", "/sites/murat/devices", "/statistics"])
def test_whatever_can_be_touched_is_large_enough_for_a_thumb(hub: RunningHub, browser: Browser, path: str) -> None:
    with visit(browser, width=360, height=740) as seen:
        seen.page.goto(hub.url + path)
        small = seen.page.evaluate(
            """() => [...document.querySelectorAll("main a, nav a, summary")].filter(one => {
                const box = one.getBoundingClientRect(), middle = box.left + box.width / 2;
                window.scrollTo(0, box.top + scrollY - 200);
                const top = one.getBoundingClientRect().top + box.height / 2;
                return [-21, 21].some(dy => !one.contains(document.elementFromPoint(Math.min(middle, 340), top + dy)));
            }).map(one => one.textContent)"""
        )
        assert small == []


def test_a_change_appears_without_a_reload(hub: RunningHub, browser: Browser) -> None:
    with visit(browser, width=1280, height=800) as seen:
        seen.page.goto(hub.url)
        settled(hub, seen.page)
        height = seen.page.locator("#card-murat").bounding_box()
        hub.say("murat", "oooooo")
        seen.page.locator("#card-murat .desks li.changed").nth(4).wait_for(timeout=SHOWN_MS)
        assert seen.page.locator("#card-murat .desks .is-occupied").count() == 6
        assert figures(seen.page) == said(hub.live())
        assert seen.page.locator("#card-murat").bounding_box() == height
        assert len(seen.loads) == 1
        assert seen.complaints == []


def test_a_site_that_comes_back_loses_its_stale_colours(hub: RunningHub, browser: Browser) -> None:
    with visit(browser, width=1280, height=800) as seen:
        seen.page.goto(hub.url)
        seen.page.locator("#card-mauriac.stale").wait_for(timeout=SHOWN_MS)
        hub.say("mauriac", "vvvvo")
        seen.page.locator("#card-mauriac:not(.stale) .free b", has_text="4").wait_for(timeout=SHOWN_MS)
        assert "Mauriac" not in seen.page.locator("#attention").inner_text()


def test_the_keyboard_stays_where_it_was_when_a_card_changes(hub: RunningHub, browser: Browser) -> None:
    with visit(browser, width=1280, height=800) as seen:
        seen.page.goto(hub.url)
        settled(hub, seen.page)
        seen.page.locator("#card-murat h2 a").focus()
        hub.say("murat", "oooooo")
        seen.page.locator("#card-murat .free b", has_text="0").wait_for(timeout=SHOWN_MS)
        assert seen.page.evaluate("document.activeElement.getAttribute('href')") == "/sites/murat"


def test_the_page_of_a_site_follows_its_site(hub: RunningHub, browser: Browser) -> None:
    with visit(browser, width=360, height=740) as seen:
        seen.page.goto(f"{hub.url}/sites/murat?lang=en")
        hub.say("murat", "oooooo")
        seen.page.locator("#now", has_text="0 free of 6").wait_for(timeout=SHOWN_MS)
        assert seen.page.evaluate("document.documentElement.scrollWidth") == 360
        assert len(seen.loads) == 1
        assert seen.complaints == []


@pytest.mark.parametrize("width", [360, 1280])
def test_the_technicians_page_follows_its_devices_and_fits(hub: RunningHub, browser: Browser, width: int) -> None:
    with visit(browser, width=width, height=740) as seen:
        seen.page.goto(f"{hub.url}/sites/murat/devices")
        at = wall_ms()
        hub.board.take_status(status_of("murat", at=at, faults={"desk-04-radar": "unplugged"}), at)
        seen.page.locator(".devices > .down", has_text="L'appareil a été débranché.").wait_for(timeout=SHOWN_MS)
        assert seen.page.evaluate("document.documentElement.scrollWidth") == width
        assert len(seen.loads) == 1
        assert seen.complaints == []


def test_the_technicians_page_of_a_silent_site_shows_no_device_as_well(hub: RunningHub, browser: Browser) -> None:
    with visit(browser, width=360, height=740, script=False) as seen:
        seen.page.goto(f"{hub.url}/sites/mauriac/devices")
        assert "dernier état connu\u00a0: fonctionne" in seen.page.locator(".devices > .stale").first.inner_text()
        assert seen.page.locator(".devices .is-ok").count() == 0
        assert "Données périmées" in seen.page.locator("main").inner_text()


def test_the_page_is_complete_without_javascript(hub: RunningHub, browser: Browser) -> None:
    with visit(browser, width=1280, height=800, script=False) as seen:

        def shows_the_truth() -> bool:
            seen.page.goto(hub.url)
            return figures(seen.page) == said(hub.live())

        eventually(shows_the_truth, what="a page drawn by the hub alone shows what the API says")
        assert "toutes les 30 secondes" in seen.page.locator("main").inner_text()


def test_a_page_whose_hub_is_gone_stops_showing_figures(tmp_path: Path, browser: Browser) -> None:
    store = cantal(tmp_path, now_ms=wall_ms())
    with visit(browser, width=1280, height=800) as seen:
        seen.page.clock.install()
        with served(store, LiveBoard()) as hub:
            hub.say("murat", "vvvooo")
            seen.page.goto(hub.url)
            seen.page.locator("#card-murat .free b", has_text="3").wait_for(timeout=SHOWN_MS)
            seen.page.locator("#pulse", has_text="en direct").wait_for(timeout=SHOWN_MS)
        seen.page.clock.fast_forward(60_000)
        seen.page.locator("#cut", has_text="ne reçoit plus rien").wait_for(timeout=SHOWN_MS)
        assert set(figures(seen.page).values()) == {"?"}
        assert seen.page.locator(".is-vacant").count() == 0
    store.close()


def test_the_theme_can_be_chosen_against_the_system(hub: RunningHub, browser: Browser) -> None:
    def paper(address: str, *, dark: bool) -> str:
        with visit(browser, width=800, height=600, dark=dark) as seen:
            seen.page.goto(address)
            return str(seen.page.evaluate("getComputedStyle(document.body).backgroundColor"))

    light, night = "rgb(251, 250, 247)", "rgb(18, 24, 28)"
    assert paper(hub.url, dark=False) == light
    assert paper(hub.url, dark=True) == night
    assert paper(f"{hub.url}/?theme=dark", dark=False) == night
    assert paper(f"{hub.url}/?theme=light", dark=True) == light


def test_watchers_who_leave_are_let_go(hub: RunningHub) -> None:
    with httpx.stream("GET", f"{hub.url}/api/v1/live/stream") as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        assert stream.headers["x-accel-buffering"] == "no"
        lines = stream.iter_lines()
        assert next(line for line in lines if line.startswith("data: ")).count('"site_id"') == 10
        assert "telecentre_watchers 1" in httpx.get(f"{hub.url}/metrics").text

    def is_alone() -> bool:
        return "telecentre_watchers 0" in httpx.get(f"{hub.url}/metrics").text

    eventually(is_alone, what="the watcher is let go")


def test_the_stream_says_what_changed_and_nothing_else(hub: RunningHub) -> None:
    with httpx.stream("GET", f"{hub.url}/api/v1/live/stream", timeout=SHOWN_MS / 1000) as stream:
        answers = (json.loads(line[6:]) for line in stream.iter_lines() if line.startswith("data: "))
        assert len(next(answers)["sites"]) == 10
        hub.say("murat", "oooooo")
        changed = ({one["site_id"]: one["desks"] for one in answer["sites"]} for answer in answers)
        full = next(
            sites for sites in changed if all(desk["state"] == "occupied" for desk in sites.get("murat", NOT_TOLD))
        )
        assert len(full) < 10


def test_a_hub_that_stops_does_not_wait_for_its_watchers_nor_complain_of_them(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store = cantal(tmp_path, now_ms=wall_ms())
    with served(store, LiveBoard()) as hub, httpx.Client(timeout=SHOWN_MS / 1000) as client:
        request = client.build_request("GET", f"{hub.url}/api/v1/live/stream")
        stream = client.send(request, stream=True)
        hub.stop()  # without a graceful timeout, so it would wait for ever
        assert stream.read().startswith(b"retry: ")
    store.close()
    assert [record for record in caplog.records if record.levelname in ("ERROR", "CRITICAL")] == []
