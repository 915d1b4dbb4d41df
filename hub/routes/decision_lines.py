"""The last decisions at the doors of a telecentre, as its page tells them: no person, no badge. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass

from hub.instants import instant
from hub.live_answer import LiveSite
from hub.routes.cards import View, number_of
from hub.store import DecisionRow
from hub.store.rows import notes_of, sentence_of


@dataclass(frozen=True)
class DecisionLine:
    """One decision: when, at which door, what was decided, and what the member can do."""

    at: str
    door: str
    """Empty where there is one door."""
    granted: bool
    sentence: str
    remedy: str
    """Empty when the door was opened."""
    remarks: tuple[str, ...]
    """What was unusual."""


def told(rows: Iterable[DecisionRow], site: LiveSite, view: View) -> list[DecisionLine]:
    """Return decisions in words, the newest first."""
    return [_line(row, site, view) for row in rows][::-1]


def _line(row: DecisionRow, site: LiveSite, view: View) -> DecisionLine:
    words, access = view.words, row.access
    granted = access.reason == "GRANTED"
    return DecisionLine(
        view.moment(instant(row.at_ms), site["time_zone"]),
        words("card.door_n", n=number_of(access.door)) if len(site["doors"]) > 1 else "",
        granted,
        words(sentence_of(access)),
        "" if granted else words(f"{sentence_of(access)}_remedy"),
        tuple(words(f"note.{note}") for note in notes_of(access, unused=row.unused)),
    )
