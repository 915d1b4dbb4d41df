"""The pages: board, one telecentre. Drawn here, complete, so that they need no JavaScript.

Language and appearance travel in the address (`?lang=de&theme=dark`), else they follow the browser: no cookie and no
storage, so nothing to consent to, a wall screen keeps its choice in its bookmark, and a link shows what its sender saw.
"""

import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Request, Response
from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.exceptions import HTTPException

from hub.live import Frame
from hub.routes.attention import MAX_POINTS, points, points_of
from hub.routes.cards import Card, card, summary, view_of
from hub.routes.context import Context, Hub
from hub.routes.decision_lines import DecisionLine, told
from hub.routes.figures import Figure, by_site, pooled
from hub.routes.live import watch
from hub.routes.period import days_from, hours_between, local_day, rows_between
from hub.routes.stream import Audience
from hub.store import Kind, Site, StoreDownError
from hub.texts import LANGUAGE_NAMES, Words, preferred_language, words

logger = logging.getLogger(__name__)

router = APIRouter(include_in_schema=False)

THEMES = ("auto", "light", "dark")
WEEK_DAYS = 7
LAST_DECISIONS = 10
"""At the doors of one telecentre: enough to find the badge of who stands there and telephones."""

ALIVE = b": keep-alive\n\nevent: alive\ndata: {}\n\n"
"""A page's script cannot see a comment, so its sign of life is an event as well."""

_templates = Environment(
    loader=PackageLoader("hub"), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
)


@dataclass(frozen=True)
class Reader:
    """Who reads a page: language, appearance, and which of both the address names."""

    words: Words
    theme: str
    path: str
    chosen: Mapping[str, str]
    simulated: bool = False
    """Whether the hub's clock is played."""

    def link(self, path: str, **changes: str) -> str:
        """Return an address on this hub that keeps what the reader chose."""
        chosen = {**self.chosen, **changes}
        return f"{path}?{urlencode(chosen)}" if chosen else path


def reader_of(request: Request) -> Reader:
    """Return how this request wants to be answered; a language or theme we do not have is as good as none."""
    asked = {key: request.query_params.get(key, "") for key in ("lang", "theme")}
    language = preferred_language(asked["lang"], request.headers.get("accept-language", ""))
    theme = asked["theme"] if asked["theme"] in THEMES else THEMES[0]
    chosen = {key: value for key, value in asked.items() if value and value in (*LANGUAGE_NAMES, *THEMES)}
    return Reader(words(language), theme, request.url.path, chosen, request.app.state.context.simulated)


def draw(name: str, reader: Reader, **values: Any) -> str:  # noqa: ANN401 (a template takes what its page needs)
    """Return a template filled in for this reader."""
    return _templates.get_template(name).render(
        words=reader.words,
        theme=reader.theme,
        path=reader.path,
        languages=LANGUAGE_NAMES,
        link=reader.link,
        most=MAX_POINTS,
        simulated=reader.simulated,
        **values,
    )


def draw_plain(name: str, **values: Any) -> str:  # noqa: ANN401 (see draw)
    """Return a template that knows no reader: what technicians read is in English."""
    return _templates.get_template(name).render(**values)


def page(name: str, reader: Reader, status: int = 200, **values: Any) -> Response:  # noqa: ANN401 (see draw)
    """Return a page; it depends on the browser's language, and is never shown again from a cache."""
    headers = {"Content-Language": reader.words.language, "Vary": "Accept-Language", "Cache-Control": "no-store"}
    return Response(draw(name, reader, **values), status, headers, "text/html; charset=utf-8")


def cards_of(frame: Frame, spoken: Words, only: frozenset[str] | None = None) -> list[Card]:
    """Return the cards of a frame, of all sites or of some."""
    view = view_of(frame, spoken)
    return [card(site, view) for name, site in frame.sites.items() if only is None or name in only]


@router.get("/")
def board(request: Request, hub: Hub) -> Response:
    """Show every telecentre: from the live lane alone, so that no database can be missing."""
    reader, frame = reader_of(request), hub.stream.frame()
    drawn, zone = _instant(frame), zone_of(frame)
    names = list(dict.fromkeys(site.network_name for site in hub.board.register()))
    return page(
        "board.html",
        reader,
        here="/",
        title=names[0] if len(names) == 1 else reader.words("page.board_title"),
        summary=summary(frame, reader.words),
        points=points(frame, reader.words),
        cards=cards_of(frame, reader.words),
        shown_at=reader.words("page.shown_at", time=reader.words.clock(drawn, zone)),
        drawn_at=_date_and_time(frame, reader.words),
    )


@router.get("/live/stream")
async def board_stream(request: Request, hub: Hub) -> Response:
    """Send the board's parts as they change: drawn once a language and theme, whoever watches."""
    reader = reader_of(request)
    name = f"board {reader.words.language} {sorted(reader.chosen.items())}"
    return watch(request, hub, Audience(name, _board_parts(reader), ALIVE))


def zone_of(frame: Frame) -> str:
    """Return the time zone in which a page about many sites tells its own time: the first site's."""
    return next((site["time_zone"] for site in frame.sites.values()), "UTC")


def _instant(frame: Frame) -> datetime:
    return datetime.fromtimestamp(frame.at_ms / 1000, UTC)


def _date_and_time(frame: Frame, spoken: Words) -> str:
    local = _instant(frame).astimezone(ZoneInfo(zone_of(frame)))
    return spoken("time.day_clock", date=spoken.day(local.date()), time=f"{local:%H:%M}")


def _board_parts(reader: Reader) -> Callable[[Frame, frozenset[str] | None], str | None]:
    def parts(frame: Frame, changed: frozenset[str] | None) -> str:
        cards = cards_of(frame, reader.words, changed)
        drawn = {
            "summary": summary(frame, reader.words),
            "shown": _date_and_time(frame, reader.words),
            "attention": draw("attention.html", reader, points=points(frame, reader.words)),
        }
        if changed is None:
            drawn["cards"] = draw("cards.html", reader, cards=cards)
        else:
            drawn.update({f"card-{one.site_id}": draw("card.html", reader, card=one) for one in cards})
        return json.dumps({"parts": drawn}, ensure_ascii=False)

    return parts


@router.get("/sites/{site_id}")
def site(request: Request, site_id: str, hub: Hub) -> Response:
    """Show one telecentre: what is true now, what is broken and what to do, and the last days."""
    reader = reader_of(request)
    registered = next((one for one in _register(hub) if one.id == site_id), None)
    if registered is None:
        raise HTTPException(404, reader.words("page.not_found_site"))
    frame = hub.stream.frame()
    if site_id not in frame.sites:  # imported just now: the stream looks at the register every half minute
        hub.board.take_register(hub.store.sites())
        frame = hub.board.look(frame.at_ms)
    past = _past(hub, registered, frame, reader.words)
    return page(
        "site.html",
        reader,
        here="/sites",
        site=registered,
        card=cards_of(frame, reader.words, frozenset({site_id}))[0],
        points=points_of(frame, site_id, reader.words),
        drawn_at=reader.words("page.shown_at", time=reader.words.clock(_instant(frame), registered.time_zone)),
        past=past,
    )


def _register(hub: Context) -> list[Site]:
    """Return the register, as it was last known while the database is away."""
    try:
        return hub.store.sites()
    except StoreDownError as error:
        logger.warning("database=down register=as_last_known reason=%r", str(error))
        hub.board.take_database(hub.wall_ms())
        return hub.board.register()


@dataclass(frozen=True)
class Past:
    """What the database has of one telecentre for its page."""

    decisions: list[DecisionLine]
    days: list[date]
    """The newest first."""
    tables: list[tuple[Kind, dict[date, Figure]]]
    hours: dict[Kind, list[tuple[str, Figure]]]


def _past(hub: Context, site: Site, frame: Frame, spoken: Words) -> Past | None:
    """Return the last decisions and days of a telecentre; None while the database is away."""
    today = local_day(frame.at_ms, site.zone)
    days = days_from(today - timedelta(days=WEEK_DAYS - 1), WEEK_DAYS)
    try:
        return Past(
            told(hub.store.last_decisions(site.id, LAST_DECISIONS), frame.sites[site.id], view_of(frame, spoken)),
            days[::-1],
            [(kind, by_day(hub, [site], kind, days).get(site.id, {})) for kind in _kinds(site)],
            {kind: _by_hour(hub, site, kind, today) for kind in _kinds(site)},
        )
    except StoreDownError as error:
        logger.warning("database=down site=%s page=without_figures reason=%r", site.id, str(error))
        hub.board.take_database(hub.wall_ms())
        return None


def _by_hour(hub: Context, site: Site, kind: Kind, day: date) -> list[tuple[str, Figure]]:
    """Return the figures of a local day's hours in which the site is open, each with the time it begins."""
    hours = hours_between(hub.store, site, kind, day, day + timedelta(days=1))
    return [(f"{datetime.fromtimestamp(hour.start_ms / 1000, site.zone):%H:%M}", hour) for hour in hours]


def _kinds(site: Site) -> list[Kind]:
    kinds: list[Kind] = ["desk"] if site.desks else []
    return [*kinds, "room"] if site.rooms else kinds


@router.get("/sites/{site_id}/stream")
async def site_stream(request: Request, site_id: str, hub: Hub) -> Response:
    """Send the live part of one telecentre's page when it changes."""
    reader = reader_of(request)
    if site_id not in hub.board.look(hub.wall_ms()).sites:
        raise HTTPException(404, reader.words("page.not_found_site"))

    def parts(frame: Frame, changed: frozenset[str] | None) -> str | None:
        if site_id not in frame.sites or (changed is not None and site_id not in changed):
            return None
        shown = cards_of(frame, reader.words, frozenset({site_id}))[0]
        found = points_of(frame, site_id, reader.words)
        drawn = draw("site_now.html", reader, card=shown, points=found)
        return json.dumps({"parts": {"now": drawn}}, ensure_ascii=False)

    return watch(request, hub, Audience(f"site {site_id} {reader.words.language}", parts, ALIVE))


def by_day(hub: Context, sites: list[Site], kind: Kind, days: list[date]) -> dict[str, dict[date, Figure]]:
    """Return the figure of each site and local day."""
    if not sites:
        return {}
    zones = {site.id: site.zone for site in sites}
    rows = rows_between(hub.store, sites, kind, "day", days[0], days[-1] + timedelta(days=1))
    found: dict[str, dict[date, Figure]] = {}
    for figure in pooled(rows, by_site):
        found.setdefault(figure.site, {})[local_day(figure.start_ms, zones[figure.site])] = figure
    return found
