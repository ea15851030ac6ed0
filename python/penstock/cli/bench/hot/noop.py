"""`noop`: async tools that return at once, with everything on that is always on.

The calls are made before, as the coroutine functions of the baseline are. `noop_arguments` validates
one integer a call, which its baseline does not.
"""

import asyncio
from collections.abc import AsyncIterator

from penstock.calls import Call
from penstock.cli.bench._frame import interleave, timed
from penstock.cli.bench._protocol import Result, Rows, Settings
from penstock.engine import Engine
from penstock.tools import tool


async def noop() -> None:
    """Does nothing."""


async def echo(number: int) -> int:
    """Returns its argument."""
    return number


async def measure(settings: Settings) -> AsyncIterator[Result]:
    async with Engine([tool(noop), tool(echo)]) as engine:
        for count, repeat in ((1_000, 5), (10_000, 1)):
            yield await _noop(settings, engine, count, repeat)
            yield await _noop_arguments(settings, engine, count, repeat)


async def _noop(settings: Settings, engine: Engine, count: int, repeat: int) -> Result:
    calls = [Call("noop") for _ in range(count)]

    async def ours() -> None:
        await engine.run(calls)

    async def gather() -> None:
        await asyncio.gather(*[noop() for _ in range(count)])

    ways = {"ours": timed(ours, repeat), "gather": timed(gather, repeat)}
    rounds = await interleave(settings, ways, calls=count)
    return rounds.row("noop", "ours", "gather", gate=0.15)


async def _noop_arguments(settings: Settings, engine: Engine, count: int, repeat: int) -> Result:
    calls = [Call("echo", {"number": number}) for number in range(count)]

    async def ours() -> None:
        await engine.run(calls)

    async def gather() -> None:
        await asyncio.gather(*[echo(number) for number in range(count)])

    ways = {"ours": timed(ours, repeat), "gather": timed(gather, repeat)}
    rounds = await interleave(settings, ways, calls=count)
    return rounds.row("noop_arguments", "ours", "gather", gate=None)


ROWS = Rows("noop", measure)
