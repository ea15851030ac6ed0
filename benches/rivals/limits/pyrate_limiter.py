"""pyrate-limiter: its GCRA with a burst, and no buffer on top of a wait (its default adds 50 ms).

One bucket holds all five limits and decides over them together.
"""
# /// script
# dependencies = ["pyrate-limiter==4.5.1", "uvloop==0.23.0"]
# ///

from functools import partial

from pyrate_limiter import Duration, Limiter, Rate, StateBucket

from benches.rivals.limits._protocol import PLENTY, BucketShape, Rival, Subject


def rate(rate: float, burst: int) -> Subject:
    limiter = Limiter(StateBucket([Rate(int(rate), Duration.SECOND, burst=burst)]), buffer_ms=0)
    return subject(limiter, BucketShape(rate, burst))


def tiers() -> Subject:
    # It keeps whole microseconds a unit, so a million a second is the most there is.
    seconds = (1, 60, 3600, 86_400, 7 * 86_400)
    rates = [Rate(10**6 * count, 1000 * count, burst=PLENTY) for count in seconds]
    limiter = Limiter(StateBucket(rates), buffer_ms=0)
    return subject(limiter, BucketShape(PLENTY, PLENTY))


def subject(limiter: Limiter, shape: BucketShape) -> Subject:
    async def take(cost: int = 1) -> bool:
        return await limiter.try_acquire_async("key", cost)

    return Subject(shape, take, partial(limiter.try_acquire, "key", blocking=False))


RIVAL = Rival("pyrate_limiter", "pyrate-limiter", "pyrate-limiter", rate, tiers)
