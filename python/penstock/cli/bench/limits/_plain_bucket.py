"""A limiter in plain Python: what the rows about limits are compared with.

It does by hand what the rows ask of ours, as quickly as straightforward Python does it: token buckets,
all or nothing over several of them, waiters in the order in which they came, one timer, permits that
end once. It has no scopes, windows, slots, lanes, settling, deadlines, feedback or statistics.

Ground rules:

- State: a bucket is one number, the moment at which it will be full. It is written by `_pay` and by
  a refund, in the thread of the loop. The queue holds (cost, future); `take` appends, `_serve` pops.
- Order: nobody is served before the first of the queue, whatever it asks for.
- Cancelled while waiting, a call takes nothing: its future stays in the queue and is passed over.
  Cancelled after it was granted, before it ran, it gives its permit back whole.
- Bound: in any W seconds a bucket lets through `burst + rate * W`. The queue has no brim.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable

LEAST_WAIT = 0.001
"""Seconds: event loops tick in milliseconds, and spin on shorter timers."""

ROUNDING = 1e-9
"""Seconds by which sums of periods may miss, so that the last unit of a burst is not refused."""


class Bucket:
    """A token bucket, as the moment at which it will be full again."""

    __slots__ = ("depth", "full_at", "period")

    def __init__(self, rate: float, burst: float) -> None:
        """Make a full bucket.

        Args:
            rate: units a second.
            burst: units at once.
        """
        self.period = 1 / rate
        self.depth = burst / rate + ROUNDING
        self.full_at = 0.0


class PlainPermit:
    """What a call has paid; it ends once."""

    __slots__ = ("_cost", "_limiter")

    def __init__(self, limiter: "PlainLimiter", cost: float) -> None:
        self._limiter: PlainLimiter | None = limiter
        self._cost = cost

    def settle(self) -> bool:
        """End the permit; what it paid stays paid. False if it had ended before."""
        limiter, self._limiter = self._limiter, None
        return limiter is not None

    def refund(self) -> bool:
        """End the permit and give all back. False if it had ended before."""
        limiter, self._limiter = self._limiter, None
        if limiter is not None:
            limiter.give_back(self._cost)
        return limiter is not None


class PlainLimiter:
    """Buckets that each call passes together, and the calls that wait for them."""

    def __init__(self, buckets: list[Bucket], clock: Callable[[], float] = time.monotonic) -> None:
        """Make a limiter for one event loop.

        Args:
            buckets: what each call must pass, all or none.
            clock: seconds that only grow.
        """
        self._buckets = buckets
        self._clock = clock
        self._waiting: deque[tuple[float, asyncio.Future[PlainPermit]]] = deque()
        self._timer: asyncio.TimerHandle | None = None

    def try_take(self, cost: float = 1) -> PlainPermit | None:
        """Take a permit now, or None: it never waits, and never passes a call that does."""
        if self._waiting or not self._pay(cost):
            return None
        return PlainPermit(self, cost)

    async def take(self, cost: float = 1) -> PlainPermit:
        """Take a permit as soon as it is this call's turn and all buckets can pay."""
        if not self._waiting and self._pay(cost):
            return PlainPermit(self, cost)
        future: asyncio.Future[PlainPermit] = asyncio.get_running_loop().create_future()
        self._waiting.append((cost, future))
        if self._timer is None:
            self._serve()
        try:
            return await future
        except asyncio.CancelledError:
            if future.done() and not future.cancelled():
                future.result().refund()
            raise

    def give_back(self, cost: float) -> None:
        """Put units back into every bucket; a bucket that has filled meanwhile stays full."""
        for bucket in self._buckets:
            bucket.full_at -= cost * bucket.period

    def _pay(self, cost: float) -> bool:
        """Take from all buckets, or from none."""
        now = self._clock()
        for bucket in self._buckets:
            full_at = bucket.full_at
            if full_at < now:  # a call of `max` costs more than the rest of the line
                full_at = now
            if full_at + cost * bucket.period > now + bucket.depth:
                return False
        for bucket in self._buckets:
            full_at = bucket.full_at
            if full_at < now:
                full_at = now
            bucket.full_at = full_at + cost * bucket.period
        return True

    def _serve(self) -> None:
        """Grant to the first of the queue while all buckets can pay; then wait for the next."""
        waiting = self._waiting
        self._timer = None
        while waiting:
            cost, future = waiting[0]
            if not future.done():
                if not self._pay(cost):
                    self._wait_for(cost)
                    return
                future.set_result(PlainPermit(self, cost))
            waiting.popleft()

    def _wait_for(self, cost: float) -> None:
        """Set the one timer to the moment at which all buckets can pay this cost."""
        now = self._clock()
        wait = max(b.full_at + cost * b.period - b.depth - now for b in self._buckets)
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(max(wait, LEAST_WAIT), self._serve)
