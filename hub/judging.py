"""One subject of a month through the gate: what is told of it first, and what a revision tells anew. Pure.

The gate judges each subject by itself (desks, rooms, persons), so that several may be judged at once, each in a process
of its own that is given no more than its subject, and gives back no more than what is told of it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from hub.disclosure import AGREEMENT_K, PUBLIC_K, AuditLine, Figure, disclose_to, revise
from hub.exports import to_csv
from hub.lateness import had_nothing, late_table
from hub.observatory import Month, month_table
from hub.release import FIGURE_COLUMNS, Edition, each_row, figure_rows, figure_text, merged, told_in, uncounted_in

AUDIENCES: Mapping[str, int] = {"public": PUBLIC_K, "agreement": AGREEMENT_K}
"""Who gets a release, and how many persons must stand behind a figure of theirs."""


class Told(NamedTuple):
    """What an audience is told of one subject."""

    rows: str
    """Of its `indicateurs.csv`, in order."""
    audit: tuple[AuditLine, ...] = ()
    kept: frozenset[Figure] = frozenset()
    """What no later revision tells anew."""
    is_other: bool = True
    """Whether it was told otherwise before."""


@dataclass(frozen=True, slots=True)
class Question:
    """One subject of a month, to be told for the first time."""

    subject: str
    edition: Edition
    month: Month


@dataclass(frozen=True, slots=True)
class LateQuestion:
    """One subject of a month that was told of before, and of which more is known now."""

    subject: str
    edition: Edition
    before: Month
    after: Month
    files: Mapping[str, str]
    """What was told before: `indicateurs.csv` by audience."""
    kept: Mapping[str, frozenset[Figure]]


def first_told(asked: Question) -> dict[str, Told]:
    """Return what is told of a subject for the first time, by audience, from the same figures."""
    table, facts = month_table(asked.month, (asked.subject,))
    levels = {place.id: place.level for place in table.places}
    releases = disclose_to(table, list(AUDIENCES.values()))
    return {
        audience: Told(figure_text(asked.edition, levels, facts, releases[k].verdicts), releases[k].audit)
        for audience, k in AUDIENCES.items()
    }


def told_anew(asked: LateQuestion) -> dict[str, Told]:
    """Return what is told of a subject in the next revision, by audience."""
    subjects = (asked.subject,)
    # What came late first: its table is gone when that of the month is made.
    late = disclose_to(late_table(asked.before, asked.after, subjects), list(AUDIENCES.values()))
    nothing = had_nothing(asked.before, subjects)
    table, facts = month_table(asked.after, subjects)
    levels = {place.id: place.level for place in table.places}
    found = {}
    uncounted: frozenset[Figure] = frozenset()
    # The freest first: a count that is hidden from them is hidden from all, for both may lie before the same reader.
    for audience, k in sorted(AUDIENCES.items(), key=lambda it: it[1]):
        before = [row for row in each_row(asked.files[audience]) if row[5] == asked.subject]
        uncounted |= uncounted_in(before)
        revision = revise(table, late[k], told_in(before) | nothing, asked.kept[audience], uncounted)
        uncounted = revision.uncounted
        rows = merged(before, figure_rows(asked.edition, levels, facts, revision.verdicts))
        found[audience] = Told(to_csv(FIGURE_COLUMNS, rows), kept=revision.kept, is_other=rows != before)
    return found
