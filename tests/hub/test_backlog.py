"""What waits for the database: bounded, in order, fair, and of use."""

import threading

import pytest

from hub.backlog import MAX_BYTES, OVERHEAD_BYTES, Backlog
from hub.custody import Message
from tests.support.waiting import PATIENCE_S

PAYLOAD = b"x" * 976
SIZE = OVERHEAD_BYTES + len(PAYLOAD)
"""2,000 bytes, as the backlog counts."""


def batch(site: str, mid: int = 0, payload: bytes = PAYLOAD) -> Message:
    return Message(1, mid, 1, site, "up", "", payload, 0)


def hello(site: str, mid: int = 0) -> Message:
    return Message(1, mid, 1, site, "hello", "", PAYLOAD, 0)


def small(*, batches: int, hellos: int = 2, of_site: int = 100) -> Backlog:
    """Return a backlog with room for so many batches in all, so many Hellos more, and so much of one site."""
    return Backlog(max_bytes=(batches + hellos) * SIZE, hello_bytes=hellos * SIZE, site_bytes=of_site * SIZE)


def mids(messages: list[Message]) -> list[int]:
    return [message.mid for message in messages]


def test_messages_are_taken_in_the_order_in_which_they_came() -> None:
    backlog = small(batches=10)
    for mid in range(5):
        backlog.put(batch("murat", mid) if mid % 2 else hello("murat", mid))
    assert mids(backlog.take(3, 0.0)) == [0, 1, 2]
    assert mids(backlog.take(3, 0.0)) == [3, 4]
    assert backlog.take(3, 0.0) == []


def test_who_takes_waits_for_the_first_message() -> None:
    backlog = small(batches=10)
    taken: list[Message] = []
    taker = threading.Thread(target=lambda: taken.extend(backlog.take(5, PATIENCE_S)))
    taker.start()
    backlog.put(batch("murat", 7))
    taker.join(PATIENCE_S)
    assert mids(taken) == [7]


def test_a_full_backlog_drops_batches_and_still_takes_hellos() -> None:
    backlog = small(batches=3)
    assert [backlog.put(batch(f"site-{n}")) for n in range(4)] == [None, None, None, "full"]
    assert [backlog.put(hello(f"site-{n}")) for n in range(3)] == [None, None, "full"]
    assert backlog.dropped == {"full": 2, "site": 0, "behind": 0}


def test_what_follows_a_dropped_batch_takes_no_room_until_the_sites_next_hello() -> None:
    backlog = small(batches=3)
    for n in range(4):
        backlog.put(batch("murat", n))
    backlog.take(3, 0.0)
    assert backlog.put(batch("murat", 4)) == "behind", "without batch 3 it would change nothing"
    assert backlog.put(batch("ydes", 5)) is None, "another site has nothing to do with it"
    assert backlog.put(hello("murat", 6)) is None
    assert backlog.put(batch("murat", 3)) is None
    assert mids(backlog.take(10, 0.0)) == [5, 6, 3]


def test_a_hello_that_was_dropped_lets_nothing_through() -> None:
    backlog = small(batches=1, hellos=1)
    backlog.put(batch("ydes"))
    backlog.put(hello("ydes"))
    assert backlog.put(batch("murat")) == "full"
    assert backlog.put(hello("murat")) == "full"
    backlog.take(10, 0.0)
    assert backlog.put(batch("murat")) == "behind"


def test_one_site_cannot_fill_the_backlog() -> None:
    backlog = small(batches=10, of_site=4)
    assert [backlog.put(batch("murat")) for _ in range(6)] == [None, None, None, None, "site", "behind"]
    assert backlog.put(hello("murat")) == "site"
    assert backlog.put(batch("ydes")) is None


def test_what_was_taken_makes_room_again() -> None:
    backlog = small(batches=4, of_site=2)
    for _ in range(50):
        assert backlog.put(hello("murat")) is None
        assert backlog.put(batch("murat")) is None
        backlog.take(2, 0.0)
    assert len(backlog) == 0


def test_empty_messages_are_bounded_as_well() -> None:
    backlog = Backlog(site_bytes=MAX_BYTES)
    count = 0
    while backlog.put(batch("murat", payload=b"")) is None:
        count += 1
    assert count * OVERHEAD_BYTES <= MAX_BYTES


def window_of(site: str, height: int, last: int, window: int) -> list[Message]:
    """Return a Hello and the batches of one event that follow the committed position, as an edge sends them."""
    up = [batch(site, mid) for mid in range(height + 1, min(last, height + window) + 1)]
    return [hello(site), *up]


def test_however_small_the_backlog_all_sites_end_and_nothing_useless_waits() -> None:
    """Forty sites with 32 batches each and room for 50: dropped at random, later batches would crowd out the first."""
    heights = {f"site-{n:02d}": 0 for n in range(40)}
    backlog = small(batches=50, hellos=60)
    last, rounds = 100, 0
    while min(heights.values()) < last:
        rounds += 1
        assert rounds <= 40 * last / 10, "livelock"
        windows = [window_of(site, height, last, 32) for site, height in heights.items() if height < last]
        # All say one after the other at the same time, which is the worst: nobody is whole.
        for turn in range(33):
            for window in windows:
                if turn < len(window):
                    backlog.put(window[turn])
        moved = 0
        while taken := backlog.take(64, 0.0):
            for message in taken:
                if message.channel == "up":
                    assert message.mid == heights[message.site] + 1, "what waits is of use"
                    heights[message.site] += 1
                    moved += 1
        assert moved >= 10, "beside forty Hellos there is room for ten batches"


def test_a_full_backlog_is_told_once_and_its_end_as_well(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    backlog = small(batches=2)
    for n in range(6):
        backlog.put(batch(f"site-{n}"))
    while backlog.take(1, 0.0):
        pass
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]
    assert "'full': 4" in caplog.text
