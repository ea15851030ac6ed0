"""What is done with a limiter; how long it takes is for the rows to say, not for a test."""

import asyncio
import itertools

import pytest

from penstock.cli.bench.limits._plain_bucket import Bucket, PlainLimiter, PlainPermit
from penstock.cli.bench.limits._workloads import (
    BucketShape,
    Subject,
    WindowShape,
    after_cancel,
    big_call,
    crowd,
    in_any,
    inversions,
    ns_a_take,
    ns_a_try,
    pace,
)


def quick() -> Subject:
    """The baseline, so quick that nothing here takes long."""
    limiter = PlainLimiter([Bucket(1e6, 100)])
    shape = BucketShape(1e6, 100)
    return Subject(shape, limiter.take, limiter.try_take, PlainPermit.settle)


def test_a_bucket_admits_its_burst_and_its_rate() -> None:
    shape = BucketShape(1_000, 100)
    assert shape.most(2.0) == 2_100
    assert shape.soonest(50) == 0.05


def test_a_window_admits_n_in_each_period() -> None:
    shape = WindowShape(1_000, per=1.0)
    assert [shape.most(seconds) for seconds in (0.0, 0.5, 1.0, 1.5, 2.0)] == [
        *[1_000] * 3,
        *[2_000] * 2,
    ]
    assert shape.soonest(1_001) == 2.0


@pytest.mark.parametrize(
    ("order", "expected"), [([0, 1, 2, 3], 0), ([1, 0, 2, 3], 1), ([3, 0, 1, 2], 3)]
)
def test_who_is_granted_after_a_later_one_counts(order: list[int], expected: int) -> None:
    assert inversions(order) == expected


def test_the_fullest_period_is_found_wherever_it_is() -> None:
    moments = [0.0, 1.0, 1.9, 2.0, 2.1, 2.89, 4.0]
    assert in_any(moments, 1.0) == 4


def test_a_period_does_not_hold_its_own_end() -> None:
    assert in_any([0.0, 1.0, 2.0], 1.0) == 1


async def test_every_task_of_a_crowd_gets_all_its_units() -> None:
    found = await crowd([quick()], tasks=50, takes=10)
    assert (found.granted, found.inversions) == (500, 0)


async def test_a_crowd_is_dealt_round_over_the_subjects() -> None:
    counts = [0, 0, 0]

    def counting(index: int) -> Subject:
        async def take() -> None:
            counts[index] += 1

        return Subject(BucketShape(1e6, 1), take)

    await crowd([counting(index) for index in range(3)], tasks=9, takes=2)
    assert counts == [6, 6, 6]


async def test_a_crowd_that_waits_for_ever_is_sent_home() -> None:
    one_only = itertools.count()

    async def take() -> None:
        if next(one_only):
            await asyncio.Event().wait()

    found = await crowd([Subject(BucketShape(1.0, 1), take)], tasks=5, takes=1)
    assert found.granted == 1


async def test_every_permit_is_ended() -> None:
    ended = list[object]()
    limiter = PlainLimiter([Bucket(1e9, 1e6)])
    subject = Subject(BucketShape(1e9, 10**6), limiter.take, limiter.try_take, ended.append)
    ns_a_try(subject, 10)
    await ns_a_take(subject, 20)
    await crowd([subject], tasks=3, takes=10)
    assert len(ended) == 60


async def test_a_failing_limiter_fails_its_measure() -> None:
    async def take() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await crowd([Subject(BucketShape(1.0, 1), take)], tasks=2, takes=1)


@pytest.mark.real_time
async def test_the_pace_and_the_calls_in_it_come_to_an_end() -> None:
    assert (await pace(quick(), seconds=0.01)).granted > 0
    assert await after_cancel(quick()) < 3.0
    assert await big_call(quick(), units=100) < 3.0
