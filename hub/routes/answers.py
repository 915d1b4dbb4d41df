"""One way to answer a question about figures: JSON or CSV as the asker prefers, and 304 when nothing has changed."""

import hashlib
from dataclasses import dataclass
from datetime import date, datetime
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from fastapi import Depends, Header, Response
from pydantic import BaseModel, ConfigDict, Field

SHARE_DIGITS = 4
"""Rates and coverages are rounded to a hundredth of a percent: more would claim what no sensor knows."""

Shape = Literal["json", "csv"]

RESPONSES: dict[int | str, dict[str, object]] = {
    200: {"content": {"text/csv": {}}, "description": "The figures, as JSON or CSV."},
    304: {"description": "Nothing changed since the ETag."},
    422: {"description": "The question cannot be answered: the field, and one sentence."},
    503: {"description": "The database does not answer: one sentence; ask again in a minute."},
}
"""What every question about figures may be answered with."""


class PeriodQuestion(BaseModel):
    """A period and a shape; a field that is not known is refused, so that a slip of the pen is not an answer."""

    model_config = ConfigDict(extra="forbid")

    start: str = Field(alias="from", description="A date (local midnight) or an instant with its offset; included.")
    end: str = Field(alias="to", description="A date or an instant; excluded.")
    shape: Shape | None = Field(None, alias="format", description="Wins over the Accept header.")


@dataclass(frozen=True)
class Asker:
    """What the asker prefers, and what it has already."""

    accept: str
    if_none_match: str

    def wants_csv(self, shape: Shape | None) -> bool:
        """Return whether the answer is to be CSV: by its name in the question, else by the Accept header."""
        if shape is not None:
            return shape == "csv"
        wanted = [part.partition(";")[0].strip() for part in self.accept.split(",")]
        return "text/csv" in wanted and "application/json" not in wanted

    def get_json(self, answer: BaseModel) -> Response:
        """Return the answer as JSON, or 304 when the asker has it already."""
        return self._sent(answer.model_dump_json().encode(), "application/json", {})

    def get_csv(self, table: str, file_name: str) -> Response:
        """Return the answer as a CSV file to save, or 304 when the asker has it already."""
        head = {"Content-Disposition": f'attachment; filename="{file_name}"'}
        return self._sent(table.encode(), "text/csv; charset=utf-8", head)

    def _sent(self, body: bytes, media_type: str, head: dict[str, str]) -> Response:
        known = {"ETag": f'"{hashlib.sha256(body).hexdigest()[:32]}"', "Vary": "Accept"}
        if known["ETag"] in self.if_none_match or self.if_none_match.strip() == "*":
            return Response(status_code=304, headers=known)
        return Response(body, headers=known | head, media_type=media_type)


async def _asker(accept: Annotated[str, Header()] = "", if_none_match: Annotated[str, Header()] = "") -> Asker:
    return Asker(accept, if_none_match)


AskedBy = Annotated[Asker, Depends(_asker)]
"""How a route asks who asks."""


def file_name(subject: str, place: str, first: date | datetime, last: date | datetime) -> str:
    """Return the name of a file: of what, of which place (empty: the network), from when to when."""
    return f"{subject}-{place.replace(':', '-') or 'reseau'}-{first:%Y-%m-%d}-{last:%Y-%m-%d}.csv"


def local(at_ms: int, zone: ZoneInfo) -> datetime:
    """Return a moment at the site, to the second."""
    return datetime.fromtimestamp(at_ms // 1000, zone)


def share(value: float | None) -> float | None:
    """Return a share as it is published; None, which is missing, stays None."""
    return None if value is None else round(value, SHARE_DIGITS)
