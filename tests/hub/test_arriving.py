"""History of one transaction is gathered before it is written: what it leaves does not depend on who came with whom."""

import json
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from random import Random

import pytest

from contract.messages import BatchHeader, Held, Hello, encode_batch
from hub.custody import Message, Outcome, commit
from hub.store import Store
from hub.store.connection import Engine
from tests.support.postgres import Postgres
from tests.support.telecentres import NOON_MS, cantal

HISTORY = {
    "event": "site, stream, seq, kind, subject, value, t, clock, up, at_ms, digest",
    "stream": "site, stream, boot, position, events, quarantined, first_at",
    "quarantine": "site, stream, seq, sha256, reason, sample",
    "gap": "site, stream, first_seq, last_seq",
    "alarm": "site, reason, times, sample",
    "boot": "site, boot, up, stream, seq, offset_ms",
    "journal": "site, stream, seq, person, at_ms, entry_ms",
    "visit_mark": "distinct site, day",
}
"""Every table that history is written into, and what counts of it."""

SITES = ("murat", "aurillac", "nobody-knows")
CLOCKS = ("synced", "synced", "unsynced")
MESSAGES = 60


def _line(random: Random, up: int) -> bytes:
    """Return a line of an event: a desk, a door, a person at it, a clock that is set, or nothing that can be read."""
    told: list[tuple[str, str, dict[str, object]]] = [
        ("desk-01", "desk_state_changed", {"state": random.choice(["occupied", "vacant"])}),
        ("desk-02", "desk_state_changed", {"state": "vacant"}),
        ("reader-01", "access_decided", {"door": "door-01", "reason": "GRANTED", "assurance": "uid"}),
        ("agent", "clock_set", {"step_ms": 1}),
    ]
    if random.random() < 0.05:
        return b"{nonsense %d" % random.randrange(3)
    subject, kind, value = random.choices(told, weights=(8, 4, 2, 1))[0]
    clock = "synced" if kind == "clock_set" else random.choice(CLOCKS)
    event = {"subject": subject, "t": NOON_MS - 500_000 + up, "clock": clock, "up": up, "kind": kind, "value": value}
    return json.dumps(event).encode()


def _messages(random: Random) -> Iterator[Message]:
    """Yield what three edges send: batches that overlap, or differ where they do, or begin too late; and Hellos."""
    said: dict[tuple[str, str], list[bytes]] = {}
    for number in range(MESSAGES):
        site, stream = random.choice(SITES), random.choice("ab") * 32
        lines = said.setdefault((site, stream), [])
        if random.random() < 0.15:
            first = random.randint(1, len(lines) + 2)
            held = [Held(stream=stream, first=first, last=first + random.randrange(9))]
            hello = Hello(site=site, hello_id=f"{number:016x}", streams=held)
            yield _message(number, site, "hello", "application/json", hello.model_dump_json().encode())
            continue
        first = max(1, len(lines) + random.choice((1, 1, 1, -3, 3)))
        lines += [_line(random, 1_000 * (len(lines) + n)) for n in range(random.choice((1, 3, 30)))]
        sent = lines[min(first, len(lines)) - 1 :]
        first = len(lines) - len(sent) + 1
        if random.random() < 0.1:
            sent[0] = _line(random, 77)
        boot = random.choice("ccd") * 32
        persons = {first + n: "k7q2m9x4" for n, line in enumerate(sent) if b"access_decided" in line}
        header = BatchHeader(
            site=site, stream=stream, boot=boot, first=first, n=len(sent), sent_at=NOON_MS, persons=persons
        )
        yield _message(number, site, "up", *encode_batch(header, sent))


def _message(number: int, site: str, channel: str, content_type: str, payload: bytes) -> Message:
    return Message(
        generation=1,
        mid=number,
        qos=1,
        site=site,
        channel="up" if channel == "up" else "hello",
        content_type=content_type,
        payload=payload,
        received_at=NOON_MS + number,
    )


def _told(home: Path | Engine, messages: Sequence[Message], together: int) -> tuple[Outcome, dict[str, set[object]]]:
    """Commit messages so many at a time; return what was promised, and all that was written."""
    with closing(cantal(home, now_ms=NOON_MS)) as store:
        outcome = Outcome()
        with closing(store.writer()) as writer:
            for at in range(0, len(messages), together):
                outcome.add(commit(writer, messages[at : at + together], settle=False))
        return outcome, {table: _rows(store, table) for table in HISTORY}


def _home(where: Path | Postgres, folder: Path) -> Path | Engine:
    """Return an empty folder for a file, or an empty database."""
    if isinstance(where, Postgres):
        return where.database(folder)
    where.mkdir()
    return where


def _rows(store: Store, table: str) -> set[object]:
    with store.seen() as connection:
        # Both are written above.
        return set(connection.execute(f"select {HISTORY[table]} from {table}").fetchall())  # noqa: S608 - see above


@pytest.mark.parametrize("seed", range(3))
def test_messages_leave_the_same_whether_they_come_together_or_one_by_one(
    postgres: Postgres, tmp_path: Path, seed: int
) -> None:
    messages = list(_messages(Random(seed)))
    alone, written = _told(tmp_path, messages, 1)
    assert len(written["event"]) > 100
    others: list[tuple[Path | Postgres, int]] = [(tmp_path / "other", MESSAGES), (postgres, 7), (postgres, MESSAGES)]
    for home, together in others:
        outcome, rows = _told(_home(home, tmp_path), messages, together)
        assert (outcome.stored, outcome.refused, outcome.positions) == (alone.stored, alone.refused, alone.positions)
        assert outcome.answers == alone.answers
        assert rows == written
