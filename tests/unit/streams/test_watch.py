"""One watcher."""

import asyncio

import pytest

import penstock
from penstock import Call, Engine, tool
from penstock.errors import StreamExpired, StreamPosition
from penstock.streams import Subscription


@tool
async def nap(seconds: float = 1.0) -> float:
    await penstock.sleep(seconds)
    return seconds


@tool
async def steps(count: int) -> None:
    for number in range(count):
        penstock.progress(number)
        await penstock.sleep(0.1)


def naps(count: int) -> list[Call]:
    return [Call("nap", {"seconds": float(at + 1)}) for at in range(count)]


async def test_position_lag_and_gaps_are_told() -> None:
    async with Engine([nap]) as engine:
        batch = engine.submit(naps(2))
        await batch
        events = batch.events(after=1)
        assert (events.position, events.lag, events.gaps) == (1, 5, 0)
        assert (await anext(events)).seq == 2
        assert (events.position, events.lag) == (2, 4)
        assert repr(events) == "<Subscription: after 2 of 6 events>"


async def test_iterating_goes_on_where_it_was_left() -> None:
    async with Engine([nap]) as engine:
        batch = engine.submit(naps(3))
        events = batch.events()
        async for event in events:
            if event.seq == 3:
                break
        assert [event.seq async for event in events] == [4, 5, 6, 7, 8]


async def test_a_cancelled_wait_loses_nothing() -> None:
    async with Engine([nap]) as engine:
        batch = engine.submit(naps(2))
        events = batch.events()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(_read_all(events), 0.5)
        assert events.position == 3
        assert [event.seq async for event in events] == [4, 5, 6]


async def test_it_is_over_when_it_is_closed() -> None:
    async with Engine([nap]) as engine:
        batch = engine.submit(naps(1))
        async with batch.events() as events:
            await anext(events)
        assert [event async for event in events] == []


async def test_a_slow_watcher_gets_a_gap_then_a_snapshot_then_what_follows() -> None:
    async with Engine([nap, steps], history=4) as engine:
        batch = engine.submit([Call("steps", {"count": 9}, id="s"), *naps(2)])
        events = batch.events()
        first = await anext(events)
        await asyncio.sleep(0.75)
        seen = [event async for event in events]
    gap, snapshot, *rest = seen
    assert first.type == "batch.started"
    assert (gap.type, snapshot.type) == ("stream.gap", "stream.snapshot")
    assert gap.data == {"from": 2, "to": snapshot.seq}
    assert [event.seq for event in rest] == list(range(snapshot.seq + 1, rest[-1].seq + 1))
    assert rest[-1].type == "batch.ended"
    assert events.gaps == 1


async def test_a_log_is_forgotten_a_minute_after_the_end() -> None:
    async with Engine([nap]) as engine:
        batch = engine.submit(naps(1))
        await batch
        await asyncio.sleep(59)
        assert len([event async for event in batch.events()]) == 4
        await asyncio.sleep(2)
        with pytest.raises(StreamExpired):
            batch.events()
        assert batch.outcomes[0] is not None


async def test_the_engine_shows_all_batches_without_values() -> None:
    async with Engine([nap]) as engine:
        async with engine.events() as events:
            await engine.run(naps(2))
            await engine.run(naps(1))
            seen = [await anext(events) for _ in range(events.lag)]
        assert [event.seq for event in seen] == list(range(1, 11))
        assert seen[0].batch != seen[-1].batch
        assert {event.outcome for event in seen} == {None}
        ended = [event for event in seen if event.type == "call.ended"]
        assert [(event.call, event.tool, event.status) for event in ended] == [
            ("call-0", "nap", "ok"),
            ("call-1", "nap", "ok"),
            ("call-0", "nap", "ok"),
        ]


async def test_the_events_of_an_engine_end_with_it() -> None:
    engine = Engine([nap])
    waiting = engine.events()
    reading = asyncio.ensure_future(anext(aiter(waiting)))
    later = engine.events()
    await asyncio.sleep(1)
    await engine.run(naps(1))
    await engine.aclose()
    assert (await reading).type == "batch.started"
    assert [event.type async for event in waiting][-1:] == ["batch.ended"]
    assert len([event async for event in later]) == 4
    await waiting.aclose()
    await later.aclose()


async def test_what_nobody_watched_is_a_gap_for_who_comes_back() -> None:
    async with Engine([nap]) as engine:
        async with engine.events() as events:
            await engine.run(naps(1))
            last = [await anext(events) for _ in range(events.lag)][-1]
        await engine.run(naps(1))
        async with engine.events(after=last.seq) as events:
            await engine.run(naps(1))
            gap = await anext(events)
            assert (gap.type, gap.data) == ("stream.gap", {"from": 5, "to": 5})
            assert (await anext(events)).seq == 6


@pytest.mark.parametrize("after", [-2, 1, True, "1"])
async def test_a_position_that_the_engine_has_not_is_refused(after: int) -> None:
    async with Engine([nap]) as engine:
        with pytest.raises(StreamPosition):
            engine.events(after=after)


async def _read_all(events: Subscription) -> None:
    async for _ in events:
        pass
