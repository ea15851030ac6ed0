"""`yield`, `future`, `sleep`, `sleep_native`: tools that suspend once.

The sleeping rows compare overheads: the 5 ms that all calls sleep at once are left out of both.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

from penstock.calls import Call
from penstock.cli.bench._frame import interleave, timed
from penstock.cli.bench._protocol import Result, Rows, Settings
from penstock.engine import Engine
from penstock.tools import sleep, tool

COUNT = 1_000
NAP = 0.005
NAP_NS = NAP * 1e9


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
        yield await _row(settings, engine, "yield", yields, yields, gate=0.37)
        yield await _row(settings, engine, "future", future, future, gate=0.65)
        yield await _row(settings, engine, "sleep", naps, naps, gate=0.75, ideal_ns=NAP_NS)
        yield await _row(
            settings, engine, "sleep_native", naps_natively, naps, gate=0.4, ideal_ns=NAP_NS
        )


async def _row(
    settings: Settings,
    engine: Engine,
    name: str,
    function: Callable[[], Awaitable[None]],
    gathered: Callable[[], Awaitable[None]],
    *,
    gate: float,
    ideal_ns: float = 0.0,
) -> Result:
    calls = [Call(function.__name__) for _ in range(COUNT)]

    async def ours() -> None:
        await engine.run(calls)

    async def gather() -> None:
        await asyncio.gather(*[gathered() for _ in range(COUNT)])

    repeat = 1 if ideal_ns else 3
    ways = {
        "ours": timed(ours, repeat, ideal_ns),
        "gather": timed(gather, repeat, ideal_ns),
    }
    rounds = await interleave(settings, ways, calls=COUNT)
    return rounds.row(name, "ours", "gather", gate)


ROWS = Rows("suspend", measure)
