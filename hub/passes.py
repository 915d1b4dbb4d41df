"""The rules of the register of passes: who a member is, what a pass allows and when, how a badge is named. Pure.

A member has passes, a pass has badges. What a person writes is read here, and refused here in one sentence (English,
as the command line speaks); the sentences name no member.
Source: docs/passes.md.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Literal, get_args
from zoneinfo import ZoneInfo

from contract.rights import MAX_WINDOWS, MINUTES_IN_A_DAY, CredentialState, FreeAccess, WeeklyWindow

Category = Literal[
    "regular_teleworker",
    "occasional_teleworker",
    "self_employed",
    "employee",
    "travelling_sales",
    "visitor",
    "staff",
]
"""For whom a Pass Actifs Mobiles is: the five of the network's brochure, short visits, and who keeps the place."""

CATEGORIES: tuple[Category, ...] = get_args(Category)
STATES: tuple[CredentialState, ...] = get_args(CredentialState)

FIRST_YEAR, LAST_YEAR = 2000, 2099
"""A validity outside these is a slip of the finger."""

MAX_NAME_CHARS = 100
MAX_EMAIL_CHARS = 254
"""RFC 5321, 4.5.3.1.3."""

MAX_SITES = 200
"""Sites that one pass names: more than that is the whole network."""

MAX_FREE_ACCESS = timedelta(hours=36)
"""An event day with the evening before; longer is a door that nobody remembers."""

_ID_LETTERS = "0123456789abcdefghjkmnpqrstvwxyz"
_LABEL_LETTERS, _LABEL_DIGITS = "ABCDEFGHJKMNPQRSTVWXYZ", "23456789"
_LABEL = (_LABEL_LETTERS, _LABEL_DIGITS, "-", _LABEL_LETTERS, _LABEL_DIGITS, _LABEL_LETTERS)
"""Nothing that is mistaken for another sign when it is read aloud, and no word can come of it."""


class PassError(ValueError):
    """What was asked of the register cannot be: one sentence without a name in it.

    What it repeats of a file or of an argument cannot move the cursor of the terminal that shows it.
    """

    def __init__(self, sentence: str) -> None:
        super().__init__("".join(sign if sign.isprintable() else "\N{REPLACEMENT CHARACTER}" for sign in sentence))


@dataclass(frozen=True, slots=True)
class Person:
    """What is known of a member."""

    name: str
    organisation: str = ""
    email: str = ""


@dataclass(frozen=True, slots=True)
class Terms:
    """What a pass allows. No site named means the whole network; no window means at any time.

    `valid_from` and `valid_until` are local times of whichever site the badge is shown at, half-open.
    """

    category: Category
    valid_from: datetime
    valid_until: datetime | None = None
    sites: tuple[str, ...] = ()
    windows: tuple[WeeklyWindow, ...] = ()
    holidays: bool = False


@dataclass(frozen=True, slots=True)
class Member:
    """Who works in a telecentre; `person` is None once removed."""

    id: str
    network: str
    person: Person | None
    added_at_ms: int
    removed_at_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Pass:
    """A pass as it is from `since_ms` on."""

    id: str
    member: str
    network: str
    terms: Terms
    ended: bool = False
    since_ms: int = 0


@dataclass(frozen=True, slots=True)
class Badge:
    """A badge as it is from `since_ms` on: secured (`badge` is set) or of the UID class (`site` is set)."""

    credential: str
    label: str
    pass_id: str
    badge: str | None = None
    site: str | None = None
    state: CredentialState = "active"
    emergency: bool = False
    removed: bool = False
    since_ms: int = 0


@dataclass(frozen=True, slots=True)
class NewBadge:
    """A badge to come: secured, its `badge` id drawn unless the card has one already; or of the UID class of `site`.

    `credential` is its random id if it was drawn before, for an enrolment.
    """

    badge: str | None = None
    site: str | None = None
    state: CredentialState = "active"
    emergency: bool = False
    credential: str | None = None


@dataclass(frozen=True, slots=True)
class Register:
    """Passes, badges and event days at one moment; `counter` is which moment. No name is in it."""

    counter: int = 0
    passes: Mapping[str, Pass] = field(default_factory=dict)
    badges: tuple[Badge, ...] = ()
    free_access: Mapping[str, tuple[FreeAccess, ...]] = field(default_factory=dict)
    """By site."""


def new_id(random: bytes) -> str:
    """Return a random id of twelve letters and digits from 8 random bytes: of a member, a pass, a credential."""
    number = int.from_bytes(random, "big")
    return "".join(_ID_LETTERS[number >> 5 * place & 31] for place in range(12))


def new_label(random: bytes) -> str:
    """Return what people call a badge, such as `K7-Q2M`, from 8 random bytes: derived from nothing else."""
    number, signs = int.from_bytes(random, "big"), []
    for letters in _LABEL:
        number, place = divmod(number, len(letters))
        signs.append(letters[place])
    return "".join(signs)


def check_person(person: Person) -> Person:
    """Return a member's name, organisation and e-mail, without spaces around them.

    Raises:
        PassError: one of them cannot be.
    """
    name, organisation, email = (_line(text, what) for text, what in _said(person))
    if not name:
        raise PassError("a member needs a name")
    if email and (len(email) > MAX_EMAIL_CHARS or not re.fullmatch(r"[^@\s]+@[^@\s]+", email)):
        raise PassError("this is not an e-mail address")
    return Person(name, organisation, email)


def _said(person: Person) -> tuple[tuple[str, str], ...]:
    return (person.name, "name"), (person.organisation, "organisation"), (person.email, "e-mail address")


def _line(text: str, what: str) -> str:
    text = text.strip()
    longest = MAX_EMAIL_CHARS if what == "e-mail address" else MAX_NAME_CHARS
    if len(text) > longest or not all(sign.isprintable() for sign in text):
        raise PassError(f"the {what} is longer than {longest} characters, or has signs that cannot be printed")
    return text


def check_terms(terms: Terms, sites: Iterable[str]) -> Terms:
    """Return the terms of a pass; `sites` are those of its network.

    Raises:
        PassError: it would never be valid, names an unknown site, or has windows that overlap.
    """
    if terms.valid_until is not None and terms.valid_until <= terms.valid_from:
        raise PassError(
            f"the validity ends at {write_moment(terms.valid_until)}, which is not after its start at "
            f"{write_moment(terms.valid_from)}"
        )
    known = set(sites)
    for site in terms.sites:
        if site not in known:
            raise PassError(f"the site '{site}' is not in the register")
    if len(terms.sites) > MAX_SITES:
        raise PassError(f"a pass names at most {MAX_SITES} sites: beyond, give it the whole network")
    check_windows(terms.windows)
    return terms


def read_badge_id(text: str) -> str:
    """Return the badge id of a personalised card: 32 hexadecimal digits, in small letters.

    Raises:
        PassError: it is something else, maybe a card's number, which is not repeated.
    """
    badge = text.strip().lower()
    if not re.fullmatch(r"[0-9a-f]{32}", badge):
        raise PassError("a badge id has 32 hexadecimal digits; the number of a card is not one")
    return badge


def read_category(text: str) -> Category:
    """Return a category by its name.

    Raises:
        PassError: there is none of that name.
    """
    for category in CATEGORIES:
        if text.strip() == category:
            return category
    raise PassError(f"'{text.strip()[:40]}' is not a category: {', '.join(CATEGORIES)}")


_MOMENT = re.compile(r"\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d)?")


def read_moment(text: str) -> datetime:
    """Return a local time such as `2026-01-01` (its midnight) or `2026-01-01T14:00`.

    Raises:
        PassError: it is neither, or no day of the calendar.
    """
    text = text.strip()
    try:
        moment = datetime.fromisoformat(text) if _MOMENT.fullmatch(text) else None
    except ValueError:
        moment = None
    if moment is None or not FIRST_YEAR <= moment.year <= LAST_YEAR:
        raise PassError(f"'{text[:40]}' is not a date such as 2026-01-01 or a time such as 2026-01-01T14:00")
    return moment


def is_over(one: Pass, day: datetime) -> bool:
    """Return whether a pass allows nothing any more from a local time on."""
    return one.ended or (one.terms.valid_until is not None and one.terms.valid_until <= day)


def write_moment(moment: datetime) -> str:
    """Return a local time as it is read: a midnight as its date alone."""
    return moment.strftime("%Y-%m-%d") if (moment.hour, moment.minute) == (0, 0) else moment.strftime("%Y-%m-%dT%H:%M")


def instant_ms(moment: datetime, zone: ZoneInfo) -> int:
    """Return a local time at a site in UTC milliseconds.

    A time that a change of the clocks skips counts as if they had not changed yet; of one that comes twice the first
    counts.
    """
    return (moment.replace(tzinfo=zone).astimezone(UTC) - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)


_DAYS = ("Mo", "Tu", "We", "Th", "Fr", "Sa", "Su")
_DAY_NUMBERS = {name.lower(): number for number, name in enumerate(_DAYS, start=1)} | {
    name: number for number, name in enumerate(("lu", "ma", "me", "je", "ve", "sa", "di"), start=1)
}
"""English as in OpenStreetMap, and French; no abbreviation means two days."""

_TIMES = re.compile(r"(\d{1,2}):(\d\d)-(\d{1,2}):(\d\d)")


def read_windows(text: str) -> tuple[WeeklyWindow, ...]:
    """Return weekly windows such as `Mo-Fr 08:00-12:00,14:00-18:30 | Sa 09:00-12:00`; none for an empty text.

    Raises:
        PassError: one cannot be read, or ends before it starts.
    """
    windows: list[WeeklyWindow] = []
    for part in filter(None, (part.strip() for part in text.split("|"))):
        days, _, times = part.partition(" ")
        weekdays = _read_days(days)
        windows += [_read_window(weekdays, times_of_day.strip()) for times_of_day in times.split(",")]
    return tuple(windows)


def _read_days(text: str) -> list[int]:
    days: set[int] = set()
    for part in text.lower().split(","):
        first, _, last = part.partition("-")
        begins, ends = _DAY_NUMBERS.get(first), _DAY_NUMBERS.get(last or first)
        if begins is None or ends is None:
            raise PassError(f"'{text[:40]}' are not days: write Mo, Tu-Th or Sa,Su (or Lu, Ma-Je, Sa,Di)")
        if ends < begins:
            raise PassError(f"the days '{text[:40]}' run backwards: the week begins on Monday")
        days.update(range(begins, ends + 1))
    return sorted(days)


def _read_window(days: list[int], times: str) -> WeeklyWindow:
    found = _TIMES.fullmatch(times)
    if found is None:
        raise PassError(f"'{times[:40]}' are not times of day: write 08:00-19:00")
    start, end = _minute(found[1], found[2]), _minute(found[3], found[4])
    if start is None or end is None or start == MINUTES_IN_A_DAY:
        raise PassError(f"'{times[:40]}' is not between 00:00 and 24:00")
    if end <= start:
        raise PassError(f"the window '{times[:40]}' ends before it starts: one past midnight is written as two")
    return WeeklyWindow(days=days, start=start, end=end)


def _minute(hour: str, minute: str) -> int | None:
    at = int(hour) * 60 + int(minute)
    return at if int(minute) < 60 and at <= MINUTES_IN_A_DAY else None


def check_windows(windows: Iterable[WeeklyWindow]) -> None:
    """Refuse windows that overlap: whoever wrote them meant something else.

    Raises:
        PassError: two overlap, or there are too many.
    """
    listed = list(windows)
    if len(listed) > MAX_WINDOWS:
        raise PassError(f"a pass has at most {MAX_WINDOWS} windows")
    for day, name in enumerate(_DAYS, start=1):
        of_day = sorted((window.start, window.end) for window in listed if day in window.days)
        for (start, end), (later_start, later_end) in pairwise(of_day):
            if later_start < end:
                both = f"{_clock(start)}-{_clock(end)} and {_clock(later_start)}-{_clock(later_end)}"
                raise PassError(f"two windows overlap on {name}: {both}")


def write_windows(windows: Iterable[WeeklyWindow]) -> str:
    """Return windows as `read_windows` reads them; empty for none."""
    return " | ".join(f"{_write_days(window.days)} {_clock(window.start)}-{_clock(window.end)}" for window in windows)


def _write_days(days: Iterable[int]) -> str:
    runs: list[list[int]] = []
    for day in sorted(set(days)):
        if runs and day == runs[-1][-1] + 1:
            runs[-1].append(day)
        else:
            runs.append([day])
    return ",".join(_DAYS[run[0] - 1] + (f"-{_DAYS[run[-1] - 1]}" if run[1:] else "") for run in runs)


def _clock(minute: int) -> str:
    return f"{minute // 60:02}:{minute % 60:02}"
