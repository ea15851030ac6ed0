"""Waiting: one timer for all, none without waiters, and answers delivered in one batch."""

import asyncio

import pytest

from penstock._native import Limiter, Permit
from penstock.errors import EngineClosed
from penstock.limits.waiting import Waiting


class Door:
    """One rule `gate` of slots, and the waits of the running loop for it."""

    def __init__(self, n: int) -> None:
        loop = asyncio.get_running_loop()
        self.native = Limiter(loop.time)
        self.turns = 0
        self.native.add("gate", "global", "slots", "requests", n, max_waiting=100, follow="off")
        self.found = self.native.resolve()
        self.waiting = Waiting(self.native, loop, self.count)

    def count(self) -> None:
        self.turns += 1

    def take(self) -> Permit | None:
        permit = self.native.try_take(self.found)
        assert permit is not None
        return permit

    async def wait(self) -> Permit:
        token = self.waiting.next_token()
        permit = self.native.take(self.found, 1, 4, self.waiting.owner, token)
        return permit or await self.waiting.wait(token)


async def test_without_waiters_there_is_no_timer() -> None:
    door = Door(1)
    assert (await door.wait()).settle()
    await asyncio.sleep(100.0)
    assert (len(door.waiting), door.turns) == (0, 0)


async def test_nothing_polls_while_a_slot_is_held() -> None:
    door = Door(1)
    permit = await door.wait()
    waits = asyncio.ensure_future(door.wait())
    await asyncio.sleep(1_000.0)
    assert door.turns == 0
    permit.settle()
    await waits
    assert door.turns == 1


async def test_a_batch_of_grants_is_one_turn() -> None:
    door = Door(3)
    permits = [await door.wait() for _ in range(3)]
    waits = [asyncio.ensure_future(door.wait()) for _ in range(3)]
    await asyncio.sleep(0)
    for permit in permits:
        permit.settle()
    await asyncio.gather(*waits)
    assert door.turns == 1


async def test_a_place_that_is_given_up_is_gone_in_the_same_turn() -> None:
    door = Door(1)
    permit = await door.wait()
    waits = asyncio.ensure_future(door.wait())
    await asyncio.sleep(0)
    waits.cancel()
    await asyncio.sleep(0)
    assert len(door.waiting) == 0
    permit.settle()
    assert door.native.try_take(door.found) is not None


async def test_closing_refuses_all_that_wait() -> None:
    door = Door(0)
    waits = [asyncio.ensure_future(door.wait()) for _ in range(2)]
    await asyncio.sleep(0)
    door.waiting.close()
    for wait in waits:
        with pytest.raises(EngineClosed):
            await wait


async def test_a_wake_after_the_loop_moved_on_is_harmless() -> None:
    door = Door(1)
    door.waiting.wake()
    door.waiting.wake()
    await asyncio.sleep(0)
    assert door.turns == 1
