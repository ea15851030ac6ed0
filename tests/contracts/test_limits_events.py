"""What watchers hear of limits: which one a call waits for, and that a budget nears its end."""

import asyncio
from typing import Any

import pytest

import penstock
from contracts.moments import TICK, Log, calls, in_virtual_time, now
from penstock import Budget, Call, Cost, Engine, Event, Limit, tool


async def told(source: Any, *types: str) -> list[Event]:
    return [event async for event in source.events(types=types)]


class TestParked:
    """`call.parked`: a call waits for a limit."""

    @in_virtual_time
    async def test_a_call_that_waits_says_for_what_and_until_when(self) -> None:
        work = Log().tool()
        limits = [Limit.rate("global", 100), Limit.rate("tool:work", 1, per=10, burst=1)]
        async with Engine([work], limits=limits) as engine:
            began = now()
            batch = engine.submit(calls(range(2)))
            (parked,) = await told(batch, "call.parked")
        assert (parked.index, parked.call) == (1, "call-1")
        assert parked.data is not None
        assert parked.data["gate"] == "rate tool:work"
        assert parked.data["retry_at"] - began == pytest.approx(10.0, abs=TICK)

    @in_virtual_time
    async def test_it_comes_before_the_start_and_once_a_wait(self) -> None:
        work = Log().tool()
        limit = Limit.rate("tool:work", 1, per=1, burst=1)
        async with Engine([work], limits=[limit]) as engine:
            batch = engine.submit(calls(range(4)))
            seen = [(e.index, e.type) async for e in batch.events(calls=[3]) if e.index == 3]
        assert [kind for _, kind in seen] == ["call.parked", "call.started", "call.ended"]

    @in_virtual_time
    async def test_nobody_knows_when_a_slot_is_free(self) -> None:
        work = Log().tool()
        async with Engine([work], limits=[Limit.concurrency("tool:work", 1, name="one")]) as engine:
            batch = engine.submit(calls(range(2), seconds=1.0))
            (parked,) = await told(batch, "call.parked")
        assert parked.data == {"gate": "one", "retry_at": None}

    @in_virtual_time
    async def test_who_is_behind_others_waits_for_what_they_wait_for(self) -> None:
        work = Log().tool()
        limits = [Limit.rate("global", 50), Limit.concurrency("tool:work", 1, name="one")]
        async with Engine([work], limits=limits) as engine:
            batch = engine.submit(calls(range(5), seconds=1.0))
            parked = await told(batch, "call.parked")
        assert [(e.index, e.data["gate"]) for e in parked if e.data] == [
            (at, "one") for at in range(1, 5)
        ]

    @in_virtual_time
    async def test_an_attempt_that_waits_is_told_of_its_call(self) -> None:
        tries: list[int] = []

        @tool(effects="read", retries=2)
        async def work() -> int:
            tries.append(1)
            if len(tries) < 2:
                raise ConnectionError
            return 1

        limit = Limit.rate("tool:work", 1, per=60, burst=1, name="slow")
        async with Engine([work], limits=[limit]) as engine:
            batch = engine.submit([Call("work", id="a")])
            seen = [(e.call, e.type) async for e in batch.events()]
        assert [kind for call, kind in seen if call == "a"] == [
            "call.started",
            "call.retrying",
            "call.parked",
            "call.started",
            "call.ended",
        ]

    @in_virtual_time
    async def test_a_snapshot_and_a_fold_know_who_waits(self) -> None:
        work = Log().tool()
        async with Engine([work], limits=[Limit.concurrency("tool:work", 1)]) as engine:
            batch = engine.submit(calls(range(2), seconds=1.0))
            events = batch.events()
            view = penstock.streams.BatchView()
            while view.calls.get(1) is None or view.calls[1].state == "waiting":
                view.take(await anext(events))
            _seq, (snapshot,) = batch._stream.snapshot()
            await events.aclose()
            assert snapshot.data is not None
            assert [row["state"] for row in snapshot.data["calls"]] == ["running", "parked"]
            assert view.calls[1].state == "parked"

    @in_virtual_time
    async def test_the_engine_tells_it_too(self) -> None:
        work = Log().tool()
        async with (
            Engine([work], limits=[Limit.concurrency("tool:work", 1)]) as engine,
            engine.events(types=["call.parked"]) as events,
        ):
            runs = asyncio.ensure_future(engine.run(calls(range(2), seconds=1.0)))
            parked = await anext(events)
            await runs
        assert (parked.index, parked.data) == (
            1,
            {"gate": "concurrency tool:work", "retry_at": None},
        )

    @in_virtual_time
    async def test_calls_that_pay_at_once_are_not_told_of(self) -> None:
        work = Log().tool()
        async with Engine([work], limits=[Limit.rate("tool:work", 100, burst=50)]) as engine:
            assert await told(engine.submit(calls(range(50))), "call.parked") == []


DIME = Cost(microusd=100_000)


def budget(scope: str, **options: Any) -> Budget:
    return Budget.money(scope, "1.00", warn=(0.2, 0.5), **options)


class TestBudgets:
    """`budget.warning`: a budget has passed a share of its amount."""

    async def test_it_is_in_the_log_of_the_batch_that_passed_it(self) -> None:
        work = Log().tool(cost=DIME)
        async with Engine([work], limits=[budget("tool:work", name="purse")]) as engine:
            first, second, third = (engine.submit(calls(range(n))) for n in (1, 2, 1))
            seen = [await told(batch, "budget.warning") for batch in (first, second, third)]
        assert [[event.data for event in events] for events in seen] == [
            [],
            [{"budget": "purse", "scope": "tool:work", "share": 0.2}],
            [],
        ]

    async def test_a_call_that_ends_its_batch_is_not_too_late(self) -> None:
        work = Log().tool(cost=DIME)
        async with Engine([work], limits=[budget("global")]) as engine:
            batch = engine.submit(calls(range(5)))
            types = [event.type async for event in batch.events()]
        assert types.count("budget.warning") == 2
        assert types[-1] == "batch.ended"

    async def test_it_is_about_the_batch_and_no_call(self) -> None:
        work = Log().tool(cost=DIME)
        async with Engine([work], limits=[budget("global")]) as engine:
            batch = engine.submit(calls(range(2)))
            (event,) = [e async for e in batch.events(calls=[1], types=["budget.warning"])]
        assert (event.call, event.index) == (None, None)
        assert event.batch is not None

    async def test_attempts_are_counted_with_their_call(self) -> None:
        work = Log().tool(cost=DIME, effects="read", retries=2)
        async with Engine([work], limits=[budget("global")]) as engine:
            assert len(await told(engine.submit(calls(range(5))), "budget.warning")) == 2

    async def test_a_batch_s_own_budget_says_so_too(self) -> None:
        work = Log().tool(cost=DIME)
        async with Engine([work]) as engine:
            batch = engine.submit(calls(range(3)), budget=budget("batch", name="own"))
            (event,) = await told(batch, "budget.warning")
        assert event.data is not None
        assert (event.data["share"], event.data["scope"][:6]) == (0.2, "batch:")

    async def test_the_engine_tells_of_all(self) -> None:
        work = Log().tool(cost=DIME)
        async with (
            Engine([work], limits=[budget("global")]) as engine,
            engine.events(types=["budget.warning"]) as events,
        ):
            await engine.run(calls(range(2)))
            of_batch = await anext(events)
            for number in range(3):
                await engine.call("work", number=number)
            alone = await anext(events)
        assert (of_batch.data and of_batch.data["share"], of_batch.batch is None) == (0.2, False)
        assert (alone.data and alone.data["share"], alone.batch) == (0.5, None)
