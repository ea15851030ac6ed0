"""`process`: Python functions in two worker processes, 1 KB each way, 200 at once."""

import asyncio
import multiprocessing
from collections.abc import AsyncIterator
from concurrent.futures import ProcessPoolExecutor

from penstock.calls import Call
from penstock.cli.bench._frame import interleave, timed
from penstock.cli.bench._protocol import Result, Rows, Settings
from penstock.engine import Engine
from penstock.tools import tool

AT_ONCE = 200
WORKERS = 2
KILOBYTE = "x" * 1_000


def echo(text: str) -> str:
    """Gives back what it got, from another process."""
    return text


async def measure(settings: Settings) -> AsyncIterator[Result]:
    loop = asyncio.get_running_loop()
    calls = [Call("echo", {"text": KILOBYTE}) for _ in range(AT_ONCE)]
    tools = [tool(host="process", effects="read")(echo)]
    # The baseline by its safest way to start workers, which is also ours.
    context = multiprocessing.get_context("forkserver")
    with ProcessPoolExecutor(WORKERS, mp_context=context) as pool:
        async with Engine(tools, processes=WORKERS) as engine:

            async def ours() -> None:
                outcomes = await engine.run(calls)
                if not all(outcome.ok for outcome in outcomes):
                    raise RuntimeError("a call of the benchmark failed")

            async def theirs() -> None:
                made = [loop.run_in_executor(pool, echo, KILOBYTE) for _ in range(AT_ONCE)]
                await asyncio.gather(*made)

            ways = {"ours": timed(ours), "ProcessPoolExecutor": timed(theirs)}
            rounds = await interleave(settings, ways, calls=AT_ONCE)
            yield rounds.row("process", "ours", "ProcessPoolExecutor", gate=0.25)


ROWS = Rows("process", measure)
