"""What was committed at the edges, what the hub has, and how the two differ; it shares no code with either."""

import sqlite3
from contextlib import closing
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

from tests.system.campaign.events import STEP_MS

Key = tuple[str, str, int]
"""Site, stream, seq."""


@dataclass(slots=True)
class History:
    """Every event by its key: the SHA-256 of its line, and who it is about where it says so."""

    digests: dict[Key, bytes] = field(default_factory=dict)
    persons: dict[Key, str] = field(default_factory=dict)
    blanked: dict[Key, int] = field(default_factory=dict)
    """Access events whose person the edge has forgotten (they are old, and the hub has them), each by its number."""


@dataclass(slots=True)
class Verdict:
    """How edges and hub differ. All is empty when nothing was lost, nothing changed and nothing counted twice."""

    missing: list[Key]
    unknown: list[Key]
    changed: list[Key]
    wrong_persons: list[Key]
    in_gaps: int
    alarms: dict[str, int]

    @property
    def is_right(self) -> bool:
        """Whether every event of the edges is at the hub, once, as it was, with its person, and nothing else is."""
        return not (self.missing or self.unknown or self.changed or self.wrong_persons or self.in_gaps)

    def __str__(self) -> str:
        return (
            f"missing {len(self.missing)} {self.missing[:3]}, unknown {len(self.unknown)} {self.unknown[:3]},"
            f" changed {len(self.changed)}, wrong persons {len(self.wrong_persons)}, in gaps {self.in_gaps},"
            f" alarms {self.alarms}"
        )


def committed_at(site: str, outbox: Path) -> tuple[History, list[int]]:
    """Return what an edge committed, and the number of each of its events in the order of its streams.

    Raises:
        AssertionError: a stream has a hole.
    """
    history, numbers = History(), []
    with closing(sqlite3.connect(f"file:{outbox}?mode=ro", uri=True)) as connection:
        streams = connection.execute("SELECT ordinal, stream, last FROM stream ORDER BY ordinal").fetchall()
        for ordinal, stream, last in streams:
            rows = connection.execute(
                "SELECT seq, line, person, json_extract(line, '$.up'), json_extract(line, '$.kind') FROM outbox"
                " WHERE ordinal = ? ORDER BY seq",
                (ordinal,),
            ).fetchall()
            assert [row[0] for row in rows] == list(range(1, last + 1)), f"{site} {stream} has a hole"
            for seq, line, person, up, kind in rows:
                history.digests[site, stream, seq] = sha256(line).digest()
                if person is not None:
                    history.persons[site, stream, seq] = person
                elif kind == "access_decided":
                    history.blanked[site, stream, seq] = up // STEP_MS
                numbers.append(up // STEP_MS)
    return history, numbers


def verdict_on(edges: History, database: Path) -> Verdict:
    """Compare what the edges committed with what the hub's database holds."""
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        stored = {tuple(row[:3]): row[3] for row in connection.execute("SELECT site, stream, seq, digest FROM event")}
        aside = {
            tuple(row[:3]): bytes.fromhex(row[3])
            for row in connection.execute("SELECT site, stream, seq, sha256 FROM quarantine")
        }
        persons = {
            tuple(row[:3]): row[3] for row in connection.execute("SELECT site, stream, seq, person FROM journal")
        }
        gaps = connection.execute("SELECT coalesce(sum(last_seq - first_seq + 1), 0) FROM gap").fetchone()[0]
        alarms = dict(connection.execute("SELECT reason, sum(times) FROM alarm GROUP BY reason").fetchall())
    there = {**stored, **aside}
    twice = stored.keys() & aside.keys()
    return Verdict(
        missing=sorted(edges.digests.keys() - there.keys()),
        unknown=sorted([*(there.keys() - edges.digests.keys()), *twice]),
        changed=sorted(key for key in edges.digests.keys() & there.keys() if edges.digests[key] != there[key]),
        wrong_persons=sorted(key for key, _ in edges.persons.items() ^ persons.items() if key not in edges.blanked),
        in_gaps=gaps,
        alarms=alarms,
    )
