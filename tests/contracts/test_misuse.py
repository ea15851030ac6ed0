"""Misuse is told at once, by name, and never by a wait that does not end."""

import asyncio
import inspect
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from penstock import Call, Engine, Limit, Outcome, Ref, tool
from penstock.errors import (
    CallCancelled,
    CallTimeout,
    ConfigError,
    EngineClosed,
    UnknownTool,
    UnresolvedRef,
    WouldDeadlock,
)


@tool
async def take(x: object = None) -> object:
    return x


@tool
async def source() -> dict[str, int]:
    return {"found": 1}


@tool(timeout=0.02)
async def wait() -> None:
    await asyncio.Event().wait()


@tool
async def add(left: int, /, right: int = 2) -> int:
    return left + right


async def error_of(engine: Engine, call: Call, **options: Any) -> BaseException | None:
    (outcome,) = await engine.run([call], **options)
    return outcome.error


class TestOptions:
    """Names and numbers that cannot be."""

    @pytest.mark.parametrize("verb", ["run", "submit", "race"])
    async def test_an_unknown_option_is_told_with_the_nearest(self, verb: str) -> None:
        async with Engine([take]) as engine:
            with pytest.raises(ConfigError, match="did you mean timeout") as caught:
                await getattr(engine, verb)([[Call("take")]], time_out=1)
            assert caught.value.field == "time_out"

    async def test_an_option_like_no_other_is_told_with_all(self) -> None:
        async with Engine([take]) as engine:
            with pytest.raises(ConfigError, match="timeout, on_error, max_parallel"):
                await engine.run([Call("take")], xyz=1)  # type: ignore[call-arg]  # the misuse

    def test_two_limits_that_are_alike_are_refused(self) -> None:
        limits = [Limit.concurrency("tool:take", 1), Limit.concurrency("tool:take", 2)]
        with pytest.raises(ConfigError, match=r"tool:take.*give one name=") as caught:
            Engine([take], limits=limits)
        assert caught.value.field == "name"

    async def test_two_limits_of_one_scope_may_be_told_apart_by_name(self) -> None:
        limits = [
            Limit.concurrency("tool:take", 1),
            Limit.concurrency("tool:take", 2, name="twice"),
        ]
        async with Engine([take], limits=limits) as engine:
            assert [limit.name for limit in engine.limits.limits][1] == "twice"

    @pytest.mark.parametrize("wait", [False, True])
    async def test_a_batch_that_never_has_room_is_refused(self, wait: bool) -> None:
        async with Engine([take], max_pending=2) as engine:
            with pytest.raises(ConfigError, match="max_pending of this engine is 2"):
                await engine.run([Call("take")] * 3, wait=wait)


class TestCoroutinesOfPlainFunctions:
    """A `def` that forgot its `async`: nobody would await what it returns."""

    @pytest.mark.parametrize("host", ["inline", "thread"])
    async def test_the_call_has_failed_and_says_what_to_do(self, host: Any) -> None:
        outcome, _ = await forgotten(host)
        assert outcome.status == "failed"
        assert isinstance(outcome.error, TypeError)
        assert "make it `async def`" in str(outcome.error)

    @pytest.mark.parametrize("host", ["inline", "thread"])
    async def test_the_coroutine_is_closed(self, host: Any) -> None:
        _, coroutine = await forgotten(host)
        assert inspect.getcoroutinestate(coroutine) == inspect.CORO_CLOSED


async def forgotten(host: Any) -> tuple[Outcome, Coroutine[Any, Any, object]]:
    """Run a plain function that returns a coroutine; return its outcome, and the coroutine."""
    made = []

    @tool(host=host)
    def forget() -> object:
        made.append(take.function(1))
        return made[0]

    async with Engine([forget]) as engine:
        (outcome,) = await engine.run([Call("forget")])
    return outcome, made[0]


class TestRefs:
    """A place in a value that is not there, and one that is no value yet."""

    @pytest.mark.parametrize("field", ["items", "keys", "get"])
    async def test_a_missing_key_is_never_a_method(self, field: str) -> None:
        async with Engine([source, take]) as engine:
            calls = [Call("source", id="s"), Call("take", {"x": Ref("s", field)})]
            _, outcome = await engine.run(calls)
        assert outcome.status == "rejected"
        assert isinstance(outcome.error, UnresolvedRef)
        assert outcome.error.path == field

    @pytest.mark.parametrize("write", [str, "{}".format, format])
    def test_one_has_no_text(self, write: Callable[[Ref], str]) -> None:
        with pytest.raises(TypeError, match="no text before its call ran"):
            write(Ref("s", "found"))


class TestSelf:
    """A tool that waits for itself."""

    async def test_awaiting_the_own_batch_is_a_deadlock(self) -> None:
        @tool
        async def own() -> object:
            return await batch

        async with Engine([own]) as engine:
            batch = engine.submit([Call("own")])
            (outcome,) = await batch
        assert isinstance(outcome.error, WouldDeadlock)


class TestBlocks:
    """`async with engine`, inside itself and afterwards."""

    async def test_an_inner_block_leaves_the_engine_open(self) -> None:
        async with Engine([take]) as engine:
            async with engine:
                pass
            assert await error_of(engine, Call("take")) is None

    async def test_the_outermost_block_closes(self) -> None:
        async with Engine([take]) as engine, engine:
            pass
        with pytest.raises(EngineClosed):
            await engine.run([Call("take")])

    async def test_a_closed_engine_cannot_be_entered(self) -> None:
        engine = Engine([take])
        await engine.aclose()
        with pytest.raises(EngineClosed):
            await engine.__aenter__()

    async def test_neither_can_one_that_was_used_and_closed(self) -> None:
        async with Engine([take]) as engine:
            await engine.run([Call("take")])
        with pytest.raises(EngineClosed):
            await engine.__aenter__()


class TestNames:
    """Who is meant."""

    async def test_positional_only_parameters_are_given_by_name(self) -> None:
        async with Engine([add]) as engine:
            assert await engine.call("add", left=1) == 3
            assert await engine.call("add", right=1, left=1) == 2

    async def test_one_that_is_missing_is_pythons_own_error(self) -> None:
        async with Engine([add]) as engine:
            with pytest.raises(TypeError, match="left"):
                await engine.call("add", right=1)

    async def test_an_engine_without_tools_rejects(self) -> None:
        async with Engine([]) as engine:
            assert isinstance(await error_of(engine, Call("take")), UnknownTool)

    async def test_unknown_tools_are_counted_for_no_tool(self) -> None:
        async with Engine([take]) as engine:
            await engine.run([Call("teak")])
            counts = engine.statistics()
        assert list(counts.tools) == ["take"]
        assert (counts.ended, counts.tools["take"].rejected) == (1, 0)


class TestRaces:
    """Ways that are made on the spot, and what comes back of them."""

    async def test_ways_may_be_generators(self) -> None:
        async with Engine([take]) as engine:
            ways = ((Call("take", {"x": x}) for _ in range(2)) for x in "ab")
            race = await engine.race(ways)  # type: ignore[arg-type]  # not promised, yet it works
        assert [outcome.value for outcome in race.outcomes] == ["a", "a"]

    async def test_outcomes_carry_the_ids_that_were_given(self) -> None:
        async with Engine([take, wait]) as engine:
            ways = [[Call("take", id="a")], [Call("take", id="a"), Call("wait", id="b")]]
            race = await engine.race(ways)
        assert [outcome.id for outcome in race.outcomes] == ["a"]
        assert [outcome.id for outcome in race.losers[1]] == ["a", "b"]


class TestWhatErrorsSay:
    """The caller's own words and numbers."""

    async def test_the_reason_of_a_cancellation(self) -> None:
        async with Engine([wait]) as engine:
            batch = engine.submit([Call("wait")])
            batch.cancel("the user left")
            (outcome,) = await batch
        assert isinstance(outcome.error, CallCancelled)
        assert "the user left" in outcome.error.reason

    async def test_the_seconds_of_a_tools_timeout(self) -> None:
        async with Engine([wait]) as engine:
            error = await error_of(engine, Call("wait"))
        assert isinstance(error, CallTimeout)
        assert error.seconds == 0.02

    async def test_the_seconds_of_a_calls_timeout(self) -> None:
        async with Engine([wait]) as engine:
            error = await error_of(engine, Call("wait", timeout=0.01))
        assert isinstance(error, CallTimeout)
        assert error.seconds == 0.01

    async def test_the_seconds_of_a_batchs_timeout(self) -> None:
        async with Engine([wait]) as engine:
            error = await error_of(engine, Call("wait"), timeout=0.01)
        assert isinstance(error, CallTimeout)
        assert error.seconds == 0.01
