"""A write is cut short, in a thread, where nobody can stop it."""

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


@pytest.mark.parametrize("options", [{}, DECLARED, REPEATED])
async def test_a_write_that_stops_when_it_is_asked_to_has_ended(options: Any) -> None:
    """The agent gives a write up. Its thread looks whether it should stop, and does. From then on the order
    is what it is, and what the agent reads of it is kept.
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
async def test_a_write_that_runs_on_keeps_what_it_changes_from_being_kept(options: Any) -> None:
    """The agent gives a write up, and its thread runs on: it may change the order at any time, and nobody
    hears when. Nothing that is read of the order is kept until somebody says that it was changed.
    """
    stop = threading.Event()
    async with Engine(tools(lambda: stop.wait(30) and None, **options)) as engine:
        session = engine.session("a")
        await session.run([CHANGE], timeout=0.05)
        assert not await is_kept(session)
        stop.set()
        engine.changed(["*"])
        assert await is_kept(session)
