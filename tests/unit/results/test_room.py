"""`Room`: who waits, and when a wait ends."""

import asyncio
from dataclasses import replace

import pytest

from penstock._native import Ledger
from penstock.errors import ResultsFull
from penstock.results.options import Results
from penstock.results.room import Room

MIB = 1 << 20


class World:
    """A room over a ledger that nobody works on, and a count of wakes."""

    def __init__(self, options: Results) -> None:
        self.ledger = Ledger(options.memory_bytes, spills=False)
        self.wakes = 0
        self.room = Room(options, self.ledger, self.wake)

    def wake(self) -> None:
        self.wakes += 1


@pytest.fixture
def world(options: Results) -> World:
    return World(options)


async def test_a_wait_ends_with_relief(world: World) -> None:
    entry = world.ledger.add(2 * MIB, plain=False)
    waiting = asyncio.ensure_future(world.room.wait())
    await asyncio.sleep(0.5)
    assert world.room.waiting == 1
    world.ledger.release(entry)
    world.room.tell()
    await waiting
    assert world.room.waiting == 0


async def test_at_the_brim_a_wait_ends_after_full_wait(world: World) -> None:
    world.ledger.add(2 * MIB, plain=False)
    began = asyncio.get_running_loop().time()
    with pytest.raises(ResultsFull) as caught:
        await world.room.wait()
    assert asyncio.get_running_loop().time() - began == pytest.approx(1.0)
    assert (caught.value.held, caught.value.limit) == (2 * MIB, MIB)
    assert world.wakes == 0


async def test_while_values_leave_memory_a_wait_has_no_end_of_its_own(world: World) -> None:
    entry = world.ledger.add(2 * MIB, plain=True)  # can be packed: not the brim
    waiting = asyncio.ensure_future(world.room.wait())
    await asyncio.sleep(0)
    assert world.wakes == 1
    asyncio.get_running_loop().call_later(60, world.ledger.release, entry)
    asyncio.get_running_loop().call_later(61, world.room.tell)
    await waiting


async def test_a_wait_that_is_cancelled_leaves_nothing(world: World) -> None:
    world.ledger.add(2 * MIB, plain=False)
    waiting = asyncio.ensure_future(world.room.wait())
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert world.room.waiting == 0


async def test_without_patience_the_brim_refuses_at_once(options: Results) -> None:
    world = World(replace(options, full_wait=0))
    world.ledger.add(2 * MIB, plain=False)
    with pytest.raises(ResultsFull, match="raise memory_bytes"):
        await world.room.wait()


async def test_with_room_nobody_waits(world: World) -> None:
    await world.room.wait()
    assert world.wakes == 0


async def test_after_the_end_nobody_waits(world: World) -> None:
    world.ledger.add(2 * MIB, plain=True)
    waiting = asyncio.ensure_future(world.room.wait())
    await asyncio.sleep(0.5)
    world.room.close()
    await waiting
    await world.room.wait()


async def test_who_waits_lets_go_of_what_is_due(options: Results) -> None:
    ledger = Ledger(MIB, spills=False)
    entry = ledger.add(2 * MIB, plain=False)
    loop = asyncio.get_running_loop()
    due = loop.time() + 0.5

    def expire() -> float:
        return due - loop.time() if loop.time() < due else float(not ledger.release(entry))

    await Room(options, ledger, lambda: None, expire).wait()
    assert loop.time() == pytest.approx(due)
