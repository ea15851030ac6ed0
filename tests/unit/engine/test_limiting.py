"""What an engine does for its limits besides asking them."""

import asyncio
import gc

import pytest

from penstock import Budget, Call, Engine, Limit, Limiter, tool
from penstock.engine.limiting import BatchBudget, Limiting, check_scopes, may_apply
from penstock.errors import ConfigError

DAY = 86_400.0


@tool(service="crm")
async def ask() -> None:
    """Do nothing."""


@tool
async def alone() -> None:
    """Do nothing, for no service."""


class TestMayApply:
    """Whether the calls of a tool need to ask at all."""

    @pytest.mark.parametrize(
        "scope",
        ["global", "tool:ask", "tool:*", "service:crm", "service:*", "tenant:acme", "tenant:*",
         "tenant:*/service:crm/tool:ask"],
    )  # fmt: skip
    def test_a_limit_that_may_match_some_call_does(self, scope: str) -> None:
        assert may_apply([Limit.rate(scope, 1)], ask)

    @pytest.mark.parametrize("scope", ["tool:other", "service:mail", "service:crm/tool:other"])
    def test_one_for_others_does_not(self, scope: str) -> None:
        assert not may_apply([Limit.rate(scope, 1)], ask)

    @pytest.mark.parametrize("scope", ["service:crm", "service:*"])
    def test_a_tool_without_a_service_is_in_none(self, scope: str) -> None:
        assert not may_apply([Limit.rate(scope, 1)], alone)

    def test_a_tool_is_no_model(self) -> None:
        assert not may_apply([Limit.tokens("model:*", 1_000)], ask)

    def test_a_budget_does_too(self) -> None:
        assert may_apply([Budget.money("agent:scout", "1.00")], ask)

    def test_only_one_shape_may_be_asked_for(self) -> None:
        rate, slots = Limit.rate("tool:ask", 1), Limit.concurrency("tool:ask", 1)
        assert may_apply([rate, slots], ask, shape="slots")
        assert not may_apply([rate, Budget.money("tool:ask", "1.00")], ask, shape="slots")

    def test_one_of_many_is_enough(self) -> None:
        assert may_apply([Limit.rate("tool:other", 1), Limit.rate("global", 1)], ask)
        assert not may_apply([], ask)


class TestScopes:
    @pytest.mark.parametrize("scope", ["tool:asc", "service:crn", "tenant:*/tool:asc"])
    def test_a_name_that_no_tool_has_is_a_slip(self, scope: str) -> None:
        with pytest.raises(ConfigError, match=r"asc|crn") as caught:
            check_scopes([Limit.rate(scope, 1)], [ask, alone])
        assert caught.value.field == "limits"

    @pytest.mark.parametrize("scope", ["global", "tool:*", "tenant:nobody", "service:crm/tool:ask"])
    def test_other_scopes_are_taken_as_they_are(self, scope: str) -> None:
        check_scopes([Limit.rate(scope, 1)], [ask, alone])


class TestMidnight:
    """A day of a limit begins at midnight, though nothing happens then."""

    async def test_calls_wait_for_it(self) -> None:
        async with Engine([ask], limits=[Limit.window("tool:ask", 1, "day")]) as engine:
            assert (await engine.run([Call("ask")]))[0].ok
            loop = asyncio.get_running_loop()
            for _ in range(2):
                before = loop.time()
                (outcome,) = await engine.run([Call("ask")])
                assert outcome.ok
            assert loop.time() - before == pytest.approx(DAY, abs=60.0)

    async def test_it_comes_without_any_call(self) -> None:
        limiter, _limiting = limited_by_the_day()
        await asyncio.sleep(2 * DAY)
        assert 3 <= limiter.rolls <= 5  # once at first, and after each of two midnights

    async def test_none_comes_after_the_end(self) -> None:
        limiter, limiting = limited_by_the_day()
        limiting.close()
        await asyncio.sleep(2 * DAY)
        assert limiter.rolls == 1

    async def test_waiting_for_it_keeps_nobody_alive(self) -> None:
        limiter, limiting = limited_by_the_day()
        del limiting
        gc.collect()
        await asyncio.sleep(2 * DAY)
        assert limiter.rolls == 1


class CountingLimiter(Limiter):
    """Counts how often somebody has it begin its days."""

    rolls = 0

    def roll(self) -> float | None:
        self.rolls += 1
        return super().roll()


class FakeHost:
    """Takes the limiter and asks nothing."""

    def use_limiter(self, limiter: object, warn: object, *_rest: object) -> None: ...


def limited_by_the_day() -> tuple[CountingLimiter, Limiting]:
    limiter = CountingLimiter([Limit.window("tool:ask", 1, "day")])
    return limiter, Limiting(limiter, FakeHost(), asyncio.get_running_loop())  # type: ignore[arg-type]


class TestBatchBudget:
    def test_each_has_a_name_of_its_own(self) -> None:
        limiter, budget = Limiter([]), Budget.money("batch", "0.50")
        first, second = BatchBudget(limiter, budget), BatchBudget(limiter, budget)
        assert first.label != second.label
        assert len(limiter.limits) == 2

    @pytest.mark.parametrize(
        "budget", [Budget.money("global", "0.50"), Limit.rate("tool:ask", 1), 0.5, "0.50"]
    )
    def test_what_is_no_budget_of_a_batch_is_refused(self, budget: object) -> None:
        with pytest.raises(ConfigError, match='scope "batch"') as caught:
            BatchBudget(Limiter([]), budget)
        assert caught.value.field == "budget"

    async def test_it_lasts_as_long_as_somebody_holds_it(self) -> None:
        async with Limiter([Limit.rate("tool:ask", 100)]) as limiter:
            budget = BatchBudget(limiter, Budget.money("batch", "0.50"))
            assert len(limiter.limits) == 2
            del budget
            gc.collect()
            await limiter.take(limiter.resolve(tool="ask"))
            assert len(limiter.limits) == 1
