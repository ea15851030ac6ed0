"""`limit-engine-wait`: batches of 1,000 calls through an engine, on one limit of 10,000 a second.

The baseline gathers coroutines that take from the limiter in plain Python. Ten batches follow each
other, for the clock of a timer is too coarse to judge one of a tenth of a second.
"""

import asyncio
import gc
import time
from collections.abc import AsyncIterator, Awaitable, Callable

from penstock.calls import Call
from penstock.cli.bench._protocol import Result, Rows, Settings
from penstock.cli.bench.limits._subjects import plain_rate
from penstock.cli.bench.limits._workloads import Crowd, inversions
from penstock.cli.bench.limits.waiting import rows_of_a_crowd
from penstock.engine import Engine
from penstock.limits import Limit
from penstock.tools import tool

RATE = 10_000
BURST = 100
COUNT = 1_000
BATCHES = 10
ROUNDS = 3

Batch = Callable[[], Awaitable[object]]


async def measure(settings: Settings) -> AsyncIterator[Result]:
    ours, plain = list[Crowd](), list[Crowd]()
    for _ in range(settings.rounds(ROUNDS)):
        plain.append(await by_hand())
        ours.append(await by_engine())
    for row in rows_of_a_crowd("limit-engine-wait", settings, ours, plain, gate_us=4.0):
        yield row


async def by_engine() -> Crowd:
    order = list[int]()

    async def note(number: int) -> None:
        """Notes which call it is."""
        order.append(number)

    calls = [Call("note", {"number": number}) for number in range(COUNT)]
    limit = Limit.rate("tool:note", RATE, burst=BURST)
    async with Engine([tool(note)], limits=[limit]) as engine:
        return await batches(lambda: engine.run(calls), order)


async def by_hand() -> Crowd:
    order, limiter = list[int](), plain_rate(RATE, BURST)

    async def note(number: int) -> None:
        permit = await limiter.take()
        order.append(number)
        limiter.end(permit)

    return await batches(lambda: asyncio.gather(*[note(number) for number in range(COUNT)]), order)


async def batches(run: Batch, order: list[int]) -> Crowd:
    """Runs the batches one after the other."""
    gc.collect()
    started, cpu = time.perf_counter(), time.process_time()
    for _ in range(BATCHES):
        await run()
    cpu = time.process_time() - cpu
    rate = (len(order) - BURST) / (time.perf_counter() - started)
    each = [order[first : first + COUNT] for first in range(0, len(order), COUNT)]
    out_of_turn = sum(inversions(batch) for batch in each)
    return Crowd(len(order), rate, out_of_turn, cpu / len(order) * 1e6)


ROWS = Rows("engine_waiting", measure)
