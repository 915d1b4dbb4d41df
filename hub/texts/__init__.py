"""What the hub says to people, in French first, then English, Italian and German.

The four TOML files beside this one have the same keys and the same fields (tests/hub/test_texts.py compares them).
How a language counts, names a moment or says "of Murat" is here; everything else is in the files.
"""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cache
from importlib.resources import files
from typing import Any, Final
from zoneinfo import ZoneInfo

LANGUAGES: Final = ("fr", "en", "it", "de")
"""The order is the order of preference: French unless the reader says otherwise."""

LANGUAGE_NAMES: Final[Mapping[str, str]] = {"fr": "Français", "en": "English", "it": "Italiano", "de": "Deutsch"}

MAX_ACCEPT_LANGUAGE = 200
"""Characters of the header that are read: no browser sends more languages than that."""

LEAST_SHARE = 0.005
"""What rounds to no percent at all."""

MINUTE_MS, HOUR_MS = 60_000, 3_600_000
MEGABYTE, GIGABYTE = 1_000_000, 1_000_000_000

_VOWELS = "aeiouyhàâäéèêëîïôöùûüœ"
"""Before these French says `d'`: d'Aurillac, d'Ydes, d'Herbigny."""


def read_table(language: str) -> dict[str, str]:
    """Return one language's texts with dotted keys: `{"card.fresh": "À jour à {time}", ...}`."""
    content = tomllib.loads(files("hub.texts").joinpath(f"{language}.toml").read_text("utf-8"))
    return dict(_flat(content))


def _flat(content: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    pairs: list[tuple[str, str]] = []
    for key, value in content.items():
        if isinstance(value, dict):
            pairs.extend(_flat(value, f"{prefix}{key}."))
        else:
            pairs.append((f"{prefix}{key}", value))
    return pairs


def preferred_language(asked: str | None, accept_language: str) -> str:
    """Return the language of a page: what the address asks, else the first that the browser prefers and we speak.

    `accept_language` is the header of RFC 9110, 12.5.4; whatever it holds that is not understood is passed over.
    """
    if asked in LANGUAGES:
        return str(asked)
    wished: list[tuple[float, int, str]] = []
    for place, part in enumerate(accept_language[:MAX_ACCEPT_LANGUAGE].split(",")):
        tag, _, quality = part.partition(";q=")
        language = tag.strip().partition("-")[0].lower()
        if language in LANGUAGES and (weight := _weight(quality)) > 0:
            wished.append((-weight, place, language))
    return min(wished)[2] if wished else LANGUAGES[0]


def _weight(quality: str) -> float:
    if not quality:
        return 1.0
    try:
        weight = float(quality)
    except ValueError:
        return 0.0
    return weight if 0 < weight <= 1 else 0.0


@dataclass(frozen=True)
class Words:
    """One language: its texts, its numbers, its dates."""

    language: str
    table: Mapping[str, str]

    def __call__(self, key: str, **fields: str | int) -> str:
        """Return a text with its fields filled in. A key that is not there is our own mistake: KeyError."""
        return self.table[key].format(**fields)

    def some(self, key: str, count: int, **fields: str | int) -> str:
        """Return the text of `key` for so many things, with the count as `{n}`."""
        alone = count < 2 if self.language == "fr" else count == 1
        return self(f"{key}_{'one' if alone else 'other'}", n=self.number(count), **fields)

    def of(self, name: str) -> str:
        """Return "of this telecentre" as the language says it: `d'Aurillac`, `at Murat`, `di Murat`, `in Murat`."""
        match self.language:
            case "fr":
                return _french_of(name)
            case "en":
                return f"at {name}"
            case "it":
                return f"di {name}"
            case _:
                return f"in {name}"

    def number(self, value: float, decimals: int = 0) -> str:
        """Return a number with the language's separators."""
        plain = f"{value:,.{decimals}f}"
        return plain.translate(str.maketrans(",.", self.table["number.group"] + self.table["number.decimal"]))

    def percent(self, share: float) -> str:
        """Return a share (0 to 1) as whole percent; a trace is not nothing: `< 1 %`."""
        if 0 < share < LEAST_SHARE:
            return f"< {self('number.percent', n=1)}"
        return self("number.percent", n=self.number(share * 100))

    def size(self, count_bytes: int) -> str:
        """Return a size in decimal units: `40,9 Mo`, from a thousand of them on `12,0 Go`."""
        if count_bytes < GIGABYTE:
            return self("number.megabytes", n=self.number(count_bytes / MEGABYTE, 1))
        return self("number.gigabytes", n=self.number(count_bytes / GIGABYTE, 1))

    def duration(self, milliseconds: int) -> str:
        """Return a duration as short as it is clear: `40 s`, `35 min`, from two hours on `7,5 h`."""
        if milliseconds and milliseconds < MINUTE_MS:
            return self("statistics.seconds", n=self.number(milliseconds / 1_000))
        if milliseconds < 2 * HOUR_MS:
            return self("statistics.minutes", n=self.number(milliseconds / MINUTE_MS))
        return self("statistics.hours", n=self.number(milliseconds / HOUR_MS, 1))

    def day(self, when: date) -> str:
        """Return a date in full: `21 nov. 2026`."""
        return self("time.date", day=when.day, month=self(f"month.{when.month}"), year=when.year)

    def short_day(self, when: date) -> str:
        """Return a date for the head of a column: `sam. 21 nov.`."""
        weekday = self(f"weekday.{when.isoweekday()}")
        return self("time.short_date", weekday=weekday, day=when.day, month=self(f"month.{when.month}"))

    def clock(self, at: datetime, zone: str) -> str:
        """Return the time of day at the site: `14:02`."""
        return at.astimezone(ZoneInfo(zone)).strftime("%H:%M")

    def moment(self, at: datetime, zone: str, now: datetime) -> str:
        """Return a moment as short as it is clear: `14:02` today, `le 20 nov. 2026 à 14:02` on another day."""
        local = at.astimezone(ZoneInfo(zone))
        if local.date() == now.astimezone(ZoneInfo(zone)).date():
            return self.clock(at, zone)
        return self.full_moment(at, zone)

    def full_moment(self, at: datetime, zone: str) -> str:
        """Return a moment with its date, whatever day it is."""
        local = at.astimezone(ZoneInfo(zone))
        return self("time.day_clock", date=self.day(local.date()), time=self.clock(at, zone))

    def since(self, at: datetime | None, zone: str, now: datetime) -> str:
        """Return since when: `depuis 14:02`, with the date on another day; empty when nobody knows."""
        if at is None:
            return ""
        local = at.astimezone(ZoneInfo(zone))
        if local.date() == now.astimezone(ZoneInfo(zone)).date():
            return self("time.since_clock", time=self.clock(at, zone))
        return self("time.since_day", date=self.day(local.date()), time=self.clock(at, zone))

    def opening(self, hours: str) -> str:
        """Return opening hours in OpenStreetMap's notation as people write them: `lun.-ven. 08:00-19:00, ...`."""
        if hours.strip() == "24/7":
            return self("hours.always")
        spoken = hours.replace("PH off", self("hours.holidays_off")).replace("; ", ", ")
        return _OSM_WORD.sub(lambda found: self(_OSM_WORDS[found[0]]), spoken)


_OSM_WORDS: Final[Mapping[str, str]] = {
    **{day: f"weekday.{number}" for number, day in enumerate(("Mo", "Tu", "We", "Th", "Fr", "Sa", "Su"), start=1)},
    "PH": "hours.holidays",
    "SH": "hours.school_holidays",
    "off": "hours.off",
}
_OSM_WORD = re.compile(rf"\b(?:{'|'.join(_OSM_WORDS)})\b(?![.])")


def _french_of(name: str) -> str:
    if name.startswith("Le "):
        return f"du {name[3:]}"
    if name.startswith("Les "):
        return f"des {name[4:]}"
    return f"d'{name}" if name[:1].lower() in _VOWELS else f"de {name}"


@cache
def words(language: str) -> Words:
    """Return one of the four languages.

    Raises:
        KeyError: it is none of them.
    """
    if language not in LANGUAGES:
        raise KeyError(language)
    return Words(language, read_table(language))


def parse_instant(text: str | None) -> datetime | None:
    """Return the moment that a live answer names, aware and in UTC."""
    return None if text is None else datetime.fromisoformat(text).astimezone(UTC)
