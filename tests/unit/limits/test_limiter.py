"""`Limiter`: permits without an engine, in virtual time; who waits, who is next, what is given back."""

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable

import pytest

from penstock._native import Cost, LimitSet, Permit
from penstock.errors import (
    BudgetExceeded,
    ConfigError,
    EngineClosed,
    LimitDeadline,
    LimitExceeded,
    LimitImpossible,
    LimitQueueFull,
)
from penstock.limits.budget import Budget
from penstock.limits.limiter import Limiter
from penstock.limits.spec import Limit
from penstock.testing import VirtualLoop


@pytest.fixture
async def slots() -> AsyncIterator[Limiter]:
    """Two calls of a tool at once."""
    async with Limiter([Limit.concurrency("tool:x", 2)]) as limiter:
        yield limiter


@pytest.fixture
async def rate() -> AsyncIterator[Limiter]:
    """Ten calls of a tool a second, one at once."""
    async with Limiter([Limit.rate("tool:x", 10, burst=1)]) as limiter:
        yield limiter


def now() -> float:
    return asyncio.get_running_loop().time()


async def seconds(waits: Awaitable[object]) -> float:
    """How long something took."""
    began = now()
    await waits
    return now() - began


def held(limiter: Limiter, found: LimitSet, count: int) -> list[Permit]:
    permits = [limiter.try_take(found) for _ in range(count)]
    return [permit for permit in permits if permit is not None]


class TestTaking:
    async def test_a_set_names_its_limits(self, slots: Limiter) -> None:
        found = slots.resolve(tool="x", tenant="acme")
        assert list(found.limits) == ["concurrency tool:x"]
        assert found

    async def test_what_no_limit_speaks_of_passes(self, slots: Limiter) -> None:
        free = slots.resolve(tool="y")
        assert not free
        assert (await slots.take(free)).settle()

    async def test_try_take_never_waits(self, slots: Limiter) -> None:
        found = slots.resolve(tool="x")
        permits = [slots.try_take(found) for _ in range(3)]
        assert [permit is not None for permit in permits] == [True, True, False]

    async def test_a_permit_ends_once(self, slots: Limiter) -> None:
        permit = slots.try_take(slots.resolve(tool="x"))
        assert permit is not None
        assert permit.settle()
        assert not permit.refund()
        assert not permit.cancel()

    async def test_a_release_lets_the_next_in_without_time(self, slots: Limiter) -> None:
        found = slots.resolve(tool="x")
        first, _second = held(slots, found, 2)
        waits = asyncio.ensure_future(slots.take(found))
        await asyncio.sleep(1.0)
        assert not waits.done()
        first.settle()
        assert await seconds(waits) == 0.0

    async def test_waiters_come_in_the_order_of_their_arrival(self, rate: Limiter) -> None:
        found = rate.resolve(tool="x")
        order: list[tuple[int, float]] = []

        async def call(number: int) -> None:
            await rate.take(found)
            order.append((number, now()))

        began = now()
        async with asyncio.TaskGroup() as group:
            for number in range(5):
                group.create_task(call(number))
        assert [number for number, _at in order] == list(range(5))
        assert [at - began for _number, at in order] == pytest.approx(
            [0.0, 0.1, 0.2, 0.3, 0.4], abs=0.0015
        )

    async def test_a_smaller_lane_goes_first(self, slots: Limiter) -> None:
        found = slots.resolve(tool="x")
        first, second = held(slots, found, 2)
        late = asyncio.ensure_future(slots.take(found, lane=7))
        early = asyncio.ensure_future(slots.take(found, lane=0))
        await asyncio.sleep(0)
        first.settle()
        permit = await early
        assert not late.done()
        permit.settle()
        second.settle()
        (await late).settle()

    async def test_a_cost_above_the_burst_is_told_at_once(self, rate: Limiter) -> None:
        with pytest.raises(LimitImpossible) as caught:
            await rate.take(rate.resolve(tool="x"), 2)
        assert caught.value.limit == "rate tool:x"

    async def test_a_deadline_that_cannot_be_met_is_told_at_once(self, rate: Limiter) -> None:
        found = rate.resolve(tool="x")
        assert held(rate, found, 1)
        began = now()
        with pytest.raises(LimitDeadline):
            await rate.take(found, deadline=now() + 0.05)
        assert now() == began
        await rate.take(found, deadline=now() + 0.11)

    async def test_a_deadline_that_passes_while_waiting_ends_the_wait(self, slots: Limiter) -> None:
        found = slots.resolve(tool="x")
        permits = held(slots, found, 2)
        began = now()
        with pytest.raises(LimitDeadline):
            await slots.take(found, deadline=began + 3.0)
        assert now() - began == pytest.approx(3.0, abs=0.002)
        assert all(permit.settle() for permit in permits)

    async def test_a_full_queue_refuses(self) -> None:
        async with Limiter([Limit.concurrency("tool:x", 1, max_waiting=1)]) as limiter:
            found = limiter.resolve(tool="x")
            first = await limiter.take(found)
            waits = asyncio.ensure_future(limiter.take(found))
            await asyncio.sleep(0)
            with pytest.raises(LimitQueueFull):
                await limiter.take(found)
            first.settle()
            await waits

    async def test_a_budget_that_is_spent_refuses(self) -> None:
        async with Limiter([Budget.money("tenant:*", "0.001")]) as limiter:
            found = limiter.resolve(tenant="acme")
            permit = await limiter.take(found, Cost(microusd=900))
            assert permit.settle(Cost(microusd=800))
            with pytest.raises(BudgetExceeded) as caught:
                await limiter.take(found, Cost(microusd=201))
            assert caught.value.remaining == 200
            await limiter.take(limiter.resolve(tenant="other"), Cost(microusd=201))


class TestCancelling:
    async def test_a_cancelled_wait_leaves_its_place_to_the_next(self, slots: Limiter) -> None:
        found = slots.resolve(tool="x")
        first, _second = held(slots, found, 2)
        gone, stays = (asyncio.ensure_future(slots.take(found)) for _ in range(2))
        await asyncio.sleep(0)
        gone.cancel()
        await asyncio.sleep(0)
        first.settle()
        await stays
        assert gone.cancelled()

    async def test_a_grant_that_raced_a_cancel_is_given_back_whole(self) -> None:
        async with Limiter([Limit.window("tool:x", 2, 60.0), Limit.concurrency("tool:x", 1)]) as limiter:  # fmt: skip
            found = limiter.resolve(tool="x")
            first = await limiter.take(found)
            waits = asyncio.ensure_future(limiter.take(found))
            await asyncio.sleep(0)
            first.settle()  # the grant is on its way,
            await asyncio.sleep(0)
            waits.cancel()  # and the wait ends before it can be used
            await asyncio.wait([waits])
            assert waits.cancelled()
            assert limiter.try_take(found) is not None

    async def test_cancelled_waits_cost_nothing(self, rate: Limiter) -> None:
        found = rate.resolve(tool="x")
        assert held(rate, found, 1)
        waits = [asyncio.ensure_future(rate.take(found)) for _ in range(100)]
        await asyncio.sleep(0)
        for wait in waits[:-1]:
            wait.cancel()
        assert await seconds(waits[-1]) == pytest.approx(0.1, abs=0.002)

    async def test_closing_refuses_those_who_wait_and_who_come(self) -> None:
        limiter = Limiter([Limit.concurrency("tool:x", 0)])
        found = limiter.resolve(tool="x")
        waits = asyncio.ensure_future(limiter.take(found))
        await asyncio.sleep(0)
        await limiter.aclose()
        with pytest.raises(EngineClosed):
            await waits
        with pytest.raises(EngineClosed):
            await limiter.take(found)


class TestBlocks:
    async def test_a_block_settles_as_reserved(self, slots: Limiter) -> None:
        async with slots.permit(tool="x") as permit:
            assert permit.cost == Cost()
        assert permit.ended
        assert len(held(slots, slots.resolve(tool="x"), 3)) == 2

    async def test_a_block_that_settled_itself_is_left_alone(self, slots: Limiter) -> None:
        async with slots.permit(tool="x", cost=Cost(output_tokens=9)) as permit:
            assert permit.settle(Cost(output_tokens=3))

    async def test_a_block_that_fails_settles_and_raises(self, slots: Limiter) -> None:
        with pytest.raises(ZeroDivisionError):
            async with slots.permit(tool="x") as permit:
                raise ZeroDivisionError
        assert permit.ended

    async def test_a_block_that_is_cancelled_frees_its_slot(self, slots: Limiter) -> None:
        async def call() -> None:
            async with slots.permit(tool="x"):
                await asyncio.sleep(60.0)

        task = asyncio.ensure_future(call())
        await asyncio.sleep(1.0)
        task.cancel()
        await asyncio.wait([task])
        assert len(held(slots, slots.resolve(tool="x"), 3)) == 2

    async def test_a_block_that_never_began_ends_nothing(self) -> None:
        async with Limiter([Limit.rate("tool:x", 1)]) as limiter:
            with pytest.raises(LimitImpossible):
                async with limiter.permit(tool="x", cost=2):
                    pass


class TestAnswers:
    async def test_a_429_blocks_the_limits_of_its_call(self, rate: Limiter) -> None:
        found = rate.resolve(tool="x")
        async with rate.permit(tool="x") as permit:
            feedback = rate.observe(found, status=429, headers={"Retry-After": "5"}, permit=permit)
        assert feedback.retry_after == 5.0
        assert 5.0 <= await seconds(rate.take(found)) <= 5.6

    async def test_what_remains_lowers_what_is_left(self) -> None:
        async with Limiter([Limit.window("tool:x", 100, 60.0)]) as limiter:
            found = limiter.resolve(tool="x")
            limiter.observe(found, status=200, headers={"x-ratelimit-remaining": "3"})
            assert len(held(limiter, found, 10)) == 3

    async def test_nonsense_changes_nothing(self, slots: Limiter) -> None:
        found = slots.resolve(tool="x")
        nonsense = {"retry-after": "soon", "ratelimit": "\0"}
        assert slots.observe(found, status=200, headers=nonsense).errors == 2
        assert len(held(slots, found, 3)) == 2

    async def test_a_limit_that_is_raised_lets_waiters_in_at_once(self, slots: Limiter) -> None:
        found = slots.resolve(tool="x")
        permits = held(slots, found, 2)
        waits = asyncio.ensure_future(slots.take(found))
        await asyncio.sleep(1.0)
        slots.change("concurrency tool:x", n=3)
        assert await seconds(waits) == 0.0
        assert all(permit.settle() for permit in permits)

    async def test_a_rate_that_is_raised_lets_waiters_in_sooner(self) -> None:
        async with Limiter([Limit.rate("tool:x", 1, per=100.0)]) as limiter:
            found = limiter.resolve(tool="x")
            assert held(limiter, found, 1)
            waits = asyncio.ensure_future(limiter.take(found))
            await asyncio.sleep(1.0)
            limiter.change("rate tool:x", per=10.0)
            assert await seconds(waits) <= 10.0

    async def test_what_a_permit_gives_back_lets_waiters_in_sooner(self) -> None:
        bucket = Limit.rate("model:m", 10, per=10.0, burst=10, unit="output_tokens")
        async with Limiter([bucket]) as limiter:
            found = limiter.resolve(model="m")
            permit = await limiter.take(found, Cost(output_tokens=10))
            waits = asyncio.ensure_future(limiter.take(found, Cost(output_tokens=10)))
            await asyncio.sleep(1.0)
            permit.settle(Cost(output_tokens=5))
            assert await seconds(waits) == pytest.approx(4.0, abs=0.002)

    async def test_a_block_stops_a_limit_for_a_while(self, slots: Limiter) -> None:
        slots.block("concurrency tool:x", 7.0)
        assert await seconds(slots.take(slots.resolve(tool="x"))) == pytest.approx(7.0, abs=0.002)

    async def test_an_unknown_limit_is_told_with_the_nearest(self, slots: Limiter) -> None:
        with pytest.raises(ConfigError, match="did you mean 'concurrency tool:x'"):
            slots.block("concurency tool:x", 1.0)

    async def test_a_refusal_says_which_limit_and_until_when(self, rate: Limiter) -> None:
        found = rate.resolve(tool="x")
        assert rate.refusal(found) is None
        assert held(rate, found, 1)
        refusal = rate.refusal(found)
        assert isinstance(refusal, LimitExceeded)
        assert refusal.limit == "rate tool:x"
        assert refusal.retry_after == pytest.approx(0.1)

    async def test_what_is_available_names_the_limit_that_binds(self, rate: Limiter) -> None:
        found = rate.resolve(tool="x")
        assert rate.available_in(found) == (0.0, None)
        assert held(rate, found, 1)
        assert rate.available_in(found) == (pytest.approx(0.1), "rate tool:x")

    async def test_fill_is_that_of_the_tightest_limit(self, slots: Limiter) -> None:
        found = slots.resolve(tool="x")
        permits = held(slots, found, 1)
        assert slots.fill(found) == 0.5
        assert all(permit.settle() for permit in permits)

    async def test_statistics_have_a_row_for_each_limit_and_scope(self) -> None:
        limits = [Limit.concurrency("tool:*", 2), Budget.tokens("tool:x", 100, per="day")]
        async with Limiter(limits) as limiter:
            found = limiter.resolve(tool="x")
            permit = await limiter.take(found, Cost(output_tokens=60))
            permit.settle(Cost(output_tokens=40))
            assert limiter.try_take(limiter.resolve(tool="y")) is not None
            limiter.observe(found, status=200, headers={"retry-after": "soon"})
            figures = limiter.statistics()
        rows = {(row.name, row.scope): row for row in figures.limits}
        budget = rows["token budget tool:x", "tool:x"]
        assert (budget.spent, budget.most, budget.granted) == (40, 100, 1)
        assert budget.resets_in is not None
        assert rows["concurrency tool:*", "tool:x"].used == 0
        assert rows["concurrency tool:*", "tool:y"].dropped == 1
        assert figures.header_errors == 1

    async def test_the_limits_can_be_read(self, slots: Limiter) -> None:
        slots.change("concurrency tool:x", n=5)
        assert slots.limits == (Limit.concurrency("tool:x", 5),)


class TestClocks:
    async def test_a_day_of_virtual_time_opens_the_next_window(self) -> None:
        async with Limiter([Limit.window("tool:x", 2, "day")]) as limiter:
            found = limiter.resolve(tool="x")
            assert len(held(limiter, found, 3)) == 2
            await limiter.take(found)  # waits for midnight
            assert len(held(limiter, found, 3)) == 1
            assert await seconds(limiter.take(found)) == pytest.approx(86_400.0, abs=1.0)

    async def test_a_limiter_with_another_clock_than_its_virtual_loop_is_refused(self) -> None:
        made: list[Limiter] = []
        thread = threading.Thread(target=lambda: made.append(Limiter([Limit.rate("tool:x", 1)])))
        thread.start()
        thread.join()
        found = made[0].resolve(tool="x")
        await made[0].take(found)
        with pytest.raises(ConfigError, match="clock="):
            await made[0].take(found)  # waits, by which clock?

    def test_a_closed_loop_is_forgotten(self) -> None:
        clock = iter(range(1, 1_000_000))
        limiter = Limiter([Limit.concurrency("tool:x", 1)], clock=lambda: float(next(clock)))

        async def call() -> None:
            permit = await limiter.take(limiter.resolve(tool="x"))
            asyncio.get_running_loop().call_soon(permit.settle)
            (await limiter.take(limiter.resolve(tool="x"))).settle()  # waits

        for _ in range(3):
            with asyncio.Runner(loop_factory=VirtualLoop) as runner:
                runner.run(call())
        assert len(limiter._loops) == 1


@pytest.mark.real_time
class TestThreads:
    async def test_two_loops_in_two_threads_share_one_limit(self) -> None:
        limiter = Limiter([Limit.concurrency("tool:x", 3)])
        found = limiter.resolve(tool="x")
        running = most = done = 0
        lock = threading.Lock()

        async def call() -> None:
            nonlocal running, most, done
            async with limiter.permit(tool="x"):
                with lock:
                    running, most = running + 1, max(most, running + 1)
                await asyncio.sleep(0.001)
                with lock:
                    running, done = running - 1, done + 1

        async def crowd() -> None:
            async with asyncio.TaskGroup() as group:
                for _ in range(50):
                    group.create_task(call())

        others = [threading.Thread(target=lambda: asyncio.run(crowd())) for _ in range(2)]
        for other in others:
            other.start()
        await crowd()
        await asyncio.to_thread(lambda: [other.join() for other in others])
        assert done == 150
        assert most <= 3
        assert len(held(limiter, found, 4)) == 3
        await limiter.aclose()

    async def test_a_release_in_another_thread_wakes_this_loop(self) -> None:
        async with Limiter([Limit.concurrency("tool:x", 1)]) as limiter:
            found = limiter.resolve(tool="x")
            permit = await limiter.take(found)
            waits = asyncio.ensure_future(limiter.take(found))
            await asyncio.sleep(0)
            await asyncio.to_thread(permit.settle)
            (await waits).settle()
