"""A reader that knows one secured badge, the simulated chip behind it, and what it reported: for tests of cards."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random

from edge.core.observations import CredentialSeen, DeviceFailed, DeviceReady
from edge.devices.badge_reader import BadgeReader
from edge.devices.port import Port
from simulators.cards import Card as AnyCard
from simulators.desfire import Desfire
from simulators.ntag424 import Ntag424
from simulators.pn532 import Pn532
from simulators.wire import NO_FAULTS, Faults
from tests.support.bench import Bench
from tests.support.heard import Heard, running

SITE_KEY = bytes(range(32))
UID = bytes.fromhex("04a1b2c3d4e5f6")
BADGE, OTHER_BADGE = bytes.fromhex("a1b2c3d4e5f60718293a4b5c6d7e8f90"), bytes(range(100, 116))
KEY, OTHER_KEY = bytes.fromhex("f6105b3c631bb6e0a29489d47e4cfd74"), bytes(range(16))
KEYS = {BADGE: KEY}


def ntag(key: bytes = KEY, badge: bytes = BADGE, uid: bytes = UID, *, extensions: int = 0) -> Ntag424:
    card = Ntag424(uid, Random(4), extensions=extensions)
    card.personalise(badge, key)
    return card


def desfire(key: bytes = KEY, badge: bytes = BADGE, aid: bytes = bytes.fromhex("34fa3a")) -> Desfire:
    card = Desfire(UID, Random(4))
    card.personalise(badge, key, aid)
    return card


class Site:
    """A reader that knows one badge, the chip behind it, and what it reported."""

    def __init__(self, bench: Bench, chip: Pn532, port: Path, driver: BadgeReader, heard: Heard) -> None:
        self.bench, self.chip, self.port, self.driver, self.heard = bench, chip, port, driver, heard

    def present(self, *cards: AnyCard) -> None:
        """Bring cards into the field at the same moment."""

        def bring() -> None:
            for card in cards:
                self.chip.present(card)

        self.bench.call(bring)

    def remove(self) -> None:
        self.bench.call(self.chip.remove)

    def sees(self, times: int = 1) -> CredentialSeen:
        assert self.heard.hears(CredentialSeen, times=times)
        return self.heard.of(CredentialSeen)[times - 1]

    def is_ready_again(self) -> bool:
        """Whether the reader, without a failure, knows the next badge for what it is."""
        self.remove()
        before = len(self.heard.of(CredentialSeen))
        self.present(ntag(uid=bytes.fromhex("04000000000001")))
        found = self.heard.hears(CredentialSeen, lambda seen: seen.badge == BADGE and seen.refusal is None)
        return found and len(self.heard.of(CredentialSeen)) > before and not self.heard.of(DeviceFailed)


@contextmanager
def site(faults: Faults = NO_FAULTS, *, relay_limit_s: float = 1.0, uid_badges: bool = False) -> Iterator[Site]:
    with Bench() as bench:
        chip = Pn532(Random(1))
        port = bench.wire(chip, faults)
        opened = Port(str(port), simulated=True)
        driver = BadgeReader("reader-01", opened, SITE_KEY, uid_badges=uid_badges, relay_limit_s=relay_limit_s)
        driver.know(KEYS)
        with running(driver, "reader-01") as heard:
            assert heard.hears(DeviceReady)
            yield Site(bench, chip, port, driver, heard)
