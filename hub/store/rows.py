"""What the store answers with: plain frozen rows, in units that their names carry."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple
from zoneinfo import ZoneInfo

from contract.events import Access
from hub.indicators import Attendance, Bookings, Crowd, Outcome, Usage, Value, values
from hub.levels import Peaks
from hub.sessions import Session
from hub.statistics import Status

Kind = Literal["desk", "room"]
Step = Literal["hour", "day", "month"]


@dataclass(frozen=True, slots=True)
class Resource:
    """A desk, a visio room or a door that the register holds today."""

    id: str
    confidential: bool


@dataclass(frozen=True, slots=True)
class Site:
    """A telecentre as the register holds it today; resources in order of id."""

    id: str
    name: str
    time_zone: str
    opening_hours: str
    latitude: float | None
    longitude: float | None
    code_insee: str | None
    network: str
    network_name: str
    desks: tuple[Resource, ...]
    rooms: tuple[Resource, ...]
    doors: tuple[Resource, ...]

    @property
    def zone(self) -> ZoneInfo:
        """The site's time zone."""
        return ZoneInfo(self.time_zone)


class OccupancyRow(NamedTuple):
    """One resource in one hour, local day or local month, half-open: how long it was available, observed and occupied.

    Available: the site was open and the resource in service. Observed: it was available and its state was known.
    Occupied: it was observed and in use. Outside: in use outside the opening hours, in none of the others. Ghost, of a
    room: observed, booked, and nobody came. Rates pool these over rows, never average them; coverage is observed over
    available.
    """

    site: str
    resource: str
    start_ms: int
    end_ms: int
    available_ms: int
    observed_ms: int
    occupied_ms: int
    outside_ms: int = 0
    ghost_ms: int = 0


@dataclass(frozen=True, slots=True)
class LevelRow:
    """The desks or the rooms of one site together, in one hour or local day, half-open, within the opening hours.

    A row is there for each hour or day for which figures were computed; counts are empty when nothing was known.
    """

    site: str
    day: str
    """The local day, as text."""
    start_ms: int
    end_ms: int
    peaks: Peaks


@dataclass(frozen=True, slots=True)
class SessionRow:
    """One session at one desk or in one room, on the local day on which it began. For inside alone."""

    site: str
    resource: str
    day: str
    session: Session


@dataclass(frozen=True, slots=True)
class BookingRow:
    """One booking of a room that began on a local day, and what came of it."""

    site: str
    resource: str
    day: str
    start_ms: int
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class Asked:
    """A place of which figures are asked: one site, or the sites of a zone."""

    place: str
    level: Literal["site", "zone"]
    sites: tuple[str, ...]


class IndicatorRow(NamedTuple):
    """The indicators of a place, or of one of its resources, in one period; for inside alone, as it passes no gate."""

    place: str
    level: Literal["resource", "site", "zone"]
    site: str | None
    """None: of a zone."""
    resource: str | None
    """None: of several together."""
    resources: int
    """How many desks or rooms are in the figures."""
    start_ms: int
    end_ms: int
    usage: Usage
    crowd: Crowd | None
    """None: of a single desk or room, which is no pool."""
    attendance: Attendance
    bookings: Bookings | None
    """None: of desks."""

    @property
    def coverage(self) -> float | None:
        """Observed over available, 0 to 1; None when nothing was available."""
        return self.usage.coverage

    @property
    def status(self) -> Status:
        """What the coverage allows to say."""
        return self.usage.status

    @property
    def values(self) -> Mapping[str, Value]:
        """The indicators by name, as `hub.indicators.NAMES` and, of rooms, `ROOM_NAMES` have them."""
        return values(self.resources, self.usage, self.crowd, self.attendance, self.bookings)


Note = Literal["high_water", "passback", "emergency", "unused"]
"""What was unusual about a decision, in a word that maps to one sentence."""


def notes_of(access: Access, *, unused: bool = False) -> tuple[Note, ...]:
    """Return what was unusual about a decision; nothing, nearly always."""
    said: dict[Note, bool] = {
        "high_water": access.time == "high_water",
        "passback": access.passback,
        "emergency": access.emergency,
        "unused": unused,
    }
    return tuple(note for note, holds in said.items() if holds)


def sentence_of(access: Access) -> str:
    """Return the key of the sentence that says why: of the card, where the reason alone would not tell what to do."""
    return f"reason.{access.reason}" if access.card is None else f"badge_trouble.{access.card}"


@dataclass(frozen=True, slots=True)
class DecisionRow:
    """A decision at a door, without a person."""

    reader: str
    access: Access
    at_ms: int
    received_at_ms: int
    unused: bool = False
    """The badge was let in, and nobody opened the door."""


VisitStep = Literal["day", "week", "month"]
"""Persons are counted for these periods alone: local day, ISO week, month."""

VisitStatus = Literal["provisional", "final", "frozen"]
"""`provisional`: not over, or a site of the place has not been heard since, or a count is pending. `final`: everything
up to its end was heard; what comes late may still change it. `frozen`: a part of its journal is gone, and nothing
changes it any more."""


@dataclass(frozen=True, slots=True)
class VisitRow:
    """How many persons came to a place in a local day, ISO week or month, half-open.

    No count can be added over places or, but for `visits` and `half_days`, over periods. For inside alone: what is
    published passes the gate (hub/disclosure.py).
    """

    place: str
    """A site, or `zone:ID`; of a network, `zone:reseau:ID`."""
    step: VisitStep
    day: str
    """The first local day of the period."""
    start_ms: int
    end_ms: int
    """Of a zone whose sites have several time zones: when its first site begins and its last one ends."""
    status: VisitStatus
    visits: int
    half_days: int
    unique_visitors: int
    new_visitors: int
    most_visits: int
    """Of any one person, for the rule of dominance; nobody says whose."""
    most_half_days: int


@dataclass(frozen=True, slots=True)
class CountDifference:
    """A stored count of visits or doors, or an instant, that the journal or the events do not bear out."""

    site: str
    what: str
    """`visits`, or a door and what it did; whose instant it is; of a row whose key is damaged, the table."""
    step: str
    day: str
    stored: tuple[int | str | None, ...]
    """Of a row whose key is damaged, the key: nothing else of it can be relied upon."""
    computed: tuple[int | str | None, ...]


@dataclass(frozen=True, slots=True)
class StreamTotal:
    """One stream of one site: what the edge was told, and what is kept of it."""

    site: str
    stream: str
    position: int
    events: int
    quarantined: int


@dataclass(frozen=True, slots=True)
class GapRow:
    """Positions that no edge holds any more."""

    site: str
    stream: str
    first: int
    last: int
    noted_at_ms: int


@dataclass(frozen=True, slots=True)
class Alarm:
    """What went wrong at a site, how often, and when last. The site is empty when it is not one we know."""

    site: str
    reason: str
    times: int
    first_at_ms: int
    last_at_ms: int


@dataclass(frozen=True, slots=True)
class RestoreRow:
    """The hub went back to a copy: what came between the two moments is here again only if a site still held it."""

    backup_at_ms: int
    restored_at_ms: int
    events: int
    """Events in the copy."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """What the database knows to have gone wrong, over all sites."""

    gaps: tuple[GapRow, ...] = ()
    alarms: tuple[Alarm, ...] = ()
    restores: tuple[RestoreRow, ...] = ()


@dataclass(frozen=True, slots=True)
class Totals:
    """What the database holds, over all sites."""

    streams: tuple[StreamTotal, ...]
    gaps: tuple[GapRow, ...]
    alarms: tuple[Alarm, ...]
    restores: tuple[RestoreRow, ...]
    dirty: int
    """Marks of local days, and streams, whose figures are still to be computed."""
    journal: int
    """Access events that still name a credential."""

    @property
    def events(self) -> int:
        """Events stored, each once."""
        return sum(stream.events for stream in self.streams)

    @property
    def quarantined(self) -> int:
        """Lines that could not be read or stored, each kept apart under its position."""
        return sum(stream.quarantined for stream in self.streams)

    @property
    def refused(self) -> int:
        """Messages refused as a whole."""
        return sum(alarm.times for alarm in self.alarms if alarm.reason.startswith(REFUSED))


@dataclass(frozen=True, slots=True)
class Keyed:
    """A site for which lists of rights are issued: its key, what of the register concerns it, and its last list."""

    site: str
    public_key: str
    changed: int
    revoked: int
    revoked_at_ms: int
    emergency_revoked: int
    version: int | None
    counter: int | None
    issued_at_ms: int | None
    expires_at_ms: int | None
    badges: int | None
    size_bytes: int | None


@dataclass(frozen=True, slots=True)
class Issued:
    """What the hub knows of the lists of one site; versions are None while there is no such list."""

    site: str
    version: int | None = None
    issued_at_ms: int | None = None
    expires_at_ms: int | None = None
    badges: int | None = None
    size_bytes: int | None = None
    revoked_at_ms: int | None = None
    """When a right was last taken away there; None: never."""
    needed_version: int | None = None
    """The first list without what was revoked last."""
    revoked_emergency: bool = False
    """Whether an emergency badge was ever revoked there, which opens beyond the expiry."""
    needed_emergency_version: int | None = None
    applied_version: int | None = None
    """The last one that the site said to have put in force, in its history."""
    applied_at_ms: int | None = None
    """When that one was issued."""
    applied_expires_at_ms: int | None = None
    is_too_large: bool = False
    """More may enter there than fits in a list: the last one stays."""
    is_held: bool = False
    """Nothing is issued since a restore, until a person has looked at the register."""
    has_leapt: bool = False
    """Nothing is issued: the hub's clock is far past the last moment that is proven."""


REFUSED = "refused_"
"""What the reason of an alarm begins with when a message was refused as a whole."""
