"""A batch whose time is up."""

import asyncio

import penstock
from penstock import Call, Engine, tool
from penstock.errors import CallTimeout
from penstock.testing import every_cancel_point


@tool(effects="read")
async def read(seconds: float) -> float:
    await penstock.sleep(seconds)
    return seconds


@tool(effects="read")
async def stubborn() -> str:
    for _ in range(4):
        try:
            await asyncio.sleep(1)
        except asyncio.CancelledError:
            continue
    return "at last"


async def test_the_deadline_gives_what_there_is() -> None:
    """Four calls have one second together, and two at a time may run.

    The quick one ends. The slow one is stopped. One that hears nothing is delivered as detached
    and keeps its slot until its code is really over. The one that was waiting for a slot never
    starts. The caller has all four outcomes a quarter of a second after the deadline, and the
    engine ends with nothing running.
    """
    loop = asyncio.get_running_loop()
    async with Engine([read, stubborn], max_parallel=3) as engine:
        began = loop.time()
        calls = [Call("read", {"seconds": s}) for s in (0.1, 30.0)]
        more = [Call("stubborn"), Call("read", {"seconds": 60}), Call("read", {"seconds": 1})]
        outcomes = await engine.run([*calls, *more], timeout=1.0)
        assert loop.time() - began < 1.3
        assert [o.status for o in outcomes] == ["ok", *["timeout"] * 4]
        assert [o.attempts for o in outcomes] == [1, 1, 1, 1, 0]
        assert [o.detached for o in outcomes] == [False, False, True, False, False]
        assert all(isinstance(o.error, CallTimeout) for o in outcomes[1:])
        assert engine.statistics().detached == 1
        await asyncio.sleep(5)
        assert engine.statistics().pending == 0


def test_it_can_stop_anywhere() -> None:
    assert every_cancel_point(test_the_deadline_gives_what_there_is) > 3
