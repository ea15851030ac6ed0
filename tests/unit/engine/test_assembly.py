"""Putting an engine together: which parts it gets from its tools, and when they go."""

import asyncio

import pytest

from penstock import Call, Cost, Engine, Limit, Limiter, tool
from penstock.engine.assembly import JOBS_PER_WORKER, Assembly, Settings, assemble, check
from penstock.engine.executors import Executor
from penstock.errors import ConfigError, UnknownTool
from penstock.tools import Tool, Toolset


@tool
async def hosted() -> int:
    return 1


@tool(host="inline")
def inline() -> int:
    return 2


@tool
def threaded() -> int:
    return 3


@tool(effects="read", retries=1)
async def layered() -> int:
    return 4


@tool(cost=lambda size: Cost(input_tokens=size))
async def priced(size: int) -> int:
    return size


def parts_of(*tools: Tool[..., object], threads: int | None = None) -> Assembly:
    """Put an engine of these tools together, on the running loop."""
    options = Settings(
        tools=Toolset(tools),
        limits=(),
        max_pending=100,
        max_parallel=None,
        workers={"thread": threads},
        memory_bytes=None,
        cpu_seconds=None,
        slice=0.001,
    )
    return assemble(options, asyncio.get_running_loop())


class TestModes:
    """Where the calls of each tool run."""

    async def test_a_tool_runs_where_it_says(self) -> None:
        parts = parts_of(hosted, inline, threaded)
        assert parts.modes == {"hosted": "call", "inline": "inline", "threaded": "thread"}
        await parts.close(is_own=True)

    @pytest.mark.parametrize("one", [layered, priced])
    async def test_policies_and_prices_run_around_it(self, one: Tool[..., object]) -> None:
        parts = parts_of(one)
        assert parts.modes == {one.name: "layers"}
        await parts.close(is_own=True)

    async def test_a_price_that_is_always_the_same_needs_nothing_around_it(self) -> None:
        parts = parts_of(tool(name="flat", cost=Cost(input_tokens=9))(hosted.function))
        assert parts.modes == {"flat": "call"}
        await parts.close(is_own=True)

    async def test_coroutines_are_tasks_on_a_loop_with_a_task_factory(self) -> None:
        loop = asyncio.get_running_loop()
        loop.set_task_factory(lambda loop, coro, **named: asyncio.Task(coro, loop=loop, **named))
        try:
            parts = parts_of(hosted, inline)
        finally:
            loop.set_task_factory(None)
        assert parts.why_tasks
        assert parts.modes == {"hosted": "task", "inline": "inline"}
        await parts.close(is_own=True)


class TestExecutors:
    async def test_one_is_made_only_for_a_tool_that_needs_it(self) -> None:
        parts = parts_of(hosted, inline, layered)
        assert parts.executors == {}
        await parts.close(is_own=True)

    async def test_tools_of_one_mode_share_one(self) -> None:
        parts = parts_of(threaded, tool(name="other")(threaded.function), threads=3)
        assert list(parts.executors) == ["thread"]
        assert parts.executors["thread"].workers == 3
        await parts.close(is_own=True)

    @pytest.mark.real_time
    async def test_its_gate_lets_in_a_few_for_each_worker(self) -> None:
        async with Engine([threaded], threads=1) as engine:
            batch = engine.submit([Call("threaded")] * 20)
            assert engine.statistics().in_flight <= JOBS_PER_WORKER
            assert [outcome.value for outcome in await batch] == [3] * 20


class Closing:
    """An executor that notes how it was closed."""

    workers = 1

    def __init__(self) -> None:
        """Start with nothing noted."""
        self.verbs: list[str] = []

    def close(self) -> None:
        self.verbs.append("close")

    async def wait_closed(self) -> None:
        self.verbs.append("wait_closed")

    def forget(self) -> None:
        self.verbs.append("forget")


class TestEnd:
    """Which verb an executor hears depends on who ends the engine, and where."""

    async def closed(self, end: str) -> list[str]:
        parts, executor = parts_of(hosted), Closing()
        executors: dict[str, Executor] = {"thread": executor}  # type: ignore[dict-item]
        parts.executors.update(executors)
        if end == "forget":
            parts.forget()
        else:
            await parts.close(is_own=end == "own")
        return executor.verbs

    async def test_on_its_own_loop_it_is_waited_for(self) -> None:
        assert await self.closed("own") == ["close", "wait_closed"]

    async def test_on_another_loop_it_is_forgotten(self) -> None:
        assert await self.closed("other") == ["forget"]

    async def test_by_a_finalizer_too(self) -> None:
        assert await self.closed("forget") == ["forget"]


class TestLimits:
    async def test_rules_become_a_limiter_of_the_engines_own(self) -> None:
        rule = Limit.rate("tool:hosted", 5)
        async with Engine([hosted], limits=[rule]) as engine:
            assert engine.limits.limits == (rule,)

    async def test_a_limiter_is_shared_as_it_is(self) -> None:
        limiter = Limiter([Limit.window("global", 3, 3_600.0)])
        async with Engine([hosted], limits=limiter) as one, Engine([hosted], limits=limiter) as two:
            assert one.limits is two.limits is limiter
            await one.run([Call("hosted")] * 2)
            await two.run([Call("hosted")])
            assert limiter.try_take(limiter.resolve(tool="hosted")) is None


class TestCheck:
    """What an engine refuses before it has a loop."""

    def test_a_tool_that_its_executor_cannot_run_is_refused(self) -> None:
        secret = object()

        @tool(host="process")
        def inner() -> object:
            return secret

        with pytest.raises(ConfigError, match="inner"):
            check([inner])

    def test_what_can_run_passes(self) -> None:
        check([hosted, inline, threaded, layered, priced])


async def test_an_unknown_tool_is_told_with_the_nearest() -> None:
    async with Engine([hosted]) as engine:
        (outcome,) = await engine.run([Call("hoster")])
    assert isinstance(outcome.error, UnknownTool)
    assert "hosted" in str(outcome.error)
