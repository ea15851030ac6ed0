"""`cancel`: from cancelling 10,000 suspended calls to the end of the last one."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable

from penstock.calls import Call
from penstock.cli.bench._frame import interleave
from penstock.cli.bench._protocol import Result, Rows, Settings
from penstock.engine import Engine
from penstock.tools import tool

COUNT = 10_000


async def measure(settings: Settings) -> AsyncIterator[Result]:
    started = 0
    all_wait = asyncio.Event()

    async def wait() -> None:
        """Waits for a future that nobody sets."""
        nonlocal started
        started += 1
        if started == COUNT:
            started = 0
            all_wait.set()
        await asyncio.get_running_loop().create_future()

    async def timed_end(cancel: Callable[[], object], end: Awaitable[object]) -> float:
        await all_wait.wait()
        all_wait.clear()
        await asyncio.sleep(0)
        before = time.perf_counter_ns()
        cancel()
        await end
        return time.perf_counter_ns() - before

    calls = [Call("wait") for _ in range(COUNT)]
    async with Engine([tool(wait)]) as engine:

        async def ours() -> float:
            batch = engine.submit(calls)
            return await timed_end(lambda: batch.cancel("the row is over"), batch)

        async def tasks() -> float:
            waiting = [asyncio.create_task(wait()) for _ in range(COUNT)]
            end = asyncio.gather(*waiting, return_exceptions=True)
            return await timed_end(lambda: cancel_all(waiting), end)

        ways = {"ours": ours, "cancelling Tasks": tasks}
        rounds = await interleave(settings, ways, calls=COUNT, rounds=9)
    yield rounds.row("cancel", "ours", "cancelling Tasks", gate=0.7)


def cancel_all(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()


ROWS = Rows("cancel", measure)
