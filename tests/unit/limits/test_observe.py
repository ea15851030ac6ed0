"""What a tool tells of its provider's answer, and what the limits of its call make of it."""

import asyncio

import pytest

import penstock
from penstock import Budget, Call, Cost, Engine, Limit, tool
from penstock.limits import observe

HOUR = Limit.window("service:crm", 100, 3_600.0)
RETRY_LATER = {"retry-after": "30"}


def test_outside_of_tools_it_only_reads() -> None:
    feedback = observe(429, RETRY_LATER)
    assert (feedback.status, feedback.retry_after) == (429, 30.0)


@pytest.mark.parametrize("sent", [{"retry-after": "soon"}, {"x-ratelimit-remaining-requests": ""}])
def test_what_makes_no_sense_is_ignored(sent: dict[str, str]) -> None:
    assert observe(200, sent).retry_after is None


async def test_a_429_blocks_the_limits_of_the_call_for_as_long_as_it_says() -> None:
    starts: list[float] = []

    @tool(service="crm")
    async def ask() -> None:
        starts.append(asyncio.get_running_loop().time())
        if len(starts) == 1:
            penstock.observe(429, RETRY_LATER)

    async with Engine([ask], limits=[HOUR]) as engine:
        await engine.run([Call("ask")])
        await engine.run([Call("ask")])
    assert starts[1] - starts[0] >= 30.0


async def test_headers_lower_what_is_left() -> None:
    @tool(service="crm")
    async def ask() -> None:
        penstock.observe(200, {"x-ratelimit-remaining-requests": "3"})

    async with Engine([ask], limits=[HOUR]) as engine:
        await engine.run([Call("ask")])
        (row,) = engine.limits.statistics().limits
    assert row.most - row.used <= 3


async def test_the_cost_is_what_the_budgets_are_charged() -> None:
    @tool(cost=Cost(microusd=500))
    async def ask() -> None:
        penstock.observe(cost=Cost(microusd=20))

    async with Engine([ask], limits=[Budget.money("global", "1.00")]) as engine:
        await engine.run([Call("ask")])
        (row,) = engine.limits.statistics().limits
    assert row.spent == 20


async def test_a_call_without_limits_may_tell_as_well() -> None:
    @tool
    async def ask() -> float | None:
        return penstock.observe(429, RETRY_LATER).retry_after

    async with Engine([ask]) as engine:
        (outcome,) = await engine.run([Call("ask")])
    assert outcome.value == 30.0
