"""Members and their passes from a CSV file: every bad line with its number and its reason. Pure.

The first line names the columns. Lines with the same name, organisation and e-mail are one member with several passes.
`;` or `,` between cells, UTF-8. Source: docs/passes.md.
"""

import csv
import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from contract.identity import is_site
from contract.rights import CredentialState
from hub.passes import (
    STATES,
    PassError,
    Person,
    Terms,
    check_person,
    check_terms,
    read_badge_id,
    read_category,
    read_moment,
    read_windows,
)

MAX_FILE_BYTES = 8_388_608
MAX_LINES = 50_000
"""A large network has some thousand members; a file beyond these is another one."""

NEEDED = ("name", "category", "valid_from", "sites")
COLUMNS = (
    "name",
    "organisation",
    "email",
    "category",
    "valid_from",
    "valid_until",
    "sites",
    "windows",
    "holidays",
    "badge",
    "state",
)
EVERYWHERE = "*"
YES, NO = frozenset({"yes", "oui", "true", "1"}), frozenset({"", "no", "non", "false", "0"})


@dataclass(frozen=True, slots=True)
class Line:
    """One good line: a member, a pass of that member, and maybe a personalised badge."""

    number: int
    person: Person
    terms: Terms
    badge: str | None
    state: CredentialState = "active"
    """How the badge begins."""


@dataclass(frozen=True, slots=True)
class BadLine:
    """A line that cannot be imported; the reason names nobody."""

    number: int
    reason: str


@dataclass(frozen=True, slots=True)
class Known:
    """What the register holds already, for the network of the file."""

    sites: frozenset[str]
    passes: Mapping[Person, tuple[Terms, ...]]
    badges: frozenset[str]


def read_members_file(content: bytes, known: Known) -> tuple[list[Line], list[BadLine]]:
    """Return the good and the bad lines of a file, in order. With one bad line nothing is to be imported.

    Raises:
        PassError: the whole file cannot be read: its size, its encoding or its first line.
    """
    rows = _rows(content)
    good: list[Line] = []
    bad: list[BadLine] = []
    seen = _Seen(known)
    for number, row in rows:
        try:
            line = _line(number, row, known)
            seen.take(line)
            good.append(line)
        except PassError as error:
            bad.append(BadLine(number, str(error)))
    return good, bad


class _Seen:
    """What the register and the lines so far hold: to find what is written twice."""

    def __init__(self, known: Known) -> None:
        self._passes = {person: [(terms, 0) for terms in passes] for person, passes in known.passes.items()}
        self._badges = dict.fromkeys(known.badges, 0)

    def take(self, line: Line) -> None:
        """Remember a line.

        Raises:
            PassError: its pass or its badge is there already.
        """
        for terms, number in self._passes.get(line.person, ()):
            if terms.category == line.terms.category and _overlap(terms, line.terms):
                raise PassError(f"this member has a pass of this category for that time already ({_where(number)})")
        if line.badge is not None and line.badge in self._badges:
            raise PassError(f"this badge id is there already ({_where(self._badges[line.badge])})")
        self._passes.setdefault(line.person, []).append((line.terms, line.number))
        if line.badge is not None:
            self._badges[line.badge] = line.number


def _where(number: int) -> str:
    return f"line {number}" if number else "in the register"


def _overlap(one: Terms, other: Terms) -> bool:
    """Return whether two passes are valid at the same time somewhere."""
    if one.sites and other.sites and not set(one.sites) & set(other.sites):
        return False
    return _begins_within(one, other) or _begins_within(other, one)


def _begins_within(one: Terms, other: Terms) -> bool:
    return other.valid_from <= one.valid_from and (other.valid_until is None or one.valid_from < other.valid_until)


def _rows(content: bytes) -> Iterable[tuple[int, dict[str, str]]]:
    if len(content) > MAX_FILE_BYTES:
        raise PassError("the file is larger than 8 MiB")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise PassError(f"the file is not UTF-8 (byte {error.start}): save it as 'CSV UTF-8'") from error
    head = text.partition("\n")[0]
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=";" if ";" in head else ",", strict=True)
    found: list[tuple[int, list[str]]] = []
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                found.append((reader.line_num, cells))
            if len(found) > MAX_LINES:
                raise PassError(f"the file has more than {MAX_LINES} lines")
    except csv.Error as error:
        raise PassError(f"the file is not CSV from line {reader.line_num} on: {error}") from error
    if not found:
        raise PassError("the file is empty")
    columns = [cell.strip().lower() for cell in found[0][1]]
    _check_columns(columns)
    return [(number, _row(columns, cells)) for number, cells in found[1:]]


def _check_columns(columns: list[str]) -> None:
    for column in columns:
        if column not in COLUMNS:
            raise PassError(f"the column '{column[:40]}' is not known: {', '.join(COLUMNS)}")
        if columns.count(column) > 1:
            raise PassError(f"the column '{column}' is there twice")
    for column in NEEDED:
        if column not in columns:
            raise PassError(f"the column '{column}' is missing: the first line names the columns")


def _row(columns: list[str], cells: list[str]) -> dict[str, str]:
    row = dict(zip(columns, (cell.strip() for cell in cells), strict=False))
    row[_TOO_MANY] = "yes" if any(cell.strip() for cell in cells[len(columns) :]) else ""
    return row


_TOO_MANY = " too many"


def _line(number: int, row: Mapping[str, str], known: Known) -> Line:
    if row[_TOO_MANY]:
        raise PassError("the line has more cells than there are columns")

    def cell(name: str) -> str:
        return row.get(name, "")

    person = check_person(Person(cell("name"), cell("organisation"), cell("email")))
    terms = Terms(
        category=read_category(cell("category")),
        valid_from=read_moment(cell("valid_from")),
        valid_until=read_moment(cell("valid_until")) if cell("valid_until") else None,
        sites=_sites(cell("sites")),
        windows=read_windows(cell("windows")),
        holidays=_yes_or_no(cell("holidays")),
    )
    badge = read_badge_id(cell("badge")) if cell("badge") else None
    if cell("state") and badge is None:
        raise PassError("a state is a badge's, and the line has no badge")
    return Line(number, person, check_terms(terms, known.sites), badge, _state(cell("state")))


def _state(text: str) -> CredentialState:
    for state in STATES:
        if text.lower() in ("", state):
            return state
    raise PassError(f"'{text[:40]}' is no state of a badge: {', '.join(STATES)}")


def _sites(text: str) -> tuple[str, ...]:
    if text == EVERYWHERE:
        return ()
    sites = tuple(dict.fromkeys(text.split()))
    if not sites:
        raise PassError("no site is named: write their names with a space between them, or * for the whole network")
    for site in sites:
        if not is_site(site):
            raise PassError(f"the site '{site[:40]}' is not in the register")
    return sites


def _yes_or_no(text: str) -> bool:
    if text.lower() in YES:
        return True
    if text.lower() in NO:
        return False
    raise PassError(f"'{text[:40]}' says neither yes nor no whether the pass holds on public holidays")
