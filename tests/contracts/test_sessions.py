"""What sessions promise, on every loop and wherever tools run."""

import asyncio
import threading
from typing import Any

import pytest

from penstock import Call, Engine, Ref, tool
from penstock.errors import CallCancelled

each_host = pytest.mark.parametrize("host", ["call", "task", "inline", "thread"])


class Store:
    """One number that is read and raised, wherever the tools run; counts what ran."""

    def __init__(self, host: Any) -> None:
        """Make the tools of one host mode."""
        self.number = 0
        self.reads = 0
        self.tools = self._asynchronous(host) if host in ("call", "task") else self._plain(host)

    def _asynchronous(self, host: Any) -> list[Any]:
        @tool(effects="read", reads=["number"], cache="session", host=host)
        async def read(scale: int = 1) -> int:
            self.reads += 1
            await asyncio.sleep(0.02)
            return scale * self.number

        @tool(mutates=["number"], host=host)
        async def up(by: int = 1) -> int:
            await asyncio.sleep(0.01)
            self.number += by
            return self.number

        return [read, up]

    def _plain(self, host: Any) -> list[Any]:
        @tool(effects="read", reads=["number"], cache="session", host=host)
        def read(scale: int = 1) -> int:
            self.reads += 1
            return scale * self.number

        @tool(mutates=["number"], host=host)
        def up(by: int = 1) -> int:
            self.number += by
            return self.number

        return [read, up]


@each_host
async def test_a_value_answers_until_it_is_changed(host: str) -> None:
    store = Store(host)
    async with Engine(store.tools) as engine:
        session = engine.session("s")
        values = []
        for call in (Call("read"), Call("read"), Call("up"), Call("read"), Call("read")):
            (outcome,) = await session.run([call])
            values.append((outcome.value, outcome.cached))
    assert values == [(0, False), (0, True), (1, False), (1, False), (1, True)]
    assert store.reads == 2


@each_host
async def test_a_hundred_equal_reads_are_one_run(host: str) -> None:
    store = Store(host)
    async with Engine(store.tools) as engine:
        outcomes = await engine.session("s").run([Call("read", b'{"scale": 1}')] * 100)
    assert [outcome.value for outcome in outcomes] == [0] * 100
    assert [outcome.index for outcome in outcomes] == list(range(100))
    assert store.reads == 1


@each_host
async def test_calls_of_a_plan_use_each_others_values(host: str) -> None:
    store = Store(host)
    async with Engine(store.tools) as engine:
        raised = Call("up", {"by": 3}, id="raised")
        read = Call("read", {"scale": Ref("raised")}, id="read")
        outcomes = await engine.session("s").run([raised, read])
    assert [outcome.value for outcome in outcomes] == [3, 9]


async def test_a_write_in_a_thread_that_was_cut_short_is_not_trusted() -> None:
    started, written, go = threading.Event(), threading.Event(), threading.Event()
    number = 0

    @tool(effects="read", reads=["number"], cache="session", host="inline")
    def read() -> int:
        return number

    @tool(mutates=["number"], host="thread")
    def slow() -> None:
        nonlocal number
        started.set()
        go.wait(5.0)
        number = 1
        written.set()

    async with Engine([read, slow]) as engine:
        session = engine.session("s")
        writing = session.submit([Call("slow")])
        await asyncio.to_thread(started.wait, 5.0)
        writing.cancel()
        (cut,) = await writing
        (before,) = await session.run([Call("read")])
        go.set()
        await asyncio.to_thread(written.wait, 5.0)
        (after,) = await session.run([Call("read")])
        assert cut.status == "cancelled"
        assert (before.value, after.value, after.cached) == (0, 1, False)
        engine.changed(["*"])
        await session.run([Call("read")])
        (known,) = await session.run([Call("read")])
        assert known.cached


async def test_closing_the_engine_ends_all_who_wait_for_one_run() -> None:
    started = asyncio.Event()

    @tool(effects="read")
    async def forever() -> None:
        started.set()
        await asyncio.Event().wait()

    engine = Engine([forever])
    session = engine.session("s")
    batches = [session.submit([Call("forever")]) for _ in range(5)]
    await started.wait()
    await engine.aclose()
    for batch in batches:
        (outcome,) = await batch
        assert outcome.status == "cancelled"
        assert isinstance(outcome.error, CallCancelled)


async def test_a_deadline_is_of_the_one_who_set_it() -> None:
    @tool(effects="read")
    async def slow() -> str:
        await asyncio.sleep(0.1)
        return "value"

    async with Engine([slow]) as engine:
        session = engine.session("s")
        hurried = session.submit([Call("slow")], timeout=0.03)
        patient = session.submit([Call("slow")])
        (late,), (value,) = await hurried, await patient
    assert (late.status, value.value) == ("timeout", "value")


async def test_sessions_that_ended_leave_nothing_behind() -> None:
    store = Store("call")
    async with Engine(store.tools) as engine:
        for number in range(100):
            async with engine.session(f"s{number}") as session:
                await session.run([Call("read", {"scale": number})] * 2)
        flights = engine._assembled.services.flights
        assert flights is not None
        counts = flights.statistics()
    assert (counts["sessions"], counts["held"], counts["running"]) == (0, 0, 0)
