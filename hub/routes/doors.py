"""`/api/v1/doors`: what the doors of a telecentre or a zone did, one by one or together; as JSON or CSV."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Annotated
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, Field

from contract.events import AccessReason
from hub.exports import to_csv
from hub.indicators import Step
from hub.routes.answers import RESPONSES, AskedBy, PeriodQuestion, file_name, local
from hub.routes.context import Hub
from hub.routes.period import bounds_in, check_doors, check_period, parse_bound
from hub.routes.places import By, places_asked, sites_read, times_of
from hub.routes.visits import LEVEL_NAMES
from hub.store import DoorRow

router = APIRouter(tags=["figures"])


class DoorAnswer(BaseModel):
    """What one door, or several together, did in one period; one in which nothing happened is not in the answer."""

    place: str = Field(description="The id of a telecentre or of a zone; of a door, that of its telecentre.")
    level: By
    site_id: str | None = Field(description="Null: of a zone.")
    door: str | None = Field(description="Null when several are pooled.")
    start: datetime = Field(description="Begin of the period, at the site; included.")
    end: datetime = Field(description="End of the period; excluded.")
    granted: int = Field(description="How often somebody was let in.")
    refused: int = Field(description="How often somebody was refused, for whatever reason.")
    refused_demand: int | None = Field(
        description="Of these, because the telecentre was full; null where nobody told of any, which is not zero."
    )
    refused_out_of_hours: int = Field(
        description="Of these, good badges refused for the hour or for a public holiday alone."
    )
    refusals: dict[AccessReason, int] = Field(description="How often by each reason that there was.")
    forced: int = Field(description="How often the door was opened without having been released.")
    held_open: int = Field(description="How often it was left open too long.")


class DoorsAnswer(BaseModel):
    """The counts of a period, half-open, ordered by place, door and time."""

    step: Step
    figures: list[DoorAnswer]


class Question(PeriodQuestion):
    """What is asked of doors, one by one or together: their counts add up."""

    site: str = Field("", description="One telecentre; all of them when neither site nor zone is named.")
    zone: str = Field("", description="The telecentres of one zone; a network is `reseau:` and its id.")
    step: Step = Field("day", description="Length of a period, in local time; a week is that of ISO 8601.")
    by: By | None = Field(
        None, description="One figure a door, a telecentre, or a zone; when absent a zone if one is named, else a door."
    )


@router.get(
    "/api/v1/doors",
    summary="What the doors did",
    response_model=DoorsAnswer,
    responses=RESPONSES,
)
def doors(hub: Hub, question: Annotated[Question, Query()], asker: AskedBy) -> Response:
    """Return how often doors let in or refused, and were forced or left open; nobody is named."""
    registered = hub.store.sites(question.site)
    zones = hub.store.zones() if question.zone or question.by == "zone" else []
    places = places_asked(registered, zones, site=question.site, zone=question.zone, by=question.by)
    sites = sites_read(places, registered)
    first, last = parse_bound("from", question.start), parse_bound("to", question.end)
    by_door = question.by == "resource" or (question.by is None and not question.zone)
    figures = sum(max(len(site.doors), 1) for site in sites) if by_door else len(places)
    check_period([site.zone for site in sites], first, last, hub.wall_ms(), question.step, figures)
    check_doors(sites, first, last)
    times = times_of(places, sites)
    rows = hub.store.doors(places, question.step, bounds_in(first, last), by_door=by_door)
    if asker.wants_csv(question.shape):
        return asker.get_csv(_as_table(rows, times), file_name("portes", question.site or question.zone, first, last))
    return asker.get_json(DoorsAnswer(step=question.step, figures=[_answer(row, times) for row in rows]))


def _answer(row: DoorRow, times: Mapping[str, ZoneInfo]) -> DoorAnswer:
    return DoorAnswer(
        place=row.place,
        level=row.level,
        site_id=row.site,
        door=row.door,
        start=local(row.start_ms, times[row.place]),
        end=local(row.end_ms, times[row.place]),
        granted=row.granted,
        refused=row.refused,
        refused_demand=row.refused_demand,
        refused_out_of_hours=row.refused_out_of_hours,
        refusals=dict(row.refusals),
        forced=row.forced,
        held_open=row.held_open,
    )


CSV_HEADER = (
    *("id_lieu", "niveau", "id_telecentre", "id_porte", "debut", "fin"),
    *("acces_accordes", "acces_refuses", "refus_complet", "refus_hors_horaires"),
    *("ouvertures_forcees", "laissee_ouverte"),
)


def _as_table(rows: Iterable[DoorRow], times: Mapping[str, ZoneInfo]) -> str:
    return to_csv(
        CSV_HEADER,
        (
            (
                *(one.place, LEVEL_NAMES[one.level], one.site_id, one.door),
                *(one.start.isoformat(), one.end.isoformat()),
                *(one.granted, one.refused, one.refused_demand, one.refused_out_of_hours),
                *(one.forced, one.held_open),
            )
            for one in (_answer(row, times) for row in rows)
        ),
    )
