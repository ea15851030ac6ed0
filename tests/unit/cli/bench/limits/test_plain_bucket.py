"""The baseline of the rows about limits: it must do what it is compared in."""

import asyncio
from collections.abc import Awaitable

import pytest

from penstock.cli.bench.limits._plain_bucket import Bucket, PlainLimiter


def limiter(*buckets: tuple[float, float]) -> PlainLimiter:
    """A limiter over buckets of (rate, burst), in the time of the running loop."""
    clock = asyncio.get_running_loop().time
    return PlainLimiter([Bucket(rate, burst) for rate, burst in buckets], clock)


async def seconds_until(end: Awaitable[object]) -> float:
    clock = asyncio.get_running_loop().time
    started = clock()
    await end
    return clock() - started


async def test_a_full_bucket_pays_its_burst() -> None:
    one = limiter((10, 5))
    assert [one.try_take() is not None for _ in range(6)] == [True] * 5 + [False]


async def test_a_refused_call_takes_from_no_bucket() -> None:
    two = limiter((10, 5), (10, 1))
    assert two.try_take(1)
    assert not two.try_take(1)
    await asyncio.sleep(0.1)
    assert two.try_take(1)


async def test_a_call_waits_for_what_it_costs() -> None:
    one = limiter((10, 5))
    one.try_take(5)
    assert await seconds_until(one.take(3)) == pytest.approx(0.3, abs=2e-3)


async def test_the_rate_holds_over_many_waits() -> None:
    one = limiter((1_000, 1))
    taken = asyncio.gather(*[one.take() for _ in range(2_001)])
    assert await seconds_until(taken) == pytest.approx(2.0, abs=2e-3)


async def test_a_small_call_waits_behind_a_big_one() -> None:
    one, order = limiter((10, 5)), list[str]()

    async def take(name: str, cost: int) -> None:
        await one.take(cost)
        order.append(name)

    one.try_take(5)
    await asyncio.gather(take("big", 5), take("small", 1))
    assert order == ["big", "small"]


async def test_who_does_not_wait_passes_nobody() -> None:
    one = limiter((10, 5))
    one.try_take(5)
    big = asyncio.ensure_future(one.take(5))
    await asyncio.sleep(0.2)
    assert one.try_take() is None
    await big


async def test_a_cancelled_place_is_passed_over() -> None:
    one = limiter((10, 5))
    one.try_take(5)
    places = [asyncio.ensure_future(one.take(5)) for _ in range(10)]
    last = asyncio.ensure_future(one.take(1))
    await asyncio.sleep(0)
    for place in places:
        place.cancel()
    await asyncio.gather(*places, return_exceptions=True)
    assert await seconds_until(last) <= 0.501  # the timer of the first place still runs


async def test_a_grant_that_raced_a_cancel_is_given_back() -> None:
    one = limiter((10_000, 5))  # so quick that one turn of the timer grants both

    async def take_and_cancel_the_next() -> None:
        await one.take(2)
        raced.cancel()

    one.try_take(5)
    first = asyncio.ensure_future(take_and_cancel_the_next())
    await asyncio.sleep(0)
    raced = asyncio.ensure_future(one.take(3))
    await first
    with pytest.raises(asyncio.CancelledError):
        await raced
    assert one.try_take(3)


async def test_a_refund_gives_all_back_once() -> None:
    one = limiter((10, 5))
    permit = one.try_take(5)
    assert permit
    assert permit.refund()
    assert not permit.refund()
    assert one.try_take(5)
    assert not one.try_take(1)


async def test_what_is_settled_stays_paid() -> None:
    one = limiter((10, 5))
    permit = one.try_take(5)
    assert permit
    assert permit.settle()
    assert not permit.refund()
    assert not one.try_take(1)
