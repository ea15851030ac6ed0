"""Limits through an engine: who may start when, who is next, and what is left of those who did not."""

import asyncio
from typing import Any

import pytest

from contracts.moments import TICK, Log, calls, in_virtual_time, now, row, statuses
from penstock import Call, Cost, Engine, Limit, Limiter, tool
from penstock.errors import (
    CallCancelled,
    ConfigError,
    EngineClosed,
    LimitDeadline,
    LimitImpossible,
    LimitQueueFull,
)
from penstock.testing import every_cancel_point

WORK = "rate tool:work"


def tasks() -> int:
    return len(asyncio.all_tasks())


@pytest.fixture
def log() -> Log:
    return Log()


class TestWaiting:
    @in_virtual_time
    async def test_who_waits_for_a_limit_is_no_task_and_no_coroutine(self) -> None:
        log = Log()
        async with Engine([log.tool()], limits=[Limit.rate("tool:work", 1_000)]) as engine:
            before = tasks()
            batch = engine.submit(calls(range(2_000)))
            await asyncio.sleep(0.5)
            assert tasks() == before
            assert engine.statistics().in_flight == 0
            assert row(engine.limits).waiting == 2_000 - len(log.starts)
            await batch
        assert log.order == list(range(2_000))

    @in_virtual_time
    async def test_a_call_starts_when_its_turn_comes(self) -> None:
        log = Log()
        limit = Limit.rate("tool:work", 10, burst=1)
        async with Engine([log.tool()], limits=[limit]) as engine:
            began = now()
            await engine.run(calls(range(20)))
        turns = [number / 10 for number in range(20)]
        assert log.times(began) == pytest.approx(turns, abs=TICK)

    @in_virtual_time
    async def test_no_call_of_a_class_overtakes_another(self) -> None:
        log = Log()
        limits = [Limit.rate("tool:work", 1_000), Limit.concurrency("tool:work", 7)]
        async with Engine([log.tool()], limits=limits) as engine:
            batches = [engine.submit(calls([n], seconds=0.003)) for n in range(400)]
            for batch in batches:
                await batch
        assert log.order == sorted(log.order)

    @in_virtual_time
    async def test_a_higher_priority_goes_first_and_age_makes_up_for_it(self) -> None:
        log = Log()
        async with Engine([log.tool()], limits=[Limit.rate("tool:work", 1, burst=1)]) as engine:
            low = engine.submit(calls([0, 1]), priority=5)
            await asyncio.sleep(0.1)
            high = engine.submit(calls([2, 3, 4]), priority=4)
            await asyncio.sleep(1.5)
            late = engine.submit(calls([5]), priority=4)
            for batch in (low, high, late):
                await batch
        # 0 took the first unit. 2, 3 and 4 are a lane before 1, which makes up for one second.
        assert log.order == [0, 2, 3, 4, 1, 5]

    @in_virtual_time
    async def test_a_big_call_behind_small_ones_is_served_at_its_turn(self) -> None:
        log = Log()
        big = log.tool("big", cost=Cost(requests=100))
        limit = Limit.rate("global", 1_000, burst=100)
        async with Engine([log.tool(), big], limits=[limit]) as engine:
            began = now()
            before = engine.submit(calls(range(150)))
            batch = engine.submit(calls([1_000], "big"))
            after = [engine.submit(calls([n])) for n in range(2_000, 2_500)]
            await batch
            at = now() - began
            for other in (before, *after):
                await other
        # 100 at once; 50 more and 100 units, a millisecond each.
        assert 0.150 - 1e-6 <= at <= 0.150 + 0.010
        assert log.order == sorted(log.order)

    @in_virtual_time
    async def test_one_that_waits_does_not_block_other_limits(self) -> None:
        log = Log()
        limits = [Limit.rate("tool:slow", 1, per=60.0), Limit.rate("tenant:*", 1, per=60.0)]
        async with Engine([log.tool(), log.tool("slow")], limits=limits) as engine:
            began = now()
            stuck = engine.submit(calls([0, 1], "slow"), tenant="acme")
            others = [engine.submit(calls([n]), tenant=f"other {n}") for n in range(2, 50)]
            for other in others:
                await other
            assert now() == began
            stuck.cancel()
            await stuck

    async def test_a_full_queue_refuses_and_says_when_to_come_again(self, log: Log) -> None:
        limit = Limit.rate("tool:work", 1, per=60.0, max_waiting=3)
        async with Engine([log.tool()], limits=[limit]) as engine:
            batch = engine.submit(calls(range(6)))
            await asyncio.sleep(0.01)
            batch.cancel()
            outcomes = await batch
        assert statuses(outcomes) == ["ok", *["cancelled"] * 3, "rejected", "rejected"]
        error = outcomes[-1].error
        assert isinstance(error, LimitQueueFull)
        assert error.limit == WORK
        assert error.retryable

    async def test_a_call_that_never_fits_is_refused_at_once(self, log: Log) -> None:
        limit = Limit.rate("tool:work", 1, per=60.0, burst=5)
        work = log.tool(cost=Cost(requests=6))
        async with Engine([work], limits=[limit]) as engine:
            (outcome,) = await engine.run(calls([0]))
            with pytest.raises(LimitImpossible):
                await engine.call("work", number=1)
        error = outcome.error
        assert outcome.status == "rejected"
        assert isinstance(error, LimitImpossible)
        assert (error.limit, error.cost, error.most) == (WORK, 6, 5)


class TestPriced:
    async def test_a_cost_is_worked_out_from_the_arguments(self, log: Log) -> None:
        def price(number: int, seconds: float = 0.0) -> Cost:
            return Cost(input_tokens=number)

        limit = Limit.tokens("tool:work", 100)
        async with Engine([log.tool(cost=price)], limits=[limit]) as engine:
            ok, impossible = await engine.run(calls([100, 101]))
            assert row(engine.limits, limit.name).used == 100
        assert ok.ok
        assert isinstance(impossible.error, LimitImpossible)

    @pytest.mark.parametrize("wrong", [lambda **_named: 5, lambda **_named: 1 / 0, lambda: 1])
    async def test_a_price_that_cannot_be_worked_out_fails_its_call_alone(
        self, wrong: Any, log: Log
    ) -> None:
        tools = [log.tool(cost=wrong), log.tool("other")]
        async with Engine(tools, limits=[Limit.rate("global", 10)]) as engine:
            failed, other = await engine.run([*calls([0]), *calls([1], "other")])
            assert row(engine.limits, "rate global").used == 1
        assert failed.status == "failed"
        assert other.ok


class TestLeaving:
    """What is refused, timed out or cancelled before it started leaves no trace."""

    @in_virtual_time
    async def test_a_cancelled_wait_leaves_the_queue_at_once(self) -> None:
        log = Log()
        limits = [Limit.rate("tool:work", 10, burst=10), Limit.concurrency("tool:work", 1)]
        async with Engine([log.tool()], limits=limits) as engine:
            first = engine.submit(calls([0], seconds=1.0))
            middle = engine.submit(calls(range(1, 5)))
            last = engine.submit(calls([9]))
            await asyncio.sleep(0.5)
            assert row(engine.limits).waiting == 5
            middle.cancel()
            assert statuses(await middle) == ["cancelled"] * 4
            assert row(engine.limits).waiting == 1
            await first
            await last
            assert row(engine.limits).granted == 2
        assert log.order == [0, 9]

    @in_virtual_time
    async def test_a_timeout_while_waiting_leaves_no_trace(self) -> None:
        log = Log()
        limits = [Limit.window("tool:work", 5, per=60.0), Limit.concurrency("tool:work", 1)]
        async with Engine([log.tool()], limits=limits) as engine:
            first = engine.submit(calls([0], seconds=2.0))
            outcomes = await engine.run(calls(range(1, 4)), timeout=0.5)
            assert statuses(outcomes) == ["timeout"] * 3
            window = row(engine.limits, "window tool:work")
            assert (window.used, window.waiting) == (1, 0)
            await first

    @in_virtual_time
    async def test_a_call_whose_turn_comes_after_its_deadline_is_refused_at_once(self) -> None:
        log = Log()
        limit = Limit.rate("tool:work", 1, per=10.0, burst=1)
        async with Engine([log.tool()], limits=[limit]) as engine:
            began = now()
            outcomes = await engine.run(calls(range(3)), timeout=2.5)
            assert now() == began
            assert row(engine.limits).waiting == 0
        assert statuses(outcomes) == ["ok", "rejected", "rejected"]
        error = outcomes[-1].error
        assert isinstance(error, LimitDeadline)
        assert (error.limit, error.retryable) == (WORK, False)

    @in_virtual_time
    async def test_one_that_might_have_come_in_time_waits_until_its_deadline(self) -> None:
        log = Log()
        async with Engine([log.tool()], limits=[Limit.rate("tool:work", 1, burst=1)]) as engine:
            began = now()
            outcomes = await engine.run(calls(range(5)), timeout=2.5)
            assert now() - began == pytest.approx(2.5, abs=TICK)
            assert row(engine.limits).waiting == 0
        assert statuses(outcomes) == ["ok", "ok", "ok", "timeout", "timeout"]

    async def test_arguments_that_do_not_fit_cost_nothing(self, log: Log) -> None:
        limit = Limit.window("tool:work", 5_000, per=60.0)
        async with Engine([log.tool()], limits=[limit]) as engine:
            # Beyond the first thousand, arguments are checked when the call may start.
            wrong = [Call("work", {"number": "many"})] * 2_000
            outcomes = await engine.run([*wrong, *calls(range(3))])
            assert statuses(outcomes) == ["rejected"] * 2_000 + ["ok"] * 3
            assert row(engine.limits, limit.name).used == 3

    async def test_a_call_skipped_by_its_parent_costs_nothing(self, log: Log) -> None:
        @tool
        async def fail() -> None:
            raise ValueError

        limit = Limit.window("global", 5, per=60.0)
        async with Engine([log.tool(), fail], limits=[limit]) as engine:
            parent = Call("fail", id="a")
            children = [Call("work", {"number": n}, after=["a"]) for n in range(20)]
            outcomes = await engine.run([parent, *children])
            assert statuses(outcomes[1:]) == ["skipped"] * 20
            assert row(engine.limits, limit.name).used == 1

    @in_virtual_time
    async def test_a_thousand_abandoned_waits_take_nothing(self) -> None:
        log = Log()
        limits = [Limit.window("tool:work", 100, per=60.0), Limit.concurrency("tool:work", 1)]
        async with Engine([log.tool()], limits=limits) as engine:
            first = engine.submit(calls([0], seconds=1.0))
            await asyncio.sleep(0.1)
            batches = [engine.submit(calls([n])) for n in range(1_000)]
            await asyncio.sleep(0.1)
            for batch in batches:
                batch.cancel()
                await batch
            await first
            assert row(engine.limits, "window tool:work").used == 1
            assert engine.limits.fill(engine.limits.resolve(tool="work")) == 0.01

    async def test_a_caller_that_is_cancelled_while_it_waits_takes_nothing(self, log: Log) -> None:
        limits = [Limit.window("tool:work", 5, per=60.0), Limit.concurrency("tool:work", 1)]
        async with Engine([log.tool()], limits=limits) as engine:
            first = engine.submit(calls([0], seconds=0.05))
            waits = asyncio.create_task(engine.call("work", number=1))
            await asyncio.sleep(0.01)
            waits.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waits
            assert row(engine.limits, "window tool:work").waiting == 0
            await first
            assert row(engine.limits, "window tool:work").used == 1

    @pytest.mark.parametrize("way", ["run", "call"])
    @pytest.mark.parametrize(
        "options", [{}, {"host": "task"}, {"effects": "read", "retries": 2}, {"concurrency": 1}]
    )
    def test_whenever_it_is_cancelled_only_what_started_is_charged(
        self, way: str, options: dict[str, Any]
    ) -> None:
        async def story() -> None:
            log = Log()
            rules = [
                Limit.window("tool:work", 50, per=9.0),
                Limit.rate("tool:work", 10, burst=2),
                Limit.concurrency("tool:work", 2),
            ]
            limiter = Limiter(rules)
            try:
                async with Engine([log.tool(**options)], limits=limiter) as engine:
                    if way == "run":
                        await engine.run(calls(range(12), seconds=0.05))
                    else:
                        async with asyncio.TaskGroup() as group:
                            for number in range(6):
                                group.create_task(engine.call("work", number=number, seconds=0.05))
            finally:
                window = row(limiter, "window tool:work")
                assert (window.used, window.waiting) == (len(log.starts), 0)
                assert row(limiter, "concurrency tool:work").used == 0

        assert every_cancel_point(story) > 5

    @in_virtual_time
    async def test_a_call_that_was_sent_and_cancelled_keeps_its_requests_and_frees_its_slot(
        self,
    ) -> None:
        log = Log()
        limits = [Limit.window("tool:work", 5, per=60.0), Limit.concurrency("tool:work", 1)]
        async with Engine([log.tool()], limits=limits) as engine:
            batch = engine.submit(calls([0], seconds=9.0))
            await asyncio.sleep(1.0)
            batch.cancel()
            await batch
            assert row(engine.limits, "window tool:work").used == 1
            assert row(engine.limits, "concurrency tool:work").used == 0

    @in_virtual_time
    async def test_closing_the_engine_ends_those_who_wait(self) -> None:
        log = Log()
        limiter = Limiter([Limit.rate("tool:work", 1, per=60.0)])
        engine = Engine([log.tool()], limits=limiter)
        batch = engine.submit(calls(range(5)))
        waits = asyncio.create_task(engine.call("work", number=9))
        await asyncio.sleep(1.0)
        await engine.aclose()
        assert statuses(await batch) == ["ok", *["cancelled"] * 4]
        with pytest.raises((CallCancelled, EngineClosed)):
            await waits
        assert (row(limiter).waiting, row(limiter).used) == (0, 1)

    @in_virtual_time
    async def test_an_engine_that_drains_waits_for_its_limits(self) -> None:
        log = Log()
        async with Engine([log.tool()], limits=[Limit.rate("tool:work", 1, burst=1)]) as engine:
            engine.submit(calls(range(4)))
        assert log.order == [0, 1, 2, 3]


class TestChanging:
    @in_virtual_time
    async def test_a_higher_rate_lets_waiters_in_sooner_and_in_order(self) -> None:
        log = Log()
        limit = Limit.rate("tool:work", 1, per=10.0, burst=1)
        async with Engine([log.tool()], limits=[limit]) as engine:
            began = now()
            batch = engine.submit(calls(range(5)))
            await asyncio.sleep(1.0)
            engine.limits.change(WORK, n=10, per=1.0)
            await batch
            assert now() - began < 3.0
        assert log.order == [0, 1, 2, 3, 4]

    @in_virtual_time
    async def test_what_was_spent_stays_spent(self) -> None:
        log = Log()
        limit = Limit.window("tool:work", 10, per=60.0)
        async with Engine([log.tool()], limits=[limit]) as engine:
            await engine.run(calls(range(10)))
            engine.limits.change(limit.name, n=12)
            batch = engine.submit(calls(range(10, 20)))
            await asyncio.sleep(1.0)
            assert len(log.starts) == 12
            batch.cancel()
            await batch

    @in_virtual_time
    async def test_a_waiter_that_no_longer_fits_is_refused(self) -> None:
        log = Log()
        limit = Limit.rate("tool:work", 1, burst=10)
        async with Engine([log.tool(cost=Cost(requests=10))], limits=[limit]) as engine:
            batch = engine.submit(calls([0, 1]))
            await asyncio.sleep(1.0)
            engine.limits.change(WORK, burst=5)
            async with asyncio.timeout(60):
                outcomes = await batch
        assert outcomes[0].ok
        assert isinstance(outcomes[1].error, LimitImpossible)

    @pytest.mark.parametrize(
        ("change", "field"),
        [
            ({"n": -1}, "n"),
            ({"n": 0}, "n"),
            ({"n": True}, "n"),
            ({"per": 0.0}, "per"),
            ({"burst": 0}, "burst"),
            ({"n": 1.5}, "n"),
        ],
    )
    async def test_a_change_that_cannot_be_changes_nothing(
        self, change: dict[str, Any], field: str, log: Log
    ) -> None:
        limit = Limit.rate("tool:work", 100, burst=50)
        async with Engine([log.tool()], limits=[limit]) as engine:
            with pytest.raises(ConfigError) as caught:
                engine.limits.change(WORK, **change)
            assert caught.value.field == field
            assert engine.limits.limits == (limit,)
            assert statuses(await engine.run(calls(range(50)))) == ["ok"] * 50


class TestReading:
    @in_virtual_time
    async def test_available_in_names_the_limit_that_binds(self) -> None:
        log = Log()
        limits = Limit.tiers("tool:work", per_second=5, per_minute=10)
        async with Engine([log.tool()], limits=limits) as engine:
            found = engine.limits.resolve(tool="work")
            assert engine.limits.available_in(found) == (0.0, None)
            await engine.run(calls(range(5)))
            wait, binding = engine.limits.available_in(found) or (0.0, None)
            assert binding == "tiers tool:work per_second"
            assert wait == pytest.approx(1.0, abs=0.02)
            await asyncio.sleep(1.1)
            await engine.run(calls(range(5)))
            wait, binding = engine.limits.available_in(found) or (0.0, None)
            assert binding == "tiers tool:work per_minute"
            assert wait == pytest.approx(60.0 - 1.1, abs=1.0)

    @in_virtual_time
    async def test_statistics_tell_who_used_what(self) -> None:
        log = Log()
        limits = [Limit.rate("tenant:*", 1, per=60.0, burst=3), Limit.concurrency("tool:work", 2)]
        async with Engine([log.tool()], limits=limits) as engine:
            batches = [
                engine.submit(calls(range(5), seconds=1.0), tenant=name) for name in ("a", "b")
            ]
            await asyncio.sleep(0.5)
            slots = row(engine.limits, "concurrency tool:work")
            assert (slots.used, slots.most, slots.waiting) == (2, 2, 8)
            await asyncio.sleep(10.0)
            rows = {row.scope: row for row in engine.limits.statistics().limits}
            assert {rows["tenant:a"].granted, rows["tenant:b"].granted} == {3}
            assert rows["tenant:a"].waiting == 2
            for batch in batches:
                batch.cancel()
                await batch

    @in_virtual_time
    async def test_who_waits_is_not_counted_as_refused(self) -> None:
        limiter = Limiter([Limit.rate("tool:work", 10, burst=1)])
        found = limiter.resolve(tool="work")
        for _ in range(3):
            (await limiter.take(found)).settle()
        assert (row(limiter).granted, row(limiter).refused) == (3, 0)
