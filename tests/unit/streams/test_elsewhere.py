"""Watching from a second thread with an event loop of its own."""

import asyncio
import contextlib
import gc
import threading
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import pytest

import penstock
from penstock import Batch, Call, Engine, Event, tool
from penstock.errors import StreamExpired, StreamPosition, WrongThread
from penstock.streams import Subscription
from penstock.streams.elsewhere import Relay, _relays

pytestmark = pytest.mark.real_time


@tool
async def nap(seconds: float = 0.02) -> float:
    await penstock.sleep(seconds)
    return seconds


@tool
async def steps(count: int) -> int:
    for number in range(count):
        penstock.progress(number)
        await penstock.sleep(0.06)
    return count


def naps(count: int, seconds: float = 0.02) -> list[Call]:
    return [Call("nap", {"seconds": seconds}) for _ in range(count)]


class Elsewhere:
    """A thread with a loop of its own."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def _run(self) -> None:
        self.loop.run_forever()
        self.loop.close()

    async def run(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        """Run a coroutine there, and wait for it here."""
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(coroutine, self.loop))

    def close(self) -> None:
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()


@pytest.fixture
def elsewhere() -> Iterator[Elsewhere]:
    made = Elsewhere()
    yield made
    made.close()


async def read(batch: Batch, **options: Any) -> list[Event]:
    return [event async for event in batch.events(**options)]


async def test_it_sees_what_a_watcher_here_sees(elsewhere: Elsewhere) -> None:
    async with Engine([nap, steps]) as engine:
        batch = engine.submit([*naps(3), Call("steps", {"count": 3})])
        there, here = await asyncio.gather(elsewhere.run(read(batch)), read(batch))
    assert [(e.seq, e.type, e.call) for e in there] == [(e.seq, e.type, e.call) for e in here]
    assert [e.outcome for e in there] == [e.outcome for e in here]
    assert there[-1].type == "batch.ended"


async def test_positions_and_filters_hold_there_too(elsewhere: Elsewhere) -> None:
    async with Engine([nap]) as engine:
        batch = engine.submit(naps(3))
        await batch
        chosen = await elsewhere.run(read(batch, after=2, calls=[1], values=False))
        newest = len(batch._native)
        assert [e.index for e in chosen] == [1, 1, None]
        assert {e.outcome for e in chosen} == {None}
        assert await elsewhere.run(read(batch, after=-1)) == []
        with pytest.raises(StreamPosition):
            await elsewhere.run(read(batch, after=newest + 1))


async def test_position_and_lag_are_what_is_known_there(elsewhere: Elsewhere) -> None:
    async def look() -> list[int]:
        events = batch.events()
        await anext(events)
        known = [events.position, events.lag]
        await events.aclose()
        return known

    async with Engine([nap]) as engine:
        batch = engine.submit(naps(2))
        await batch
        assert await elsewhere.run(look()) == [1, 5]


async def test_more_than_a_page_is_read_in_pages(elsewhere: Elsewhere) -> None:
    async with Engine([nap]) as engine:
        batch = engine.submit(naps(300, 0.0))
        there = await elsewhere.run(read(batch))
    assert [e.seq for e in there] == list(range(1, 603))


async def test_a_gap_names_what_is_missed(elsewhere: Elsewhere) -> None:
    async with Engine([nap], history=4) as engine:
        batch = engine.submit(naps(9, 0.0))
        await batch
        gap, snapshot = await elsewhere.run(read(batch))
    assert gap.data == {"from": 1, "to": snapshot.seq}
    assert len(snapshot.data["calls"]) == 9


async def test_those_who_wait_for_one_page_ask_once(
    elsewhere: Elsewhere, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[object] = []
    serve = Relay._answer

    def count(self: Relay, key: object, question: Callable[[], Any]) -> None:
        asked.append(key)
        serve(self, key, question)  # type: ignore[arg-type]

    monkeypatch.setattr(Relay, "_answer", count)

    async def many() -> list[list[int]]:
        async def one() -> list[int]:
            return [e.seq async for e in batch.events(types=["call.ended"])]

        return await asyncio.gather(*(one() for _ in range(50)))

    async with Engine([nap]) as engine:
        batch = engine.submit(naps(2))
        seen = await elsewhere.run(many())
    assert len(seen) == 50
    assert all(numbers == seen[0] for numbers in seen)
    pages = [key for key in asked if isinstance(key, tuple)]
    assert len(pages) < 25  # each asked once, and again when the log grew; not fifty times


async def test_who_closes_hears_no_more_and_the_batch_goes_on(elsewhere: Elsewhere) -> None:
    async def leave() -> list[str]:
        async with batch.events() as events:
            await anext(events)
        return [event.type async for event in events]

    async with Engine([nap]) as engine:
        batch = engine.submit(naps(2))
        assert await elsewhere.run(leave()) == []
        assert [outcome.status for outcome in await batch] == ["ok", "ok"]


async def test_a_cancelled_wait_loses_nothing(elsewhere: Elsewhere) -> None:
    async def interrupted() -> list[int]:
        events = batch.events()
        seen: list[int] = []

        async def follow() -> None:
            async for event in events:
                seen.append(event.seq)  # noqa: PERF401 - those before a cancellation count

        for _ in range(30):
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(follow(), 0.01)
                break
        return seen

    async with Engine([steps]) as engine:
        batch = engine.submit([Call("steps", {"count": 2})])
        assert await elsewhere.run(interrupted()) == [1, 2, 3, 4, 5, 6]


async def test_the_engine_can_be_watched_from_there(elsewhere: Elsewhere) -> None:
    async def begin() -> Subscription:
        return engine.events()

    async def watch(events: Subscription) -> list[str]:
        seen = [(await anext(events)).type for _ in range(4)]
        await events.aclose()
        return seen

    async with Engine([nap]) as engine:
        await engine.run(naps(1))  # it is used here first: this is its loop
        events = await elsewhere.run(begin())
        await engine.run(naps(1))
        types = ["batch.started", "call.started", "call.ended", "batch.ended"]
        assert await elsewhere.run(watch(events)) == types
        async with engine.events(after=0) as later:
            # Nobody watched in between: what was seen there is forgotten.
            await engine.run(naps(1))
            assert (await anext(later)).type == "stream.gap"


async def test_a_position_that_the_engine_has_not_is_refused_there(elsewhere: Elsewhere) -> None:
    async def watch() -> None:
        async with engine.events(after=7) as events:
            await anext(events)

    async with Engine([nap]) as engine:
        await engine.run(naps(1))
        with pytest.raises(StreamPosition):
            await elsewhere.run(watch())


async def test_a_thread_without_a_loop_is_refused() -> None:
    caught: list[BaseException] = []

    def look() -> None:
        try:
            batch.events()
        except WrongThread as error:
            caught.append(error)

    async with Engine([nap]) as engine:
        batch = engine.submit(naps(1))
        thread = threading.Thread(target=look)
        thread.start()
        thread.join()
        await batch
    assert len(caught) == 1


async def test_a_relay_goes_with_its_watchers(elsewhere: Elsewhere) -> None:
    async with Engine([nap]) as engine:
        batch = engine.submit(naps(1))
        await elsewhere.run(read(batch))
    await asyncio.sleep(1.1)  # the last look at the owner's loop
    gc.collect()
    assert not [relay for relay in _relays.values() if relay.owned is batch._native]


class TestTheOwnerEndsFirst:
    """No answer comes from a loop that is closed."""

    async def watch_a_dead_one(self, made: "list[Batch | Engine]") -> str:
        events = made[0].events()
        try:
            async for _event in events:
                pass
        except StreamExpired as error:
            return str(error)
        return "ended"

    @pytest.mark.parametrize("before", [True, False], ids=["closed before", "closed while waiting"])
    async def test_a_watcher_of_a_batch_hears_of_it(self, before: bool) -> None:
        made: list[Any] = []
        closed, going = threading.Event(), threading.Event()

        async def abandon() -> None:
            engine = Engine([nap])
            made.extend([engine.submit(naps(1, 60.0)), engine])
            await asyncio.sleep(0.01)
            going.set()
            if not before:
                await asyncio.sleep(0.2)

        def own() -> None:
            loop = asyncio.new_event_loop()
            loop.run_until_complete(abandon())
            loop.close()
            closed.set()

        thread = threading.Thread(target=own)
        thread.start()
        (closed if before else going).wait()
        told = await self.watch_a_dead_one(made)
        thread.join()
        made[1]._closed = True  # its loop is gone: it cannot be closed any more
        assert "event loop" in told
