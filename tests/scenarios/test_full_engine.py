"""More work than an engine holds."""

import asyncio

import pytest

from penstock import Call, Engine, Outcome, tool
from penstock.errors import ConfigError, EngineFull
from penstock.testing import every_cancel_point


@tool
async def work(seconds: float = 1.0) -> str:
    await asyncio.sleep(seconds)
    return "done"


async def test_who_finds_no_room_is_told_or_waits() -> None:
    """An engine holds ten calls, and eight are there.

    Five more are refused as a whole, with the time after which to come back. Who asks to wait
    gets in as soon as there is room. Nine calls that wait are not overtaken by one that comes
    later, though there would be room for that one.
    """
    ended: list[str] = []

    async def run(name: str, count: int) -> list[Outcome]:
        outcomes = await engine.run([Call("work")] * count, wait=True)
        ended.append(name)
        return outcomes

    async with Engine([work], max_pending=10) as engine:
        first = engine.submit([Call("work")] * 8)
        with pytest.raises(EngineFull) as refused:
            await engine.run([Call("work")] * 5)
        assert refused.value.retryable
        assert 0 < refused.value.retry_after <= 60
        async with asyncio.TaskGroup() as group:
            big = group.create_task(run("big", 9))
            await asyncio.sleep(0.1)
            small = group.create_task(run("small", 1))
        assert all(o.ok for o in [*await first, *big.result(), *small.result()])
        assert big.result()[0].submitted <= small.result()[0].submitted
        with pytest.raises(ConfigError, match="never has room"):
            await engine.run([Call("work")] * 11, wait=True)


def test_it_can_stop_anywhere() -> None:
    assert every_cancel_point(test_who_finds_no_room_is_told_or_waits) > 3
