"""An oracle of figures that shares no formula with the hub: it writes each minute of each place as one letter.

Sessions are read off that text with a regular expression, levels by counting letters, windows of five minutes by
looking at each; a minute's local day, and whether it is open then, come from the clock at the wall.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from functools import lru_cache
from statistics import fmean, median
from typing import NamedTuple
from zoneinfo import ZoneInfo

from hub.indicators import Value
from tests.support.histories import HOLIDAYS, LENGTH, MINUTE, OPEN_AT, PARIS, PLACES, Said, Stream, Version

SHIFT = 2 * LENGTH
"""Minutes before the beginning: a clock that is tied late may reach there."""
LETTERS = {"occupied": "U", "in_call": "U", "vacant": "E", "free": "E", "booked": "E", "ghost": "G"}
LETTERS |= {"unknown": "?", "never": "?", "out_of_service": "O"}
MERGED = {"desk": 15, "room": 5}

Day = tuple[int, int, int]
"""(in use, free, unknown) in one minute."""


@lru_cache(16)
def wall(start_ms: int, zone: ZoneInfo) -> list[tuple[date, int]]:
    """Return the local day of each minute, and the minute of that day that the clock at the wall shows."""
    first = datetime.fromtimestamp(start_ms / 1000, UTC).timestamp() - SHIFT * 60
    local = [datetime.fromtimestamp(first + 60 * n, zone) for n in range(4 * LENGTH)]
    return [(at.date(), at.hour * 60 + at.minute) for at in local]


@dataclass
class Register:
    """Which places there were on which days, and when it was open: what a person with a pencil would note."""

    places: dict[str, list[tuple[date, date]]] = field(default_factory=dict)
    hours: list[tuple[date, str]] = field(default_factory=list)
    zone: ZoneInfo = PARIS

    def take(self, version: Version, since: date, first_heard: Callable[[str, ZoneInfo], date | None]) -> None:
        """Note a version; a place that is quite new counts from the day on which it was first heard of, if sooner."""
        since = since if self.hours else date.min
        self.zone = version.zone
        self.hours.append((since, version.hours))
        wanted = {f"desk-{n + 1:02d}" for n in range(version.desks)} | {"room-01" for _ in range(version.rooms)}
        for place, spans in self.places.items():
            if spans[-1][1] == date.max and place not in wanted:
                spans[-1] = spans[-1][0], since
        for place in wanted:
            spans = self.places.setdefault(place, [])
            heard = first_heard(place, version.zone) if not spans else None
            if not spans or spans[-1][1] != date.max:
                spans.append((since if heard is None else min(since, heard), date.max))

    def there(self, kind: str, day: date) -> list[str]:
        """Return the places of a kind that count on a day."""
        return sorted(
            place
            for place, spans in self.places.items()
            if place.startswith(kind) and any(first <= day < until for first, until in spans)
        )

    def opening(self, day: date) -> tuple[tuple[int, int], ...]:
        """Return when it is open on a local day, in minutes of the clock at the wall."""
        hours = [hours for since, hours in self.hours if since <= day][-1]
        return OPEN_AT[hours][7 if day in HOLIDAYS else day.weekday()]


@dataclass
class Told:
    """All that was told of a telecentre, whichever way: what its figures are a function of."""

    start_ms: int
    streams: list[Stream] = field(default_factory=list)
    received: dict[str, int] = field(default_factory=dict)
    register: Register = field(default_factory=Register)


def tied_boots(streams: Sequence[Stream]) -> dict[str, int]:
    """Return what the first clock_set of each boot adds to its monotonic minutes."""
    found: dict[str, tuple[int, str, int, int]] = {}
    for stream in streams:
        for seq, said in enumerate(stream.said, start=1):
            if said.kind == "clock_set":
                this = (said.up, stream.id, seq, said.minute - said.up)
                found[stream.boot] = min(this, found.get(stream.boot, this))
    return {boot: reference[3] for boot, reference in found.items()}


def instants(stream: Stream, tied: Mapping[str, int]) -> list[int | None]:
    """Return the minute of each position of a stream, where there is one to believe."""
    return [
        None
        if said.kind in ("garbage", "gone") or (said.clock == "synced" and said.minute >= 10**6)
        else said.minute
        if said.clock == "synced"
        else said.up + tied[stream.boot]
        if stream.boot in tied
        else None
        for said in stream.said
    ]


def in_order(streams: Sequence[Stream], received: Mapping[str, int]) -> list[tuple[Said, int | None]]:
    """Return every event with its minute, in the order that the protocol defines."""
    tied = tied_boots(streams)
    known = [(stream, instants(stream, tied)) for stream in streams]
    timed = [(stream, at) for stream, at in known if any(minute is not None for minute in at)]
    timed.sort(key=lambda pair: (next(m for m in pair[1] if m is not None), received[pair[0].id], pair[0].id))
    return [both for stream, at in timed for both in zip(stream.said, at, strict=True)]


def written(streams: Sequence[Stream], received: Mapping[str, int]) -> tuple[dict[str, list[str]], int | None]:
    """Return the state of each place in each minute, and the minute up to which the telecentre was heard."""
    text = {place: ["never"] * (4 * LENGTH) for place in PLACES}
    last: dict[str, tuple[int, str]] = {}
    heard: int | None = None

    def write(place: str, at: int, state: str) -> None:
        if place not in last or last[place][1] != state:
            at = max(at, last[place][0]) if place in last else at
            text[place][SHIFT + at :] = [state] * (len(text[place]) - SHIFT - at)
            last[place] = (at, state)

    for said, at in in_order(streams, received):
        if said.kind in ("edge_started", "lost", "garbage", "gone") and heard is not None:
            for place in list(last):
                write(place, heard, "unknown")
        if said.subject in PLACES and at is not None:
            write(said.subject, at, said.state)
        elif said.subject in last and at is None and heard is not None:
            write(said.subject, heard, "unknown")
        heard = at if heard is None or (at is not None and at > heard) else heard
    return text, heard


def first_heard(told: Told, place: str, zone: ZoneInfo) -> date | None:
    """Return the local day on which a place was first spoken of, by what has been told so far."""
    states = written(told.streams, told.received)[0][place]
    first = next((minute for minute, state in enumerate(states) if state != "never"), None)
    return None if first is None else wall(told.start_ms, zone)[first][0]


class Spent(NamedTuple):
    """What became of the minutes of a place, in an hour or on a day."""

    available: int
    observed: int
    occupied: int
    outside: int
    ghost: int


class Oracle:
    """What each minute of each place was, and what follows of it."""

    def __init__(self, told: Told) -> None:
        self.register, self._start_ms = told.register, told.start_ms
        states, heard = written(told.streams, told.received)
        self._heard = 0 if heard is None else SHIFT + heard
        self._text = {place: "".join(LETTERS[state] for state in of_place) for place, of_place in states.items()}
        unseen = "?" * (4 * LENGTH - self._heard)
        self._seen = {place: text[: self._heard] + unseen for place, text in self._text.items()}
        self._wall = wall(told.start_ms, told.register.zone)
        self._ranges: dict[date, range] = {}
        for minute, (day, _) in enumerate(self._wall):
            self._ranges[day] = range(self._ranges.get(day, range(minute, minute)).start, minute + 1)
        opening = {day: told.register.opening(day) for day in self._ranges}
        self._open = [any(a <= at < b for a, b in opening[day]) for day, at in self._wall]
        tied = tied_boots(told.streams)
        firsts = [next((at for at in instants(stream, tied) if at is not None), None) for stream in told.streams]
        self._first = min((SHIFT + first for first in firsts if first is not None), default=None)
        self._sessions = {place: self._read_sessions(place) for place in PLACES}
        self._days: dict[tuple[str, date], tuple[list[Spent], list[Day]]] = {}

    def at_ms(self, minute: int) -> int:
        """Return when a minute begins."""
        return self._start_ms + (minute - SHIFT) * MINUTE

    def hours(self, kind: str, days: Sequence[date]) -> dict[tuple[str, int], Spent]:
        """Return each hour of each place in which it was open and seen."""
        found = {}
        for day in days:
            minutes = self._minutes(day)
            for place in self.register.there(kind, day):
                for start in range(minutes.start, minutes.stop, 60):
                    hour = self._hour(place, day, range(start, min(start + 60, minutes.stop)))
                    if hour.observed:
                        found[place, self.at_ms(start)] = hour
        return found

    def values(self, kind: str, days: Sequence[date]) -> dict[str, Value]:
        """Return every indicator of a period of whole days."""
        daily = [self._day(kind, day) for day in days]
        places = [place for of_day, _ in daily for place in of_day]
        held = {place for day in days for place in self.register.there(kind, day)}
        names = ("available", "observed", "occupied", "outside", *(("ghost",) if kind == "room" else ()))
        counts = {name: sum(getattr(place, name) for place in places) for name in names}
        each = counts["available"] / len(held) if held else 0.0
        missing = counts["observed"] * 2 < counts["available"] or not counts["observed"]
        begun = [one for day in days for place in self.register.there(kind, day) for one in self._begun(place, day)]
        lengths = sorted((end - start) * MINUTE for start, end, is_closed in begun if is_closed)
        place_days = sum(place.available > 0 for place in places)
        starts = [self.at_ms(self._minutes(day).start) for day in days]
        found: dict[str, Value] = {f"{name}_ms": number * MINUTE for name, number in counts.items()}
        return {
            **found,
            "occupancy_rate": None if missing else counts["occupied"] / counts["observed"],
            **_crowd([levels for _, levels in daily], starts, missing=missing, each=each),
            "sessions": len(begun),
            "sessions_closed": len(lengths),
            "sessions_censored": len(begun) - len(lengths),
            "dwell_mean_ms": fmean(lengths) if lengths else None,
            "dwell_median_ms": median(lengths) if lengths else None,
            "dwell_p90_ms": next((x for n, x in enumerate(lengths, 1) if n * 10 >= len(lengths) * 9), None),
            "turnover": None if missing or not place_days else len(begun) / place_days,
        }

    def _read_sessions(self, place: str) -> list[tuple[int, int, bool]]:
        """Return (start, end) in minutes, and whether both ends were seen."""
        text = self._text[place].replace("G", "E")
        seen, after = text[: self._heard], text[self._heard]
        found = []
        for match in re.finditer(rf"U+(?:E{{1,{MERGED[place.partition('-')[0]]}}}U+)*", seen):
            start, end = match.span()
            before = seen[start - 1] if start else "?"
            following = seen[end] if end < len(seen) else after
            if end - start >= 2:
                found.append((start, end, before == following == "E"))
        return found

    def _begun(self, place: str, day: date) -> list[tuple[int, int, bool]]:
        minutes = self._minutes(day)
        return [one for one in self._sessions[place] if one[0] in minutes]

    def _minutes(self, day: date) -> range:
        return self._ranges[day]

    def _day(self, kind: str, day: date) -> tuple[list[Spent], list[Day]]:
        if (kind, day) not in self._days:
            minutes = self._minutes(day)
            there = self.register.there(kind, day)
            hours = [range(start, min(start + 60, minutes.stop)) for start in range(minutes.start, minutes.stop, 60)]
            places = [
                Spent(*map(sum, zip(*(self._hour(place, day, hour) for hour in hours), strict=True))) for place in there
            ]
            levels = []
            for minute in minutes:
                letters = "".join(self._seen[place][minute] for place in there) if self._open[minute] else ""
                levels.append((letters.count("U"), letters.count("E") + letters.count("G"), letters.count("?")))
            self._days[kind, day] = places, levels
        return self._days[kind, day]

    def _hour(self, place: str, day: date, minutes: range) -> Spent:
        first = self._first if self._first is not None and self._first in self._minutes(day) else 0
        letters = [(self._seen[place][minute], minute) for minute in minutes]
        within = [(letter, minute) for letter, minute in letters if self._open[minute]]
        seen = [letter for letter, _ in within if letter in "UEG"]
        counted = sum(letter != "O" for letter, minute in within if minute >= first)
        used = sum(letter == "U" for letter, _ in letters)
        return Spent(max(counted, len(seen)), len(seen), seen.count("U"), used - seen.count("U"), seen.count("G"))


def _crowd(daily: Sequence[Sequence[Day]], starts: Sequence[int], *, missing: bool, each: float) -> dict[str, Value]:
    known = [(start, levels) for start, levels in zip(starts, daily, strict=True) if any(u + f for u, f, _ in levels)]
    every = [one for _, levels in known for one in levels if one[0] + one[1]]
    whole = [one for one in every if not one[2]]
    peaks = [max(used for used, _, _ in levels) for _, levels in known]
    peak = max(peaks, default=None)
    at = [
        start + n * MINUTE for start, levels in known for n, (used, _, _) in enumerate(levels) if used == peak and peak
    ]
    held = [min(used for used, _, _ in levels[n : n + 5]) for _, levels in known for n in range(len(levels) - 4)]
    scarce = missing or not whole or 2 * len(whole) < each
    full = sum(not free for _, free, _ in whole)
    return {
        "peak": peak,
        "peak_at_ms": at[0] if at else None,
        "peak_5min": max(held, default=None),
        "average_peak": fmean(peaks) if peaks and not missing else None,
        "average_occupancy": None if scarce else fmean(used for used, _, _ in whole),
        "min_free": min((free for _, free, _ in whole), default=None),
        "saturated_ms": full * MINUTE,
        "saturable_ms": len(whole) * MINUTE,
        "saturation": None if scarce else full / len(whole),
    }
