import asyncio
from pathlib import Path

from hub.app import refresh_board
from hub.live import LiveBoard
from hub.store import Site, Store, StoreDownError
from tests.support.telecentres import NOON_MS, cantal


class Fickle(Store):
    """A real store whose database can be away."""

    away = False

    def sites(self, site: str = "") -> list[Site]:
        if self.away:
            raise StoreDownError("the disk is not there")
        return super().sites(site)


def test_the_board_outlives_a_database_that_is_away(tmp_path: Path) -> None:
    cantal(tmp_path).close()
    store, board = Fickle(tmp_path / "hub.db", now_ms=lambda: NOON_MS), LiveBoard()
    asyncio.run(refresh_board(board, store))
    known = board.snapshot(NOON_MS)
    store.away = True
    asyncio.run(refresh_board(board, store))
    store.close()
    assert board.snapshot(NOON_MS) == known
    assert known["sites"]
