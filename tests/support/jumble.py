"""What three edges send in no good order: bad lines, other boots, clocks that are set late, and what overlaps."""

import json
from collections.abc import Iterator
from random import Random

from contract.messages import BatchHeader, Held, Hello, encode_batch
from hub.custody import Message
from tests.support.telecentres import NOON_MS

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


def _line(random: Random, up: int, from_ms: int) -> bytes:
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
    event = {"subject": subject, "t": from_ms + up, "clock": clock, "up": up, "kind": kind, "value": value}
    return json.dumps(event).encode()


def jumbled(random: Random, from_ms: int = NOON_MS - 500_000, step_ms: int = 1_000) -> Iterator[Message]:
    """Yield what three edges send: batches that overlap, or differ where they do, or begin too late; and Hellos.

    Each stream begins at an instant, and tells of something every `step_ms`.
    """
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
        lines += [_line(random, step_ms * (len(lines) + n), from_ms) for n in range(random.choice((1, 3, 30)))]
        sent = lines[min(first, len(lines)) - 1 :]
        first = len(lines) - len(sent) + 1
        if random.random() < 0.1:
            sent[0] = _line(random, 77, from_ms)
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
