"""`breaker`, `adaptive`: what a call pays for being watched, from Python.

The decisions themselves are rows of the Rust core, `breaker/admit_and_record` and `adaptive/*`, and held
to 40 ns there. `adaptive` compares slots that follow their service with as many that do not.
"""

import time
from collections.abc import AsyncIterator
from itertools import repeat

from penstock._native import Breaker
from penstock.cli.bench._frame import Way, interleave, timed
from penstock.cli.bench._protocol import Result, Rows, Settings
from penstock.limits import Adaptive, Limit, Limiter

COUNT = 1_000
REPEAT = 5
SLOTS = 100
CLOSED = "asking whether it is closed"
FIXED = "fixed slots"


async def measure(settings: Settings) -> AsyncIterator[Result]:
    breaker = Breaker()
    ways = {"ours": watched_calls(breaker), CLOSED: states_read(breaker)}
    rounds = await interleave(settings, ways, calls=COUNT)
    yield rounds.row("breaker", "ours", CLOSED, gate=None)
    fixed = Limit.concurrency("tool:measured", SLOTS)
    adaptive = Limit.concurrency("tool:measured", SLOTS, adaptive=Adaptive(most=SLOTS))
    ways = {"ours": held_slots(adaptive), FIXED: held_slots(fixed)}
    rounds = await interleave(settings, ways, calls=COUNT)
    yield rounds.row("adaptive", "ours", FIXED, gate=None)


def watched_calls(breaker: Breaker) -> Way:
    admit, record, clock = breaker.admit, breaker.record, time.monotonic

    async def watch() -> None:
        for _ in repeat(None, COUNT):
            now = clock()
            ticket, _retry_at = admit(now)
            if ticket is None:
                raise AssertionError("a breaker that only saw good ends has refused")
            record(ticket, "ok", now, 0.0)

    return timed(watch, REPEAT)


def states_read(breaker: Breaker) -> Way:
    async def read() -> None:
        for _ in repeat(None, COUNT):
            breaker.is_closed  # noqa: B018 (reading it is the work)

    return timed(read, REPEAT)


def held_slots(limit: Limit) -> Way:
    limiter = Limiter([limit])
    handle, try_take = limiter.resolve(tool="measured"), limiter.try_take

    async def hold() -> None:
        for _ in repeat(None, COUNT):
            permit = try_take(handle)
            if permit is None:
                raise AssertionError("a free slot was refused")
            permit.settle()

    return timed(hold, REPEAT)


ROWS = Rows("watching", measure)
