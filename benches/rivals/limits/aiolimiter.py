"""aiolimiter: a leaky bucket of `max_rate` in `time_period`, with a heap of waiters by amount.

It has no decision that does not wait, and no joint one: five limits are five, one after the other.
"""
# /// script
# dependencies = ["aiolimiter==1.3.0", "uvloop==0.23.0"]
# ///

from aiolimiter import AsyncLimiter

from benches.rivals.limits._protocol import PLENTY, BucketShape, Rival, Subject


def rate(rate: float, burst: int) -> Subject:
    return Subject(BucketShape(rate, burst), AsyncLimiter(burst, burst / rate).acquire)


def tiers() -> Subject:
    five = [AsyncLimiter(PLENTY, per) for per in (1, 60, 3600, 86_400, 2_592_000)]

    async def take() -> None:
        for limiter in five:
            await limiter.acquire()

    return Subject(BucketShape(PLENTY, PLENTY), take)


RIVAL = Rival("aiolimiter", "aiolimiter", "aiolimiter", rate, tiers)
