"""`limit-try`, `limit-take`, `limit-tiers`: a decision that is a yes, by one limit and by five.

The permits are kept, and ended off the clock; `limit-settle` is the whole life of one. Plain Python does
the same by one bucket, or by the same five shapes. `limit-buckets` passes five buckets, the cheapest
limits that plain Python can have.
"""

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from itertools import repeat
from typing import TypeVar

from penstock.cli.bench._frame import Way, interleave, timed
from penstock.cli.bench._protocol import Result, Rows, Settings
from penstock.cli.bench.limits._plain_bucket import Bucket, PlainLimiter, PlainPermit
from penstock.cli.bench.limits._plain_tiers import Day, PlainTiers, Slots, TiersPermit, Window
from penstock.cli.bench.limits._subjects import PLENTY, five_tiers
from penstock.limits import Limit, Limiter, LimitSet, Permit

COUNT = 1_000
REPEAT = 5
PLAIN = "plain Python"

P = TypeVar("P")


async def measure(settings: Settings) -> AsyncIterator[Result]:
    bucket = Limit.rate("tool:measured", PLENTY, burst=PLENTY)
    ours, plain = our_limiter([bucket]), PlainLimiter([Bucket(PLENTY, PLENTY)])
    tries = {"ours": our_tries(*ours), PLAIN: plain_tries(plain)}
    rounds = await interleave(settings, tries, calls=COUNT)
    yield rounds.row("limit-try", "ours", PLAIN, gate=0.7)
    yield rounds.time_row("limit-try-ns", "ours", PLAIN, gate_ns=120.0)
    takes = {"ours": our_takes(*ours), PLAIN: plain_takes(plain)}
    rounds = await interleave(settings, takes, calls=COUNT)
    yield rounds.row("limit-take", "ours", PLAIN, gate=1.0)
    yield rounds.time_row("limit-take-ns", "ours", PLAIN, gate_ns=271.0)
    lives = {"ours": our_lives(*ours), PLAIN: plain_lives(plain)}
    rounds = await interleave(settings, lives, calls=COUNT)
    yield rounds.row("limit-settle", "ours", PLAIN, gate=None)
    async for row in measure_five(settings):
        yield row


async def measure_five(settings: Settings) -> AsyncIterator[Result]:
    windows = [Window(PLENTY, per) for per in (1.0, 60.0, 3_600.0)]
    plain_tiers = PlainTiers([*windows, Day(PLENTY), Slots(PLENTY)])
    ours = our_limiter(five_tiers("tool:measured"))
    tries = {"ours": our_tries(*ours), PLAIN: tier_tries(plain_tiers)}
    rounds = await interleave(settings, tries, calls=COUNT)
    yield rounds.row("limit-tiers", "ours", PLAIN, gate=0.1)
    yield rounds.time_row("limit-tiers-ns", "ours", PLAIN, gate_ns=200.0)
    buckets = [
        Limit.rate("tool:measured", PLENTY, burst=PLENTY, name=f"bucket {number}")
        for number in range(5)
    ]
    plain_buckets = PlainLimiter([Bucket(PLENTY, PLENTY) for _ in buckets])
    tries = {"ours": our_tries(*our_limiter(buckets)), PLAIN: plain_tries(plain_buckets)}
    rounds = await interleave(settings, tries, calls=COUNT)
    yield rounds.row("limit-buckets", "ours", PLAIN, gate=None)


def our_limiter(limits: Sequence[Limit]) -> tuple[Limiter, LimitSet]:
    limiter = Limiter(limits)
    return limiter, limiter.resolve(tool="measured")


def our_tries(limiter: Limiter, handle: LimitSet) -> Way:
    try_take = limiter.try_take

    async def decide() -> list[Permit | None]:
        return [try_take(handle) for _ in repeat(None, COUNT)]

    return decisions(decide, Permit.settle)


def our_takes(limiter: Limiter, handle: LimitSet) -> Way:
    take = limiter.take

    async def decide() -> list[Permit]:
        return [await take(handle) for _ in repeat(None, COUNT)]

    return decisions(decide, Permit.settle)


def our_lives(limiter: Limiter, handle: LimitSet) -> Way:
    take = limiter.take

    async def live() -> None:
        for _ in repeat(None, COUNT):
            (await take(handle)).settle()

    return timed(live, REPEAT)


def plain_tries(limiter: PlainLimiter) -> Way:
    try_take = limiter.try_take

    async def decide() -> list[PlainPermit | None]:
        return [try_take() for _ in repeat(None, COUNT)]

    return decisions(decide, PlainPermit.settle)


def plain_takes(limiter: PlainLimiter) -> Way:
    take = limiter.take

    async def decide() -> list[PlainPermit]:
        return [await take() for _ in repeat(None, COUNT)]

    return decisions(decide, PlainPermit.settle)


def plain_lives(limiter: PlainLimiter) -> Way:
    take = limiter.take

    async def live() -> None:
        for _ in repeat(None, COUNT):
            (await take()).settle()

    return timed(live, REPEAT)


def tier_tries(limiter: PlainTiers) -> Way:
    try_take = limiter.try_take

    async def decide() -> list[TiersPermit | None]:
        return [try_take() for _ in repeat(None, COUNT)]

    return decisions(decide, TiersPermit.settle)


def decisions(
    decide: Callable[[], Awaitable[Sequence[P | None]]], end: Callable[[P], object]
) -> Way:
    """A way of which the decisions count, and ending the permits does not."""

    async def run() -> float:
        taken = 0
        for _ in range(REPEAT):
            started = time.perf_counter_ns()
            permits = await decide()
            taken += time.perf_counter_ns() - started
            for permit in permits:
                if permit is None:
                    raise AssertionError("a limit that nothing uses up has refused")
                end(permit)
        return taken / REPEAT

    return run


ROWS = Rows("decision", measure)
