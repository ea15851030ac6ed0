"""The engine: what it takes, what it refuses, what it answers, how it ends."""

import asyncio
import contextvars
import gc
import os
import subprocess
import sys
import threading
import warnings
import weakref
from collections.abc import Callable

import pytest

import penstock
from penstock import Call, Context, Engine, Limit, Outcome, PlanBuilder, Ref, tool
from penstock.errors import (
    BadPlan,
    CallCancelled,
    CallSkipped,
    CallTimeout,
    ConfigError,
    DuplicateTool,
    EngineClosed,
    EngineFull,
    InvalidArguments,
    TooManyDetached,
    UnknownTool,
    UnresolvedRef,
    WouldDeadlock,
    WrongThread,
)
from penstock.testing import VirtualLoop


@tool
async def echo(value: object = None) -> object:
    return value


@tool
async def nap(seconds: float = 1.0) -> float:
    await penstock.sleep(seconds)
    return seconds


@tool
async def fail(text: str = "as asked") -> None:
    raise ValueError(text)


@tool
async def number(of: int) -> int:
    return of


@tool(timeout=0.1)
async def stubborn(seconds: float = 1.0) -> str:
    loop = asyncio.get_running_loop()
    until = loop.time() + seconds
    while loop.time() < until:
        try:
            await asyncio.sleep(until - loop.time())
        except asyncio.CancelledError:
            continue
    return "at last"


TOOLS = (echo, nap, fail, number, stubborn)


async def wait(batch: penstock.Batch) -> list[Outcome]:
    return await batch


async def run(*calls: Call, tools: object = TOOLS, **options: object) -> list[Outcome]:
    async with Engine(tools) as engine:  # type: ignore[arg-type]
        return await engine.run(calls, **options)  # type: ignore[arg-type]


class TestOutcomes:
    """What comes back."""

    async def test_outcomes_come_in_the_order_of_the_calls(self) -> None:
        outcomes = await run(*(Call("nap", {"seconds": s}) for s in (3.0, 1.0, 2.0)))
        assert [o.value for o in outcomes] == [3.0, 1.0, 2.0]

    async def test_no_calls_have_no_outcomes(self) -> None:
        assert await run() == []

    async def test_the_error_of_a_failed_call_is_the_tools_own(self) -> None:
        (outcome,) = await run(Call("fail", {"text": "no"}))
        assert outcome.status == "failed"
        assert repr(outcome.error) == "ValueError('no')"
        assert outcome.error is not None
        assert outcome.error.__traceback__ is not None

    async def test_run_raises_nothing_because_a_tool_failed(self) -> None:
        outcomes = await run(Call("fail"), Call("echo", {"value": 1}))
        assert [o.status for o in outcomes] == ["failed", "ok"]

    async def test_calls_run_in_parallel(self) -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        await run(*[Call("nap")] * 50)
        assert loop.time() - began == pytest.approx(1.0, abs=0.01)

    async def test_max_parallel_one_runs_them_in_order(self) -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        await run(*[Call("nap")] * 5, max_parallel=1)
        assert loop.time() - began == pytest.approx(5.0, abs=0.01)

    async def test_priorities_decide_who_starts_first(self) -> None:
        calls = [Call("nap", priority=p) for p in (7, 4, 0)]
        outcomes = await run(*calls, max_parallel=1)
        assert sorted(outcomes, key=lambda o: o.started or 0) == outcomes[::-1]

    async def test_the_same_call_object_may_be_asked_twice(self) -> None:
        call = Call("echo", {"value": 1}, id="same")
        assert [o.value for o in await run(call, call)] == [1, 1]

    async def test_a_list_that_changes_meanwhile_changes_nothing(self) -> None:
        calls = [Call("nap", id="a"), Call("nap", id="b")]
        async with Engine(TOOLS) as engine:
            batch = engine.submit(calls)
            calls.clear()
            assert [o.id for o in await batch] == ["a", "b"]
            assert "a" in [event.call async for event in batch.events()]


class TestBadInput:
    """A fault is an outcome of that call; the others run."""

    @pytest.mark.parametrize(
        ("arguments", "says"),
        [
            ('{"value": ', "JSON"),
            ("[1, 2]", "object"),
            ("17", "object"),
            (b'{"value": "' + b"x" * 10_000_000 + b'"}', "1048576"),
            ('{"value": ' + "[" * 100 + "]" * 100 + "}", "64"),
            ('{"value": 1, "value": 2}', "value"),
            ('{"value": NaN}', "finite"),
            ('{"value": Infinity}', "finite"),
            (b'{"value": "\\ud800"}', "surrogate"),
            (b'{"value": "\xff"}', "UTF-8"),
            ('{"other": 1}', "other"),
        ],
        ids=lambda value: str(value)[:20],
    )
    async def test_bad_arguments_reject_that_call_alone(
        self, arguments: str | bytes, says: str
    ) -> None:
        bad, good = await run(Call("echo", arguments), Call("echo", {"value": 1}))
        assert bad.status == "rejected"
        assert isinstance(bad.error, InvalidArguments)
        assert says.lower() in str(bad.error).lower()
        assert len(str(bad.error)) < 2_000
        assert (good.value, bad.attempts) == (1, 0)

    async def test_an_unknown_tool_rejects_that_call_alone(self) -> None:
        bad, good = await run(Call("ecko"), Call("echo", {"value": 1}))
        assert bad.status == "rejected"
        assert isinstance(bad.error, UnknownTool)
        assert "echo" in bad.error.near
        assert good.ok

    async def test_a_ref_to_a_missing_field_rejects_that_call_alone(self) -> None:
        parent = Call("echo", {"value": {"there": 1}}, id="p")
        good, bad, child = await run(
            parent,
            Call("number", {"of": Ref("p")["missing"]}, id="bad"),
            Call("number", {"of": Ref("p")["value"]["there"]}),
        )
        del child
        assert good.ok
        assert bad.status == "rejected"
        assert isinstance(bad.error, UnresolvedRef)
        assert "missing" in str(bad.error)

    async def test_a_value_of_a_wrong_type_names_the_field(self) -> None:
        (outcome,) = await run(Call("number", {"of": "many"}))
        assert isinstance(outcome.error, InvalidArguments)
        assert outcome.error.faults[0].path == "of"

    async def test_no_arguments_are_an_empty_object(self) -> None:
        outcomes = await run(Call("echo"), Call("echo", ""), Call("echo", b"  "), Call("echo", {}))
        assert [o.status for o in outcomes] == ["ok"] * 4


class TestMisuse:
    """Raised before anything runs."""

    async def test_a_cyclic_plan_names_the_cycle(self) -> None:
        calls = [Call("echo", id="a", after=["b"]), Call("echo", id="b", after=["a"])]
        with pytest.raises(BadPlan) as bad:
            await run(*calls)
        assert set(bad.value.cycle) == {"a", "b"}

    async def test_an_unknown_parent_is_named(self) -> None:
        with pytest.raises(BadPlan, match="nobody"):
            await run(Call("echo", id="a", after=["nobody"]))

    @pytest.mark.parametrize(
        ("field", "options"),
        [
            ("timeout", {"timeout": 0}),
            ("timeout", {"timeout": 31 * 86_400}),
            ("timeout", {"timeout": float("nan")}),
            ("on_error", {"on_error": "stop"}),
            ("max_parallel", {"max_parallel": 0}),
            ("priority", {"priority": 8}),
            ("tenant", {"tenant": ""}),
        ],
    )
    async def test_an_option_that_cannot_be_is_named(
        self, field: str, options: dict[str, object]
    ) -> None:
        with pytest.raises(ConfigError) as bad:
            await run(Call("echo"), **options)
        assert bad.value.field == field

    async def test_what_is_no_call_is_named_by_its_place(self) -> None:
        with pytest.raises(ConfigError, match=r"calls\[1\]"):
            await run(Call("echo"), "echo")  # type: ignore[arg-type]

    @pytest.mark.parametrize(
        ("field", "options"),
        [
            ("max_pending", {"max_pending": 0}),
            ("max_parallel", {"max_parallel": -1}),
            ("threads", {"threads": 0}),
            ("slice", {"slice": 2}),
            ("limits", {"limits": [Limit.concurrency("service:nobody", 1)]}),
            ("limits", {"limits": [Limit.concurrency("tool:nobody", 1)]}),
        ],
    )
    def test_an_engine_that_cannot_be_is_refused(
        self, field: str, options: dict[str, object]
    ) -> None:
        with pytest.raises(ConfigError) as bad:
            Engine(TOOLS, **options)  # type: ignore[arg-type]
        assert bad.value.field == field

    def test_two_tools_of_one_name_are_refused(self) -> None:
        with pytest.raises(DuplicateTool):
            Engine([echo, tool(name="echo")(nap.function)])

    def test_an_engine_needs_a_loop_to_be_used(self) -> None:
        with pytest.raises(RuntimeError, match="no running event loop"):
            Engine(TOOLS).submit([Call("echo")])


class TestPlans:
    """Calls that wait for each other."""

    async def test_a_child_gets_its_parents_value(self) -> None:
        builder = PlanBuilder()
        first = builder.call("echo", value={"items": [1, 2]})
        builder.call("number", of=first["items"][1])
        async with Engine(TOOLS) as engine:
            outcomes = await engine.run(builder.freeze())
        assert outcomes[1].value == 2

    async def test_an_index_in_a_path_may_be_text(self) -> None:
        parent = Call("echo", {"value": [{"n": 7}]}, id="p")
        refs = [Ref("p", "0.n"), Ref("p", (0, "n")), Ref("p")[0]["n"]]
        _, *outcomes = await run(parent, *(Call("number", {"of": ref}) for ref in refs))
        assert [o.value for o in outcomes] == [7, 7, 7]

    async def test_children_of_what_failed_are_skipped_and_name_it(self) -> None:
        outcomes = await run(
            Call("fail", id="a"),
            Call("echo", id="b", after=["a"]),
            Call("echo", id="c", after=["b"]),
        )
        assert [o.status for o in outcomes] == ["failed", "skipped", "skipped"]
        assert [o.error.parent for o in outcomes if isinstance(o.error, CallSkipped)] == ["a", "a"]

    async def test_ids_may_repeat_where_nobody_names_them(self) -> None:
        outcomes = await run(Call("echo", id="x"), Call("echo", id="x"))
        assert [o.id for o in outcomes] == ["x", "x"]


class TestTime:
    """Deadlines, timeouts, grace."""

    async def test_a_tools_timeout_is_counted_from_its_start(self) -> None:
        @tool(timeout=1.5)
        async def work() -> None:
            await asyncio.sleep(1)

        outcomes = await run(*[Call("work")] * 4, tools=[work], max_parallel=1)
        assert [o.status for o in outcomes] == ["ok"] * 4

    async def test_a_calls_timeout_is_counted_from_submission(self) -> None:
        calls = [Call("nap"), Call("nap", timeout=0.5)]
        outcomes = await run(*calls, max_parallel=1)
        assert [o.status for o in outcomes] == ["ok", "timeout"]
        assert isinstance(outcomes[1].error, CallTimeout)
        assert outcomes[1].attempts == 0

    async def test_the_shorter_timeout_counts(self) -> None:
        (outcome,) = await run(Call("nap", {"seconds": 9}, timeout=5), timeout=1)
        assert outcome.duration == pytest.approx(1.0, abs=0.01)

    async def test_code_that_hears_nothing_is_delivered_as_detached(self) -> None:
        async with Engine(TOOLS) as engine:
            (outcome,) = await engine.run([Call("stubborn")])
            assert (outcome.status, outcome.detached) == ("timeout", True)
            assert outcome.duration == pytest.approx(0.35, abs=0.01)
            assert engine.statistics().detached == 1
            await asyncio.sleep(2)
            assert engine.statistics().detached == 0

    async def test_a_detached_call_keeps_its_outcome_while_its_batch_runs(self) -> None:
        """It goes on being stepped: that must not take its outcome from its place."""
        calls = [Call("stubborn", {"seconds": 3}), Call("nap", {"seconds": 1})]
        outcomes = await run(*calls)
        assert [(o.status, o.detached) for o in outcomes] == [("timeout", True), ("ok", False)]

    async def test_too_many_detached_calls_reject_new_ones(self) -> None:
        async with Engine(TOOLS) as engine:
            await engine.run([Call("stubborn")] * 100)
            (outcome,) = await engine.run([Call("stubborn")])
        assert outcome.status == "rejected"
        assert isinstance(outcome.error, TooManyDetached)

    async def test_a_value_in_spite_of_a_cancellation_is_late(self) -> None:
        (outcome,) = await run(Call("stubborn", {"seconds": 0.2}))
        assert (outcome.status, outcome.late, outcome.value) == ("ok", True, "at last")


class TestGates:
    """Concurrency of tools, services and the engine."""

    async def seconds_for(self, engine: Engine, *calls: Call) -> float:
        loop = asyncio.get_running_loop()
        began = loop.time()
        async with engine:
            await engine.run(calls)
        return round(loop.time() - began, 2)

    async def test_a_limit_on_a_tool_holds(self) -> None:
        engine = Engine(TOOLS, limits=[Limit.concurrency("tool:nap", 2)])
        assert await self.seconds_for(engine, *[Call("nap")] * 6) == 3.0

    async def test_a_service_is_shared_by_its_tools(self) -> None:
        tools = [tool(name=name, service="db")(nap.function) for name in ("read", "write")]
        engine = Engine(tools, limits=[Limit.concurrency("service:db", 1)])
        assert await self.seconds_for(engine, Call("read"), Call("write")) == 2.0

    async def test_the_engine_has_a_gate_of_its_own(self) -> None:
        assert await self.seconds_for(Engine(TOOLS, max_parallel=1), *[Call("nap")] * 3) == 3.0

    async def test_a_call_that_waits_for_its_own_gate_is_rejected(self) -> None:
        @tool(concurrency=1)
        async def deep(levels: int) -> str:
            (outcome,) = await engine.run([Call("deep", {"levels": levels - 1})])
            return type(outcome.error).__name__

        async with Engine([deep]) as engine:
            (outcome,) = await engine.run([Call("deep", {"levels": 2})])
        assert outcome.value == WouldDeadlock.__name__

    async def test_tenants_share_the_engine_fairly(self) -> None:
        async with Engine(TOOLS, max_parallel=1) as engine:
            short = Call("nap", {"seconds": 0.01})
            big = engine.submit([short] * 20, tenant="big")
            small = engine.submit([short] * 2, tenant="small")
            outcomes = await small
            assert sum(o is not None for o in big.outcomes) < 5
            big.cancel()
            await big
        assert all(o.ok for o in outcomes)


class TestRoom:
    """Bounded pending."""

    async def test_a_batch_beyond_the_room_is_refused_as_a_whole(self) -> None:
        async with Engine(TOOLS, max_pending=3) as engine:
            first = engine.submit([Call("nap")] * 2)
            with pytest.raises(EngineFull) as full:
                engine.submit([Call("nap")] * 2)
            assert (full.value.pending, full.value.max_pending) == (2, 3)
            assert engine.statistics().pending == 2
            await first

    async def test_who_waits_for_room_gets_it(self) -> None:
        async with Engine(TOOLS, max_pending=3) as engine:
            engine.submit([Call("nap")] * 2)
            outcomes = await engine.run([Call("nap")] * 3, wait=True)
        assert outcomes[0].submitted == pytest.approx(2.0, abs=0.01)

    async def test_who_waits_when_the_engine_closes_is_told(self) -> None:
        engine = Engine(TOOLS, max_pending=1)
        batch = engine.submit([Call("nap")])
        waiting = asyncio.ensure_future(engine.run([Call("nap")], wait=True))
        await asyncio.sleep(0.1)
        await engine.aclose()
        with pytest.raises(EngineClosed):
            await waiting
        await batch


class TestStream:
    """`engine.stream`."""

    async def test_outcomes_come_as_calls_end(self) -> None:
        calls = [Call("nap", {"seconds": s}) for s in (3.0, 1.0, 2.0)]
        async with Engine(TOOLS) as engine:
            assert [o.value async for o in engine.stream(calls)] == [1.0, 2.0, 3.0]

    async def test_leaving_cancels_the_rest(self) -> None:
        async with Engine(TOOLS) as engine:
            stream = engine.stream([Call("echo"), Call("nap", {"seconds": 99})])
            async for _ in stream:
                break
            await stream.aclose()  # type: ignore[attr-defined]
            assert engine.statistics().pending == 0


class TestCancel:
    """Who awaits a batch and is cancelled."""

    async def test_cancelling_the_awaiting_task_cancels_the_batch_and_waits(self) -> None:
        tidied = []

        @tool
        async def tidy() -> None:
            try:
                await asyncio.sleep(10)
            finally:
                await asyncio.sleep(0.1)
                tidied.append(True)

        async with Engine([tidy]) as engine:
            waiting = asyncio.ensure_future(engine.run([Call("tidy")] * 2))
            await asyncio.sleep(1)
            waiting.cancel()
            await asyncio.wait([waiting])
            assert waiting.cancelled()
            assert tidied == [True, True]
            assert engine.statistics().pending == 0

    async def test_a_tool_that_cancels_its_own_inline_call_hurts_no_other(self) -> None:
        """The task of the call before is still current when a plain function runs."""
        seen = []

        @tool(host="inline")
        def selfish() -> None:
            own.cancel()
            with pytest.raises(RuntimeError):
                asyncio.current_task().get_name()  # type: ignore[union-attr]
            seen.append(penstock.cancelled())

        async with Engine([nap, selfish]) as engine:
            other = engine.submit([Call("nap")])
            own = engine.submit([Call("selfish")])
            assert (await other)[0].ok
            await own

    async def test_a_sleeper_cancelled_twice_is_resumed_once(self) -> None:
        @tool
        async def sleeper() -> str:
            task = asyncio.current_task()
            assert task is not None
            loop = asyncio.get_running_loop()
            loop.call_later(1, task.cancel)
            loop.call_later(1, task.cancel)
            try:
                await penstock.sleep(10)
            except asyncio.CancelledError:
                later = loop.create_future()
                loop.call_later(1, later.set_result, "woken once")
                return await later
            return "never"

        (outcome,) = await run(Call("sleeper"), tools=[sleeper])
        assert outcome.value == "woken once"


class TestReentry:
    """Tools that use their own engine."""

    async def test_batches_submitted_while_others_end_lose_nothing(self) -> None:
        """The place of a batch that has ended is given away before its outcomes are delivered."""

        @tool
        async def nest(depth: int) -> int:
            if depth:
                outcomes = await engine.run([Call("nest", {"depth": depth - 1})] * 2)
                assert [o.ok for o in outcomes] == [True, True]
            return depth

        async with Engine([nest]) as engine:
            batches = [engine.submit([Call("nest", {"depth": d})] * 3) for d in (0, 3, 0, 2)]
            for batch in batches:
                assert [o.ok for o in await batch] == [True] * 3

    async def test_another_engine_may_run_inside_a_tool(self) -> None:
        @tool
        async def outer() -> list[object]:
            task = asyncio.current_task()
            async with Engine([echo]) as inner:
                outcomes = await inner.run([Call("echo", {"value": 1})])
            assert asyncio.current_task() is task
            return [o.value for o in outcomes]

        (outcome,) = await run(Call("outer"), tools=[outer])
        assert outcome.value == [1]

    async def test_calls_see_the_context_of_who_submitted_them(self) -> None:
        who: contextvars.ContextVar[str] = contextvars.ContextVar("who")

        @tool
        async def ask() -> str:
            answer = who.get()
            who.set("the tool")
            return answer

        who.set("the caller")
        outcomes = await run(Call("ask"), Call("ask"), tools=[ask])
        assert [o.value for o in outcomes] == ["the caller", "the caller"]
        assert who.get() == "the caller"


class TestChaos:
    """What tools should not do, and do."""

    async def test_nesting_ends_at_a_depth(self) -> None:
        @tool
        async def nest(depth: int) -> object:
            (outcome,) = await engine.run([Call("nest", {"depth": depth + 1})])
            return outcome.value if outcome.ok else (depth, type(outcome.error).__name__)

        async with Engine([nest]) as engine:
            (outcome,) = await engine.run([Call("nest", {"depth": 0})])
        assert outcome.value == (31, "TooDeep")
        assert engine.statistics().ended == 33

    async def test_a_tool_may_run_calls_while_it_is_cancelled(self) -> None:
        undone = []

        @tool
        async def undo() -> None:
            await penstock.sleep(0.1)
            undone.append(True)

        @tool
        async def change() -> None:
            try:
                await asyncio.sleep(60)
            finally:
                await engine.run([Call("undo")])

        async with Engine([undo, change]) as engine:
            batch = engine.submit([Call("change")] * 3)
            await asyncio.sleep(1)
            batch.cancel()
            outcomes = await batch
        assert [o.status for o in outcomes] == ["cancelled"] * 3
        assert undone == [True] * 3

    async def test_an_hour_that_passes_at_once_fires_each_timer_once(self) -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        async with Engine(TOOLS) as engine:
            slow = [Call("nap", {"seconds": s}) for s in (1, 60, 3_000)]
            batch = engine.submit([*slow, Call("nap", {"seconds": 4_000}, timeout=2_000)])
            await asyncio.sleep(0.1)
            loop.advance(3_600)
            outcomes = await batch
        assert [o.status for o in outcomes] == ["ok", "ok", "ok", "timeout"]
        assert outcomes[2].ended == pytest.approx(outcomes[0].ended)

    async def test_the_collector_may_run_at_any_step(self) -> None:
        @tool
        async def collecting() -> None:
            gc.collect()
            await asyncio.sleep(0)
            gc.collect()

        gc.freeze()  # what other tests left on the heap is not walked each time
        try:
            outcomes = await run(*[Call("collecting")] * 3, tools=[collecting])
        finally:
            gc.unfreeze()
        assert [o.status for o in outcomes] == ["ok"] * 3

    async def test_a_finalizer_may_use_the_engine(self) -> None:
        """Making an outcome may run the collector, and with it anybody's code."""

        class Meddler:
            def __del__(self) -> None:
                batch.cancel()
                engine.statistics()

        @tool
        async def litter() -> Meddler:
            meddler = Meddler()
            meddler.itself = meddler  # type: ignore[attr-defined]
            await asyncio.sleep(0)
            gc.collect()
            return Meddler()

        async with Engine([litter, nap]) as engine:
            batch = engine.submit([Call("litter"), Call("nap")] * 3)
            outcomes = await batch
            assert len(outcomes) == 6
            del outcomes

    async def test_values_that_cannot_be_shown_harm_nobody(self) -> None:
        class Unshowable(Exception):
            def __repr__(self) -> str:
                raise RuntimeError("no")

            __str__ = __repr__

        @tool
        async def odd() -> object:
            raise Unshowable

        bad, good = await run(Call("odd"), Call("echo", {"value": 1}), tools=[odd, echo])
        assert (bad.status, good.value) == ("failed", 1)
        assert isinstance(bad.error, Unshowable)

    async def test_what_is_no_awaitable_is_asyncios_error(self) -> None:
        @tool(host="call")
        def wrong() -> int:
            return 7

        (outcome,) = await run(Call("wrong"), tools=[wrong])
        assert outcome.status == "failed"
        assert "coroutine was expected" in str(outcome.error)


class TestInterrupts:
    """KeyboardInterrupt and SystemExit."""

    @pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit])
    @pytest.mark.parametrize("host", ["call", "task", "inline"])
    def test_they_leave_the_loop_and_the_engine_works_on(
        self, kind: type[BaseException], host: str
    ) -> None:
        def stop() -> None:
            raise kind

        async def stop_in_a_coroutine() -> None:
            raise kind

        function = stop if host == "inline" else stop_in_a_coroutine
        stopping = tool(name="stop", host=host)(function)  # type: ignore[call-overload]
        loop = VirtualLoop()

        batches = []

        async def main() -> None:
            batches.append(engine.submit([Call("stop"), Call("echo", {"value": 1})]))
            await asyncio.sleep(1)

        engine = Engine([stopping, echo])
        task = loop.create_task(main())
        with pytest.raises(kind):
            loop.run_until_complete(task)
        loop.run_until_complete(task)
        outcomes = loop.run_until_complete(wait(batches[0]))
        assert [o.status for o in outcomes] == ["failed", "ok"]
        loop.run_until_complete(engine.aclose())
        loop.close()


class TestClose:
    """`aclose`, at any moment."""

    async def test_it_is_idempotent(self) -> None:
        engine = Engine(TOOLS)
        await engine.run([Call("echo")])
        await engine.aclose()
        await engine.aclose()

    async def test_an_engine_that_was_never_used_closes(self) -> None:
        engine = Engine(TOOLS)
        await engine.aclose()
        with pytest.raises(EngineClosed):
            await engine.run([Call("echo")])

    async def test_two_may_close_at_once(self) -> None:
        engine = Engine(TOOLS)
        batch = engine.submit([Call("nap")])
        async with asyncio.TaskGroup() as group:
            group.create_task(engine.aclose())
            group.create_task(engine.aclose(drain=True))
        assert (await batch)[0].status == "cancelled"

    @pytest.mark.parametrize("drain", [True, False])
    async def test_a_tool_may_close_its_own_engine(self, drain: bool) -> None:
        @tool
        async def close() -> str:
            await engine.aclose(drain=drain)
            await asyncio.sleep(1)
            return "went on"

        engine = Engine([close, nap])
        outcomes = await engine.run([Call("close"), Call("nap", {"seconds": 3})])
        await engine.aclose()
        assert [o.status for o in outcomes] == ["ok" if drain else "cancelled"] * 2

    async def test_what_ignores_its_cancellation_is_closed_after_the_grace(self) -> None:
        engine = Engine(TOOLS)
        batch = engine.submit([Call("stubborn", {"seconds": 1_000})])
        await asyncio.sleep(0.01)
        await engine.aclose(grace=0.1)
        assert batch.done
        assert (await batch)[0].status == "cancelled"
        assert engine.statistics().pending == 0

    async def test_finally_blocks_run_when_a_coroutine_is_closed(self) -> None:
        ran = []

        @tool
        async def tidy() -> None:
            try:
                await asyncio.sleep(100)
            finally:
                ran.append(True)

        engine = Engine([tidy])
        batch = engine.submit([Call("tidy")])
        await asyncio.sleep(0.01)
        await engine.aclose(grace=0)
        assert ran == [True]
        await batch

    async def test_who_is_cancelled_while_closing_gives_up_at_once(self) -> None:
        engine = Engine(TOOLS)
        batch = engine.submit([Call("nap", {"seconds": 1_000})])
        closing = asyncio.ensure_future(engine.aclose(drain=True))
        await asyncio.sleep(1)
        closing.cancel()
        await asyncio.wait([closing])
        assert closing.cancelled()
        assert (await batch)[0].status == "cancelled"
        assert engine.statistics().pending == 0

    async def test_a_caller_that_waits_for_a_gate_is_told(self) -> None:
        @tool(concurrency=1)
        async def narrow() -> None:
            await asyncio.sleep(10)

        engine = Engine([narrow])
        inside = asyncio.ensure_future(engine.call("narrow"))
        waiting = asyncio.ensure_future(engine.call("narrow"))
        await asyncio.sleep(1)
        await engine.aclose()
        with pytest.raises(CallCancelled, match="shutdown"):
            await waiting
        await inside

    async def test_nothing_of_a_closed_engine_stays_in_the_loop(self) -> None:
        engine = Engine(TOOLS)
        await engine.run([Call("nap")], timeout=86_400)
        await engine.aclose()
        forgotten = weakref.ref(engine)
        del engine
        gc.collect()
        assert forgotten() is None

    async def test_the_block_drains_unless_an_error_leaves_it(self) -> None:
        async with Engine(TOOLS) as engine:
            drained = engine.submit([Call("nap")])
        with pytest.raises(LookupError):  # noqa: PT012 - the block is what is tested
            async with Engine(TOOLS) as engine:
                cancelled = engine.submit([Call("nap")])
                raise LookupError
        assert (await drained)[0].ok
        assert (await cancelled)[0].status == "cancelled"


class TestForgotten:
    """An engine that nobody closed."""

    def forget(self, use: Callable[[Engine], object]) -> list[str]:
        """Use an engine in a program that forgets it; return what Python warns of."""

        async def main() -> None:
            @tool
            async def own(context: Context) -> bool:
                return isinstance(engine, Engine)

            engine = Engine([own, *TOOLS])
            await engine.call("echo")
            await engine.call("own")
            await asyncio.sleep(0)
            use(engine)

        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            with asyncio.Runner(loop_factory=VirtualLoop) as runner:
                runner.run(main())
            gc.collect()
        return [f"{each.category.__name__}: {each.message}" for each in caught]

    def test_it_is_collected_with_a_warning(self) -> None:
        (warning,) = self.forget(lambda engine: None)
        assert warning.startswith("ResourceWarning: <Engine")

    def test_so_is_one_whose_calls_are_suspended(self) -> None:
        (warning,) = self.forget(lambda engine: engine.submit([Call("nap", {"seconds": 99})] * 5))
        assert warning.startswith("ResourceWarning: <Engine")

    def test_closing_it_after_its_loop_is_harmless(self) -> None:
        async def main() -> penstock.Batch:
            batch = engine.submit([Call("nap"), Call("nap", after=[])] * 3)
            await asyncio.sleep(0.1)
            return batch

        engine = Engine(TOOLS)
        with asyncio.Runner(loop_factory=VirtualLoop) as runner:
            batch = runner.run(main())
        with asyncio.Runner(loop_factory=VirtualLoop) as runner:
            runner.run(engine.aclose())
        assert batch.done
        assert {o.status for o in batch.outcomes if o} == {"cancelled"}

    def test_a_closed_loop_refuses_new_work(self) -> None:
        async def main() -> None:
            await engine.run([Call("echo")])

        engine = Engine(TOOLS)
        asyncio.run(main())
        with pytest.raises(EngineClosed, match="its event loop"):
            asyncio.run(main())
        asyncio.run(engine.aclose())


class TestPlace:
    """One thread, one loop, one process."""

    async def test_another_loop_is_refused(self) -> None:
        def elsewhere() -> None:
            with pytest.raises(WrongThread):
                asyncio.run(engine.run([Call("echo")]))
            with pytest.raises(WrongThread):
                asyncio.run(engine.aclose())

        async with Engine(TOOLS) as engine:
            thread = threading.Thread(target=elsewhere)
            thread.start()
            thread.join()
            assert (await engine.run([Call("echo")]))[0].ok

    async def test_another_thread_is_refused(self) -> None:
        caught: list[BaseException] = []

        def elsewhere() -> None:
            for use in (batch.cancel, lambda: batch.done, engine.statistics):
                try:
                    use()
                except WrongThread as error:
                    caught.append(error)

        async with Engine(TOOLS) as engine:
            batch = engine.submit([Call("nap")])
            thread = threading.Thread(target=elsewhere)
            thread.start()
            thread.join()
            assert (await batch)[0].ok
        assert len(caught) == 3

    @pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
    def test_after_a_fork_the_childs_engine_is_closed(self) -> None:
        program = (
            "import asyncio, os, sys\n"
            "from penstock import Call, Engine, tool\n"
            "from penstock.errors import EngineClosed\n"
            "@tool\n"
            "async def echo() -> None: ...\n"
            "async def main():\n"
            "    async with Engine([echo]) as engine:\n"
            "        if os.fork() == 0:\n"
            "            try:\n"
            "                engine.submit([Call('echo')])\n"
            "            except EngineClosed:\n"
            "                os._exit(7)\n"
            "            os._exit(0)\n"
            "        _, status = os.wait()\n"
            "        (outcome,) = await engine.run([Call('echo')])\n"
            "        sys.exit(os.waitstatus_to_exitcode(status) if outcome.ok else 1)\n"
            "asyncio.run(main())\n"
        )
        ran = subprocess.run([sys.executable, "-c", program], check=False)
        assert ran.returncode == 7
