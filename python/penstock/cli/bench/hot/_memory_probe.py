"""`python -m penstock.cli.bench.hot._memory_probe engine|tasks LOOP`: bytes a pending call, as JSON.

A process of its own, for what a call adds to the resident set shows only in a fresh heap. The calls
are made before the first reading, as the baseline's coroutine function is.
"""

import asyncio
import gc
import os
import sys
from pathlib import Path

from penstock._codec import encode
from penstock.calls import Call
from penstock.engine import Engine
from penstock.engine import run as run_loop
from penstock.tools import tool

COUNT = 100_000
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


def resident() -> int:
    """The bytes of this process that are in memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE_BYTES


async def measure(kind: str) -> dict[str, float]:
    """Bytes a call when all are queued, and when each waits for a future of its own."""
    started = 0
    all_wait = asyncio.Event()

    async def wait() -> None:
        """Waits for a future that nobody sets."""
        nonlocal started
        started += 1
        if started == COUNT:
            all_wait.set()
        await asyncio.get_running_loop().create_future()

    engine = await Engine([tool(wait)], max_pending=COUNT).__aenter__()
    calls = [Call("wait") for _ in range(COUNT)]
    gc.collect()
    before = resident()
    kept: object
    if kind == "tasks":
        kept = [asyncio.create_task(wait()) for _ in range(COUNT)]
    else:
        kept = engine.submit(calls)
    queued = resident() - before
    await all_wait.wait()
    gc.collect()
    suspended = resident() - before
    del kept
    return {"queued": queued / COUNT, "suspended": suspended / COUNT}


async def main() -> None:
    sys.stdout.buffer.write(encode(await measure(sys.argv[1])) + b"\n")
    sys.stdout.flush()
    os._exit(0)  # ending 100,000 calls in good order is another row's business


if __name__ == "__main__":
    run_loop(main(), loop="asyncio" if sys.argv[2] == "asyncio" else "uvloop")
