"""Calls inside calls: from the tool's own step, from tasks that it started, through other engines.

What can never run is `rejected` as `would_deadlock`, what nests without end is `TooDeep`; nothing
hangs, and nothing that could run is refused.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from typing import Any

import pytest

from contracts.hosting import Mode, each_mode
from penstock import Call, Engine, Outcome, cancelled, progress, tool
from penstock.errors import TooDeep, WouldDeadlock

Way = Callable[[Engine, Call], Awaitable[Outcome]]
variable: ContextVar[str] = ContextVar("variable", default="outside")


async def in_its_own_step(engine: Engine, call: Call) -> Outcome:
    (outcome,) = await engine.run([call])
    return outcome


async def in_a_task_group(engine: Engine, call: Call) -> Outcome:
    async with asyncio.TaskGroup() as group:
        task = group.create_task(engine.run([call]))
    return task.result()[0]


async def in_a_task_of_a_task(engine: Engine, call: Call) -> Outcome:
    return await asyncio.create_task(in_a_task_group(engine, call))


async def after_a_pause(engine: Engine, call: Call) -> Outcome:
    await asyncio.sleep(0.001)
    return await in_a_task_group(engine, call)


async def by_gather(engine: Engine, call: Call) -> Outcome:
    (outcomes,) = await asyncio.gather(engine.run([call]))
    return outcomes[0]


async def by_submit(engine: Engine, call: Call) -> Outcome:
    async def submit() -> Outcome:
        return (await engine.submit([call]))[0]

    return await asyncio.create_task(submit())


async def by_stream(engine: Engine, call: Call) -> Outcome:
    async def stream() -> Outcome:
        return [outcome async for outcome in engine.stream([call])][0]

    return await asyncio.create_task(stream())


ways = [
    in_its_own_step,
    in_a_task_group,
    in_a_task_of_a_task,
    after_a_pause,
    by_gather,
    by_submit,
    by_stream,
]
each_way = pytest.mark.parametrize("way", ways, ids=lambda way: way.__name__)


def gated(way: Way, mode: Mode, **options: Any) -> tuple[Engine, list[object]]:
    """Return an engine whose tool `outer` calls `inner`, and `inner` calls `outer` again."""
    ends: list[object] = []

    @tool(host=mode, concurrency=1)
    async def outer(depth: int) -> str:
        if depth == 2:
            return "ran"
        return await nest("inner", depth)

    @tool(host=mode)
    async def inner(depth: int) -> str:
        return await nest("outer", depth)

    async def nest(name: str, depth: int) -> str:
        outcome = await way(engine, Call(name, {"depth": depth + 1}))
        if outcome.error is not None:
            ends.append((outcome.status, type(outcome.error)))
        return outcome.status

    engine = Engine([outer, inner], **options)
    return engine, ends


@each_mode
@each_way
async def test_a_call_that_waits_for_its_own_ancestor_is_rejected(way: Way, mode: Mode) -> None:
    engine, ends = gated(way, mode)
    async with engine:
        async with asyncio.timeout(5):
            outcomes = await engine.run([Call("outer", {"depth": 0})] * 3)
    assert [outcome.status for outcome in outcomes] == ["ok"] * 3
    assert ends == [("rejected", WouldDeadlock)] * 3


@each_mode
@each_way
async def test_an_engine_full_of_ancestors_rejects(way: Way, mode: Mode) -> None:
    engine, ends = gated(way, mode, max_parallel=1)
    async with engine, asyncio.timeout(5):
        (outcome,) = await engine.run([Call("outer", {"depth": 0})])
    assert outcome.status == "ok"
    assert ends == [("rejected", WouldDeadlock)]


@each_mode
@each_way
async def test_nesting_ends_at_its_limit(way: Way, mode: Mode) -> None:
    @tool(host=mode)
    async def deep(depth: int) -> int:
        try:
            outcome = await way(engine, Call("deep", {"depth": depth + 1}))
        except TooDeep as error:
            assert error.limit == 32
            return depth
        except ExceptionGroup as group:
            assert isinstance(group.exceptions[0], TooDeep)
            return depth
        return outcome.unwrap()  # type: ignore[return-value]  # a depth

    async with Engine([deep]) as engine, asyncio.timeout(10):
        outcomes = await engine.run([Call("deep", {"depth": 0})] * 3)
    assert [outcome.unwrap() for outcome in outcomes] == [32] * 3


@each_mode
async def test_a_sibling_that_holds_the_gate_is_waited_for(mode: Mode) -> None:
    @tool(host=mode, concurrency=1)
    async def narrow(number: int) -> int:
        await asyncio.sleep(0.01)
        return number

    @tool(host=mode)
    async def wide(number: int) -> object:
        return (await in_a_task_group(engine, Call("narrow", {"number": number}))).unwrap()

    async with Engine([narrow, wide]) as engine, asyncio.timeout(5):
        calls = [
            Call("narrow", {"number": 1}),
            Call("wide", {"number": 2}),
            Call("wide", {"number": 3}),
        ]
        outcomes = await engine.run(calls)
    assert [outcome.unwrap() for outcome in outcomes] == [1, 2, 3]


@each_mode
async def test_what_a_call_left_behind_is_nobodys_child(mode: Mode) -> None:
    left: list[asyncio.Task[Outcome]] = []

    @tool(host=mode, concurrency=1)
    async def narrow(number: int) -> str:
        async def later() -> Outcome:
            await asyncio.sleep(0.01)
            return await in_its_own_step(engine, Call("narrow", {"number": 1}))

        if number == 0:
            left.append(asyncio.create_task(later()))
        else:
            await asyncio.sleep(0.02)
        return "ran"

    async with Engine([narrow]) as engine, asyncio.timeout(5):
        batch = engine.submit([Call("narrow", {"number": number}) for number in (0, 2)])
        await asyncio.sleep(0.001)
        assert (await left[0]).status == "ok"
        await batch


@each_mode
async def test_deadlocks_through_another_engine_are_seen(mode: Mode) -> None:
    @tool(host=mode, concurrency=1)
    async def here(depth: int) -> str:
        return str((await in_a_task_group(there_engine, Call("there", {"depth": depth}))).value)

    @tool(host=mode)
    async def there(depth: int) -> str:
        return (await in_a_task_group(here_engine, Call("here", {"depth": depth}))).status

    async with Engine([here]) as here_engine, Engine([there]) as there_engine, asyncio.timeout(5):
        (outcome,) = await here_engine.run([Call("here", {"depth": 0})])
    assert outcome.value == "rejected"


@each_mode
async def test_a_single_call_that_waits_for_its_own_ancestor_is_rejected(mode: Mode) -> None:
    @tool(host=mode, concurrency=1)
    async def narrow(depth: int) -> str:
        with pytest.raises(WouldDeadlock):
            await engine.call("narrow", depth=depth + 1)
        with pytest.raises(WouldDeadlock):
            await asyncio.create_task(engine.call("narrow", depth=depth + 1))
        return "told"

    async with Engine([narrow]) as engine, asyncio.timeout(5):
        (outcome,) = await engine.run([Call("narrow", {"depth": 0})])
    assert outcome.unwrap() == "told"


@each_mode
@each_way
async def test_a_gate_that_a_single_call_holds_is_found(way: Way, mode: Mode) -> None:
    @tool(host=mode, concurrency=1)
    async def narrow(depth: int) -> str:
        with pytest.raises(WouldDeadlock):
            await engine.call("narrow", depth=depth + 1)
        return (await way(engine, Call("narrow", {"depth": depth + 1}))).status

    async with Engine([narrow]) as engine, asyncio.timeout(5):
        assert await engine.call("narrow", depth=0) == "rejected"
        assert await engine.call("narrow", depth=0) == "rejected"


@each_mode
async def test_after_a_single_call_its_caller_is_nobodys_child(mode: Mode) -> None:
    @tool(host=mode, concurrency=1)
    async def narrow(number: int) -> int:
        await asyncio.sleep(0.001)
        return number

    async with Engine([narrow]) as engine, asyncio.timeout(5):
        assert await engine.call("narrow", number=1) == 1
        first = asyncio.create_task(engine.call("narrow", number=2))
        assert (await in_its_own_step(engine, Call("narrow", {"number": 3}))).value == 3
        assert await first == 2


@each_mode
async def test_a_single_call_inside_a_tool_shares_its_task_and_context(mode: Mode) -> None:
    @tool(host=mode)
    async def outer() -> object:
        variable.set("outer")
        before = asyncio.current_task()
        inner_task = await engine.call("inner")
        return inner_task is before, asyncio.current_task() is before, variable.get()

    @tool(host="call")
    async def inner() -> object:
        await asyncio.sleep(0)
        variable.set("inner")
        return asyncio.current_task()

    async with Engine([outer, inner]) as engine:
        (outcome,) = await engine.run([Call("outer")])
    assert outcome.unwrap() == (True, True, "inner")


@each_mode
@pytest.mark.parametrize("elsewhere", [False, True], ids=["same engine", "another engine"])
async def test_task_and_context_come_back_after_a_nested_run(elsewhere: bool, mode: Mode) -> None:
    @tool(host=mode)
    async def outer(number: int) -> object:
        variable.set(f"outer {number}")
        before = asyncio.current_task()
        outcomes = await inner_engine.run([Call("inner", {"number": n}) for n in range(3)])
        kept = asyncio.current_task() is before, variable.get()
        return [outcome.unwrap() for outcome in outcomes], kept

    @tool(host=mode)
    async def inner(number: int) -> object:
        seen = variable.get()
        variable.set("inner")
        await asyncio.sleep(0)
        return seen

    async with Engine([outer, inner]) as engine, Engine([inner]) as other:
        inner_engine = other if elsewhere else engine
        outcomes = await engine.run([Call("outer", {"number": number}) for number in range(2)])
    expected = [([f"outer {n}"] * 3, (True, f"outer {n}")) for n in range(2)]
    assert [outcome.unwrap() for outcome in outcomes] == expected


@each_mode
async def test_a_child_task_speaks_for_a_call_that_holds_a_gate(mode: Mode) -> None:
    heard: list[object] = []

    @tool(host=mode, concurrency=2)
    async def works(number: int) -> bool:
        async def child() -> None:
            progress(done=number)
            await asyncio.sleep(0.001)

        await asyncio.create_task(child())
        return cancelled()

    async with Engine([works]) as engine:
        batch = engine.submit([Call("works", {"number": number}) for number in range(2)])
        async for event in batch.events():
            if event.type == "call.progress":
                heard.append((event.index, event.data))
        assert [outcome.unwrap() for outcome in await batch] == [False, False]
    assert heard == [(0, {"done": 0}), (1, {"done": 1})]
