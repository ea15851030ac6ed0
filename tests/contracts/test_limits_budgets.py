"""Budgets through an engine: what is charged, to whom, and what becomes of calls that are too dear."""

import asyncio
import gc
import logging
from collections.abc import Callable
from typing import Any

import pytest

import penstock
from contracts.moments import Log, in_virtual_time, statuses
from penstock import Budget, Call, Cost, Engine, Limit, Limiter, tool
from penstock.errors import BudgetExceeded, ConfigError
from penstock.limits import LimitStatistics

DIME = Cost(microusd=100_000)
"""Ten cents: three of them are within thirty, ten are not."""


def dimes(count: int = 10, name: str = "work", **arguments: Any) -> list[Call]:
    return [Call(name, {"number": number, **arguments}) for number in range(count)]


def thirty_cents(scope: str = "batch", **options: Any) -> Budget:
    return Budget.money(scope, "0.30", **options)


def row(engine: Engine, name: str) -> LimitStatistics:
    (found,) = [row for row in engine.limits.statistics().limits if row.name == name]
    return found


THREE = ["ok"] * 3 + ["rejected"] * 7


@pytest.fixture
def log() -> Log:
    return Log()


@pytest.mark.parametrize(
    ("scope", "labels"),
    [
        ("global", {}),
        ("tool:work", {}),
        ("service:crm", {}),
        ("tenant:acme", {"tenant": "acme"}),
        ("tenant:*", {"tenant": "acme"}),
        ("agent:scout", {"agent": "scout"}),
        ("run:7", {"run": "7"}),
        ("run", {"run": "7"}),
    ],
)
async def test_a_budget_stops_the_calls_of_its_scope(
    scope: str, labels: dict[str, Any], log: Log
) -> None:
    work = log.tool(cost=DIME, service="crm")
    async with Engine([work], limits=[thirty_cents(scope)]) as engine:
        outcomes = await engine.run(dimes(), **labels)
    assert statuses(outcomes) == THREE
    assert log.order == [0, 1, 2]


async def test_a_budget_is_none_of_others_business(log: Log) -> None:
    rules = [thirty_cents("tenant:acme"), thirty_cents("agent:scout"), thirty_cents("run:7")]
    async with Engine([log.tool(cost=DIME)], limits=rules) as engine:
        outcomes = await engine.run(dimes(), tenant="other", agent="writer", run="8")
    assert statuses(outcomes) == ["ok"] * 10


async def test_the_outcome_names_the_budget_and_what_is_left(log: Log) -> None:
    budget = Budget.money("tool:work", "0.25", name="crm money")
    async with Engine([log.tool(cost=DIME)], limits=[budget]) as engine:
        *_, last = await engine.run(dimes(3))
    assert last.status == "rejected"
    error = last.error
    assert isinstance(error, BudgetExceeded)
    assert (error.limit, error.scope, error.remaining) == ("crm money", "tool:work", 50_000)
    assert not error.retryable
    assert "crm money" in str(error)


class TestSettling:
    async def test_what_was_reserved_is_spent_unless_the_tool_says_otherwise(
        self, log: Log
    ) -> None:
        async with Engine([log.tool(cost=DIME)], limits=[thirty_cents("global")]) as engine:
            await engine.run(dimes(2))
            assert row(engine, "budget global").spent == 200_000

    @pytest.mark.parametrize("host", ["call", "task", "inline", "thread"])
    async def test_what_a_call_really_took_is_settled(self, host: str) -> None:
        real = Cost(microusd=1_000)

        def work() -> None:
            penstock.observe(cost=real)

        async def work_async() -> None:
            penstock.observe(cost=real)

        function: Callable[..., Any] = work_async if host in ("call", "task") else work
        paid = tool(name="work", cost=DIME, host=host)(function)
        async with Engine([paid], limits=[thirty_cents("global")]) as engine:
            outcomes = await engine.run([Call("work")] * 20)
            assert statuses(outcomes) == ["ok"] * 20
            assert row(engine, "budget global").spent == 20_000

    async def test_it_is_settled_for_a_call_in_its_callers_task_too(self) -> None:
        @tool(name="work", cost=DIME)
        async def work() -> None:
            penstock.observe(cost=Cost(microusd=7))

        async with Engine([work], limits=[thirty_cents("global")]) as engine:
            await engine.call("work")
            assert row(engine, "budget global").spent == 7

    async def test_a_call_that_took_more_leaves_a_debt(self) -> None:
        @tool(name="work", cost=DIME)
        async def work() -> None:
            penstock.observe(cost=Cost(microusd=900_000))

        async with Engine([work], limits=[thirty_cents("global")]) as engine:
            (first,) = await engine.run([Call("work")])
            (second,) = await engine.run([Call("work")])
            assert row(engine, "budget global").spent == 900_000
        assert first.ok
        assert isinstance(second.error, BudgetExceeded)
        assert second.error.remaining == 0

    @in_virtual_time
    async def test_short_only_by_what_others_reserved_is_a_wait(self) -> None:
        @tool(name="work", cost=Cost(microusd=200_000))
        async def work() -> None:
            await penstock.sleep(1.0)
            penstock.observe(cost=Cost(microusd=50_000))

        async with Engine([work], limits=[thirty_cents("global")]) as engine:
            outcomes = await engine.run([Call("work")] * 3)
        assert statuses(outcomes) == ["ok"] * 3


class TestOfOneBatch:
    async def test_it_holds_for_the_batch_and_no_other(self, log: Log) -> None:
        async with Engine([log.tool(cost=DIME)]) as engine:
            assert statuses(await engine.run(dimes(), budget=thirty_cents())) == THREE
            assert statuses(await engine.run(dimes())) == ["ok"] * 10
            assert statuses(await engine.run(dimes(), budget=thirty_cents())) == THREE

    async def test_batches_inside_of_it_pay_from_it(self, log: Log) -> None:
        async def outer() -> list[str]:
            return statuses(await engine.run(dimes()))

        async with Engine([log.tool(cost=DIME), tool(outer)]) as engine:
            (outcome,) = await engine.run([Call("outer")], budget=thirty_cents())
        assert outcome.value == THREE

    async def test_a_budget_inside_of_a_budget_does_not_lift_it(self, log: Log) -> None:
        async def outer() -> list[str]:
            return statuses(await engine.run(dimes(), budget=Budget.money("batch", "5.00")))

        async with Engine([log.tool(cost=DIME), tool(outer)]) as engine:
            (outcome,) = await engine.run([Call("outer")], budget=thirty_cents())
        assert outcome.value == THREE

    async def test_calls_in_their_callers_task_pay_from_it(self, log: Log) -> None:
        async def outer() -> int:
            for number in range(10):
                try:
                    await engine.call("work", number=number)
                except BudgetExceeded:
                    return number
            return 10

        async with Engine([log.tool(cost=DIME), tool(outer)]) as engine:
            (outcome,) = await engine.run([Call("outer")], budget=thirty_cents())
            assert outcome.value == 3
            assert await engine.call("work", number=11) == 11

    @pytest.mark.parametrize("policies", [{"retries": 2}, {"breaker": True}, {"shed": 100}])
    async def test_attempts_of_policies_pay_from_it(
        self, policies: dict[str, Any], log: Log
    ) -> None:
        work = log.tool(cost=DIME, effects="read", **policies)
        async with Engine([work]) as engine:
            assert statuses(await engine.run(dimes(), budget=thirty_cents())) == THREE
        assert log.order == [0, 1, 2]

    @in_virtual_time
    async def test_it_outlasts_a_handle_that_nobody_keeps(self) -> None:
        log = Log()
        async with Engine([log.tool(cost=DIME)]) as engine:
            engine.submit(dimes(seconds=0.1), max_parallel=1, budget=thirty_cents())
            gc.collect()
            await asyncio.sleep(5.0)
        assert log.order == [0, 1, 2]

    async def test_it_is_forgotten_with_its_batch(self, log: Log) -> None:
        async with Engine([log.tool(cost=DIME)]) as engine:
            for _ in range(5):
                await engine.run(dimes(), budget=thirty_cents())
            gc.collect()
            assert not engine.limits.limits
            assert not engine.limits.statistics().limits

    async def test_its_report_lasts_as_long_as_its_handle(self, log: Log) -> None:
        async with Engine([log.tool(cost=DIME)]) as engine:
            batch = engine.submit(dimes(), budget=thirty_cents())
            await batch
            (spent,) = engine.limits.statistics().limits
        assert (spent.spent, spent.most, spent.granted, spent.refused) == (300_000, 300_000, 3, 7)

    async def test_one_that_dies_in_the_garbage_stops_nobody(self, log: Log) -> None:
        async with Engine([log.tool(cost=DIME)]) as engine:
            before = gc.get_threshold()
            gc.set_threshold(1, 1, 1)  # the next allocation collects, also in the midst of a change
            try:
                for _ in range(30):
                    batch = engine.submit(dimes(1), budget=thirty_cents())
                    batch.itself = batch  # type: ignore[attr-defined]  # only the collector frees it
                    await batch
            finally:
                gc.set_threshold(*before)

    @pytest.mark.parametrize(
        "wrong", [0.5, "0.50", Limit.rate("global", 1), Budget.money("tenant:acme", 1)]
    )
    async def test_what_is_no_budget_of_a_batch_is_refused(self, wrong: Any, log: Log) -> None:
        async with Engine([log.tool()]) as engine:
            with pytest.raises(ConfigError, match="budget") as caught:
                engine.submit(dimes(), budget=wrong)
        assert caught.value.field == "budget"


class TestWarnings:
    async def test_each_share_is_told_once(self, log: Log) -> None:
        budget = Budget.money("global", "1.00", warn=(0.2, 0.8))
        heard: list[tuple[str, str, float]] = []
        async with Engine([log.tool(cost=DIME)], limits=[budget]) as engine:
            engine.limits.on_warning(lambda *told: heard.append(told))
            for _ in range(12):
                await engine.run(dimes(1))
        assert heard == [("budget global", "global", 0.2), ("budget global", "global", 0.8)]

    @in_virtual_time
    async def test_each_window_has_its_own(self) -> None:
        log, heard = Log(), []
        budget = Budget.money("global", "1.00", per="day", warn=(0.5,))
        async with Engine([log.tool(cost=DIME)], limits=[budget]) as engine:
            engine.limits.on_warning(lambda *told: heard.append(told))
            for _day in range(3):
                assert statuses(await engine.run(dimes(8))) == ["ok"] * 8
                await asyncio.sleep(86_400)
        assert len(heard) == 3

    @in_virtual_time
    async def test_a_listener_that_fails_stops_nobody(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        log, heard = Log(), []

        def fail(*told: object) -> None:
            raise ValueError(told)

        budget = Budget.money("global", "1.00", warn=(0.1, 0.2, 0.3))
        async with Engine([log.tool(cost=DIME)], limits=[budget]) as engine:
            engine.limits.on_warning(fail)
            engine.limits.on_warning(lambda *told: heard.append(told[2]))
            with caplog.at_level(logging.WARNING, "penstock.limits"):
                outcomes = await engine.run(dimes())
        assert statuses(outcomes) == ["ok"] * 10
        assert heard == [0.1, 0.2, 0.3]
        assert "a listener failed" in caplog.text

    async def test_a_limiter_without_an_engine_warns_too(self) -> None:
        heard: list[float] = []
        async with Limiter([thirty_cents("tool:x", warn=(0.5,))]) as limiter:
            limiter.on_warning(lambda _name, _scope, share: heard.append(share))
            async with limiter.permit(tool="x", cost=DIME):
                pass
            assert not heard
            async with limiter.permit(tool="x", cost=DIME):
                pass
        assert heard == [0.5]


async def test_a_call_costs_no_more_than_the_budget_of_each_call() -> None:
    @tool(effects="read", cost=lambda cents: Cost(microusd=10_000 * cents))
    async def buy(cents: int) -> int:
        return cents

    async with Engine([buy], limits=[Budget.money("call", "0.02")]) as engine:
        outcomes = await engine.run([Call("buy", {"cents": cents}) for cents in (1, 2, 3, 2)])
    assert [outcome.status for outcome in outcomes] == ["ok", "ok", "rejected", "ok"]
    assert isinstance(outcomes[2].error, BudgetExceeded)


async def test_a_rule_on_batches_gives_each_its_own_budget() -> None:
    @tool(effects="read", cost=Cost(microusd=20_000))
    async def buy() -> None:
        """Buy something for two cents."""

    async with Engine([buy], limits=[Budget.money("batch", "0.05")]) as engine:
        for _ in range(2):
            outcomes = await engine.run([Call("buy")] * 3)
            assert [outcome.status for outcome in outcomes] == ["ok", "ok", "rejected"]


async def test_a_batch_tells_what_its_budget_has_left() -> None:
    @tool(effects="read", cost=Cost(microusd=20_000))
    async def buy() -> None:
        """Buy something for two cents."""

    async with Engine([buy]) as engine:
        batch = engine.submit([Call("buy")] * 2, budget=Budget.money("batch", "0.05"))
        await batch
        assert batch.budget is not None
        assert (batch.budget.spent, batch.budget.most) == (40_000, 50_000)
        assert engine.submit([]).budget is None
