"""The two limiters that the rows measure, as the workloads see them: ours, and the one in plain Python."""

from functools import partial

from penstock.cli.bench.limits._plain_bucket import Bucket, PlainLimiter, PlainPermit
from penstock.cli.bench.limits._workloads import BucketShape, Subject
from penstock.limits import Limit, Limiter, Permit

PLENTY = 10**12
"""Units a period that no row uses up."""


def our_rate(rate: int, burst: int) -> Subject:
    """A full limiter of ours with one bucket."""
    limiter = Limiter([Limit.rate("tool:measured", rate, burst=burst)])
    handle = limiter.resolve(tool="measured")
    take, try_take = partial(limiter.take, handle), partial(limiter.try_take, handle)
    return Subject(BucketShape(rate, burst), take, try_take, Permit.settle)


def plain_rate(rate: int, burst: int) -> Subject:
    """The same in plain Python."""
    limiter = PlainLimiter([Bucket(rate, burst)])
    return Subject(BucketShape(rate, burst), limiter.take, limiter.try_take, PlainPermit.settle)


BOTH = {"ours": our_rate, "plain Python": plain_rate}
"""In the order of a round; the next round turns it around."""


def five_tiers(scope: str, *, slots: bool = True) -> list[Limit]:
    """The five limits of the rows that pass five: none is ever reached.

    Args:
        scope: of all of them.
        slots: whether the fifth is calls at once, which must hear of each end; else it is tokens.
    """
    tiers = partial(
        Limit.tiers,
        scope,
        per_second=PLENTY,
        per_minute=PLENTY,
        per_hour=PLENTY,
        per_day=PLENTY,
    )
    return tiers(concurrent=10**6) if slots else tiers(tokens_per_minute=PLENTY)
