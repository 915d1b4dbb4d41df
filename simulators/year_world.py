"""Where and with whom the year is played: ten telecentres, their hours, and the people who hold a badge. Pure.

The network is the reference one (cantal.toml) and lives a year: Murat is too small for its members, Montmurat opens in
March, Ydes never closes, Murat opens longer in summer, a desk of Riom-ès-Montagnes moves to Vic-sur-Cère in March,
Saint-Flour gets one more desk in September, Aurillac has two doors. Its zones are in year_zones.py.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from random import Random
from typing import Literal, NamedTuple

from simulators.network import Network
from simulators.year_calendar import Hours
from simulators.year_zones import OPENS, Zone, network_zone, toml_of, zones_from

USUAL = Hours(week=(480, 1140), saturday=(540, 720))
"""Mo-Fr 08:00-19:00, Sa 09:00-12:00: those of cantal.toml."""

LONGER = Hours(week=(420, 1260), saturday=(480, 1080))
ALWAYS = Hours(week=(0, 1440), saturday=(0, 1440), sunday=(0, 1440), holidays=True)

YEAR = (date(2026, 1, 1), date(2027, 1, 1))
"""The year that is played: its days have 23 and 25 hours on 29 March and 25 October, and its weeks are 53."""

SUMMER = (date(2026, 7, 1), date(2026, 9, 1))
GROWS = date(2026, 9, 1)
MOVES = date(2026, 3, 23)
TWO_DOORS = "aurillac"
CATEGORIES = ("regular_teleworker", "employee")
GUEST_FOR = timedelta(days=56)
"""A hub remembers a badge that no pass is for as long as its journal, 90 days."""


class Desk(NamedTuple):
    """A desk, and from which local day on, and up to which, half-open, the register holds it; None: for good."""

    id: str
    begin: date
    end: date | None = None

    def holds(self, day: date) -> bool:
        """Return whether the register holds it on a day."""
        return self.begin <= day and (self.end is None or day < self.end)


@dataclass(frozen=True, slots=True)
class Room:
    """A visio room; of a confidential one only free and occupied are told."""

    id: str
    confidential: bool


@dataclass(frozen=True, slots=True)
class Telecentre:
    """One telecentre as its register tells it, over the whole year."""

    id: str
    name: str
    desks: tuple[Desk, ...]
    rooms: tuple[Room, ...]
    doors: tuple[str, ...]
    openings: tuple[tuple[date, Hours], ...]
    """Its opening hours, each from a day on, oldest first."""
    since: date
    """The day on which it opens: its register begins, and its agent."""
    members: int

    def hours(self, day: date) -> Hours:
        """Return the opening hours that hold on a day."""
        return [hours for begin, hours in self.openings if begin <= day or begin == self.openings[0][0]][-1]


@dataclass(frozen=True, slots=True)
class Member:
    """Somebody with a badge, or two of them."""

    id: int
    home: str
    credentials: tuple[str, ...]
    """The ids of the badges: 32 hexadecimal digits each."""
    habit: Literal["regular", "occasional"]
    joins: date
    leaves: date
    registered: bool
    """Whether the hub's register knows whose badges these are; of guests, who stay for eight weeks, it does not."""


@dataclass(frozen=True, slots=True)
class World:
    """The whole network."""

    network: Network
    telecentres: tuple[Telecentre, ...]
    members: tuple[Member, ...]
    groups: tuple[Zone, ...]
    """Its zones but the network, as they are known from the first day on."""

    def network_toml(self, day: date) -> str:
        """Write what the register of a hub must say on a day: the telecentres that are open by then."""
        head = (
            f'[network]\nid = "{self.network.id}"\nname = "{self.network.name}"\n'
            f'time_zone = "{self.network.time_zone}"\nopening_hours = "{USUAL.osm}"\n'
        )
        tables = [_table(one, day) for one in self.telecentres if one.since <= day]
        return "\n".join([head, *tables, *toml_of(self.groups, day)])

    def zones(self, day: date) -> list[Zone]:
        """Return the zones that the register of a hub holds on a day, the network first."""
        there = [one.id for one in self.telecentres if one.since <= day]
        return [network_zone(self.network.id, self.network.name, there), *self.groups]

    def members_csv(self) -> str:
        """Write the members for `telecentre-hub member import`; a second badge of a member is on a pass of its own."""
        lines = ["name;category;valid_from;sites;badge"]
        for member in self.members:
            for category, badge in zip(CATEGORIES, member.credentials, strict=False):
                if member.registered:
                    lines.append(f"Membre {member.id:03d};{category};{YEAR[0].isoformat()};*;{badge}")
        return "\n".join([*lines, ""])

    def member_of(self) -> dict[str, str]:
        """Return whose each registered badge is."""
        return {
            badge: f"member {member.id}" for member in self.members if member.registered for badge in member.credentials
        }

    def register_days(self) -> list[date]:
        """Return the days on which the register changes, the first one included, in order."""
        days = {one.since for one in self.telecentres}
        days |= {begin for one in self.telecentres for begin, _ in one.openings if begin > one.since}
        days |= {
            day
            for one in self.telecentres
            for desk in one.desks
            for day in (desk.begin, desk.end)
            if day is not None and day > one.since
        }
        days |= {day for zone in self.groups for day in zone.changes()}
        return sorted(days)


def make_world(network: Network, seed: int, first: date = YEAR[0]) -> World:
    """Return the world of a seed, whose first day is `first`."""
    random = Random(f"year {seed} world")
    telecentres = tuple(
        Telecentre(
            id=site.id,
            name=site.name,
            desks=tuple(_desks(site.id, site.desks, first)),
            rooms=tuple(Room(f"room-{n:02d}", n <= site.confidential_rooms) for n in range(1, site.visio_rooms + 1)),
            doors=("door-01", "door-02") if site.id == TWO_DOORS else ("door-01",),
            openings=_openings(site.id, first),
            since=max(first, OPENS) if site.id == "montmurat" else first,
            members=site.desks * (7 if site.id == "murat" else 3),
        )
        for site in network.sites
    )
    return World(network, telecentres, tuple(_members(telecentres, random)), zones_from(first))


def _desks(site: str, number: int, first: date) -> Iterator[Desk]:
    """Yield the desks of a telecentre: those that it has all along, and the one that comes or goes."""
    leaves = MOVES if site == "riom-es-montagnes" else None
    for n in range(1, number + 1):
        end = leaves if n == number else None
        if end is None or end > first:
            yield Desk(f"desk-{n:02d}", first, end)
    if (comes := {"saint-flour": GROWS, "vic-sur-cere": MOVES}.get(site)) is not None:
        yield Desk(f"desk-{number + 1:02d}", max(first, comes))


def _openings(site: str, first: date) -> tuple[tuple[date, Hours], ...]:
    if site == "ydes":
        return ((first, ALWAYS),)
    if site == "murat":
        begin, end = (max(first, day) for day in SUMMER)
        return tuple({first: USUAL, begin: LONGER, end: USUAL}.items())
    return ((first, USUAL),)


def _members(telecentres: tuple[Telecentre, ...], random: Random) -> list[Member]:
    names = _names(random)
    members: list[Member] = []
    for telecentre in telecentres:
        for _ in range(telecentre.members):
            registered = random.random() < 0.9
            credentials = tuple(names() for _ in range(2 if registered and random.random() < 0.1 else 1))
            habit: Literal["regular", "occasional"] = "regular" if random.random() < 0.4 else "occasional"
            month = 1 if random.random() < 0.6 else random.randint(2, 12)
            joins = max(telecentre.since, date(YEAR[0].year, month, random.randint(1, 28)))
            leaves = YEAR[1] if registered else joins + GUEST_FOR
            members.append(Member(len(members), telecentre.id, credentials, habit, joins, leaves, registered))
    return members


def _names(random: Random) -> Callable[[], str]:
    """Return what draws ids of credentials, none twice."""
    drawn: set[str] = set()

    def draw() -> str:
        while (name := f"{random.getrandbits(128):032x}") in drawn:
            pass
        drawn.add(name)
        return name

    return draw


def _table(telecentre: Telecentre, day: date) -> str:
    desks = sum(desk.holds(day) for desk in telecentre.desks)
    confidential = sum(room.confidential for room in telecentre.rooms)
    return (
        f'[[site]]\nid = "{telecentre.id}"\nname = "{telecentre.name}"\nopening_hours = "{telecentre.hours(day).osm}"\n'
        f"desks = {desks}\nvisio_rooms = {len(telecentre.rooms)}\nconfidential_rooms = {confidential}\n"
        f"doors = {len(telecentre.doors)}\n"
    )
