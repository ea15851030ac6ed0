"""The event loop: which one, and whether calls may be hosted on it."""

import asyncio
import sys
from typing import Literal

import pytest

import penstock
from penstock import Call, Engine, tool
from penstock.engine import loop as loops
from penstock.testing import VirtualLoop


@tool
async def name_of_task() -> str:
    return type(asyncio.current_task()).__name__


async def name_of_loop() -> str:
    return type(asyncio.get_running_loop()).__module__


@pytest.mark.skipif(sys.platform == "win32", reason="uvloop does not exist there")
def test_run_picks_uvloop() -> None:
    assert penstock.run(name_of_loop()).startswith("uvloop")


def test_run_picks_the_standard_loop_when_asked() -> None:
    assert penstock.run(name_of_loop(), loop="asyncio").startswith("asyncio")


@pytest.mark.parametrize("loop", ["uvloop", "asyncio"])
def test_run_raises_what_the_program_raises(loop: Literal["uvloop", "asyncio"]) -> None:
    async def fail() -> None:
        raise LookupError("as asked")

    with pytest.raises(LookupError, match="as asked"):
        penstock.run(fail(), loop=loop)


def test_an_ordinary_loop_hosts_calls() -> None:
    loop = VirtualLoop()
    assert loops.why_not_hosted(loop) is None
    assert loops.has_virtual_time(loop)
    loop.close()


@pytest.mark.parametrize("reason", ["debug mode", "task factory"])
def test_on_a_loop_with_wishes_of_its_own_calls_are_its_tasks(reason: str) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        if reason == "debug mode":
            loop.set_debug(True)
        else:
            loop.set_task_factory(
                lambda loop, coro, **named: asyncio.Task(coro, loop=loop, **named)
            )
        async with Engine([name_of_task]) as engine:
            (outcome,) = await engine.run([Call("name_of_task")])
            counts = engine.statistics()
        assert outcome.value == "Task"
        assert counts.host == "task"
        assert reason in (counts.host_reason or "")

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        runner.run(main())
