"""A write is cut short, in a thread, where nobody can stop it."""

import asyncio
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from penstock import Call, Engine, Retry, cancelled, tool

pytestmark = [pytest.mark.anyio, pytest.mark.real_time]

LOOK = Call("look", {"id": "1"})
CHANGE = Call("change", {"id": "1"})

DECLARED: dict[str, Any] = {"mutates": ["order:{id}"]}
REPEATED: dict[str, Any] = {"effects": "idempotent", "retries": Retry(attempts=2, base=0.001)}


def tools(write: Callable[[], None], **options: Any) -> list[Any]:
    """A read that is kept, and a write in a thread."""

    @tool(effects="read", reads=["order:{id}"], cache="session")
    async def look(id: str) -> str:
        return f"order {id}"

    @tool(**options)
    def change(id: str) -> None:
        write()

    return [look, change]


async def is_kept(session: Any) -> bool:
    """Whether what is read now answers again."""
    await session.run([LOOK])
    (again,) = await session.run([LOOK])
    return bool(again.cached)


async def run_on(session: Any) -> None:
    """Give a write up that does not stop, and wait until its code was, too: a moment later."""
    await session.run([CHANGE], timeout=0.05)
    for _ in range(500):
        if not await is_kept(session):
            return
        await asyncio.sleep(0.01)
    pytest.fail("what it may change is kept")


@pytest.mark.parametrize("options", [{}, DECLARED, REPEATED])
async def test_a_write_that_stops_when_it_is_asked_to_has_ended(options: Any) -> None:
    """The agent gives a write up.

    Its thread looks whether it should stop, and does. From then on the order is what it is, and what the agent
    reads of it is kept.
    """

    def write() -> None:
        while not cancelled():
            time.sleep(0.001)

    async with Engine(tools(write, **options)) as engine:
        session = engine.session("a")
        (given_up,) = await session.run([CHANGE], timeout=0.05)
        assert (given_up.status, given_up.detached) == ("timeout", False)
        assert await is_kept(session)


@pytest.mark.parametrize("options", [{}, DECLARED, REPEATED])
async def test_a_write_that_runs_on_ends_when_its_thread_does(options: Any) -> None:
    """The agent gives a write up, and its thread runs on: it may change the order at any time.

    Nothing that is read of the order is kept until the thread has ended, nor what was read before that.
    """
    stop = threading.Event()
    async with Engine(tools(lambda: stop.wait(30) and None, **options)) as engine:
        session = engine.session("a")
        await run_on(session)
        stop.set()
        while engine.statistics().detached:  # noqa: ASYNC110 - it is in no call any more
            await asyncio.sleep(0.001)
        (after,) = await session.run([LOOK])
        assert not after.cached
        assert await is_kept(session)


async def test_what_somebody_says_was_changed_is_kept_while_the_thread_runs_on() -> None:
    """The agent's program looks at the order by itself, and tells the engine that it was changed."""
    stop = threading.Event()
    async with Engine(tools(lambda: stop.wait(30) and None, **DECLARED)) as engine:
        session = engine.session("a")
        await run_on(session)
        engine.changed(["order:*"])
        assert await is_kept(session)
        stop.set()
