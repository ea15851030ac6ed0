"""Penstock: one limiter, the limits of a call passed together, a permit that is settled."""
# /// script
# dependencies = []
# ///

from functools import partial

from benches.rivals.limits._protocol import PLENTY, BucketShape, Rival, Subject
from penstock import Limit, Limiter
from penstock.limits import Permit


def rate(rate: float, burst: int) -> Subject:
    limits = [Limit.rate("tool:measured", int(rate), burst=burst)]
    return subject(limits, BucketShape(rate, burst))


def tiers() -> Subject:
    five = Limit.tiers(
        "tool:measured",
        per_second=PLENTY,
        per_minute=PLENTY,
        per_hour=PLENTY,
        per_day=PLENTY,
        concurrent=PLENTY,
    )
    return subject(five, BucketShape(PLENTY, PLENTY))


def subject(limits: list[Limit], shape: BucketShape) -> Subject:
    limiter = Limiter(limits)
    handle = limiter.resolve(tool="measured")
    take, try_take = partial(limiter.take, handle), partial(limiter.try_take, handle)
    return Subject(shape, take, try_take, Permit.settle)


RIVAL = Rival("ours", "Penstock", "penstock", rate, tiers)
