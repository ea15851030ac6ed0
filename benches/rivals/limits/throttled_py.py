"""throttled-py: its GCRA, for its token bucket, the default, counts in whole seconds.

A call that waits sleeps at least 0.2 s between two tries. It has no joint decision: five limits are
five, one after the other.
"""
# /// script
# dependencies = ["throttled-py==3.5.0", "uvloop==0.23.0"]
# ///

from throttled import MemoryStore, Throttled, rate_limiter
from throttled.asyncio import MemoryStore as AsyncMemoryStore
from throttled.asyncio import Throttled as AsyncThrottled

from benches.rivals.limits._protocol import PLENTY, BucketShape, Rival, Subject

FOREVER = 1e6
QUOTAS = (
    rate_limiter.per_sec(PLENTY, burst=PLENTY),
    rate_limiter.per_min(PLENTY, burst=PLENTY),
    rate_limiter.per_hour(PLENTY, burst=PLENTY),
    rate_limiter.per_day(PLENTY, burst=PLENTY),
    rate_limiter.per_week(PLENTY, burst=PLENTY),
)


def rate(rate: float, burst: int) -> Subject:
    quota = rate_limiter.per_sec(int(rate), burst=burst)
    decides = Throttled(key="key", using="gcra", quota=quota, store=MemoryStore())
    waits = AsyncThrottled(
        key="key", using="gcra", quota=quota, store=AsyncMemoryStore(), timeout=FOREVER
    )

    async def take(cost: int = 1) -> None:
        while (await waits.limit(cost=cost)).limited:
            pass

    return Subject(BucketShape(rate, burst), take, lambda: not decides.limit().limited)


def tiers() -> Subject:
    decide = [Throttled(key="key", using="gcra", quota=q, store=MemoryStore()) for q in QUOTAS]
    wait = [
        AsyncThrottled(key="key", using="gcra", quota=q, store=AsyncMemoryStore()) for q in QUOTAS
    ]

    def try_take() -> bool:
        return not any(one.limit().limited for one in decide)

    async def take() -> bool:
        return not any([(await one.limit()).limited for one in wait])

    return Subject(BucketShape(PLENTY, PLENTY), take, try_take)


RIVAL = Rival("throttled_py", "throttled-py", "throttled-py", rate, tiers)
