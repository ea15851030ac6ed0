"""What providers answer, through an engine: blocks, ramps, and attempts that each pay."""

import asyncio
from itertools import pairwise
from typing import Any

import pytest

import penstock
from contracts.moments import TICK, Log, calls, in_virtual_time, now, row, statuses
from penstock import Call, Cost, Engine, Hedge, Limit, Retry, tool
from penstock.errors import (
    BreakerOpen,
    ConfigError,
    RateLimited,
)

WORK = "rate tool:work"


class TestProviders:
    """A 429 stops everybody, lets them go on slowly, and keeps their order."""

    @in_virtual_time
    @pytest.mark.parametrize("told", ["raise", "headers"])
    async def test_a_429_blocks_until_it_is_over_and_ramps(self, told: str) -> None:
        log = Log()

        async def run(number: int = 0) -> None:
            log.starts.append((number, now()))
            if number == 3 and told == "headers":
                penstock.observe(429, {"retry-after": "5"})
            elif number == 3:
                raise RateLimited(5.0)

        limit = Limit.rate("tool:work", 10, burst=1)
        async with Engine([tool(name="work")(run)], limits=[limit]) as engine:
            began = now()
            await engine.run(calls(range(20)))
        times = log.times(began)
        blocked = times[log.order.index(3)]
        after = [at - blocked for at in times if at > blocked]
        rest = [number for number in log.order if number != 3]
        assert rest == sorted(rest)
        assert 5.0 <= after[0] <= 5.5 + TICK
        gaps = [later - earlier for earlier, later in pairwise(after)]
        assert all(gap >= 0.2 - TICK for gap in gaps[:3])  # twice as dear for a second
        assert gaps[-1] == pytest.approx(0.1, abs=TICK)

    @in_virtual_time
    async def test_it_blocks_when_it_is_told_not_when_the_call_ends(self) -> None:
        log = Log()

        async def run(number: int = 0) -> None:
            log.starts.append((number, now()))
            if not number:
                penstock.observe(429, {"retry-after": "5"})
                await penstock.sleep(3.0)

        limit = Limit.rate("tool:work", 100, burst=10)
        async with Engine([tool(name="work")(run)], limits=[limit]) as engine:
            began = now()
            first = engine.submit(calls([0]))
            await asyncio.sleep(0.1)
            await engine.run(calls([1]))
            await first
        assert 5.0 <= log.times(began)[1] <= 5.5 + TICK

    @pytest.mark.parametrize("host", ["call", "task", "inline", "thread"])
    async def test_it_is_heard_from_wherever_the_tool_runs(self, host: str) -> None:
        def work() -> None:
            penstock.observe(429, {"retry-after": "50"})

        async def work_async() -> None:
            penstock.observe(429, {"retry-after": "50"})

        function: Any = work_async if host in ("call", "task") else work
        busy = tool(name="work", host=host)(function)
        async with Engine([busy], limits=[Limit.rate("tool:work", 100)]) as engine:
            await engine.run([Call("work")])
            blocked = row(engine.limits).blocked_for
        assert blocked is not None
        assert 49.0 <= blocked <= 55.0

    async def test_a_call_in_its_callers_task_is_heard_too(self) -> None:
        @tool
        async def work() -> None:
            raise RateLimited(50.0)

        async with Engine([work], limits=[Limit.rate("tool:work", 100)]) as engine:
            with pytest.raises(RateLimited):
                await engine.call("work")
            blocked = row(engine.limits).blocked_for
        assert blocked is not None
        assert 49.0 <= blocked <= 55.0

    async def test_many_alike_calls_are_heard_too(self) -> None:
        @tool
        async def work() -> None:
            raise RateLimited(50.0)

        async with Engine([work], limits=[Limit.rate("tool:work", 1_000)]) as engine:
            batch = engine.submit([Call("work")] * 400)
            await asyncio.sleep(0.01)
            blocked = row(engine.limits).blocked_for
            batch.cancel()
            assert statuses(await batch).count("failed") >= 1
        assert blocked is not None
        assert 49.0 <= blocked <= 55.0

    @in_virtual_time
    async def test_what_remains_only_lowers_the_balance(self) -> None:
        @tool
        async def work(remaining: int) -> None:
            headers = {
                "x-ratelimit-limit-requests": "100",
                "x-ratelimit-remaining-requests": str(remaining),
            }
            penstock.observe(200, headers)

        limit = Limit.window("tool:work", 100, per=60.0)
        async with Engine([work], limits=[limit]) as engine:
            await engine.run([Call("work", {"remaining": 40})])
            assert row(engine.limits, limit.name).used == 60
            await engine.run([Call("work", {"remaining": 99})])
            assert row(engine.limits, limit.name).used == 61

    @in_virtual_time
    @pytest.mark.parametrize("hint", [float("nan"), -5.0, 0, "soon", 10**400, None, True])
    async def test_a_hint_that_says_nothing_stops_nobody_for_long(self, hint: Any) -> None:
        async def run(number: int = 0) -> None:
            if not number:
                raise RateLimited(hint)

        limit = Limit.rate("tool:work", 10)
        async with Engine([tool(name="work")(run)], limits=[limit]) as engine:
            await engine.run(calls([0]))
            began = now()
            await engine.run(calls([1]))
        assert now() - began <= 1.1 + TICK

    @in_virtual_time
    @pytest.mark.parametrize("hint", [float("inf"), 1e300, 86_400.0])
    async def test_nobody_is_stopped_for_more_than_an_hour(self, hint: float) -> None:
        async def run(number: int = 0) -> None:
            if not number:
                raise RateLimited(hint)

        limit = Limit.rate("tool:work", 10)
        async with Engine([tool(name="work")(run)], limits=[limit]) as engine:
            await engine.run(calls([0]))
            began = now()
            await engine.run(calls([1]))
        assert 3_600 <= now() - began <= 3_960 + TICK

    @in_virtual_time
    async def test_a_call_that_fills_the_burst_gets_through_after_a_429(self) -> None:
        async def run(number: int = 0) -> None:
            if not number:
                raise RateLimited(1.0)

        def price(number: int = 0) -> Cost:
            return Cost(requests=10 if number else 1)

        limit = Limit.rate("tool:work", 10, burst=10)
        async with Engine([tool(name="work", cost=price)(run)], limits=[limit]) as engine:
            await engine.run(calls([0]))
            began = now()
            (outcome,) = await engine.run(calls([1]))
        assert outcome.ok
        assert now() - began <= 5.0


class TestOnce:
    """Attempts of tools that may be repeated each pay; `once` tools are never repeated."""

    @pytest.mark.parametrize("option", [{"retries": 2}, {"hedge": True}, {"cache": 1.0}])
    def test_a_once_tool_takes_no_policy_that_repeats_it(self, option: dict[str, Any]) -> None:
        with pytest.raises(ConfigError):
            Log().tool(effects="once", **option)

    @in_virtual_time
    async def test_a_once_tool_runs_once_whatever_its_limits_say(self) -> None:
        log = Log()

        async def run(number: int = 0) -> None:
            log.starts.append((number, now()))
            raise RateLimited(0.1)

        once = tool(name="work", effects="once")(run)
        async with Engine([once], limits=[Limit.rate("tool:work", 10)]) as engine:
            outcomes = await engine.run(calls(range(20)))
        assert statuses(outcomes) == ["failed"] * 20
        assert log.order == list(range(20))

    @in_virtual_time
    async def test_each_retry_pays_and_waits_for_its_turn(self) -> None:
        log = Log()

        async def run(number: int = 0) -> int:
            log.starts.append((number, now()))
            if len(log.starts) < 3:
                raise ConnectionError
            return number

        retry = Retry(attempts=3, wait="immediate")
        work = tool(name="work", effects="read", retries=retry)(run)
        async with Engine([work], limits=[Limit.rate("tool:work", 1, burst=1)]) as engine:
            began = now()
            (outcome,) = await engine.run(calls([0]))
            assert row(engine.limits).granted == 3
        assert outcome.ok
        assert [round(at) for at in log.times(began)] == [0, 1, 2]

    @in_virtual_time
    async def test_a_hedge_pays_a_permit_of_its_own(self) -> None:
        log = Log()
        work = log.tool(effects="read", hedge=Hedge(after=0.1, extra=1.0, max_attempts=2))
        limit = Limit.window("tool:work", 100, per=60.0)
        async with Engine([work], limits=[limit]) as engine:
            await engine.run(calls([0], seconds=1.0))
            used = row(engine.limits, limit.name)
        assert len(log.starts) == used.granted == used.used == 2

    @in_virtual_time
    @pytest.mark.parametrize("others", [[], [Limit.concurrency("tool:work", 1)]])
    async def test_an_attempt_that_a_breaker_refuses_is_refunded(self, others: list[Limit]) -> None:
        log = Log()

        async def run(number: int = 0) -> None:
            log.starts.append((number, now()))
            raise ConnectionError

        work = tool(name="work", breaker=True)(run)
        limits = [Limit.window("tool:work", 100, per=60.0), *others]
        async with Engine([work], limits=limits) as engine:
            outcomes = await engine.run(calls(range(20)))
            window = row(engine.limits, "window tool:work")
        refused = [outcome for outcome in outcomes if isinstance(outcome.error, BreakerOpen)]
        assert len(refused) + len(log.starts) == 20
        assert refused
        assert window.used == len(log.starts)

    @in_virtual_time
    async def test_a_cached_value_costs_nothing(self) -> None:
        log = Log()
        work = log.tool(effects="read", cache=60.0)
        limit = Limit.window("tool:work", 3, per=60.0)
        async with Engine([work], limits=[limit]) as engine:
            for _ in range(10):
                (outcome,) = await engine.run(calls([7]))
                assert outcome.value == 7
            assert row(engine.limits, limit.name).used == 1
