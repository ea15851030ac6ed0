"""`engine.call` and `engine.bind`: one call in its caller's own task."""

import asyncio
import inspect
from typing import Any

import pytest

import penstock
from penstock import Call, Context, Engine, tool
from penstock.errors import (
    CallCancelled,
    CallTimeout,
    EngineClosed,
    InvalidArguments,
    UnknownTool,
    WouldDeadlock,
)
from penstock.testing import VirtualLoop


@tool
async def add(left: int, right: int = 2, *, third: int = 3) -> int:
    """Add three numbers."""
    return left + right + third


@tool(concurrency=1)
async def narrow(seconds: float = 1.0) -> float:
    await asyncio.sleep(seconds)
    return seconds


@tool(timeout=1.0)
async def timed(seconds: float) -> str:
    await asyncio.sleep(seconds)
    return "in time"


@tool
async def fail() -> None:
    raise ValueError("as asked")


class TestBind:
    """The function that takes the tool's place."""

    async def test_it_has_the_tools_signature_and_docstring(self) -> None:
        async with Engine([add]) as engine:
            bound = engine.bind("add")
            assert str(inspect.signature(bound)).replace(" ", "").startswith("(left,right=2")
            assert (bound.__name__, bound.__doc__) == ("add", "Add three numbers.")

    async def test_arguments_are_passed_as_they_are(self) -> None:
        async with Engine([add]) as engine:
            bound = engine.bind("add")
            assert await bound(1) == 6
            assert await bound(1, 1, third=1) == 3
            assert await engine.call("add", left=1, right=0) == 4

    async def test_wrong_arguments_are_pythons_own_error(self) -> None:
        async with Engine([add]) as engine:
            with pytest.raises(TypeError, match="left"):
                await engine.call("add")

    async def test_parameters_may_have_any_name(self) -> None:
        """The wrapper is generated text: its own names must not meet the tool's."""

        @tool
        async def span(start: int, end: int, value: int, function: int, started: int) -> int:
            return start + end + value + function + started

        @tool
        async def wait(
            begin: int, error: int = 1, wait_for_turn: int = 1, end_raised: int = 1
        ) -> int:
            return begin + error + wait_for_turn + end_raised

        async with Engine([span, wait]) as engine:
            assert await engine.call("span", start=1, end=2, value=3, function=4, started=5) == 15
            assert await engine.bind("wait")(1) == 4

    async def test_the_rest_of_the_arguments_are_passed_on(self) -> None:
        @tool
        async def collect(first: int, **others: int) -> dict[str, int]:
            return {"first": first, **others}

        @tool
        async def collect_here(context: Context, first: int, **others: int) -> dict[str, int]:
            return {"first": first, **others}

        async with Engine([collect, collect_here]) as engine:
            for name in ("collect", "collect_here"):
                answer = await engine.call(name, first=1, second=2)
                assert answer == {"first": 1, "second": 2}

    async def test_an_unknown_tool_is_told_with_the_nearest(self) -> None:
        async with Engine([add]) as engine:
            with pytest.raises(UnknownTool) as unknown:
                engine.bind("ad")
        assert unknown.value.near == ("add",)

    async def test_what_needs_the_pump_goes_through_it(self) -> None:
        @tool(host="inline")
        def plain(number: int) -> int:
            return number

        @tool
        async def hosted(context: Context, number: int) -> str:
            return f"{context.tool} {number}"

        @tool(host="task")
        async def in_a_task(number: int) -> int:
            return number

        async with Engine([plain, hosted, in_a_task]) as engine:
            assert await engine.call("plain", number=1) == 1
            assert await engine.call("hosted", number=2) == "hosted 2"
            assert await engine.bind("in_a_task")(3) == 3
            with pytest.raises(InvalidArguments):
                await engine.call("plain", number="many")


class TestErrors:
    """What comes out."""

    async def test_what_the_tool_raises_is_raised(self) -> None:
        async with Engine([fail]) as engine:
            with pytest.raises(ValueError, match="as asked"):
                await engine.call("fail")
            assert engine.statistics().tools["fail"].failed == 1

    async def test_the_tools_timeout_holds(self) -> None:
        async with Engine([timed]) as engine:
            assert await engine.call("timed", seconds=0.5) == "in time"
            with pytest.raises(CallTimeout):
                await engine.call("timed", seconds=5)
            assert asyncio.current_task().cancelling() == 0  # type: ignore[union-attr]
            assert engine.statistics().tools["timed"].timeout == 1

    async def test_the_tools_own_timeout_error_is_no_call_timeout(self) -> None:
        @tool(timeout=5)
        async def inner() -> None:
            raise TimeoutError("its own")

        async with Engine([inner]) as engine:
            with pytest.raises(TimeoutError, match="its own") as raised:
                await engine.call("inner")
        assert not isinstance(raised.value, CallTimeout)

    async def test_a_closed_engine_refuses(self) -> None:
        engine = Engine([add])
        bound = engine.bind("add")
        await engine.aclose()
        with pytest.raises(EngineClosed):
            await bound(1)
        with pytest.raises(EngineClosed):
            await engine.call("add", left=1)


class TestGates:
    """They hold for single calls too."""

    async def test_calls_wait_for_their_turn(self) -> None:
        loop = asyncio.get_running_loop()
        async with Engine([narrow]) as engine:
            began = loop.time()
            async with asyncio.TaskGroup() as group:
                for _ in range(3):
                    group.create_task(engine.call("narrow"))
            assert loop.time() - began == pytest.approx(3, abs=0.01)

    async def test_they_share_the_gate_with_batches(self) -> None:
        async with Engine([narrow]) as engine:
            batch = engine.submit([Call("narrow")])
            await asyncio.sleep(0.1)
            await engine.call("narrow")
            assert batch.done

    async def test_who_is_cancelled_while_waiting_leaves_no_trace(self) -> None:
        async with Engine([narrow]) as engine:
            first, second = (asyncio.ensure_future(engine.call("narrow")) for _ in range(2))
            await asyncio.sleep(0.5)
            second.cancel()
            await asyncio.wait([first, second])
            assert second.cancelled()
            counts = engine.statistics()
            assert (counts.pending, counts.in_flight) == (0, 0)
            assert await engine.call("narrow") == 1.0

    async def test_a_failure_gives_the_gate_back(self) -> None:
        failing = tool(name="failing", concurrency=1)(fail.function)
        async with Engine([failing]) as engine:
            for _ in range(3):
                with pytest.raises(ValueError, match="as asked"):
                    await engine.call("failing")

    async def test_a_tool_that_calls_itself_through_a_full_gate_is_told(self) -> None:
        @tool(concurrency=1)
        async def deep() -> Any:
            return await engine.call("deep")

        async with Engine([deep]) as engine:
            (outcome,) = await engine.run([Call("deep")])
        assert isinstance(outcome.error, WouldDeadlock)


class TestEnd:
    """Cancelled and closed."""

    async def test_cancelling_a_call_through_the_pump_ends_it(self) -> None:
        @tool(host="task")
        async def slow() -> None:
            await asyncio.sleep(60)

        async with Engine([slow]) as engine:
            call = asyncio.ensure_future(engine.call("slow"))
            await asyncio.sleep(1)
            call.cancel()
            await asyncio.wait([call])
            assert call.cancelled()
            assert engine.statistics().pending == 0

    async def test_who_waits_when_the_engine_closes_is_not_cancelled_but_told(self) -> None:
        async with Engine([narrow]) as engine:
            holder = asyncio.ensure_future(engine.call("narrow"))
            waiting = asyncio.ensure_future(engine.call("narrow"))
            await asyncio.sleep(0.5)
            await engine.aclose()
            await asyncio.wait([holder, waiting])
        assert isinstance(waiting.exception(), CallCancelled)
        assert holder.result() == 1.0

    def test_an_interrupt_goes_straight_to_the_caller(self) -> None:
        @tool
        async def stop() -> None:
            raise KeyboardInterrupt

        async def main() -> None:
            async with Engine([stop]) as engine:
                await engine.call("stop")

        with pytest.raises(KeyboardInterrupt), asyncio.Runner(loop_factory=VirtualLoop) as runner:
            runner.run(main())


@tool
async def nest(levels: int, engine: int = 0) -> int:
    if not levels:
        return 0
    return 1 + await _engines[engine].call("nest", levels=levels - 1)


_engines: list[Engine] = []


class TestWatched:
    """Calls in their callers' tasks are told of while somebody watches the engine."""

    async def test_their_starts_and_ends_are_told(self) -> None:
        async with (
            Engine([add, fail]) as engine,
            engine.events() as events,
        ):
            bound = engine.bind("add")
            assert await bound(1) == 6
            with pytest.raises(ValueError, match="as asked"):
                await engine.call("fail")
            seen = [await anext(events) for _ in range(events.lag)]
        assert [(event.type, event.tool, event.status) for event in seen] == [
            ("call.started", "add", None),
            ("call.ended", "add", "ok"),
            ("call.started", "fail", None),
            ("call.ended", "fail", "failed"),
        ]
        assert seen[0].batch == seen[1].batch != seen[2].batch

    async def test_before_and_after_they_take_no_place_in_the_lanes(self) -> None:
        async with Engine([add]) as engine:
            for _ in range(2):
                turns = engine.statistics().turns
                assert await engine.call("add", left=1) == 6
                assert engine.statistics().turns == turns
                async with engine.events() as events:
                    assert await engine.call("add", left=1) == 6
                    assert events.lag >= 2
            assert engine.statistics().single == 4

    async def test_progress_of_theirs_is_told_too(self) -> None:
        @tool
        async def work() -> None:
            penstock.progress(1, 2)

        async with Engine([work]) as engine, engine.events() as events:
            await engine.call("work")
            seen = [await anext(events) for _ in range(events.lag)]
        assert [event.type for event in seen] == ["call.started", "call.progress", "call.ended"]

    async def test_watching_refuses_nobody_for_lack_of_room(self) -> None:
        async with Engine([add, narrow], max_pending=1) as engine, engine.events():
            batch = engine.submit([Call("narrow")])
            await asyncio.sleep(0)
            assert await engine.call("add", left=1) == 6
            await batch

    async def test_watching_refuses_nobody_for_depth(self) -> None:
        async with Engine([nest]) as engine, engine.events():
            _engines.append(engine)
            try:
                assert await engine.call("nest", levels=100) == 100
            finally:
                _engines.clear()

    async def test_a_closed_engine_is_closed_for_them(self) -> None:
        async with Engine([add]) as engine:
            bound = engine.bind("add")
            events = engine.events()
        with pytest.raises(EngineClosed):
            await bound(1)
        await events.aclose()
