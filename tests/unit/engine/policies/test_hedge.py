"""Hedge: when another attempt starts, who wins, what becomes of the others, what it may cost."""

import asyncio
import contextlib
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.engine.policies import CallInfo, Load
from penstock.engine.policies.hedge import MOST_SAVED, POLICY, RARE, SECONDS_LEARNED, Delay, Purse
from penstock.errors import RateLimited
from penstock.testing import every_cancel_point
from penstock.tools.settings import Breaker, Hedge
from unit.engine.policies.fakes import (
    FakeCircuit,
    FakeServices,
    FakeTool,
    info,
    virtual,
)


class Takes:
    """An attempt whose first run takes some seconds and then does something, and so on."""

    def __init__(self, *runs: tuple[float, object]) -> None:
        """Make it with the seconds and the answer of each run; the last is used again."""
        self.runs = runs
        self.begun: list[tuple[float, CallInfo]] = []
        self.ended: list[str] = []

    async def __call__(self, call: CallInfo, _arguments: object) -> object:
        number = len(self.begun)
        seconds, answer = self.runs[min(number, len(self.runs) - 1)]
        self.begun.append((asyncio.get_running_loop().time(), call))
        try:
            await asyncio.sleep(seconds)
        except asyncio.CancelledError:
            self.ended.append(f"{number} cancelled")
            raise
        self.ended.append(f"{number} ended")
        if isinstance(answer, Exception):
            raise answer
        return answer

    @property
    def times(self) -> list[float]:
        """Return when each run began, since the first."""
        return [round(time - self.begun[0][0], 6) for time, _call in self.begun]


class Shop:
    """A tool that is hedged after a second, its attempt and its services."""

    def __init__(self, *runs: tuple[float, object], breaker: Any = None, **settings: Any) -> None:
        """Make it with what its runs do."""
        self.attempt = Takes(*runs)
        self.services = FakeServices()
        tool = FakeTool(hedge=Hedge(**{"after": 1.0, "extra": 1.0} | settings), breaker=breaker)
        self.run = POLICY.build(tool, self.attempt, self.services)


async def test_a_quick_call_has_one_attempt() -> None:
    shop = Shop((0.9, "first"))
    assert await shop.run(info(), ()) == "first"
    assert shop.attempt.times == [0.0]
    assert shop.services.facts == []


async def test_a_slow_call_has_another_and_the_first_good_answer_wins() -> None:
    shop = Shop((9.0, "first"), (0.5, "second"))
    call = info()
    assert await shop.run(call, ()) == "second"
    assert shop.attempt.times == [0.0, 1.0]
    assert [c.hedge for _time, c in shop.attempt.begun] == [False, True]
    assert [c.attempt for _time, c in shop.attempt.begun] == [1, 2]
    assert call.tally.attempts == 2
    assert shop.services.facts == ["hedged", "hedge_won"]


async def test_the_loser_is_cancelled_and_awaited() -> None:
    shop = Shop((9.0, "first"), (0.5, "second"))
    await shop.run(info(), ())
    assert shop.attempt.ended == ["1 ended", "0 cancelled"]


async def test_the_first_may_still_win() -> None:
    shop = Shop((1.2, "first"), (0.5, "second"))
    assert await shop.run(info(), ()) == "first"
    assert shop.attempt.ended == ["0 ended", "1 cancelled"]


async def test_attempts_are_bounded() -> None:
    shop = Shop((9.0, "late"), max_attempts=3)
    for _ in range(2):  # the purse has one for each call, and one
        await shop.run(info(), ())
    assert len(shop.attempt.begun) <= 2 * 3


async def test_an_error_that_may_pass_starts_the_next_at_once() -> None:
    shop = Shop((0.3, ConnectionError()), (0.5, "second"))
    assert await shop.run(info(), ()) == "second"
    assert shop.attempt.times == [0.0, 0.3]


async def test_an_error_that_will_not_pass_is_the_answer() -> None:
    shop = Shop((1.5, ValueError("wrong")), (9.0, "second"))
    with pytest.raises(ValueError, match="wrong"):
        await shop.run(info(), ())
    assert shop.attempt.ended == ["0 ended", "1 cancelled"]


async def test_when_all_have_failed_the_last_error_is_raised() -> None:
    shop = Shop((0.3, ConnectionError("first")), (0.3, ConnectionError("second")), max_attempts=2)
    with pytest.raises(ConnectionError, match="second"):
        await shop.run(info(), ())


async def test_a_service_that_says_when_to_come_again_is_not_hedged() -> None:
    shop = Shop((0.3, RateLimited(5.0)), (0.5, "second"))
    with pytest.raises(RateLimited):
        await shop.run(info(), ())
    assert shop.attempt.times == [0.0]


async def test_a_cancel_ends_all_attempts_first() -> None:
    shop = Shop((9.0, "first"), (9.0, "second"))
    task = asyncio.create_task(shop.run(info(), ()))
    await asyncio.sleep(1.5)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert sorted(shop.attempt.ended) == ["0 cancelled", "1 cancelled"]


async def test_an_attempt_that_takes_its_time_to_stop_is_awaited_through_cancels() -> None:
    stopped = []

    async def stubborn(_call: CallInfo, _arguments: object) -> object:
        try:
            await asyncio.sleep(99.0)
        finally:
            await asyncio.sleep(3.0)
            stopped.append(asyncio.get_running_loop().time())

    run = POLICY.build(FakeTool(hedge=Hedge(after=1.0)), stubborn, FakeServices())
    task = asyncio.create_task(run(info(), ()))
    for _ in range(3):
        await asyncio.sleep(0.5)
        task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert len(stopped) == 1


@pytest.mark.parametrize(
    "load",
    [Load("search", 5, 2.0), Load("search", full=True), Load("search", payable_in=1.5)],
)
async def test_nothing_is_added_where_calls_wait(load: Load) -> None:
    shop = Shop((5.0, "first"), (0.1, "second"))
    shop.services.loads["search"] = load
    assert await shop.run(info(), ()) == "first"


async def test_who_was_refused_asks_again() -> None:
    shop = Shop((5.0, "first"), (0.1, "second"))
    shop.services.loads["search"] = Load("search", full=True)
    task = asyncio.ensure_future(shop.run(info(), ()))
    await asyncio.sleep(1.2)
    shop.services.loads.clear()
    assert await task == "second"
    assert shop.attempt.times == [0.0, 1.5]


async def test_limits_that_pay_sooner_than_the_delay_are_no_reason() -> None:
    shop = Shop((5.0, "first"), (0.1, "second"))
    shop.services.loads["search"] = Load("search", payable_in=0.5)
    assert await shop.run(info(), ()) == "second"


async def test_nothing_is_added_while_the_breaker_is_not_closed() -> None:
    shop = Shop((5.0, "first"), (0.1, "second"), breaker=Breaker())
    shop.services.circuits["search"] = FakeCircuit(is_closed=False)
    assert await shop.run(info(), ()) == "first"


async def test_without_an_allowance_there_is_no_hedge() -> None:
    shop = Shop((5.0, "first"), (0.1, "second"))
    shop.services.allowances["web"].left = 0.0
    assert await shop.run(info(), ()) == "first"
    assert shop.services.facts == ["hedges_denied"]


async def test_while_nothing_is_learned_there_is_no_hedge_and_no_task() -> None:
    shop = Shop((5.0, "first"), after=None)
    before = asyncio.all_tasks()
    task = asyncio.create_task(shop.run(info(), ()))
    await asyncio.sleep(1.0)
    assert asyncio.all_tasks() - before == {task}
    await task


def learned(usual: float | None, rare: float | None, wanted: float | None) -> FakeServices:
    services = FakeServices()
    given = {0.5: usual, RARE: rare, 0.95: wanted}
    services.quantiles = {share: value for share, value in given.items() if value is not None}
    return services


@pytest.mark.parametrize(
    ("quantiles", "seconds"),
    [
        ((1.0, 9.0, 4.0), 4.0),
        ((1.0, 1.9, 1.5), math.inf),
        ((0.0001, 0.0009, 0.0005), 0.001),
        ((None, None, None), math.inf),
    ],
)
async def test_the_delay_is_learned(quantiles: tuple[Any, ...], seconds: float) -> None:
    assert Delay("search", Hedge(), learned(*quantiles)).seconds() == seconds


async def test_what_was_learned_is_used_for_three_seconds() -> None:
    services = learned(1.0, 9.0, 4.0)
    delay = Delay("search", Hedge(), services)
    delay.seconds()
    services.quantiles[0.95] = 5.0
    assert delay.seconds() == 4.0
    await asyncio.sleep(SECONDS_LEARNED)
    assert delay.seconds() == 5.0


def test_a_quiet_hour_does_not_pay_for_a_burst() -> None:
    purse = Purse(0.5)
    for second in range(3_600):
        purse.earn(float(second), SECONDS_LEARNED)
    assert purse.left == MOST_SAVED


def test_calls_that_start_together_may_spend_what_they_have_earned() -> None:
    purse = Purse(0.05)
    for _ in range(1_000):
        purse.earn(0.0, SECONDS_LEARNED)
    assert purse.left == pytest.approx(50.0)
    purse.earn(1.9 * SECONDS_LEARNED, SECONDS_LEARNED)
    assert purse.left == pytest.approx(50.0, abs=0.1)
    purse.earn(5.0 * SECONDS_LEARNED, SECONDS_LEARNED)
    assert purse.left == MOST_SAVED


def test_a_part_is_kept_for_those_who_wait_longest() -> None:
    purse = Purse(0.0625)
    for _ in range(800):
        purse.earn(0.0, SECONDS_LEARNED)
    paid = 0
    while purse.can_pay(first=True):
        purse.left -= 1
        paid += 1
    assert paid == 40
    assert purse.can_pay(first=False)


async def test_a_crowd_leaves_something_for_who_waits_longest() -> None:
    """All are late at once. Most end by themselves soon, one does not, and is helped then."""
    shop = Shop(*[(1.2, "usual")] * 199, (60.0, "straggler"), (0.5, "hedge"), extra=0.05)
    calls = [shop.run(info(), ()) for _ in range(200)]
    began = asyncio.get_running_loop().time()
    answers = await asyncio.gather(*calls)
    assert asyncio.get_running_loop().time() - began == pytest.approx(2.0)
    assert answers[-1] == "hedge"
    assert len(shop.attempt.begun) <= 200 * 1.05 + 1


@given(
    st.lists(st.tuples(st.floats(0.0, 3.0), st.booleans()), min_size=1, max_size=20),
    st.floats(0.01, 1.0),
    st.integers(2, 5),
)
def test_a_brown_out_costs_no_more_than_the_bound(
    runs: list[tuple[float, bool]], extra: float, max_attempts: int
) -> None:
    """Whatever attempts take and answer, hedges stay within `extra` of the calls, and one."""

    async def story() -> None:
        plan = [(seconds, "good" if good else ConnectionError()) for seconds, good in runs]
        shop = Shop(*plan, after=0.5, extra=extra, max_attempts=max_attempts)
        for calls in range(1, 31):
            call = info()
            before = len(shop.attempt.begun)
            with contextlib.suppress(ConnectionError):
                await shop.run(call, ())
            attempts = len(shop.attempt.begun) - before
            assert attempts == call.tally.attempts <= max_attempts
            assert len(shop.attempt.begun) - calls <= 1 + extra * calls + 1e-9
            assert len(shop.attempt.ended) == len(shop.attempt.begun)

    virtual(story())


def test_no_cancel_at_any_moment_leaves_anything_behind() -> None:
    async def story() -> None:
        shop = Shop((9.0, "first"), (0.5, "second"))
        assert await shop.run(info(), ()) == "second"

    assert every_cancel_point(story) > 3
