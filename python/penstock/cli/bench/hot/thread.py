"""`thread`, `thread_single`: plain functions in threads, 1,000 at once and one at a time."""

import asyncio
from collections.abc import AsyncIterator

from penstock.calls import Call
from penstock.cli.bench._frame import interleave, timed
from penstock.cli.bench._protocol import Result, Rows, Settings
from penstock.engine import Engine
from penstock.tools import tool

AT_ONCE = 1_000
IN_TURN = 300


def noop() -> None:
    """Does nothing, in a thread."""


async def measure(settings: Settings) -> AsyncIterator[Result]:
    loop = asyncio.get_running_loop()
    calls = [Call("noop") for _ in range(AT_ONCE)]
    async with Engine([tool(noop)]) as engine:

        async def ours() -> None:
            await engine.run(calls)

        async def executor() -> None:
            await asyncio.gather(*[loop.run_in_executor(None, noop) for _ in range(AT_ONCE)])

        async def ours_in_turn() -> None:
            for _ in range(IN_TURN):
                await engine.call("noop")

        async def executor_in_turn() -> None:
            for _ in range(IN_TURN):
                await loop.run_in_executor(None, noop)

        at_once = {"ours": timed(ours), "run_in_executor": timed(executor)}
        rounds = await interleave(settings, at_once, calls=AT_ONCE)
        yield rounds.row("thread", "ours", "run_in_executor", gate=0.15)
        in_turn = {"ours": timed(ours_in_turn), "run_in_executor": timed(executor_in_turn)}
        rounds = await interleave(settings, in_turn, calls=IN_TURN)
        yield rounds.row("thread_single", "ours", "run_in_executor", gate=0.5)


ROWS = Rows("thread", measure)
