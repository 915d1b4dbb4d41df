"""`/api/v1/alarms`: the board's list of what needs a person, for programs that tell one."""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import BaseModel, Field

from hub.instants import instant
from hub.routes.attention import points
from hub.routes.context import Hub, asks_only
from hub.texts import preferred_language, words

router = APIRouter(tags=["live"], dependencies=[Depends(asks_only("lang"))])


class AlarmAnswer(BaseModel):
    """One thing that needs a person."""

    reason: str = Field(description="A word that stays the same in every language.")
    grade: str = Field(description="`alarm`, `stale` (a telecentre that is not heard) or `notice`.")
    site_id: str | None = Field(description="Which telecentre; null for the hub itself and for unknown senders.")
    since: str | None = Field(description="Since when, as far as it is known.")
    until: str | None = Field(description="When it last happened, of what happens more than once.")
    count: int = Field(description="How many events, messages or devices; 0 where there is nothing to count.")
    sentence: str
    remedy: str


class AlarmsAnswer(BaseModel):
    """What needs a person now, the gravest first."""

    generated_at: datetime
    alarms: list[AlarmAnswer]


@router.get("/api/v1/alarms", summary="What needs a person")
def alarms(
    request: Request,
    response: Response,
    hub: Hub,
    lang: Annotated[str, Query(description="`fr`, `en`, `it` or `de`; else as the browser prefers.")] = "",
) -> AlarmsAnswer:
    """Return the board's list, complete: what the sites say now, and what the database has recorded lately."""
    language = preferred_language(lang, request.headers.get("accept-language", ""))
    response.headers.update({"Content-Language": language, "Vary": "Accept-Language", "Cache-Control": "no-store"})
    frame = hub.board.look(hub.wall_ms())
    return AlarmsAnswer(
        generated_at=datetime.fromtimestamp(frame.at_ms // 1000, UTC),
        alarms=[
            AlarmAnswer(
                reason=point.reason,
                grade=point.grade,
                site_id=point.site_id,
                since=instant(point.since_ms),
                until=instant(point.until_ms),
                count=point.count,
                sentence=point.sentence,
                remedy=point.remedy,
            )
            for point in points(frame, words(language))
        ],
    )
