"""`yield`, `future`, `sleep`, `sleep_native`: tools that suspend once.

The sleeping rows compare overheads: the 5 ms that all calls sleep at once are left out of both.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

from penstock._native import sleep
from penstock.calls import Call
from penstock.cli.bench._frame import interleave, timed
from penstock.cli.bench._protocol import Result, Rows, Settings
from penstock.engine import Engine
from penstock.tools import tool

COUNT = 1_000
NAP = 0.005
NAP_NS = NAP * 1e9

Function = Callable[[], Coroutine[Any, Any, None]]


async def yields() -> None:
    """Lets the loop turn once."""
    await asyncio.sleep(0)


async def future() -> None:
    """Waits for a future that is set in the next turn."""
    loop = asyncio.get_running_loop()
    waiting: asyncio.Future[None] = loop.create_future()
    loop.call_soon(waiting.set_result, None)
    await waiting


async def naps() -> None:
    """Sleeps on the event loop's timer."""
    await asyncio.sleep(NAP)


async def naps_natively() -> None:
    """Sleeps on the engine's timer wheel."""
    await sleep(NAP)


async def measure(settings: Settings) -> AsyncIterator[Result]:
    tools = [tool(yields), tool(future), tool(naps), tool(naps_natively)]
    async with Engine(tools) as engine:
        for name, ours, gathered, gate in ROWS_WANTED:
            ideal_ns = NAP_NS if gathered is naps else 0.0
            ways = {
                "ours": timed(_engine_way(engine, ours), 3, ideal_ns),
                "gather": timed(_gather_way(gathered), 3, ideal_ns),
            }
            rounds = await interleave(settings, ways, calls=COUNT)
            yield rounds.row(name, "ours", "gather", gate)


def _engine_way(engine: Engine, function: Function) -> Function:
    calls = [Call(function.__name__) for _ in range(COUNT)]

    async def run() -> None:
        await engine.run(calls)

    return run


def _gather_way(function: Function) -> Function:
    async def run() -> None:
        await asyncio.gather(*[function() for _ in range(COUNT)])

    return run


ROWS_WANTED = (
    ("yield", yields, yields, 0.37),
    ("future", future, future, 0.65),
    ("sleep", naps, naps, 0.75),
    ("sleep_native", naps_natively, naps, 0.4),
)
ROWS = Rows("suspend", measure)
