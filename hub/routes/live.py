"""`/api/v1/sites`, `/api/v1/live` and its stream: the register and the live board for programs."""

import json
from datetime import UTC, datetime

from fastapi import APIRouter, Depends, Request, Response
from fastapi.sse import EventSourceResponse
from pydantic import BaseModel

from hub.live import Frame
from hub.live_answer import LiveAnswer
from hub.routes.context import Hub, asks_only
from hub.routes.stream import Audience
from hub.store.zones import Level

router = APIRouter(tags=["live"], dependencies=[Depends(asks_only())])


class ResourceAnswer(BaseModel):
    """A desk, room or door."""

    id: str
    confidential: bool


class SiteAnswer(BaseModel):
    """A telecentre as the register holds it today."""

    site_id: str
    name: str
    network: str
    time_zone: str
    opening_hours: str
    code_insee: str | None
    latitude: float | None
    longitude: float | None
    desks: list[ResourceAnswer]
    rooms: list[ResourceAnswer]
    doors: list[ResourceAnswer]


class ZoneAnswer(BaseModel):
    """Telecentres that are told of together; a network is one, too."""

    id: str
    name: str
    level: Level
    sites: list[str]


class SitesAnswer(BaseModel):
    """The register of telecentres and zones."""

    generated_at: datetime
    sites: list[SiteAnswer]
    zones: list[ZoneAnswer]


@router.get("/api/v1/sites", summary="The telecentres with their desks, rooms and doors, and the zones")
def sites(hub: Hub) -> SitesAnswer:
    """Return the register, in order of name; opening hours in OpenStreetMap's notation."""
    return SitesAnswer(
        generated_at=datetime.fromtimestamp(hub.wall_ms() // 1000, UTC),
        sites=[
            SiteAnswer(
                site_id=site.id,
                name=site.name,
                network=site.network,
                time_zone=site.time_zone,
                opening_hours=site.opening_hours,
                code_insee=site.code_insee,
                latitude=site.latitude,
                longitude=site.longitude,
                desks=[ResourceAnswer(id=place.id, confidential=place.confidential) for place in site.desks],
                rooms=[ResourceAnswer(id=place.id, confidential=place.confidential) for place in site.rooms],
                doors=[ResourceAnswer(id=place.id, confidential=place.confidential) for place in site.doors],
            )
            for site in hub.store.sites()
        ],
        zones=[
            ZoneAnswer(id=zone.id, name=zone.name, level=zone.level, sites=list(zone.sites))
            for zone in hub.store.zones()
        ],
    )


def as_json(answer: LiveAnswer) -> str:
    """Return an answer as compact JSON: it was built typed, so nothing is left to validate."""
    return json.dumps(answer, ensure_ascii=False, separators=(",", ":"))


@router.get("/api/v1/live", summary="What is true now", response_model=LiveAnswer)
def live(hub: Hub) -> Response:
    """Return every telecentre as it is; one that is not heard as it was last, with `online` false."""
    return Response(
        as_json(hub.board.snapshot(hub.wall_ms())), media_type="application/json", headers={"Cache-Control": "no-store"}
    )


def draw_json(frame: Frame, changed: frozenset[str] | None) -> str | None:
    """Return the live answer of all sites, or of those that changed."""
    return as_json(frame.answer(changed))


EVERYTHING = Audience("json", draw_json)

STREAM_HEADERS = {"X-Accel-Buffering": "no", "Cache-Control": "no-store"}
"""A proxy that gathers the stream before it passes it on would make it no stream at all (nginx)."""


@router.get(
    "/api/v1/live/stream",
    summary="What changes, as Server-Sent Events",
    response_class=Response,  # not EventSourceResponse: FastAPI would then keep a queue for each watcher
    responses={
        200: {"content": {"text/event-stream": {}}, "description": "Events whose data is a live answer."},
        503: {"description": "Too many watch already; come back later."},
    },
)
async def stream(request: Request, hub: Hub) -> Response:
    """Send the whole live answer, then at most once a second the sites that changed; `: keep-alive` every 15 s."""
    return watch(request, hub, EVERYTHING)


def watch(request: Request, hub: Hub, audience: Audience) -> Response:
    """Return the stream of one audience; 503 when there are too many watchers."""
    if hub.stream.is_full:
        return Response("Too many watch already.", 503, {"Retry-After": "30"}, "text/plain; charset=utf-8")
    return EventSourceResponse(hub.stream.watch(audience, request.headers.get("last-event-id")), headers=STREAM_HEADERS)
