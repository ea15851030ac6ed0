"""Waiting: one timer for all, none without waiters, and answers delivered in one batch."""

import asyncio
import math
from typing import Any, cast

import pytest

from penstock._native import Limiter, Permit
from penstock.errors import EngineClosed
from penstock.limits.waiting import Waiting


class Counted:
    """A native limiter that counts how often it was polled."""

    def __init__(self, native: Limiter) -> None:
        self._native = native
        self.polls = 0

    def poll(self, owner: int) -> Any:
        self.polls += 1
        return self._native.poll(owner)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._native, name)


class Door:
    """One rule of slots for all calls, and the waits of the running loop for it."""

    def __init__(self, n: int) -> None:
        loop = asyncio.get_running_loop()
        self.native = Limiter(loop.time)
        rule: Any = {"shape": "slots", "unit": "requests", "n": n}
        self.native.add("gate", "global", max_waiting=99, follow="off", **rule)
        self.found = self.native.resolve()
        self.counted = Counted(self.native)
        self.next_roll = math.inf
        self.waiting = Waiting(cast(Limiter, self.counted), loop, self.roll)

    def roll(self) -> float:
        return max(self.next_roll - asyncio.get_running_loop().time(), 0.001)

    @property
    def turns(self) -> int:
        return self.counted.polls

    async def wait(self) -> Permit:
        taken = self.native.take(self.found, 1, 4, self.waiting.owner)
        if isinstance(taken, Permit):
            return taken
        token, sooner = taken
        future = self.waiting.enter(token, sooner)
        try:
            return await future
        except BaseException:
            self.waiting.leave(token, future)
            raise


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


async def test_the_end_of_a_calendar_window_is_a_turn_for_those_who_wait() -> None:
    door = Door(0)
    door.next_roll = asyncio.get_running_loop().time() + 50.0
    waits = asyncio.ensure_future(door.wait())
    await asyncio.sleep(49.0)
    assert door.turns == 0
    await asyncio.sleep(1.0)
    door.next_roll = math.inf
    await asyncio.sleep(0.01)
    assert door.turns >= 1
    waits.cancel()


async def test_a_wake_after_the_loop_moved_on_is_harmless() -> None:
    door = Door(1)
    door.waiting.wake()
    door.waiting.wake()
    await asyncio.sleep(0)
    assert door.turns == 1
