"""An HLK-LD2410 presence radar as a host sees it on its serial line, with or without a person before it.

Source: Hi-Link LD2410 serial communication protocol V1.02; LD2410B V1.04 for MAC, resolution and light.
"""

import struct
from collections.abc import Callable
from dataclasses import dataclass, replace
from random import Random

from simulators.ld2410_frames import GATES, CommandFinder, Report, reply_frame

FACTORY_SPEED = 7
SPEEDS_BAUD = {1: 9_600, 2: 19_200, 3: 38_400, 4: 57_600, 5: 115_200, 6: 230_400, 7: 256_000, 8: 460_800}
"""The indexes of the baud rate command (2.2.9)."""
REPORT_INTERVAL_S = 0.1
RESTART_S = 1.1
"""How long a module stays silent after a restart, as observed on hardware by the authors of aio-ld2410."""

FIRMWARE = bytes.fromhex("0000020116240622")
"""V1.02.22062416, as a module has answered (tests/vectors/ld2410.toml)."""
MAC = bytes.fromhex("8f272eb80f65")

Command = Callable[[bytes], bytes | None]
"""The value of a command in, the data of its reply out; None when it fails."""


@dataclass(frozen=True)
class Person:
    """Somebody before the radar."""

    distance_cm: int
    moving: bool


STUCK_ON = Person(distance_cm=90, moving=False)


@dataclass(frozen=True)
class Dropouts:
    """How a real radar loses people who sit very still: so many times an hour, each time for so long."""

    per_hour: float = 0.0
    shortest_s: float = 2.0
    longest_s: float = 20.0


NO_DROPOUTS = Dropouts()


@dataclass
class Ills:
    """What is wrong with a module; may be changed while it runs."""

    stuck: bool = False
    """It sees somebody still at 90 cm, whoever is there: a curtain over a radiator, or a module that hangs."""
    deaf: bool = False
    """No command reaches it, while its reports still come: its RX wire is loose."""
    refuses: frozenset[int] = frozenset()
    """Commands that it answers with a failure."""
    forgets: bool = False
    """It acknowledges settings and does not keep them."""


@dataclass(frozen=True)
class Settings:
    """What the module keeps in flash."""

    max_moving_gate: int = 8
    max_static_gate: int = 8
    no_one_s: int = 5
    moving_thresholds: tuple[int, ...] = (50, 50, 40, 30, 20, 15, 15, 15, 15)
    static_thresholds: tuple[int, ...] = (0, 0, 40, 40, 30, 30, 20, 20, 20)
    speed: int = FACTORY_SPEED
    resolution: int = 0
    """0: gates of 75 cm; 1: gates of 20 cm."""
    light: bytes = bytes.fromhex("00800000")


class Ld2410:
    """The module and the room before it; `person` and `empty` say who is there.

    Settings survive power cycles, engineering mode does not. In configuration mode the module sends no reports; outside
    it, every command fails but the one that enters it. A new speed or resolution counts after a restart.
    """

    def __init__(self, random: Random, *, dropouts: Dropouts = NO_DROPOUTS) -> None:
        self.settings = Settings()
        self.light = 96
        self.ills = Ills()
        self._random = random
        self._dropouts = dropouts
        self._someone: Person | None = None
        self._finder = CommandFinder()
        self._commands: dict[int, Command] = {
            0x60: self._write_parameters,
            0x61: self._read_parameters,
            0x62: lambda value: self._set_engineering(value, on=True),
            0x63: lambda value: self._set_engineering(value, on=False),
            0x64: self._set_sensitivity,
            0xA0: lambda value: None if value else FIRMWARE,
            0xA1: self._set_speed,
            0xA2: self._factory_reset,
            0xA3: self._restart,
            0xA5: lambda value: MAC if value == b"\x01\x00" else None,
            0xAA: self._set_resolution,
            0xAB: lambda value: None if value else self.settings.resolution.to_bytes(2, "little"),
            0xAD: self._set_light,
            0xAE: lambda value: None if value else self.settings.light,
            0xFE: self._leave_configuration,
            0xFF: self._enter_configuration,
        }
        self.power_on(0.0)

    # The room

    def person(self, *, distance_cm: int, moving: bool) -> None:
        """Put somebody before the radar, or move who is there."""
        self._someone = Person(distance_cm, moving)

    def empty(self) -> None:
        """Let everybody leave."""
        self._someone = None

    @property
    def someone(self) -> Person | None:
        """Who is there, whatever the radar sees."""
        return self._someone

    @property
    def out(self) -> bool:
        """The level of the module's OUT pin: whether its last report saw somebody."""
        return self._last.state != 0

    # The wire side

    @property
    def speed_baud(self) -> int:
        """The speed since the last restart."""
        return SPEEDS_BAUD[self._speed]

    def power_on(self, now_s: float) -> None:
        """Begin with the settings in flash."""
        self._speed = self.settings.speed
        self._resolution = self.settings.resolution
        self._configuring = self._engineering = False
        self._restarting = False
        self._last = Report()
        self._held_until_s = now_s
        self._lost_until_s = now_s
        self._finder.clear()
        self._next_report_s = now_s + REPORT_INTERVAL_S

    def receive(self, data: bytes, speed_baud: int, now_s: float) -> bytes:
        """Take bytes from the host; return the replies to the commands among them."""
        if speed_baud != self.speed_baud or self._restarting or self.ills.deaf:
            self._finder.clear()
            return b""
        said = b"".join(self._reply(command) for command in self._finder.feed(data))
        if self._restarting:
            self._next_report_s = now_s + RESTART_S
        elif self._configuring:
            self._next_report_s = now_s + REPORT_INTERVAL_S
        return said

    def due_s(self) -> float | None:
        """Return when the next report comes; None in configuration mode."""
        return None if self._configuring and not self._restarting else self._next_report_s

    def speak(self, now_s: float) -> bytes:
        """Return one report when it is due; a module that restarts begins again instead."""
        if self._restarting:
            self.power_on(now_s)
            return b""
        if self._configuring or now_s < self._next_report_s:
            return b""
        # A host that stops the clock for a while gets one report, not all those it missed.
        self._next_report_s = max(self._next_report_s + REPORT_INTERVAL_S, now_s)
        self._last = self._observed(now_s)
        return self._last.frame(engineering=self._engineering)

    # What the radar sees

    def _observed(self, now_s: float) -> Report:
        someone = STUCK_ON if self.ills.stuck else self._someone if not self._lost(now_s) else None
        moving, static = self._energies(someone)
        settings = self.settings
        sees_moving = _over(moving, settings.moving_thresholds, settings.max_moving_gate)
        # The echoes of the desk itself drown gates 0 and 1: the module leaves them out for still targets.
        sees_static = _over(static, settings.static_thresholds, settings.max_static_gate, first=2) or (
            someone is not None and not someone.moving and self._gate(someone) < 2
        )
        if someone is not None and (sees_moving or sees_static):
            self._held_until_s = now_s + settings.no_one_s
            return self._seen(someone, moving, static, state=sees_moving + 2 * sees_static)
        # The module goes on reporting somebody until the no-one duration has passed.
        held = self._last.state != 0 and now_s < self._held_until_s
        last = self._last if held else Report()
        return replace(
            last,
            state=2 if held else 0,
            moving_energy=0 if not held else last.moving_energy // 2,
            static_energy=0 if not held else last.static_energy // 2,
            moving_energies=moving,
            static_energies=static,
            light=self.light,
            out=int(held),
        )

    def _seen(self, someone: Person, moving: tuple[int, ...], static: tuple[int, ...], *, state: int) -> Report:
        spread_cm = 12 if someone.moving else 4
        distance_cm = max(0, someone.distance_cm + self._random.randint(-spread_cm, spread_cm))
        gate = self._gate(someone)
        return Report(
            state=state,
            moving_cm=distance_cm if state & 1 else 0,
            moving_energy=moving[gate],
            static_cm=distance_cm if state & 2 else 0,
            static_energy=static[gate],
            detection_cm=distance_cm,
            moving_energies=moving,
            static_energies=static,
            light=self.light,
            out=1,
        )

    def _energies(self, someone: Person | None) -> tuple[tuple[int, ...], tuple[int, ...]]:
        draw = self._random.random
        moving = [int(draw() * 9) for _ in range(GATES)]
        static = [0, 0] + [int(draw() * 14) for _ in range(2, GATES)]
        if someone is not None:
            # A body fills its gate and spills into the next ones; breathing alone moves little.
            for gate, share in enumerate(_shares(self._gate(someone))):
                moving[gate] = min(
                    100, moving[gate] + int(share * (75 + draw() * 25 if someone.moving else draw() * 12))
                )
                static[gate] = min(
                    100, static[gate] + int(share * (40 + draw() * 40 if someone.moving else 70 + draw() * 30))
                )
        return tuple(moving), tuple(static)

    def _gate(self, someone: Person) -> int:
        return min(GATES - 1, someone.distance_cm // (20 if self._resolution else 75))

    def _lost(self, now_s: float) -> bool:
        dropouts = self._dropouts
        if now_s < self._lost_until_s:
            return True
        if self._someone is None or self._someone.moving:
            return False
        if self._random.random() < dropouts.per_hour * REPORT_INTERVAL_S / 3600:
            self._lost_until_s = now_s + self._random.uniform(dropouts.shortest_s, dropouts.longest_s)
        return now_s < self._lost_until_s

    # Commands: each returns the data of its reply, or None when it fails

    def _reply(self, command: bytes) -> bytes:
        code, value = command[0], command[2:]
        act = self._commands.get(code)
        allowed = self._configuring or code == 0xFF
        settings, refused = self.settings, code in self.ills.refuses
        data = act(value) if act is not None and allowed and command[1] == 0 and not refused else None
        if self.ills.forgets:
            self.settings = settings
        return reply_frame(code, data or b"", well=data is not None)

    def _enter_configuration(self, value: bytes) -> bytes | None:
        if value != b"\x01\x00":
            return None
        self._configuring = True
        return bytes.fromhex("01004000")

    def _leave_configuration(self, value: bytes) -> bytes | None:
        if value:
            return None
        self._configuring = False
        return b""

    def _set_engineering(self, value: bytes, *, on: bool) -> bytes | None:
        if value:
            return None
        self._engineering = on
        return b""

    def _write_parameters(self, value: bytes) -> bytes | None:
        words = _words(value)
        if words is None or max(words[0], words[1]) >= GATES or min(words[0], words[1]) < 2 or words[2] > 0xFFFF:
            return None
        self.settings = replace(self.settings, max_moving_gate=words[0], max_static_gate=words[1], no_one_s=words[2])
        return b""

    def _read_parameters(self, value: bytes) -> bytes | None:
        if value:
            return None
        settings = self.settings
        gates = bytes((0xAA, GATES - 1, settings.max_moving_gate, settings.max_static_gate))
        thresholds = bytes(settings.moving_thresholds) + bytes(settings.static_thresholds)
        return gates + thresholds + settings.no_one_s.to_bytes(2, "little")

    def _set_sensitivity(self, value: bytes) -> bytes | None:
        words = _words(value)
        if words is None or max(words[1:]) > 100 or (words[0] >= GATES and words[0] != 0xFFFF):
            return None
        gates = range(GATES) if words[0] == 0xFFFF else [words[0]]
        moving, static = list(self.settings.moving_thresholds), list(self.settings.static_thresholds)
        for gate in gates:
            moving[gate], static[gate] = words[1], words[2]
        self.settings = replace(self.settings, moving_thresholds=tuple(moving), static_thresholds=tuple(static))
        return b""

    def _set_speed(self, value: bytes) -> bytes | None:
        index = int.from_bytes(value, "little")
        if len(value) != 2 or index not in SPEEDS_BAUD:
            return None
        self.settings = replace(self.settings, speed=index)
        return b""

    def _factory_reset(self, value: bytes) -> bytes | None:
        if value:
            return None
        self.settings = Settings()
        return b""

    def _restart(self, value: bytes) -> bytes | None:
        if value:
            return None
        self._restarting = True
        return b""

    def _set_resolution(self, value: bytes) -> bytes | None:
        index = int.from_bytes(value, "little")
        if len(value) != 2 or index > 1:
            return None
        self.settings = replace(self.settings, resolution=index)
        return b""

    def _set_light(self, value: bytes) -> bytes | None:
        if len(value) != 4 or value[0] > 2:
            return None
        self.settings = replace(self.settings, light=value)
        return b""


def _words(value: bytes) -> tuple[int, int, int] | None:
    """Return the three values of a command made of words 0, 1, 2, each with its 32 bits."""
    if len(value) != 18:
        return None
    first, a, second, b, third, c = struct.unpack("<HIHIHI", value)
    return (a, b, c) if (first, second, third) == (0, 1, 2) else None


def _over(energies: tuple[int, ...], thresholds: tuple[int, ...], max_gate: int, first: int = 0) -> bool:
    return any(energies[gate] > thresholds[gate] for gate in range(first, max_gate + 1))


def _shares(gate: int) -> list[float]:
    """Return how much of a body each gate sees."""
    return [{0: 1.0, 1: 0.45, 2: 0.15}.get(abs(gate - other), 0.0) for other in range(GATES)]
