"""Plain Python: the baseline of `penstock bench limits`, which every installation has.

Its bucket is a number, its queue is first come, first served, its timer is one; a call passes all
buckets or none. The five limits are the shapes that ours have: sliding windows, a day, slots.
"""
# /// script
# dependencies = []
# ///

from benches.rivals.limits._protocol import PLENTY, BucketShape, Rival, Subject
from penstock.cli.bench.limits._plain_bucket import Bucket, PlainLimiter, PlainPermit
from penstock.cli.bench.limits._plain_tiers import Day, PlainTiers, Slots, TiersPermit, Window


def rate(rate: float, burst: int) -> Subject:
    limiter = PlainLimiter([Bucket(rate, burst)])
    return Subject(BucketShape(rate, burst), limiter.take, limiter.try_take, PlainPermit.settle)


def tiers() -> Subject:
    windows = [Window(PLENTY, per) for per in (1.0, 60.0, 3600.0)]
    limiter = PlainTiers([*windows, Day(PLENTY), Slots(PLENTY)])

    async def take() -> TiersPermit | None:
        return limiter.try_take()

    return Subject(BucketShape(PLENTY, PLENTY), take, limiter.try_take, TiersPermit.settle)


RIVAL = Rival("plain_bucket", "plain Python", "", rate, tiers)
