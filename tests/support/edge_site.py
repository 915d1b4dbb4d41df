"""A telecentre of simulated devices, and the settings of its agent: for tests that run a whole agent."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random

from contract.credentials import uid_hash
from edge.config import SiteKeys
from simulators.ld2410 import Ld2410
from simulators.pins import PinBoard
from simulators.pn532 import Pn532
from tests.support.bench import Bench
from tests.support.rights import CENTURY_MS, PRIVATE_KEY, SETTINGS, a_list, install, of_uid_class, secured

KEY = bytes(range(32))
KEYS = SiteKeys(site_key=KEY, rights_key=PRIVATE_KEY)
UID = bytes.fromhex("04a1b2c3d4e5f6")
BADGE, BADGE_KEY = bytes(range(60, 76)), bytes(range(200, 216))
STRIKE, CONTACT, BUTTON, GREEN, RED, PIR = 17, 27, 22, 23, 24, 16

_SITE = """
site = "murat"
time_zone = "Europe/Paris"
simulated = true
[link]
port = {broker_port}
[outbox]
folder = "outbox"
{rights}uid_badges = true
[[door]]
id = "door-01"
strike_pin = 17
pulse_s = 0.6
contact_pin = 27
exit_button_pin = 22
[[reader]]
id = "reader-01"
door = "door-01"
port = "{reader_port}"
granted_pin = 23
refused_pin = 24
[[desk]]
id = "desk-01"
settle_s = 0.2
hold_s = 0.5
sensor = [{{ id = "desk-01-pin", kind = "pin", pin = 16 }}]
[[desk]]
id = "desk-02"
settle_s = 0.2
hold_s = 0.5
sensor = [{{ id = "desk-02-radar", kind = "radar", port = "{radar_port}" }}]
"""


@dataclass
class SimulatedTelecentre:
    """The devices, and where the settings are."""

    bench: Bench
    board: PinBoard
    chip: Pn532
    radar: Ld2410
    reader_port: Path
    radar_port: Path
    toml: Path

    @property
    def environment(self) -> dict[str, str]:
        """What an agent process needs to find the pins."""
        return {
            **os.environ,
            "GPIOZERO_PIN_FACTORY": "telecentre-sim",
            "TELECENTRE_SIM_PINS": str(self.board.path),
        }

    def drive(self, pin: int, *, high: bool) -> None:
        """Set the level of an input of the agent."""
        self.bench.call(self.board.drive, pin, high)

    def level(self, pin: int) -> bool:
        """Return the level of a pin."""
        return self.bench.call(self.board.level, pin)

    def pulses(self, pin: int) -> int:
        """Return how often a pin has risen."""
        return sum(high for _, high in self.bench.call(self.board.changes, pin))


@contextmanager
def telecentre(broker_port: int) -> Iterator[SimulatedTelecentre]:
    """Set up one door with its reader, and two desks; the door is closed and the badge with `UID` may enter."""
    with Bench() as bench:
        board, chip, radar = bench.board(), Pn532(Random(1)), Ld2410(Random(2))
        bench.call(board.drive, CONTACT, False)
        bench.call(board.drive, PIR, False)
        reader_port, radar_port, folder = bench.wire(chip), bench.wire(radar), bench.folder
        (folder / "site.key").write_text(KEY.hex())
        in_force = a_list(secured("carol", BADGE, BADGE_KEY), of_uid_class("alice"), life_ms=CENTURY_MS)
        install(folder, in_force, {"alice": uid_hash(KEY, UID)})
        toml = folder / "site.toml"
        ports = {"broker_port": broker_port, "reader_port": reader_port, "radar_port": radar_port}
        toml.write_text(_SITE.format(rights=SETTINGS, **ports))
        yield SimulatedTelecentre(bench, board, chip, radar, reader_port, radar_port, toml)
