"""Runs 50,000 calls of one kind and looks for what they left. Started by test_leaks.py."""

import asyncio
import gc
import sys
from collections import Counter
from contextlib import suppress

import psutil

import penstock
from penstock import Call, Engine, tool

CALLS = 50_000
BATCH = 2_500
WARM_UP = 20_000
MOST_BYTES = 400_000
ROUNDS = 3
# The counters themselves, and what a growing dict of the interpreter may keep.
MOST_OBJECTS = 20

kept: list[object] = []


class Failure(Exception):
    """What the failing tool raises."""


@tool
async def noop() -> None:
    """Return at once."""


@tool
async def yields() -> None:
    await asyncio.sleep(0)


@tool
async def future() -> None:
    loop = asyncio.get_running_loop()
    waiter = loop.create_future()
    loop.call_soon(waiter.set_result, None)
    await waiter


@tool
async def error() -> None:
    raise Failure


@tool
async def cancelled() -> None:
    await asyncio.get_running_loop().create_future()


@tool(timeout=0.002)
async def timeout() -> None:
    await penstock.sleep(10)


@tool(timeout=0.002)
async def detached() -> None:
    with suppress(asyncio.CancelledError):
        await penstock.sleep(10)
    await penstock.sleep(0.27)  # longer than the grace, so that the outcome comes first


@tool
def thread() -> None:
    """Return at once, in a thread."""


@tool
async def kept_task() -> None:
    kept.append(asyncio.current_task())


@tool
async def bound() -> None:
    await asyncio.sleep(0)


@tool(host="task")
async def task() -> None:
    await asyncio.sleep(0)


@tool(host="inline")
def inline() -> None:
    """Return at once, in the pump."""


async def run(engine: Engine, kind: str, count: int) -> None:
    """Run calls of a kind, in batches."""
    calls = [Call(kind)] * BATCH
    for _ in range(count // BATCH):
        if kind == "bound":
            call = engine.bind(kind)
            for _ in range(BATCH):
                await call()
        elif kind == "cancelled":
            batch = engine.submit(calls)
            await asyncio.sleep(0)
            batch.cancel()
            await batch
        elif kind == "watched":
            batch = engine.submit([Call("yields")] * BATCH)
            events = [event.seq async for event in batch.events()]
            assert len(events) == 2 * BATCH + 2
        else:
            await engine.run(calls)
        kept.clear()
        while engine.statistics().pending:  # noqa: ASYNC110 - detached code, which nobody awaits
            await asyncio.sleep(0.01)


def objects() -> Counter[str]:
    """Count what the garbage collector knows, by type."""
    for _ in range(3):
        gc.collect()
    return Counter(type(each).__qualname__ for each in gc.get_objects())


async def probe(kind: str) -> list[str]:
    """Return what grew in each of three rounds: an allocator may grow once, a leak always does."""
    tools = [noop, yields, future, error, cancelled, timeout, detached, thread, kept_task]
    async with Engine([*tools, bound, task, inline]) as engine:
        await run(engine, kind, WARM_UP)
        for _ in range(ROUNDS):
            grown = await growth(engine, kind)
            if not grown:
                break
    return grown


async def growth(engine: Engine, kind: str) -> list[str]:
    """Return what one round left behind."""
    before, bytes_before = objects(), resident_bytes()
    await run(engine, kind, CALLS)
    after, bytes_after = objects(), resident_bytes()
    grown = [
        f"{name}: {count - before[name]} more"
        for name, count in after.items()
        if count - before[name] > MOST_OBJECTS
    ]
    if bytes_after - bytes_before > MOST_BYTES:
        grown.append(f"{bytes_after - bytes_before} bytes more")
    return grown


def resident_bytes() -> int:
    """Return the memory of this process."""
    resident: int = psutil.Process().memory_info().rss
    return resident


def main() -> None:
    """Probe one kind; exit with what it left."""
    grown = penstock.run(probe(sys.argv[1]))
    if grown:
        sys.exit("\n".join(grown))


if __name__ == "__main__":
    main()
