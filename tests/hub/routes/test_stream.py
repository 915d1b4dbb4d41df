"""The live stream: one rendering for all, deltas for who follows, everything for who comes or falls behind."""

import asyncio
import json
from collections.abc import AsyncGenerator

import pytest

from hub.live import Frame, LiveBoard
from hub.routes import stream as stream_module
from hub.routes.live import EVERYTHING
from hub.routes.stream import KEEP_ALIVE_TICKS, Audience, Stream
from tests.hub.test_live import MURAT
from tests.support.telecentres import NOON_MS, now_of, status_of

PATIENCE_S = 20.0
"""A wake-up on the same event loop takes microseconds."""


class Bench:
    """A board with one site and a stream that beats when it is told to."""

    def __init__(self) -> None:
        self.board = LiveBoard([MURAT], run="a1b2")
        self.say("vo")
        self.stream = Stream(self.board, lambda: NOON_MS, lambda: False, self._nothing)

    async def _nothing(self) -> None:
        return None

    def say(self, desks: str) -> None:
        self.board.take_now(now_of("murat", desks), NOON_MS)
        self.board.take_status(status_of("murat"), NOON_MS)


async def following(watcher: AsyncGenerator[bytes, None]) -> dict[str, str]:
    """Return the fields of the next event that a watcher gets."""
    async with asyncio.timeout(PATIENCE_S):
        block = (await anext(watcher)).decode()
    assert block.endswith("\n\n")
    return dict(line.split(": ", 1) for line in block.strip().splitlines())


async def begun(bench: Bench, last_event_id: str | None = None) -> AsyncGenerator[bytes, None]:
    """Return a watcher that has been told when to come back."""
    watcher = bench.stream.watch(EVERYTHING, last_event_id)
    assert await following(watcher) == {"retry": "3000"}
    return watcher


def test_a_new_watcher_gets_everything_as_it_is() -> None:
    async def run() -> None:
        watcher = await begun(Bench())
        event = await following(watcher)
        assert event["id"] == "a1b2-1"
        assert [site["site_id"] for site in json.loads(event["data"])["sites"]] == ["murat"]

    asyncio.run(run())


def test_a_change_reaches_the_watcher_at_the_next_beat() -> None:
    async def run() -> None:
        bench = Bench()
        watcher = await begun(bench)
        await following(watcher)
        bench.say("oo")
        bench.stream.beat()
        event = await following(watcher)
        assert event["id"] == "a1b2-2"
        assert [desk["state"] for desk in json.loads(event["data"])["sites"][0]["desks"]] == ["occupied", "occupied"]

    asyncio.run(run())


def test_a_watcher_who_comes_back_in_time_is_told_nothing_twice() -> None:
    async def run() -> None:
        bench = Bench()
        watcher = await begun(bench, "a1b2-1")
        bench.say("oo")
        bench.stream.beat()
        assert (await following(watcher))["id"] == "a1b2-2"

    asyncio.run(run())


@pytest.mark.parametrize("last_event_id", ["ffff-1", "a1b2-99", "a1b2-", "nonsense", "a1b2-\u0661"])
def test_a_last_event_of_another_life_means_everything_again(last_event_id: str) -> None:
    async def run() -> None:
        assert (await following(await begun(Bench(), last_event_id)))["id"] == "a1b2-1"

    asyncio.run(run())


def test_a_slow_watcher_skips_what_it_missed_and_gets_everything() -> None:
    async def run() -> None:
        bench, shown = Bench(), list[bool]()

        def draw(frame: Frame, changed: frozenset[str] | None) -> str:
            shown.append(changed is None)
            return str(frame.version)

        watcher = bench.stream.watch(Audience("noting", draw), None)
        await following(watcher)
        await following(watcher)
        for desks in ("oo", "vv", "ov"):
            bench.say(desks)
            bench.stream.beat()
        assert (await following(watcher))["data"] == "4"
        assert shown == [True, True]

    asyncio.run(run())


def test_a_thousand_watchers_share_one_rendering() -> None:
    async def run() -> None:
        bench, drawn = Bench(), list[int]()

        def draw(frame: Frame, _: frozenset[str] | None) -> str:
            drawn.append(frame.version)
            return "{}"

        watchers = [bench.stream.watch(Audience("shared", draw), None) for _ in range(1_000)]
        for watcher in watchers:
            await following(watcher)
            await following(watcher)
        assert drawn == [1]

    asyncio.run(run())


def test_a_quiet_stream_says_that_it_is_alive() -> None:
    async def run() -> None:
        bench = Bench()
        watcher = await begun(bench)
        await following(watcher)
        for _ in range(KEEP_ALIVE_TICKS):
            bench.stream.beat()
        async with asyncio.timeout(PATIENCE_S):
            assert await anext(watcher) == b": keep-alive\n\n"

    asyncio.run(run())


def test_a_watcher_of_one_site_is_kept_alive_while_only_others_change() -> None:
    async def run() -> None:
        bench = Bench()
        silent = Audience("silent", lambda _, changed: "{}" if changed is None else None)
        watcher = bench.stream.watch(silent, None)
        await following(watcher)
        await following(watcher)
        waiting = asyncio.ensure_future(anext(watcher))
        for beat in range(KEEP_ALIVE_TICKS):
            await asyncio.sleep(0)
            assert not waiting.done()
            bench.say("oo" if beat % 2 else "vv")
            bench.stream.beat()
        async with asyncio.timeout(PATIENCE_S):
            assert await waiting == b": keep-alive\n\n"

    asyncio.run(run())


def test_watchers_leave_when_the_stream_closes() -> None:
    async def run() -> None:
        bench = Bench()
        watcher = await begun(bench)
        await following(watcher)
        assert bench.stream.watchers == 1
        bench.stream.close()
        with pytest.raises(StopAsyncIteration):
            await anext(watcher)
        assert bench.stream.watchers == 0
        assert not bench.stream.alive

    asyncio.run(run())


def test_a_watcher_who_leaves_is_counted_out() -> None:
    async def run() -> None:
        bench = Bench()
        watcher = await begun(bench)
        await watcher.aclose()
        assert bench.stream.watchers == 0

    asyncio.run(run())


def test_a_database_that_never_answers_does_not_stop_the_live_board(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream_module, "TICK_S", 0.0)

    async def run() -> None:
        bench, questions, asked = Bench(), [], asyncio.Event()

        async def mute() -> None:
            questions.append("?")
            asked.set()
            await asyncio.Event().wait()

        bench.stream = Stream(bench.board, lambda: NOON_MS, lambda: True, mute)
        beating = asyncio.create_task(bench.stream.run())
        watcher = await begun(bench)
        assert (await following(watcher))["id"] == "a1b2-1"
        async with asyncio.timeout(PATIENCE_S):
            await asked.wait()
        bench.say("oo")
        assert (await following(watcher))["id"] == "a1b2-2"
        assert len(questions) == 1, "one at a time"
        bench.stream.close()
        await beating

    asyncio.run(run())


def test_a_mistake_of_ours_ends_the_stream_and_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream_module, "TICK_S", 0.0)
    monkeypatch.setattr(stream_module, "REGISTER_TICKS", 1)

    async def broken() -> None:
        raise ZeroDivisionError

    async def run() -> None:
        stream = Stream(LiveBoard([MURAT]), lambda: NOON_MS, lambda: False, broken)
        with pytest.raises(ZeroDivisionError):
            await stream.run()
        assert not stream.alive

    asyncio.run(run())
