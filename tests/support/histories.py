"""Random lives of one telecentre: what its edges said in four days, and what became of its register meanwhile.

Everything that makes figures hard is in them: nights of 23 and 25 hours, public holidays, the turn of a month and of
a year; clocks that are wrong, set later or set back; agents that start again, with a new stream or in the same boot;
lines that nobody can read, lines lost before or after they had a number; sensors that cannot make up their mind;
places out of service, unknown, not declared yet; desks and rooms that come, go and come back, other opening hours from
some day on, another time zone.
"""

import json
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from hypothesis import strategies as st

from contract.limits import MAX_BATCH_EVENTS
from hub.network import Network, NetworkTable, SiteTable

SITE = "murat"
PARIS, REUNION = ZoneInfo("Europe/Paris"), ZoneInfo("Indian/Reunion")
MINUTE = 60_000
LENGTH = 4 * 24 * 60
"""Of a history, in minutes."""
PLACES = ("desk-01", "desk-02", "room-01")
STATES = {"desk": ["occupied", "vacant", "unknown", "out_of_service"], "room": ["free", "in_call", "ghost", "unknown"]}
OPEN = "Mo-Sa 08:00-12:30,14:00-19:00; Su 01:00-05:00"
SHORTER = "Mo-Sa 08:00-12:30; Su 01:00-05:00; PH off"
EVENINGS = "Mo-Fr 09:00-24:00; PH off"
ALWAYS = "24/7"


def evening(local: date) -> int:
    """Return 20:00 UTC of a day, with which a history begins."""
    return int(datetime(local.year, local.month, local.day, 20, tzinfo=UTC).timestamp()) * 1000


START = evening(date(2026, 10, 23))
"""Friday evening before the night of 25 hours."""
STARTS = (START, evening(date(2026, 3, 27)), evening(date(2026, 4, 29)), evening(date(2026, 12, 30)))
"""The nights of 25 and 23 hours; the first of May, with which a month begins; the first of January."""


def received_ms(start_ms: int) -> int:
    """Return when the hub hears of a history: weeks later."""
    return start_ms + 30 * 86_400_000


RECEIVED = received_ms(START)


@dataclass(frozen=True)
class Said:
    """One position of a stream: what its line says, in minutes since the beginning."""

    kind: str
    minute: int = 0
    subject: str = "agent"
    state: str = ""
    clock: str = "synced"
    up: int = 0

    def line(self, start_ms: int = START) -> bytes:
        """Return what the edge sends."""
        if self.kind == "garbage":
            return b"{garbage"
        values: dict[str, dict[str, object]] = {
            "edge_started": {"version": "1"},
            "edge_alive": {},
            "lost": {"size_bytes": 9},
            "clock_set": {"step_ms": 1},
        }
        value = values.get(self.kind, {"state": self.state})
        t = start_ms + self.minute * MINUTE if self.minute < 10**6 else received_ms(start_ms) + 86_400_000
        shape = {"subject": self.subject, "t": t, "clock": self.clock, "up": self.up * MINUTE, "kind": self.kind}
        return json.dumps({**shape, "value": value}).encode()


GARBAGE, GONE = Said("garbage"), Said("gone")
"""A line that nobody can read; one that the edge has no more when it finds its hub."""


@dataclass(frozen=True)
class Stream:
    """One agent's life; `boot` may be shared by two."""

    id: str
    boot: str
    said: tuple[Said, ...]


@dataclass(frozen=True)
class Version:
    """What the register's file says of the telecentre."""

    desks: int = 2
    rooms: int = 1
    hours: str = OPEN
    zone: ZoneInfo = PARIS

    def network(self) -> Network:
        """Return it as the hub reads it."""
        table = NetworkTable(id="n", name="N", time_zone=str(self.zone), opening_hours=self.hours)
        return Network(network=table, site=[SiteTable(id=SITE, name="Murat", desks=self.desks, visio_rooms=self.rooms)])


NETWORK = Version().network()


@dataclass(frozen=True)
class History:
    """The streams of a telecentre, and each version of its register with the local day from which it holds."""

    start_ms: int
    streams: tuple[Stream, ...]
    register: tuple[tuple[date, Version], ...]


@st.composite
def histories(draw: st.DrawFn, lives: st.SearchStrategy[tuple[Stream, ...]] | None = None) -> History:
    """Draw a history of such lives; of those full of ills, where none are named."""
    start_ms = draw(st.sampled_from(STARTS))
    day = datetime.fromtimestamp(start_ms / 1000, UTC).date()
    versions = st.builds(
        Version,
        st.integers(1, 2),
        st.integers(0, 1),
        st.sampled_from([OPEN, OPEN, SHORTER, EVENINGS, ALWAYS]),
        st.sampled_from([*[PARIS] * 9, REUNION]),
    )
    days = sorted(draw(st.lists(st.integers(-2, 6), max_size=3)))
    first = draw(st.sampled_from([Version(), Version(), Version(desks=1), Version(rooms=0, hours=ALWAYS)]))
    later = tuple((day + timedelta(days=after), draw(versions)) for after in days)
    told = draw(streams() if lives is None else lives)
    return History(start_ms, told, ((day - timedelta(days=30), first), *later))


@st.composite
def streams(draw: st.DrawFn) -> tuple[Stream, ...]:
    """Draw what the edges of a telecentre said, one agent after the other."""
    found: list[Stream] = []
    minute = 0
    for number in range(draw(st.integers(1, 4))):
        boot = f"{draw(st.integers(0, 1)) + number // 2:032x}"
        minute += draw(st.integers(0, 700))
        booted = draw(st.integers(0, 5))
        synced = draw(st.booleans())
        said = [Said("edge_started", minute, clock="synced" if synced else "unsynced", up=booted)]
        for _ in range(draw(st.integers(0, 14))):
            step = draw(st.integers(0, 240))
            minute = min(minute + step, LENGTH - 1)
            booted += step
            kind = draw(st.sampled_from(KINDS))
            clock = "synced" if synced else "unsynced"
            if kind == "flutter":
                said += _flutter(draw, minute, clock, booted)
                minute, booted = said[-1].minute, said[-1].up
                continue
            said.append(_said(draw, kind, minute, clock, booted))
            synced = synced or kind == "clock_set"
        gone = draw(st.sampled_from([0, 0, 0, 1, 3]))
        at = draw(st.integers(0, len(said) - 1))
        gone = min(gone, len(said) - 1 - at)  # the last is there: without it, nothing says that any is gone
        said[at : at + gone] = [GONE] * gone
        found.append(Stream(f"{draw(st.integers(0, 2**64)):032x}", boot, tuple(said)))
    return tuple({stream.id: stream for stream in found}.values())


@st.composite
def quiet_streams(draw: st.DrawFn) -> tuple[Stream, ...]:
    """Draw what an agent said that ran all the time: of lives full of ills, hardly a day is known enough for a rate."""
    said = [Said("edge_started")]
    for place, what in ((place, place.partition("-")[0]) for place in PLACES):
        said.append(Said(f"{what}_state_changed", 0, place, draw(st.sampled_from(STATES[what]))))
    minutes = draw(st.lists(st.integers(1, LENGTH - 2), min_size=4, max_size=24))
    said += [_said(draw, "state", minute, "synced", minute) for minute in sorted(minutes)]
    said.append(Said("edge_alive", LENGTH - 1, up=LENGTH - 1))
    return (Stream(f"{draw(st.integers(0, 2**64)):032x}", "0" * 32, tuple(said)),)


KINDS = ["state"] * 12 + ["edge_alive"] * 4 + ["lost", "clock_set", "garbage", "flutter"] * 2


def _flutter(draw: st.DrawFn, minute: int, clock: str, up: int) -> list[Said]:
    """Draw what a sensor says that cannot make up its mind: more, at times, than fits into one message."""
    place = draw(st.sampled_from(PLACES))
    states = STATES[place.partition("-")[0]][:2]
    every = draw(st.integers(1, 20))
    times = draw(st.integers(2, draw(st.sampled_from([20, 60, MAX_BATCH_EVENTS + 50]))))
    kind = f"{place.partition('-')[0]}_state_changed"
    return [
        Said(kind, min(minute + n * every, LENGTH - 1), place, states[n % 2], clock, up + n * every)
        for n in range(times)
    ]


def _said(draw: st.DrawFn, kind: str, minute: int, clock: str, up: int) -> Said:
    if kind == "clock_set":
        return Said("clock_set", minute, clock="synced", up=up)
    if kind != "state":
        return GARBAGE if kind == "garbage" else Said(kind, minute, clock=clock, up=up)
    place = draw(st.sampled_from(PLACES))
    what = place.partition("-")[0]
    back = draw(st.sampled_from([0, 0, 0, 5, 400]))
    at = 10**6 if draw(st.integers(0, 20)) == 0 else max(0, minute - back)
    state = draw(st.sampled_from(STATES[what]))
    return Said(f"{what}_state_changed", at, place, state, clock, max(0, up - back))


HOLIDAYS = frozenset({date(2026, 5, 1), date(2026, 5, 8), date(2026, 12, 25), date(2027, 1, 1)})
"""Of France, in the days of any history."""


_WEEK, _SUNDAY = ((480, 750), (840, 1_140)), ((60, 300),)
OPEN_AT: dict[str, tuple[tuple[tuple[int, int], ...], ...]] = {
    OPEN: (*[_WEEK] * 6, _SUNDAY, _WEEK),
    SHORTER: (*[_WEEK[:1]] * 6, _SUNDAY, ()),
    EVENINGS: (*[((540, 1_440),)] * 5, (), (), ()),
    ALWAYS: (((0, 1_440),),) * 8,
}
"""When it is open, in minutes of the clock at the wall: from Monday to Sunday, and on a public holiday (a Friday)."""
