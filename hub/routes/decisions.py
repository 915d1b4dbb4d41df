"""`/api/v1/decisions`: who was let in or refused is nobody's business here; why, and at which door, is."""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from contract.events import AccessReason, Assurance, CardTrouble
from hub.routes.context import Hub, QueryError
from hub.routes.period import DAY_MS, bound_ms, check_begun, check_period, parse_bound
from hub.store import DecisionRow
from hub.store.rows import Note, notes_of, sentence_of
from hub.texts import Words, preferred_language, words

router = APIRouter(tags=["doors"])

MAX_DECISIONS = 200
"""A busy day of one telecentre; who wants more asks again from the last one's instant."""


class DecisionAnswer(BaseModel):
    """One decision at one door; no person and no badge."""

    reader: str
    door: str
    reason: AccessReason = Field(description="BACnet AccessEvent name: GRANTED, or why not.")
    assurance: Assurance = Field(description="How sure the reader was of the badge.")
    card: CardTrouble | None = Field(description="What was wrong with the card itself.")
    at: datetime = Field(description="When it was decided.")
    received_at: datetime = Field(description="When the hub had it.")
    sentence: str = Field(description="The reason, as a person is told it.")
    remedy: str = Field(description="What this person can do.")
    notes: list[Note] = Field(
        description="What was unusual: decided by the trusted time alone, let in twice, an emergency, nobody opened."
    )
    remarks: list[str] = Field(description="The notes as sentences.")


class DecisionsAnswer(BaseModel):
    """The decisions of a period at one site, in order of time."""

    site_id: str
    decisions: list[DecisionAnswer]


class Question(BaseModel):
    """What is asked."""

    model_config = ConfigDict(extra="forbid")

    site: str = Field(description="One telecentre.")
    start: str = Field(alias="from", description="A date (local midnight) or an instant with its offset; included.")
    end: str | None = Field(None, alias="to", description="A date or an instant, excluded; until now when absent.")
    lang: str = Field("", description="`fr`, `en`, `it` or `de`; else as the browser prefers.")


@router.get(
    "/api/v1/decisions",
    summary="Why a door opened or stayed shut",
    responses={422: {"description": "The question cannot be answered: the field, and one sentence."}},
)
def decisions(
    request: Request, response: Response, hub: Hub, question: Annotated[Question, Query()]
) -> DecisionsAnswer:
    """Return the first 200 decisions of a period at one telecentre."""
    language = preferred_language(question.lang, request.headers.get("accept-language", ""))
    response.headers.update({"Content-Language": language, "Vary": "Accept-Language"})
    say = words(language)
    site = next(iter(hub.store.sites(question.site)), None) if question.site else None
    if site is None:
        raise QueryError("site", "'site' must be the id of a telecentre in the register: see /api/v1/sites.")
    first = parse_bound("from", question.start)
    # A site's clock may be ahead of ours by what the contract allows: its newest decision counts all the same.
    newest_ms = hub.wall_ms() + DAY_MS
    check_begun("from", [site.zone], first, newest_ms)
    last = parse_bound("to", question.end) if question.end else datetime.fromtimestamp(newest_ms / 1000, UTC)
    check_period([site.zone], first, last, newest_ms, "day", 1)
    rows = hub.store.decisions(site.id, bound_ms(first, site.zone), bound_ms(last, site.zone), MAX_DECISIONS)
    return DecisionsAnswer(
        site_id=site.id,
        decisions=[_answer(row, say) for row in rows],
    )


def _answer(row: DecisionRow, say: Words) -> DecisionAnswer:
    access, notes = row.access, notes_of(row.access, unused=row.unused)
    return DecisionAnswer(
        reader=row.reader,
        door=access.door,
        reason=access.reason,
        assurance=access.assurance,
        card=access.card,
        at=datetime.fromtimestamp(row.at_ms / 1000, UTC),
        received_at=datetime.fromtimestamp(row.received_at_ms / 1000, UTC),
        sentence=say(sentence_of(access)),
        remedy=say(f"{sentence_of(access)}_remedy"),
        notes=list(notes),
        remarks=[say(f"note.{note}") for note in notes],
    )
