"""The indicators of one place in words, period beside period: what the page of statistics shows of it. Pure."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from typing import NamedTuple

from hub.indicators import Step, Value
from hub.statistics import Status
from hub.store import Kind, VisitRow
from hub.store.rows import IndicatorRow, VisitStatus
from hub.texts import Words

STATUS_ORDER: tuple[VisitStatus, ...] = ("provisional", "final", "frozen")
"""The least final first: several periods together are as final as the least of them."""


class Cell(NamedTuple):
    """One figure in words; an empty one is missing, and not a zero."""

    text: str = ""
    notes: tuple[str, ...] = ()
    status: Status = "A"


EMPTY = Cell()


@dataclass(frozen=True)
class Line:
    """One indicator: its name, and a cell for each period, the newest first."""

    name: str
    cells: list[Cell]

    @property
    def is_said(self) -> bool:
        """Whether anything is known in any period."""
        return any(cell.text for cell in self.cells)


@dataclass(frozen=True)
class Group:
    """Indicators that belong together."""

    id: str
    title: str
    lines: list[Line]


@dataclass(frozen=True)
class Counted:
    """How many persons came in one period; of a quarter or a year, unique visitors are counted by nobody."""

    visits: int
    half_days: int
    unique_visitors: int | None
    new_visitors: int | None
    status: VisitStatus


def counted(rows: Sequence[VisitRow], *, is_sum: bool) -> Counted | None:
    """Return the counts of one period, or with `is_sum` of the months of a longer one, whose persons do not add up."""
    if not rows:
        return None
    alone = None if is_sum else rows[0]
    return Counted(
        visits=sum(row.visits for row in rows),
        half_days=sum(row.half_days for row in rows),
        unique_visitors=alone.unique_visitors if alone else None,
        new_visitors=alone.new_visitors if alone else None,
        status=min((row.status for row in rows), key=STATUS_ORDER.index),
    )


def is_blind(row: IndicatorRow) -> bool:
    """Return whether nothing was known of a place at any time: then a zero would say that nothing happened."""
    return not (row.usage.observed_ms or row.usage.outside_ms)


def period_name(first: date, step: Step, words: Words) -> str:
    """Return what a column says of its period: `semaine du 16 nov. 2026`, `nov. 2026`, `T4 2026`, `2026`."""
    if step == "week":
        return words("place.week_of", date=words.day(first))
    if step == "month":
        return words("place.month_of", month=words(f"month.{first.month}"), year=first.year)
    if step == "quarter":
        return words("place.quarter_of", n=(first.month + 2) // 3, year=first.year)
    return str(first.year) if step == "year" else words.short_day(first)


@dataclass(frozen=True)
class Speaker:
    """How the figures of one place are said: language, time zone, desks or rooms."""

    words: Words
    zone: str
    kind: Kind

    def groups(self, rows: Sequence[IndicatorRow | None], persons: Sequence[Counted | None]) -> list[Group]:
        """Return the indicators of a place, and who came, for each period; None: nothing is known of one."""
        words, kind = self.words, self.kind
        groups = [
            self._group("of_time", rows, {words("statistics.rate"): self.rate, words("place.outside"): self.outside}),
            self._group(
                "of_crowd",
                rows,
                {
                    words(f"place.peak_{kind}"): self.peak,
                    words("place.peak_5min"): lambda row: self.count(row.values["peak_5min"]),
                    words("place.average_peak"): lambda row: self.mean(row.values["average_peak"]),
                    words(f"place.saturation_{kind}"): self.saturation,
                },
            ),
            self._group(
                "of_stays",
                rows,
                {
                    words("place.sessions"): self.sessions,
                    words("place.dwell"): self.dwell,
                    words(f"place.turnover_{kind}"): lambda row: self.mean(row.values["turnover"]),
                },
            ),
        ]
        if kind == "room":
            told = {
                words("place.bookings"): lambda row: self.count(row.values["bookings"]),
                words("place.no_shows"): self.no_shows,
                words("place.ghost"): lambda row: EMPTY if is_blind(row) else self.duration(row.usage.ghost_ms),
            }
            bookings = self._group("of_bookings", rows, told)
            # Where no agent tells of bookings, as of confidential rooms, the line would be empty for ever.
            groups.append(replace(bookings, lines=[line for line in bookings.lines if line.is_said]))
        return [*groups, self.persons(persons)]

    def _group(
        self, name: str, rows: Sequence[IndicatorRow | None], told: Mapping[str, Callable[[IndicatorRow], Cell]]
    ) -> Group:
        lines = [Line(title, [EMPTY if row is None else say(row) for row in rows]) for title, say in told.items()]
        return Group(name, self.words(f"place.{name}"), lines)

    def rate(self, row: IndicatorRow) -> Cell:
        """Return the rate with its coverage, and the word for its status."""
        words, coverage, observed = self.words, row.coverage, row.usage.observed_ms
        if coverage is None:
            return Cell(words("statistics.closed"), (), "M")
        notes = (words("statistics.covered", coverage=words.percent(coverage)),) if observed else ()
        rate = row.usage.rate
        if rate is None:
            return Cell(words("statistics.scarce" if observed else "statistics.missing"), notes, "M")
        word = words("place.reliable" if row.status == "A" else "statistics.uncertain")
        return Cell(words.percent(rate), (word, *notes), row.status)

    def outside(self, row: IndicatorRow) -> Cell:
        """Return for how long places were in use outside the opening hours."""
        return EMPTY if is_blind(row) else self.duration(row.usage.outside_ms)

    def peak(self, row: IndicatorRow) -> Cell:
        """Return how many places were in use at once, of how many, and when first."""
        peak, at_ms = row.values["peak"], row.values["peak_at_ms"]
        if peak is None:
            return EMPTY
        said = self.words("place.of_so_many", n=self.words.number(peak), total=self.words.number(row.resources))
        if at_ms is None:
            return Cell(said)
        return Cell(said, (self.words.full_moment(datetime.fromtimestamp(at_ms / 1000, UTC), self.zone),))

    def saturation(self, row: IndicatorRow) -> Cell:
        """Return which share of the time no place was free, and how long that was; that of too short a time is none."""
        share, length = row.values["saturation"], row.values["saturated_ms"]
        if share is None or length is None:
            return EMPTY if row.status == "M" else Cell(self.words("statistics.scarce"), (), "M")
        notes = (self.words("place.saturated", time=self.words.duration(round(length))),) if length else ()
        return Cell(self.words.percent(share), notes)

    def sessions(self, row: IndicatorRow) -> Cell:
        """Return how many stays began, and how many of them were not seen whole."""
        sessions, censored = row.values["sessions"], row.values["sessions_censored"]
        if sessions is None or row.status == "M":
            return EMPTY
        notes = (self.words.some("place.censored", round(censored)),) if censored else ()
        return Cell(self.words.number(sessions), notes)

    def dwell(self, row: IndicatorRow) -> Cell:
        """Return how long stays were: the median, with mean and ninth decile."""
        median, mean, p90 = (row.values[f"dwell_{name}_ms"] for name in ("median", "mean", "p90"))
        if median is None or mean is None or p90 is None:
            return EMPTY
        said = self.words.duration
        return Cell(
            said(round(median)), (self.words("place.dwell_more", mean=said(round(mean)), p90=said(round(p90))),)
        )

    def no_shows(self, row: IndicatorRow) -> Cell:
        """Return how many bookings nobody came to, and which share that is."""
        no_shows, rate = row.values["no_shows"], row.values["no_show_rate"]
        if no_shows is None or rate is None:
            return EMPTY
        return Cell(self.words.number(no_shows), (self.words("place.no_show_rate", rate=self.words.percent(rate)),))

    def persons(self, persons: Sequence[Counted | None]) -> Group:
        """Return who came: how many, and never who."""
        words = self.words
        told: dict[str, Callable[[Counted], Cell]] = {
            words("place.visits"): lambda one: Cell(words.number(one.visits), (words(f"place.{one.status}"),)),
            words("place.half_days"): lambda one: self.count(one.half_days),
            words("place.unique"): lambda one: self.count(one.unique_visitors, words("place.not_additive")),
            words("place.new"): lambda one: self.count(one.new_visitors, words("place.not_additive")),
        }
        lines = [Line(title, [EMPTY if one is None else say(one) for one in persons]) for title, say in told.items()]
        return Group("of_persons", words("place.of_persons"), lines)

    def count(self, value: Value, note: str = "") -> Cell:
        """Return a number, empty when it is missing."""
        return EMPTY if value is None else Cell(self.words.number(value), (note,) if note else ())

    def mean(self, value: Value) -> Cell:
        """Return a number with a decimal, empty when it is missing."""
        return EMPTY if value is None else Cell(self.words.number(value, 1))

    def duration(self, value: Value) -> Cell:
        """Return a length of time, empty when it is missing."""
        return EMPTY if value is None else Cell(self.words.duration(round(value)))
