"""A hub reduced to what takes history: a real ingest on a real store with the ten telecentres of the Cantal."""

from pathlib import Path
from uuid import uuid4

from hub.config import BrokerSettings
from hub.ingest import Ingest
from hub.live import LiveBoard
from tests.support.telecentres import NOON_MS, cantal


class RunningHub:
    """Not yet started; `ingest.start()` connects it."""

    def __init__(self, folder: Path, settings: BrokerSettings) -> None:
        self.store = cantal(folder)
        self.crashes: list[BaseException] = []
        self.ingest = Ingest(
            settings,
            self.store,
            LiveBoard(self.store.sites()),
            now_ms=lambda: NOON_MS,
            new_id=lambda: uuid4().hex,
            on_crash=self.crashes.append,
        )

    def alarms(self) -> dict[tuple[str, str], int]:
        """Return how often each alarm was raised, by site and reason."""
        return {(alarm.site, alarm.reason): alarm.times for alarm in self.store.totals().alarms}

    def stop(self) -> None:
        """Stop it; nothing may have crashed."""
        self.ingest.stop(20)
        self.store.close()
        assert self.crashes == []
