"""The technician's page: every device of one telecentre, its box, list and outbox; and the same as JSON."""

import json
import logging
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from contract.events import Clock, Fault
from contract.messages import DeviceHealth, Report
from hub.instants import instant
from hub.live import Frame
from hub.live_answer import Backlog, LiveSite
from hub.live_rights import LiveRights
from hub.routes.cards import View, card, outbox_table, view_of
from hub.routes.context import Context, Hub, QueryError, asks_only
from hub.routes.device_lines import agent_table, device_lines, device_words, undeclared_table
from hub.routes.live import watch
from hub.routes.pages import ALIVE, Reader, draw, page, reader_of
from hub.routes.stream import Audience
from hub.store import StoreDownError, Undeclared
from hub.texts import preferred_language, words

logger = logging.getLogger(__name__)

router = APIRouter()


class DeviceAnswer(BaseModel):
    """One device."""

    id: str
    kind: str
    health: DeviceHealth
    since: datetime | None = Field(description="Since when it is so; null while the clock is not set.")
    fault: Fault | None
    last_fault: Fault | None = Field(description="What was wrong last, also once it is well, since the agent started.")
    noise_count: int = Field(description="Frames that did not decode since the agent started.")
    firmware: str | None = Field(description="Of a radar that answered.")
    settings: str | None = Field(description="What a radar keeps in flash; `fault` is `drifted` when its file differs.")
    sentence: str = Field(description="What is wrong, or was last; empty when nothing was.")
    remedy: str


class AgentAnswer(BaseModel):
    """The box itself, as of its last report."""

    version: str
    started_at: datetime | None
    reported_at: datetime | None
    clock: Clock


class UndeclaredAnswer(BaseModel):
    """A desk, room or door of which the telecentre speaks and that the register does not hold."""

    id: str
    events: int = Field(
        description="Changes of state, and of a door decisions too, that were kept; they are in no figure."
    )
    at_least: bool = Field(description="There may be more: counting ends at a bound.")
    first_at: datetime
    last_at: datetime
    remedy: str


class DevicesAnswer(BaseModel):
    """One telecentre for its technician; while `online` is false, what it said last."""

    site_id: str
    name: str
    online: bool
    as_of: datetime | None
    agent: AgentAnswer | None = Field(description="Null: it has never reported.")
    outbox: Backlog | None
    rights: LiveRights
    devices: list[DeviceAnswer]
    undeclared: list[UndeclaredAnswer] | None = Field(description="Null: the database does not answer just now.")


@router.get("/api/v1/sites/{site_id}/devices", summary="Every device of a telecentre", tags=["live"])
def devices(
    request: Request,
    response: Response,
    site_id: str,
    hub: Hub,
    lang: Annotated[str, Query(description="`fr`, `en`, `it` or `de`; else as the browser prefers.")] = "",
    _: Annotated[None, Depends(asks_only("lang"))] = None,
) -> DevicesAnswer:
    """Return how each device is, since when, and what was wrong last; box, outbox and rights; what is not declared."""
    language = preferred_language(lang, request.headers.get("accept-language", ""))
    response.headers.update({"Content-Language": language, "Vary": "Accept-Language", "Cache-Control": "no-store"})
    frame = _frame(hub, site_id)
    if frame is None:
        raise QueryError("site_id", "there is no such telecentre in the register: see /api/v1/sites.")
    site, report = hub.board.last_known(site_id, frame.at_ms)
    return _answer(site, report, _undeclared(hub, site), view_of(frame, words(language)))


def _undeclared(hub: Context, site: LiveSite) -> list[Undeclared] | None:
    """Return what the register does not hold of all that the site speaks of; None while the database is away."""
    try:
        return hub.store.undeclared(site["site_id"], site["time_zone"])
    except StoreDownError as error:
        logger.warning("database=down undeclared=not_known reason=%r", str(error))
        return None


def _answer(site: LiveSite, report: Report | None, undeclared: list[Undeclared] | None, view: View) -> DevicesAnswer:
    return DevicesAnswer.model_validate(
        {
            **site,
            "agent": report
            and {
                "version": report.version,
                "started_at": instant(report.started_at),
                "reported_at": instant(report.at),
                "clock": report.clock,
            },
            "outbox": site["backlog"],
            "devices": _devices(report, view) if report else [],
            "undeclared": undeclared
            and [
                {
                    "id": place.resource,
                    "events": place.events,
                    "at_least": place.is_more,
                    "first_at": instant(place.first_ms),
                    "last_at": instant(place.last_ms),
                    "remedy": view.words("devices.undeclared_remedy"),
                }
                for place in undeclared
            ],
        }
    )


def _devices(report: Report, view: View) -> list[dict[str, object]]:
    radars = {radar.id: radar for radar in report.radars}
    found: list[dict[str, object]] = []
    for device in report.devices:
        sentence, remedy = device_words(device, view)
        radar = radars.get(device.id)
        said = {"firmware": radar and radar.firmware, "settings": radar and radar.settings}
        found.append(
            {**device.model_dump(), **said, "since": instant(device.since), "sentence": sentence, "remedy": remedy}
        )
    return found


@router.get("/sites/{site_id}/devices", include_in_schema=False)
def devices_page(request: Request, site_id: str, hub: Hub) -> Response:
    """Show every device of one telecentre."""
    reader, frame = reader_of(request), _frame(hub, site_id)
    if frame is None:
        raise HTTPException(404, reader.words("page.not_found_site"))
    site, _ = hub.board.last_known(site_id, frame.at_ms)
    undeclared = _undeclared(hub, site)
    return page(
        "devices.html",
        reader,
        here="/sites",
        database_away=undeclared is None,
        undeclared=undeclared_table(undeclared or [], site, view_of(frame, reader.words)),
        **_drawn(hub, frame, site_id, reader),
    )


@router.get("/sites/{site_id}/devices/stream", include_in_schema=False)
async def devices_stream(request: Request, site_id: str, hub: Hub) -> Response:
    """Send the technician's page anew when the telecentre says something."""
    reader = reader_of(request)
    if _frame(hub, site_id) is None:
        raise HTTPException(404, reader.words("page.not_found_site"))

    def parts(frame: Frame, changed: frozenset[str] | None) -> str | None:
        if site_id not in frame.sites or (changed is not None and site_id not in changed):
            return None
        return json.dumps({"parts": {"now": draw("devices_now.html", reader, **_drawn(hub, frame, site_id, reader))}})

    return watch(request, hub, Audience(f"devices {site_id} {reader.words.language}", parts, ALIVE))


def _frame(hub: Context, site_id: str) -> Frame | None:
    """Return the network as it is, None when the register does not hold this telecentre."""
    frame = hub.board.look(hub.wall_ms())
    return frame if site_id in frame.sites else None


def _drawn(hub: Context, frame: Frame, site_id: str, reader: Reader) -> dict[str, Any]:
    """Return what the page draws, of the last report however old it is."""
    view = view_of(frame, reader.words)
    site, report = hub.board.last_known(site_id, frame.at_ms)
    return {
        "card": card(site, view),
        "devices": device_lines(report, site, view) if report else [],
        "agent": agent_table(report, site, view) if report else [],
        "outbox": outbox_table(site, view),
    }
