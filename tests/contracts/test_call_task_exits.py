"""KeyboardInterrupt and SystemExit of a tool leave the loop as they leave a task, and harm nothing."""

import asyncio
from collections.abc import Iterator

import pytest
import uvloop

from contracts.hosting import Mode, each_mode
from penstock import Batch, Call, Engine, Outcome, tool
from penstock.testing import VirtualLoop

each_exit = pytest.mark.parametrize("fatal", [KeyboardInterrupt, SystemExit])
each_moment = pytest.mark.parametrize("moment", ["first step", "after a yield", "after a sleep"])


@pytest.fixture(params=[VirtualLoop, asyncio.SelectorEventLoop, uvloop.new_event_loop])
def loop(request: pytest.FixtureRequest) -> Iterator[asyncio.AbstractEventLoop]:
    """Return a loop that the test itself runs and stops, of each kind."""
    with asyncio.Runner(loop_factory=request.param) as runner:
        yield runner.get_loop()


def engine_of(mode: Mode, fatal: type[BaseException], moment: str) -> Engine:
    """Return an engine with a tool that ends the program, and one that does not."""

    @tool(host=mode)
    async def leave(number: int) -> object:
        if moment == "after a yield":
            await asyncio.sleep(0)
        if moment == "after a sleep":
            await asyncio.sleep(0.001)
        raise fatal(number)

    @tool(host=mode)
    async def stay(number: int) -> int:
        await asyncio.sleep(0.01)
        return number

    return Engine([leave, stay])


def leaves(
    loop: asyncio.AbstractEventLoop, fatal: type[BaseException], engine: Engine, *calls: Call
) -> Batch:
    """Return the batch of calls, having seen one of them leave the loop."""
    batches: list[Batch] = []
    seen = asyncio.Event()

    async def main() -> None:
        batches.append(engine.submit(calls))
        await seen.wait()

    task = loop.create_task(main())
    with pytest.raises(fatal):
        loop.run_until_complete(task)
    seen.set()
    loop.run_until_complete(task)
    return batches[0]


async def outcomes_of(batch: Batch) -> list[Outcome]:
    """Await a batch in a task of its own."""
    return await batch


@each_mode
@each_exit
@each_moment
def test_it_leaves_run_until_complete_and_the_engine_works_on(
    loop: asyncio.AbstractEventLoop, mode: Mode, fatal: type[BaseException], moment: str
) -> None:
    engine = engine_of(mode, fatal, moment)
    calls = [Call("stay", {"number": 1}), Call("leave", {"number": 7}), Call("stay", {"number": 2})]
    batch = leaves(loop, fatal, engine, *calls)
    outcomes = loop.run_until_complete(outcomes_of(batch))
    assert [outcome.status for outcome in outcomes] == ["ok", "failed", "ok"]
    assert (type(outcomes[1].error), outcomes[1].error.args) == (fatal, (7,))
    (later,) = loop.run_until_complete(engine.run([Call("stay", {"number": 3})]))
    assert later.value == 3
    loop.run_until_complete(engine.aclose())


def exits(loop: asyncio.AbstractEventLoop, task: "asyncio.Task[object]") -> list[object]:
    """Run the loop until a task is done; return what left it on the way."""
    left: list[object] = []
    while not task.done():
        try:
            loop.run_until_complete(task)
        except KeyboardInterrupt as fatal:
            left.append(fatal.args)
    return left


@each_mode
@each_moment
def test_several_leave_as_often_as_tasks_do(
    loop: asyncio.AbstractEventLoop, mode: Mode, moment: str
) -> None:
    engine = engine_of(mode, KeyboardInterrupt, moment)
    leave = engine.tools["leave"].function

    async def as_tasks() -> None:
        tasks = [asyncio.ensure_future(leave(number)) for number in range(3)]
        await asyncio.wait(tasks)
        assert all(isinstance(task.exception(), KeyboardInterrupt) for task in tasks)

    async def as_calls() -> None:
        outcomes = await engine.run([Call("leave", {"number": number}) for number in range(3)])
        assert [outcome.status for outcome in outcomes] == ["failed"] * 3

    found, expected = [None], []
    for _ in range(1 if moment != "after a sleep" else 8):
        # A tick of the clock between two sleeps makes two turns of one: then they are measured again.
        expected = exits(loop, loop.create_task(as_tasks()))
        found = exits(loop, loop.create_task(as_calls()))
        if found == expected:
            break
    assert found == expected
    loop.run_until_complete(engine.aclose())


def test_no_task_is_current_after_it(loop: asyncio.AbstractEventLoop) -> None:
    engine = engine_of("call", KeyboardInterrupt, "first step")
    leaves(loop, KeyboardInterrupt, engine, Call("leave", {"number": 1}))
    seen: list[object] = []
    loop.call_soon(lambda: seen.append(asyncio.current_task()))
    loop.run_until_complete(asyncio.sleep(0.001))
    assert seen == [None]
    loop.run_until_complete(engine.aclose())


def test_an_inline_tool_may_end_the_program_too(loop: asyncio.AbstractEventLoop) -> None:
    @tool(host="inline")
    def leave() -> None:
        raise SystemExit(3)

    engine = Engine([leave])
    batch = leaves(loop, SystemExit, engine, Call("leave"))
    (outcome,) = loop.run_until_complete(outcomes_of(batch))
    assert outcome.status == "failed"
    loop.run_until_complete(engine.aclose())
