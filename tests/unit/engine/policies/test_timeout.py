"""Timeout: one function, or all attempts of a call, in so many seconds."""

import asyncio

import pytest

from penstock.engine.policies import compose
from penstock.engine.policies.timeout import POLICY, timed
from penstock.errors import CallTimeout
from penstock.tools.settings import Retry
from unit.engine.policies.fakes import FakeAttempt, FakeServices, FakeTool, info


async def test_what_ends_in_time_is_unchanged() -> None:
    async def add(one: int, *, two: int) -> int:
        await asyncio.sleep(0.9)
        return one + two

    assert await timed(add, 1.0, "add")(1, two=2) == 3


async def test_what_takes_longer_is_cancelled_and_named() -> None:
    attempt = FakeAttempt(seconds=2.0)
    with pytest.raises(CallTimeout) as late:
        await timed(attempt, 1.0, "search")(info(), ())
    assert (late.value.tool, late.value.seconds) == ("search", 1.0)
    assert attempt.cancelled == 1


async def test_a_timeout_of_the_tools_own_passes() -> None:
    attempt = FakeAttempt([TimeoutError("the tool's")])
    with pytest.raises(TimeoutError, match="the tool's"):
        await timed(attempt, 1.0, "search")(info(), ())


async def test_a_cancel_from_outside_is_no_timeout() -> None:
    attempt = FakeAttempt(seconds=2.0)
    task = asyncio.create_task(timed(attempt, 1.0, "search")(info(), ()))
    await asyncio.sleep(0.5)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_all_attempts_and_pauses_together_have_the_total() -> None:
    attempt = FakeAttempt([ConnectionError(), "late"], seconds=0.6)
    tool = FakeTool(retries=Retry(wait="immediate", total=1.0))
    with pytest.raises(CallTimeout):
        await compose(tool, attempt, FakeServices())(info(), ())
    assert len(attempt.ran) == 2


async def test_a_pause_beyond_the_total_is_not_begun() -> None:
    attempt, services = FakeAttempt([ConnectionError("down")]), FakeServices()
    tool = FakeTool(retries=Retry(wait="constant", base=2.0, total=1.0))
    with pytest.raises(ConnectionError, match="down"):
        await compose(tool, attempt, services)(info(), ())
    assert services.clock() == attempt.ran[0][0]


async def test_the_earlier_deadline_counts() -> None:
    attempt, services = FakeAttempt(), FakeServices()
    run = POLICY.build(FakeTool(retries=Retry(total=5.0)), attempt, services)
    now = services.clock()
    for given, expected in [(None, 5.0), (now + 3.0, 3.0), (now + 9.0, 5.0)]:
        await run(info(deadline=given), ())
        assert attempt.ran[-1][1].deadline == now + expected


def test_without_a_total_there_is_no_layer() -> None:
    assert not POLICY.is_used_by(FakeTool(retries=Retry(), timeout=1.0))
    assert not POLICY.is_used_by(FakeTool())
