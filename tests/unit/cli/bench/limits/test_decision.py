"""The ways that the rows about decisions time: what counts, and that they do what they say."""

import pytest

from penstock.cli.bench.limits._plain_bucket import Bucket, PlainLimiter
from penstock.cli.bench.limits.decision import (
    COUNT,
    REPEAT,
    decisions,
    our_limiter,
    our_lives,
    our_takes,
    our_tries,
    plain_tries,
)
from penstock.limits import Limit


async def test_every_permit_is_ended() -> None:
    ended = list[object]()

    async def decide() -> list[int]:
        return [1, 2, 3]

    await decisions(decide, ended.append)()
    assert ended == [1, 2, 3] * REPEAT


async def test_a_refusal_is_no_decision_to_time() -> None:
    with pytest.raises(AssertionError, match="refused"):
        await plain_tries(PlainLimiter([Bucket(1e-9, COUNT - 1)]))()


@pytest.mark.parametrize("way", [our_tries, our_takes, our_lives])
async def test_our_ways_leave_nothing_held(way) -> None:
    limiter, handle = our_limiter([Limit.concurrency("tool:measured", COUNT)])
    assert await way(limiter, handle)() > 0
    assert limiter.fill(handle) == 0
