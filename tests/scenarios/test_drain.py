"""Closing time."""

import asyncio

import pytest

from penstock import Call, Engine, tool
from penstock.errors import EngineClosed
from penstock.testing import every_cancel_point


@tool
async def save(seconds: float) -> float:
    await asyncio.sleep(seconds)
    return seconds


CALLS = [Call("save", {"seconds": seconds}) for seconds in (0.1, 1.0, 20.0)]


async def test_draining_lets_everything_end() -> None:
    """A service is told to go while three calls run.

    It drains: whoever comes now is refused, what was taken ends by itself, however long that
    takes, and only then the engine is closed.
    """
    engine = Engine([save], max_parallel=1)
    batch = engine.submit(CALLS)
    async with asyncio.TaskGroup() as group:
        group.create_task(engine.aclose(drain=True))
        await asyncio.sleep(0.5)
        with pytest.raises(EngineClosed):
            engine.submit(CALLS)
    assert batch.done
    assert [o.value for o in await batch] == [0.1, 1.0, 20.0]
    assert engine.statistics().pending == 0


async def test_closing_without_draining_cancels() -> None:
    """The same service is in a hurry.

    What has ended stays, what runs is cancelled, what waits never starts, and each of them has
    an outcome that says so.
    """
    engine = Engine([save], max_parallel=1)
    batch = engine.submit(CALLS)
    await asyncio.sleep(0.5)
    await engine.aclose()
    assert [o.status for o in await batch] == ["ok", "cancelled", "cancelled"]
    assert [o.attempts for o in await batch] == [1, 1, 0]


async def in_a_service() -> None:
    async with Engine([save], max_parallel=1) as engine:
        engine.submit(CALLS)


def test_it_can_stop_anywhere() -> None:
    assert every_cancel_point(in_a_service) > 3
