"""What must stay true of protocol TC1, written from the protocol and not from the code that runs it.

The oracle is told each durable change at an edge and at the hub, and each position that an edge believes. It keeps the
whole truth, which neither side has, and fails at the first change that the protocol does not allow.
"""

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from contract.events import EventsRefused, decode
from edge.core.sender import Positions

Name = tuple[str, str]
"""Site and stream."""

Key = tuple[str, str, int]
"""Site, stream and seq: the name of an event for ever."""


class BrokenError(AssertionError):
    """An invariant does not hold."""


def hold(condition: object, sentence: str) -> None:
    """Fail with the invariant's sentence."""
    if not condition:
        raise BrokenError(sentence)


@dataclass(slots=True)
class Kept:
    """One stream as the hub's database has it. Never changed once committed, so that a backup is a reference."""

    position: int = 0
    rows: dict[int, bytes] = field(default_factory=dict)
    """Digest of each stored line."""
    aside: set[int] = field(default_factory=set)
    gaps: dict[int, int] = field(default_factory=dict)
    """Last position by first position."""

    def copy(self) -> "Kept":
        return Kept(self.position, dict(self.rows), set(self.aside), dict(self.gaps))

    def gap_positions(self) -> set[int]:
        return {seq for first, last in self.gaps.items() for seq in range(first, last + 1)}

    def accounted(self) -> set[int]:
        """Return every position that is stored, quarantined or in a recorded gap."""
        return self.rows.keys() | self.aside | self.gap_positions()


class Oracle:
    """The truth about every event of every site."""

    def __init__(self) -> None:
        self.lines: dict[Key, bytes] = {}
        """What each edge's disk committed and did not take back."""
        self.taken_back: dict[Key, bytes] = {}
        """What a disk lost at a power cut although it had said that it was durable."""
        self.pruned: set[Key] = set()
        self.damaged: set[Key] = set()
        self.unwelcome: set[tuple[str, int]] = set()
        """Site and `up` of events that the hub's database refuses."""
        self.durable_s: dict[Key, float] = {}
        """When the hub first had an event, or recorded that nobody has it."""
        self.restores: list[tuple[float, float]] = []
        """The gap row of all sites that each restore writes: from the backup to the restore."""
        self.heights: dict[str, dict[Name, int]] = {}
        """The highest position that each incarnation had committed."""
        self.accounted: Counter[str] = Counter()
        """How many events of each site its disk has stored, or told to be refused."""
        self._numbers: dict[tuple[str, int], Key] = {}

    # What the edges do.

    def edge_stored(self, site: str, stream: str, lines: Mapping[int, tuple[bytes, int | None]]) -> None:
        """Take what one transaction of an edge made durable: (line, number of the event) by position."""
        for seq, (line, number) in lines.items():
            key = (site, stream, seq)
            hold(key not in self.lines and key not in self.taken_back, "a position is never given twice")
            hold(seq == 1 or (site, stream, seq - 1) in self.lines, "positions have no holes")
            self.lines[key] = line
            if number is not None:
                hold((site, number) not in self._numbers, "an event is stored once")
                self._numbers[site, number] = key
            self.accounted[site] += _count(line)

    def edge_took_back(self, site: str, stream: str, seqs: Iterable[int]) -> None:
        """Note that a power cut rolled the disk back behind what it had promised."""
        for seq in seqs:
            line = self.taken_back[site, stream, seq] = self.lines.pop((site, stream, seq))
            self.accounted[site] -= _count(line)

    def edge_pruned(self, site: str, stream: str, seqs: Iterable[int]) -> None:
        """Take what an edge deleted: only what the hub had durably, at least once."""
        for seq in seqs:
            hold((site, stream, seq) in self.durable_s, "nothing leaves the edge before it is durable at the hub")
            self.pruned.add((site, stream, seq))

    def edge_believes(self, site: str, positions: Positions, hub: str) -> None:
        """Take the positions that an edge has just accepted from an incarnation."""
        heights = self.heights[hub]
        for stream, seq in positions.of.items():
            high = heights.get((site, stream), 0)
            hold(seq <= high, "a position never exceeds what the hub has committed in this incarnation")

    # What the hub does.

    def hub_opened(self, incarnation: str, streams: Mapping[Name, Kept]) -> None:
        """Note what a hub finds in its database."""
        self.heights[incarnation] = {name: kept.position for name, kept in streams.items()}

    def hub_committed(self, incarnation: str, name: Name, before: Kept, after: Kept, now_s: float) -> None:
        """Take what one transaction changed in one stream."""
        heights = self.heights[incarnation]
        heights[name] = max(heights.get(name, 0), after.position)
        hold(after.position >= before.position, "a committed position never moves down")
        hold(before.rows.keys() <= after.rows.keys(), "what is stored stays")
        site, stream = name
        for first, last in after.gaps.items() - before.gaps.items():
            for seq in range(first, last + 1):
                hold((site, stream, seq) in self.pruned, "a gap names only what the edge no longer has")
        for seq in after.rows.keys() - before.rows.keys():
            self._came((site, stream, seq), after.rows[seq])
        accounted = after.accounted()
        for seq in range(before.position + 1, after.position + 1):
            hold(seq in accounted, "up to the position everything is stored, set aside or in a gap")
            self.durable_s.setdefault((site, stream, seq), now_s)

    def _came(self, key: Key, digest: bytes) -> None:
        line = self.lines.get(key, self.taken_back.get(key))
        hold(line is not None, "the hub stores only what an edge has stored")
        if key not in self.damaged:
            hold(hashlib.sha256(line or b"").digest() == digest, "an event arrives under its own position")

    # At rest.

    def check(self, streams: Mapping[Name, Kept]) -> None:
        """Look at the whole database: H = p means that every event up to p is accounted for, and none beyond."""
        for kept in streams.values():
            whole = len(kept.accounted()) == kept.position and max(kept.accounted(), default=0) == kept.position
            hold(whole, "up to the position everything is stored, set aside or in a gap, and nothing beyond it")

    def check_whole(self, streams: Mapping[Name, Kept]) -> None:
        """After the peace: what the edges committed is what the hub has, or a loss that is on record."""
        self.check(streams)
        accounted: dict[Name, set[int]] = {name: kept.accounted() for name, kept in streams.items()}
        gaps: dict[Name, set[int]] = {name: kept.gap_positions() for name, kept in streams.items()}
        for key in self.lines:
            site, stream, seq = key
            if seq not in accounted.get((site, stream), ()):
                hold(self._told_by_restore(key), "a loss is always a visible row, never a silence")
            elif seq in gaps[site, stream]:
                hold(self._told_by_restore(key), "only a restored hub can lack what it once had")
        self._check_quarantine(streams)

    def _told_by_restore(self, key: Key) -> bool:
        """Return whether the event was pruned on the hub's word, and lost by a restore that wrote its gap row."""
        durable_s = self.durable_s.get(key)
        if durable_s is None or key not in self.pruned:
            return False
        return any(backup_s <= durable_s <= restored_s for backup_s, restored_s in self.restores)

    def _check_quarantine(self, streams: Mapping[Name, Kept]) -> None:
        refused = {self._numbers.get(which) for which in self.unwelcome}
        for (site, stream), kept in streams.items():
            for seq in kept.aside:
                key = (site, stream, seq)
                known = key in self.damaged or key in refused
                hold(known, "only what cannot be read, or what the database refuses, is set aside")


def _count(line: bytes) -> int:
    """Return how many events a stored line accounts for."""
    if b'"events_refused"' not in line:
        return 1
    told = decode(line)
    return sum(told.value.counts.values()) if isinstance(told, EventsRefused) else 1
