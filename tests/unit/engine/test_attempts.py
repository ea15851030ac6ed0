"""Attempts: how the calls of a tool with policies pass gates and limits, and run."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

import penstock
from penstock import Call, Context, Cost, Engine, Limit, Outcome, tool
from penstock.errors import BreakerOpen, CallTimeout, ConfigError, LimitDeadline, Overloaded
from penstock.tools import Tool, settings

SOON = settings.Retry(attempts=3, wait="constant", base=1.0, most=1.0)

HOSTS = ["call", "task", "inline", "thread"]
each_host = pytest.mark.parametrize("host", HOSTS)


class Flaky:
    """A tool that fails so many times before it returns its arguments."""

    def __init__(self, failures: int, *, host: str = "call", **options: Any) -> None:
        """Make the tool."""
        self.left = failures
        self.started = 0
        function = self.work if host in ("call", "task") else self.work_at_once
        options = {"effects": "read", "retries": SOON, **options}
        self.tool: Tool[..., Any] = tool(name="flaky", host=host, **options)(function)

    async def work(self, number: int = 0, *, unit: str = "m") -> str:
        return self.work_at_once(number, unit=unit)

    def work_at_once(self, number: int = 0, *, unit: str = "m") -> str:
        self.started += 1
        if self.left:
            self.left -= 1
            raise ConnectionError("not yet")
        return f"{number} {unit}"


async def outcome_of(engine: Engine, **arguments: Any) -> Outcome:
    (outcome,) = await engine.run([Call("flaky", arguments)])
    return outcome


def now() -> float:
    return asyncio.get_running_loop().time()


class TestOutcomes:
    """A call has one outcome, however many attempts it took."""

    @each_host
    @pytest.mark.real_time
    async def test_it_runs_again_where_its_tool_runs(self, host: str) -> None:
        flaky = Flaky(2, host=host, retries=settings.Retry(wait="immediate"))
        async with Engine([flaky.tool]) as engine:
            outcome = await outcome_of(engine, number=7, unit="km")
            modes = engine.statistics().modes
        assert (outcome.value, outcome.attempts, flaky.started) == ("7 km", 3, 3)
        assert host == "call" or modes[host] == 3

    async def test_the_last_failure_is_the_calls(self) -> None:
        flaky = Flaky(9)
        async with Engine([flaky.tool]) as engine:
            outcome = await outcome_of(engine)
        assert (outcome.status, outcome.attempts) == ("failed", 3)
        assert isinstance(outcome.error, ConnectionError)

    async def test_a_call_in_its_callers_task_has_them_too(self) -> None:
        flaky = Flaky(1)
        async with Engine([flaky.tool]) as engine:
            assert await engine.call("flaky", number=1) == "1 m"
        assert flaky.started == 2

    async def test_models_see_the_tool_once(self) -> None:
        async with Engine([Flaky(0).tool]) as engine:
            await outcome_of(engine)
            assert set(engine.statistics().tools) == {"flaky"}

    async def test_arguments_are_validated_before_the_first(self) -> None:
        flaky = Flaky(0)
        async with Engine([flaky.tool]) as engine:
            outcome = await outcome_of(engine, number="many")
        assert (outcome.status, flaky.started) == ("rejected", 0)


class TestArguments:
    """Values reach the code as its signature has them."""

    @pytest.mark.parametrize("host", ["call", "task"])
    async def test_of_every_kind(self, host: Any) -> None:
        @tool(host=host, effects="read", retries=SOON)
        async def spell(first: int, /, second: int = 2, *, third: int, **others: int) -> list[Any]:
            return [first, second, third, others]

        async with Engine([spell]) as engine:
            (outcome,) = await engine.run([Call("spell", {"first": 1, "third": 3, "fourth": 4})])
        assert outcome.value == [1, 2, 3, {"fourth": 4}]

    @pytest.mark.parametrize("host", ["call", "task"])
    async def test_a_context_is_of_its_attempt(self, host: Any) -> None:
        seen: list[tuple[int, str, str, str | None]] = []

        @tool(host=host, effects="read", retries=SOON)
        async def work(context: Context) -> None:
            key = context.idempotency_key
            seen.append((context.attempt, context.call_id, key, context.tenant))
            if len(seen) < 3:
                raise ConnectionError

        async with Engine([work]) as engine:
            await engine.run([Call("work", id="c1")], tenant="acme")
        assert [attempt for attempt, *_ in seen] == [1, 2, 3]
        assert len({same for _, *same in map(list, seen) for same in [tuple(same)]}) == 1
        assert seen[0][1] == "c1"
        assert seen[0][3] == "acme"


class TestGates:
    """Each attempt passes the gates and limits of its tool; between two attempts none is held."""

    @pytest.mark.parametrize(
        "options", [{"concurrency": 1}, {"limit": Limit.concurrency("tool:flaky", 1)}]
    )
    async def test_a_call_between_two_attempts_lets_others_in(
        self, options: dict[str, Any]
    ) -> None:
        flaky = Flaky(1, **{key: options[key] for key in options if key == "concurrency"})
        limits = [options["limit"]] if "limit" in options else []
        async with Engine([flaky.tool], limits=limits) as engine:
            first, second = await engine.run([Call("flaky"), Call("flaky")])
        assert (first.attempts, second.attempts) == (2, 1)
        assert second.ended < first.ended

    async def test_no_more_run_at_once_than_may(self) -> None:
        running, most = 0, 0

        @tool(effects="read", retries=SOON, concurrency=2)
        async def work() -> None:
            nonlocal running, most
            running += 1
            most = max(most, running)
            await penstock.sleep(1.0)
            running -= 1

        async with Engine([work]) as engine:
            before = now()
            await engine.run([Call("work")] * 6)
        assert (most, now() - before) == (2, pytest.approx(3.0, abs=0.01))

    async def test_each_pays_its_own_permit(self) -> None:
        flaky = Flaky(2)
        async with Engine([flaky.tool], limits=[Limit.window("global", 100, 3_600.0)]) as engine:
            await outcome_of(engine)
            (row,) = engine.limits.statistics().limits
        assert (row.granted, row.used) == (3, 3)

    async def test_a_refusal_is_told_as_one(self) -> None:
        flaky = Flaky(0)
        async with Engine([flaky.tool], limits=[Limit.window("global", 1, 3_600.0)]) as engine:
            _, second = await engine.run([Call("flaky"), Call("flaky", timeout=5.0)])
        assert second.status == "rejected"
        assert isinstance(second.error, LimitDeadline)
        assert flaky.started == 1

    async def test_those_who_wait_are_counted(self) -> None:
        @tool(effects="read", concurrency=1, shed=settings.Shed(max_waiting=2))
        async def work() -> None:
            await penstock.sleep(1.0)

        async with Engine([work]) as engine:
            first = engine.submit([Call("work")])
            await asyncio.sleep(0.5)
            outcomes = [*await engine.run([Call("work")] * 4), *await first]
        assert [outcome.status for outcome in outcomes] == ["ok"] * 2 + ["rejected"] * 2 + ["ok"]
        assert isinstance(outcomes[2].error, Overloaded)

    async def test_those_who_need_not_wait_are_not(self) -> None:
        @tool(effects="read", concurrency=10, shed=settings.Shed(max_waiting=2))
        async def work() -> None:
            await penstock.sleep(1.0)

        async with Engine([work]) as engine:
            outcomes = await engine.run([Call("work")] * 10)
        assert [outcome.status for outcome in outcomes] == ["ok"] * 10


class TestWhatRan:
    """The outcome tells of the tool's code, not of what its policies tried."""

    async def test_a_refused_attempt_is_none(self) -> None:
        """The breaker opens at the first; the second is refused, the third is the breaker's probe."""
        flaky = Flaky(1, breaker=settings.Breaker(consecutive=1))
        async with Engine([flaky.tool]) as engine:
            outcome = await outcome_of(engine)
        assert (outcome.status, outcome.attempts, flaky.started) == ("ok", 2, 2)

    async def test_a_refused_call_made_none(self) -> None:
        flaky = Flaky(9, retries=None, breaker=settings.Breaker(consecutive=1))
        async with Engine([flaky.tool]) as engine:
            await outcome_of(engine)
            outcome = await outcome_of(engine)
        assert (outcome.status, outcome.attempts, flaky.started) == ("rejected", 0, 1)

    async def test_neither_did_one_with_anothers_value(self) -> None:
        flaky = Flaky(0, retries=None, cache=60.0)
        async with Engine([flaky.tool]) as engine:
            await outcome_of(engine)
            outcome = await outcome_of(engine)
        assert (outcome.status, outcome.cached, outcome.attempts) == ("ok", True, 0)

    @pytest.mark.parametrize("error", [BreakerOpen("db"), CallTimeout("db", 1.0)])
    async def test_what_the_code_met_is_its_failure(self, error: Exception) -> None:
        @tool(effects="read", coalesce=True)
        async def work() -> None:
            raise error

        async with Engine([work]) as engine:
            (outcome,) = await engine.run([Call("work")])
        assert (outcome.status, outcome.attempts) == ("failed", 1)
        assert outcome.error is error


class TestRefusedAtTheStart:
    """What a policy says when the limits are paid, right before the code."""

    @pytest.mark.parametrize("limit", [None, Limit.concurrency("tool:work", 1)])
    @pytest.mark.parametrize("host", ["call", "task"])
    async def test_the_code_does_not_run_and_nothing_is_spent(
        self, host: Any, limit: Limit | None
    ) -> None:
        """The breaker opens while the second call waits for the first."""
        started = 0

        @tool(host=host, effects="read", concurrency=1, breaker=settings.Breaker(consecutive=1))
        async def work() -> None:
            nonlocal started
            started += 1
            await penstock.sleep(1.0)
            raise ConnectionError

        hourly = Limit.window("tool:work", 100, 3_600.0)
        limits = [hourly] if limit is None else [hourly, limit]
        async with Engine([work], limits=limits) as engine:
            first, second = await engine.run([Call("work"), Call("work")])
            rows = {row.name: row for row in engine.limits.statistics().limits}
        assert (first.status, second.status, started) == ("failed", "rejected", 1)
        assert rows[hourly.name].used == 1


class TestCancelling:
    @pytest.mark.parametrize("host", ["call", "task"])
    async def test_a_call_that_waits_for_its_next_attempt_ends(self, host: str) -> None:
        flaky = Flaky(9, host=host, retries=settings.Retry(wait="constant", base=60.0, most=60.0))
        async with Engine([flaky.tool]) as engine:
            batch = engine.submit([Call("flaky")])
            await asyncio.sleep(1.0)
            batch.cancel()
            (outcome,) = await batch
            assert engine.statistics().in_flight == 0
        assert (outcome.status, flaky.started) == ("cancelled", 1)

    @pytest.mark.parametrize("host", ["call", "task"])
    async def test_an_attempt_that_waits_for_its_turn_leaves_no_trace(self, host: Any) -> None:
        @tool(host=host, effects="read", retries=SOON, concurrency=1)
        async def work(seconds: float) -> None:
            await penstock.sleep(seconds)

        async with Engine([work]) as engine:
            long = engine.submit([Call("work", {"seconds": 10.0})])
            waiting = engine.submit([Call("work", {"seconds": 0.0})])
            await asyncio.sleep(1.0)
            waiting.cancel()
            assert [outcome.status for outcome in await waiting] == ["cancelled"]
            assert [outcome.status for outcome in await long] == ["ok"]
            assert [o.status for o in await engine.run([Call("work", {"seconds": 0.0})])] == ["ok"]

    @pytest.mark.parametrize("host", ["call", "task"])
    async def test_a_timeout_is_of_each_attempt(self, host: Any) -> None:
        tries = 0

        @tool(host=host, effects="read", retries=SOON, timeout=2.0)
        async def slow() -> int:
            nonlocal tries
            tries += 1
            await penstock.sleep(9.0 if tries == 1 else 1.0)
            return tries

        async with Engine([slow]) as engine:
            (outcome,) = await engine.run([Call("slow")])
        assert (outcome.status, outcome.value, outcome.attempts) == ("ok", 2, 2)

    @pytest.mark.parametrize("host", ["call", "task"])
    async def test_the_last_ones_timeout_is_the_calls(self, host: Any) -> None:
        @tool(host=host, effects="read", retries=SOON, timeout=2.0)
        async def slow() -> None:
            await penstock.sleep(9.0)

        async with Engine([slow]) as engine:
            (outcome,) = await engine.run([Call("slow")])
        assert (outcome.status, outcome.attempts) == ("timeout", 3)
        assert isinstance(outcome.error, CallTimeout)
        assert outcome.error.seconds == 2.0


class TestPrices:
    """`cost` as a function of the arguments."""

    @each_host
    @pytest.mark.real_time
    async def test_each_call_takes_what_it_costs(self, host: str) -> None:
        def size(text: str) -> Cost:
            return Cost(input_tokens=len(text))

        async def work_async(text: str) -> None: ...

        def work(text: str) -> None: ...

        function: Callable[..., Any] = work_async if host in ("call", "task") else work
        priced = tool(name="work", host=host, cost=size)(function)
        limits = [Limit.window("global", 1_000, 3_600.0, unit="input_tokens")]
        async with Engine([priced], limits=limits) as engine:
            await engine.run([Call("work", {"text": "x" * 30}), Call("work", {"text": "y"})])
            (row,) = engine.limits.statistics().limits
        assert row.used == 31

    async def test_what_it_costs_must_be_a_cost(self) -> None:
        price: Any = len

        async def work(text: str) -> str:
            return text

        paid = tool(cost=price)(work)
        async with Engine([paid], limits=[Limit.tokens("global", 100)]) as engine:
            (outcome,) = await engine.run([Call("work", {"text": "abc"})])
        assert isinstance(outcome.error, ConfigError)
        assert outcome.error.field == "cost"

    async def test_a_price_that_raises_fails_its_call_alone(self) -> None:
        def price(number: int) -> Cost:
            return Cost(input_tokens=10 // number)

        @tool(cost=price)
        async def work(number: int) -> int:
            return number

        async with Engine([work], limits=[Limit.tokens("global", 100)]) as engine:
            bad, good = await engine.run([Call("work", {"number": n}) for n in (0, 1)])
        assert isinstance(bad.error, ZeroDivisionError)
        assert good.ok
