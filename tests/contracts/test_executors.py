"""What holds for every executor: code that runs somewhere else ends as code on the loop does."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from contracts.executor_kinds import KINDS, Kind
from penstock import Call, Engine
from penstock.engine import executors

pytestmark = pytest.mark.real_time
SECONDS = 10.0
JOBS_PER_WORKER = 4  # what the gate before an executor lets in
WITH_EXECUTOR = [name for name in executors.names() if executors.get(name).make is not None]


class Door:
    """What holds the tools named `hold` until a test lets them go on."""

    def __init__(self, folder: Path) -> None:
        """Make a closed door."""
        self.folder = folder

    def call(self, name: str, **options: Any) -> Call:
        """A call that waits at this door."""
        return Call("hold", {"folder": str(self.folder), "name": name}, **options)

    @property
    def begun(self) -> list[str]:
        """Who has come to the door, in order."""
        log = self.folder / "begun"
        return log.read_text().split() if log.exists() else []

    async def wait_begun(self, count: int = 1) -> None:
        """Wait until so many have come."""
        await settle(lambda: len(self.begun) >= count)

    def open(self) -> None:
        """Let all go on."""
        (self.folder / "open").touch()


async def settle(condition: Callable[[], bool]) -> None:
    """Wait for something that happens elsewhere."""
    until = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < until
        await asyncio.sleep(0.005)


def counts(engine: Engine, kind: Kind) -> Any:
    return engine.statistics().executors[kind.name]


@pytest.fixture(params=WITH_EXECUTOR)
def kind(request: pytest.FixtureRequest) -> Kind:
    assert request.param in KINDS, f"{request.param} needs a row in executor_kinds.KINDS"
    return KINDS[request.param]


@pytest.fixture
def door(tmp_path: Path) -> Door:
    return Door(tmp_path)


@pytest.fixture(autouse=True)
def no_process_left() -> Iterator[None]:
    before = set(psutil.Process().children(recursive=True))
    yield
    left = set(psutil.Process().children(recursive=True)) - before
    assert not left, f"the test left processes behind: {left}"


async def test_the_value_is_returned(kind: Kind) -> None:
    async with kind.engine() as engine:
        outcomes = await engine.run([Call("double", {"number": n}) for n in range(1, 20)])
    assert [kind.read(o.value) for o in outcomes] == [str(2 * n) for n in range(1, 20)]


async def test_one_call_at_a_time_works_alike(kind: Kind) -> None:
    async with kind.engine() as engine:
        assert kind.read(await engine.call("double", number=4)) == "8"
        with pytest.raises(Exception, match=kind.fault):
            await engine.call("refuse", text="this")


async def test_what_fails_fails_alone(kind: Kind) -> None:
    async with kind.engine() as engine:
        calls = [Call("refuse", {"text": "this"}), Call("double", {"number": 1})]
        failed, other = await engine.run(calls)
    assert failed.status == "failed"
    assert kind.fault in str(failed.error)
    assert other.ok


async def test_a_call_cancelled_before_it_starts_never_runs(kind: Kind, door: Door) -> None:
    async with kind.engine(workers=1) as engine:
        first = engine.submit([door.call("first")])
        await door.wait_begun()
        second = engine.submit([door.call("second")])
        await asyncio.sleep(0.02)
        assert second.cancel() == 1
        (outcome,) = await second
        assert counts(engine, kind).queued == 0
        door.open()
        await first
    assert (outcome.status, outcome.detached) == ("cancelled", False)
    assert door.begun == ["first"]


async def test_a_call_cancelled_while_it_runs_ends_if_it_can(kind: Kind, door: Door) -> None:
    async with kind.engine() as engine:
        batch = engine.submit([door.call("it")])
        await door.wait_begun()
        batch.cancel()
        (outcome,) = await batch
        assert outcome.status == "cancelled"
        assert outcome.detached is not kind.can_stop
        door.open()
        await settle(lambda: engine.statistics().pending == 0)


async def test_a_deadline_ends_what_runs(kind: Kind, door: Door) -> None:
    async with kind.engine(timeout=0.3) as engine:
        (outcome,) = await engine.run([door.call("it")])
        assert outcome.status == "timeout"
        assert outcome.detached is not kind.can_stop
        door.open()


async def test_what_is_queued_runs_though_every_worker_is_stuck(kind: Kind, door: Door) -> None:
    async with kind.engine(workers=1) as engine:
        stuck = engine.submit([door.call("stuck")])
        await door.wait_begun()
        queued = engine.submit([Call("double", {"number": 2})])
        await asyncio.sleep(0.02)
        stuck.cancel()
        assert kind.read((await queued)[0].value) == "4"
        door.open()


async def test_no_more_run_than_there_are_workers(kind: Kind, door: Door) -> None:
    async with kind.engine(workers=2) as engine:
        batch = engine.submit([door.call(str(n)) for n in range(12)])
        await door.wait_begun(2)
        await asyncio.sleep(0.05)
        assert len(door.begun) == 2
        assert counts(engine, kind).busy == 2
        assert engine.statistics().in_flight <= 2 * JOBS_PER_WORKER
        door.open()
        assert all(outcome.ok for outcome in await batch)
    assert sorted(door.begun, key=int) == [str(n) for n in range(12)]


async def test_priorities_count_behind_the_gate(kind: Kind, door: Door) -> None:
    async with kind.engine(workers=1) as engine:
        first = engine.submit([door.call(f"late{n}") for n in range(10)])
        await door.wait_begun()
        urgent = engine.submit([door.call("urgent", priority=0)])
        door.open()
        await first
        await urgent
    assert door.begun.index("urgent") <= JOBS_PER_WORKER


async def test_the_loop_goes_on_while_code_blocks(kind: Kind, door: Door) -> None:
    async with kind.engine() as engine:
        batch = engine.submit([door.call("it")])
        await door.wait_begun()
        for _ in range(10):
            await asyncio.sleep(0)
        assert not batch.done
        door.open()
        assert (await batch)[0].ok


async def test_statistics_return_to_zero(kind: Kind) -> None:
    async with kind.engine() as engine:
        await engine.run([Call("double", {"number": n}) for n in range(1, 21)])
        await settle(lambda: counts(engine, kind).busy == 0)
        assert (counts(engine, kind).queued, engine.statistics().in_flight) == (0, 0)
        assert engine.statistics().tools["double"].ok == 20


async def test_an_executor_is_not_shown_before_it_is_used(kind: Kind) -> None:
    async with kind.engine() as engine:
        assert kind.name not in engine.statistics().executors


async def test_draining_runs_what_waits(kind: Kind, door: Door) -> None:
    engine = kind.engine(workers=1)
    batch = engine.submit([door.call("first"), Call("double", {"number": 3})])
    await door.wait_begun()
    closing = asyncio.ensure_future(engine.aclose(drain=True))
    await asyncio.sleep(0.02)
    door.open()
    await closing
    assert [outcome.ok for outcome in await batch] == [True, True]


async def test_closing_gives_up_what_runs_and_what_waits(kind: Kind, door: Door) -> None:
    engine = kind.engine(workers=1)
    batch = engine.submit([door.call(str(n)) for n in range(8)])
    await door.wait_begun()
    await engine.aclose(grace=0.01)
    outcomes = await batch
    assert {outcome.status for outcome in outcomes} == {"cancelled"}
    assert not any(outcome.detached for outcome in outcomes[1:])
    assert door.begun == ["0"]
    door.open()
    await settle(lambda: engine.statistics().pending == 0)


async def test_closing_leaves_no_thread_and_no_process(kind: Kind) -> None:
    threads = threading.active_count()
    async with kind.engine() as engine:
        await engine.run([Call("double", {"number": n}) for n in range(1, 6)])
    assert not psutil.Process().children(recursive=True)
    await settle(lambda: threading.active_count() <= threads)


async def test_engines_do_not_share_workers(kind: Kind, door: Door) -> None:
    async with kind.engine(workers=1) as busy, kind.engine(workers=1) as free:
        held = busy.submit([door.call("it")])
        await door.wait_begun()
        (outcome,) = await free.run([Call("double", {"number": 5})])
        assert kind.read(outcome.value) == "10"
        door.open()
        await held
