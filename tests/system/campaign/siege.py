"""A telecentre with four doors under attack: a real agent in a process of its own, before simulated readers.

Its list of rights is an hour old and lives for a week. Nothing of the agent is known here but what it does to the
strikes, what it says in its log, and what it keeps.
"""

import hashlib
import os
import queue
import re
import resource
import sqlite3
import subprocess
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from zoneinfo import ZoneInfo

import psutil

from contract.events import AccessDecided, decode
from contract.rights import BadgeRight, Profile, RightsList, WeeklyWindow
from simulators.air import without_crc
from simulators.attackers import Badge, Bluff, Recorder, Relay, Replayer, copy_of, uid_copy_of
from simulators.cards import Anticollision, Card
from simulators.desfire import Desfire
from simulators.ntag424 import Ntag424
from simulators.pins import PinBoard
from simulators.pn532 import Pn532
from tests.support.bench import Bench
from tests.support.demo import program
from tests.support.rights import SETTINGS, WEEK_MS, install
from tests.support.waiting import eventually

READERS = ("reader-01", "reader-02", "reader-03", "reader-04")
STRIKES = {"reader-01": 17, "reader-02": 18, "reader-03": 19, "reader-04": 20}
NAMES = 5
"""So many badges of each kind are listed."""

RELAY_LIMIT_S = 0.15
"""As shipped."""

RELAYED_S = 0.155, 0.22
"""The least that a line adds is hardly more than the limit."""

RF_S = 0.0005
"""A tenth of what the air takes, so that a thousand attempts fit in a campaign; the driver's own pace is untouched."""

DECIDED_WITHIN_S = 30.0
STOP_S = 30.0

_SITE = """
site = "murat"
time_zone = "Europe/Paris"
simulated = true
[link]
port = {broker_port}
hello_spread_s = 0.2
[outbox]
folder = "outbox"
{rights}uid_badges = true
[access]
max_attempts = {max_attempts}
attempts_within_s = 5
lockout_s = 2
"""
_DOOR = """
[[door]]
id = "{door}"
strike_pin = {pin}
pulse_s = 0.5
[[reader]]
id = "{reader}"
door = "{door}"
port = "{port}"
relay_limit_ms = {relay_limit_ms}
"""
_DECIDED = re.compile(r"access_decided=(\S+) .*?reason=(\S+)(?:.*? time=(\S+))?")


def name_of(badge: str) -> bytes:
    """Return the free-read id of a badge."""
    return hashlib.sha256(f"name of {badge}".encode()).digest()[:16]


def key_of(badge: str) -> bytes:
    """Return the key of a badge."""
    return hashlib.sha256(f"key of {badge}".encode()).digest()[:16]


def card_of(badge: str, random: Random, key: bytes | None = None) -> Badge:
    """Return the card of a badge, of either kind, with a UID that no card had before."""
    kind = random.choice((Ntag424, Desfire))
    card = kind(b"\x04" + random.randbytes(6), random)
    card.personalise(name_of(badge), key or key_of(badge))
    return card


class KeenRelay(Relay):
    """A relay as good as can be: all is known beforehand but the one answer that only the badge can give."""

    def exchange(self, frame: bytes) -> bytes | None:
        """Return the badge's answer, late if it needed the badge."""
        block = without_crc(frame)
        if block is not None and block[0] & 0xEE == 0x02 and block[1:3] != b"\x90\xaf":
            self.late_s = 0.0
            return self._badge.exchange(frame)
        return super().exchange(frame)


@dataclass(frozen=True)
class Attack:
    """What is held before a reader, and the one reason that is right for it."""

    reason: str
    card: Callable[[Random, list[Recorder]], Card]


def _copy(random: Random, _: list[Recorder]) -> Card:
    badge = card_of("carol", random)
    how = random.randrange(3)
    return copy_of(badge, random) if how == 0 else Bluff(badge, random, "random" if how == 1 else "echo")


def _replay(random: Random, recorders: list[Recorder]) -> Card:
    played = random.choice(recorders).replayer()
    seen = played.anticollision
    return Replayer(Anticollision(seen.sens_res, seen.sel_res, b"\x04" + random.randbytes(6)), played.said)


def _badge(kind: str) -> Callable[[Random, list[Recorder]], Card]:
    return lambda random, _: card_of(f"{kind}-{random.randrange(NAMES)}", random)


ATTACKS = {
    "clone": Attack("DENIED_VERIFICATION_FAILED", _copy),
    "copied number": Attack("DENIED_UNKNOWN_CREDENTIAL", lambda random, _: uid_copy_of(card_of("carol", random))),
    "replay": Attack("DENIED_VERIFICATION_FAILED", _replay),
    "old key": Attack(
        "DENIED_VERIFICATION_FAILED", lambda random, _: card_of("carol", random, key_of(f"carol, {random.random()}"))
    ),
    "late relay": Attack(
        "DENIED_VERIFICATION_FAILED",
        lambda random, _: KeenRelay(card_of("carol", random), random.uniform(*RELAYED_S)),
    ),
    "stolen": Attack("DENIED_AUTHENTICATION_FACTOR_STOLEN", _badge("stolen")),
    "lost": Attack("DENIED_AUTHENTICATION_FACTOR_LOST", _badge("lost")),
    "revoked": Attack("DENIED_CREDENTIAL_DISABLED", _badge("disabled")),
    "expired pass": Attack("DENIED_CREDENTIAL_EXPIRED", _badge("expired")),
    "out of hours": Attack("DENIED_OUT_OF_TIME_RANGE", _badge("hours")),
    "wrong site": Attack("DENIED_UNKNOWN_CREDENTIAL", _badge("elsewhere")),
}


def rights_at(now: datetime) -> RightsList:
    """Return the site's list an hour after its issue: `carol` may enter; `elsewhere` is on no list of this site."""
    now_ms = round(now.timestamp() * 1000)
    in_three_days = (now + timedelta(days=3)).isoweekday()
    profiles = [Profile(), Profile(windows=[WeeklyWindow(days=[in_three_days], start=0, end=1440)])]
    issued_ms = now_ms - 3_600_000
    badges = [_right("carol")]
    for number in range(NAMES):
        badges += [_right(f"{state}-{number}", state=state, has_key=False) for state in ("stolen", "lost", "disabled")]
        # Over before the list was issued, and so listed without a key, or a moment after it.
        badges.append(_right(f"expired-{number}", valid_until=issued_ms + number - 2, has_key=number > 2))
        badges.append(_right(f"hours-{number}", profile=1))
    return RightsList(
        site="murat",
        version=issued_ms,
        issued_at=issued_ms,
        expires_at=issued_ms + WEEK_MS,
        profiles=profiles,
        badges=badges,
    )


def _right(
    badge: str, *, state: str = "active", has_key: bool = True, profile: int = 0, valid_until: int | None = None
) -> BadgeRight:
    return BadgeRight.model_validate(
        {
            "id": badge,
            "badge": name_of(badge).hex(),
            "key": key_of(badge).hex() if has_key else None,
            "state": state,
            "profile": profile,
            "valid_until": valid_until,
        }
    )


class Siege:
    """A running agent, the readers before its doors, and what it decided."""

    def __init__(self, bench: Bench, board: PinBoard, process: subprocess.Popen[str], chips: dict[str, Pn532]) -> None:
        self.process = psutil.Process(process.pid)
        self.in_force = threading.Event()
        """Set once the agent has its list of rights."""
        self.opened: Counter[int] = Counter()
        """How often each pin rose."""
        self.decided: Counter[str] = Counter()
        self.last_time = "clock"
        """What the last decision was taken by."""
        self.recorders: list[Recorder] = []
        self._bench = bench
        self._board = board
        self._chips = chips
        self._answers: dict[str, queue.SimpleQueue[str]] = {reader: queue.SimpleQueue() for reader in READERS}
        self.said = threading.Thread(target=self._listen, args=(process,), name="said")
        self.said.start()

    def openings(self) -> int:
        """Return how often any strike was released."""
        return sum(self.opened[pin] for pin in STRIKES.values())

    def present(self, reader: str, card: Card) -> str:
        """Hold a card before a reader, alone, and return the reason of what it decides."""
        chip = self._chips[reader]

        def change() -> None:
            chip.remove()
            chip.present(card)

        self._bench.call(change)
        return self._answers[reader].get(timeout=DECIDED_WITHIN_S)

    def let_in(self, reader: str, card: Card | None = None) -> None:
        """Let a genuine badge come, and wait until its door has opened and is locked again."""
        pin = STRIKES[reader]
        before = self.opened[pin]
        assert self.present(reader, card or card_of("carol", Random(f"{reader} {before}"))) == "GRANTED"
        eventually(lambda: self.opened[pin] == before + 1, what=f"{reader} has opened its door")
        eventually(lambda: not self._bench.call(self._board.level, pin), what=f"the door of {reader} is locked again")

    def by_high_water(self) -> bool:
        """Let a genuine badge come; return whether its decision was taken without believing the clock."""
        self.let_in(READERS[0])
        return self.last_time == "high_water"

    def record(self) -> None:
        """Overhear badges that open the doors: what the replayers will play."""
        for number, reader in enumerate(READERS):
            recorder = Recorder(card_of("carol", Random(f"recorded {number}")))
            self.let_in(reader, recorder)
            self.recorders.append(recorder)

    def suffer(self, attack: str, attempts: int, seed: str) -> Counter[str]:
        """Let attackers come to all doors at once; return the reasons, one for each attempt."""
        reasons: list[str] = []

        def besiege(reader: str, share: int) -> None:
            reasons.extend(self.suffer_at(reader, attack, share, seed))

        shares = [attempts // len(READERS) + (place < attempts % len(READERS)) for place in range(len(READERS))]
        threads = [threading.Thread(target=besiege, args=one) for one in zip(READERS, shares, strict=True)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return Counter(reasons)

    def suffer_at(self, reader: str, attack: str, attempts: int, seed: str) -> list[str]:
        """Let attackers come to one reader, one after the other; return the reasons."""
        random, card = Random(f"{seed} {attack} {reader}"), ATTACKS[attack].card
        return [self.present(reader, card(random, self.recorders)) for _ in range(attempts)]

    def forbid_writing(self) -> None:
        """Let no file take another byte from now on, as on a disk that has become read-only."""
        resource.prlimit(self.process.pid, resource.RLIMIT_FSIZE, (0, 0))

    def kept(self) -> Counter[str]:
        """Return the reasons of the events in the agent's outbox."""
        with closing(sqlite3.connect(f"file:{self._bench.folder}/outbox/outbox.db?mode=ro", uri=True)) as connection:
            events = [decode(row[0]) for row in connection.execute("SELECT line FROM outbox")]
        return Counter(event.value.reason for event in events if isinstance(event, AccessDecided))

    def _listen(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        for line in process.stdout:
            if "rights_applied=" in line:
                self.in_force.set()
            if found := _DECIDED.search(line):
                self.decided[found[2]] += 1
                self.last_time = found[3] or "clock"
                self._answers[found[1]].put(found[2])


@contextmanager
def besieged(
    broker_port: int,
    *,
    environment: dict[str, str] | None = None,
    max_attempts: int = 10_000,
    rf_s: float = RF_S,
) -> Iterator[Siege]:
    """Run an agent with four doors and, beside ours, this environment."""
    with Bench() as bench:
        rises: Counter[int] = Counter()

        def count(pin: int, high: bool) -> None:
            rises[pin] += high

        board = bench.board(count)
        chips = {reader: Pn532(Random(reader), rf_s=rf_s) for reader in READERS}
        text = _SITE.format(rights=SETTINGS, broker_port=broker_port, max_attempts=max_attempts)
        for reader, chip in chips.items():
            text += _DOOR.format(
                reader=reader,
                door=reader.replace("reader", "door"),
                pin=STRIKES[reader],
                port=bench.wire(chip),
                relay_limit_ms=round(RELAY_LIMIT_S * 1000),
            )
        toml = bench.folder / "site.toml"
        toml.write_text(text)
        (bench.folder / "site.key").write_text(bytes(32).hex())
        install(bench.folder, rights_at(datetime.now(ZoneInfo("Europe/Paris"))))
        command = [program("telecentre-edge"), "run", "--config", str(toml)]
        pins = {"GPIOZERO_PIN_FACTORY": "telecentre-sim", "TELECENTRE_SIM_PINS": str(board.path)}
        with subprocess.Popen(
            command,
            env={**os.environ, **pins, **(environment or {})},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as process:
            siege = Siege(bench, board, process, chips)
            siege.opened = rises
            try:
                assert siege.in_force.wait(30.0)
                siege.record()
                yield siege
            finally:
                process.terminate()
                with suppress(subprocess.TimeoutExpired):
                    process.wait(STOP_S)
                process.kill()
                siege.said.join(STOP_S)
