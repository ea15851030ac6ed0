"""limits: its moving window, the one of its strategies that keeps to n in any window.

It decides and does not wait; who wants to wait asks until when the window is full, as its documents
advise, and tries again then. Periods are whole seconds, so a rate is a window of one second. It has
no joint decision: five limits are five, one after the other, in which what the first took stays taken.
"""
# /// script
# dependencies = ["limits==5.8.0", "uvloop==0.23.0"]
# ///

import asyncio
import time

from limits import (
    RateLimitItem,
    RateLimitItemPerDay,
    RateLimitItemPerHour,
    RateLimitItemPerMinute,
    RateLimitItemPerMonth,
    RateLimitItemPerSecond,
    aio,
    storage,
    strategies,
)

from benches.rivals.limits._protocol import PLENTY, Rival, Subject, WindowShape

LEAST_WAIT = 0.001


def rate(rate: float, burst: int) -> Subject:
    item = RateLimitItemPerSecond(int(rate))
    waits = aio.strategies.MovingWindowRateLimiter(aio.storage.MemoryStorage())
    decides = strategies.MovingWindowRateLimiter(storage.MemoryStorage())

    async def take(cost: int = 1) -> None:
        while not await waits.hit(item, "key", cost=cost):
            free_at, _ = await waits.get_window_stats(item, "key")
            await asyncio.sleep(max(free_at - time.time(), LEAST_WAIT))

    return Subject(WindowShape(int(rate), 1.0), take, lambda: decides.hit(item, "key"))


def tiers() -> Subject:
    shapes = (
        RateLimitItemPerSecond,
        RateLimitItemPerMinute,
        RateLimitItemPerHour,
        RateLimitItemPerDay,
        RateLimitItemPerMonth,
    )
    five: list[RateLimitItem] = [shape(PLENTY) for shape in shapes]
    waits = aio.strategies.MovingWindowRateLimiter(aio.storage.MemoryStorage())
    decides = strategies.MovingWindowRateLimiter(storage.MemoryStorage())

    def try_take() -> bool:
        return all(decides.hit(item, "key") for item in five)

    async def take() -> bool:
        return all([await waits.hit(item, "key") for item in five])

    return Subject(WindowShape(PLENTY, 1.0), take, try_take)


RIVAL = Rival("limits", "limits", "limits", rate, tiers)
