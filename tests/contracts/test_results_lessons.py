"""Lessons about large results: faults that were met once, each with the test that is named after it."""

import asyncio
import gc
import json
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from contracts.moments import in_virtual_time, statuses
from penstock import Call, Engine, Outcome, Results, ResultStore, read_result, tool
from penstock.errors import ConfigError
from penstock.results import Cap, handles

MIB = 1 << 20

PREAMBLE = """
import asyncio, faulthandler, gc, os, threading
from penstock import Call, Engine, Results, tool
from penstock.results._packing import Packing
faulthandler.dump_traceback_later(15, exit=True)
MIB = 1 << 20

@tool
async def rows(number: int) -> dict:
    return {"number": number, "rows": [f"row {row} {number}" for row in range(20_000)]}

async def use(**changes):
    engine = Engine([rows], results=Results(memory_bytes=4 * MIB, **{"spill": None, **changes}))
    outcomes = await engine.run([Call("rows", {"number": number}) for number in range(8)])
    cycle = [engine]
    cycle.append(cycle)
    gc.disable()
    return outcomes
"""


def run(script: str, *arguments: str) -> str:
    """Run a script in a process of its own, which a deadlock cannot outlive; return what it says."""
    command = [sys.executable, "-c", PREAMBLE + textwrap.dedent(script), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@tool
async def rows(count: int) -> dict[str, list[dict[str, int]]]:
    return {"rows": [{"id": number} for number in range(count)]}


@tool
async def opaque(count: int) -> tuple[str, ...]:
    return tuple(f"item {number}" for number in range(count))


def small(**changes: Any) -> Results:
    return Results(**{"memory_bytes": MIB, "spill": None, "full_wait": 1.0, **changes})


@pytest.mark.real_time
class TestAnEngineThatNobodyClosed:
    """Its destructor joined the thread of its store, which waited for a lock that was held here."""

    @pytest.mark.parametrize("keep", ["", "keep"])
    def test_is_collected_while_its_store_is_locked(self, keep: str) -> None:
        said = run(
            """
            import sys, tempfile
            with tempfile.TemporaryDirectory() as folder:
                kept = {"spill": folder, "keep": True, "segment_bytes": MIB}
                outcomes = asyncio.run(use(**(kept if sys.argv[1] else {})))
                forms = outcomes[0].ref._forms
                with forms.guard, forms.guard.lock:
                    gc.collect()
                assert [outcome.value["number"] for outcome in outcomes] == list(range(8))
                outcomes.clear()
                print("collected")
            """,
            keep,
        )
        assert said == "collected\n"

    def test_is_collected_by_the_thread_of_its_store(self) -> None:
        said = run(
            """
            pack, where = Packing.pack, []
            def collecting(*arguments):
                if threading.current_thread().name == "penstock-results":
                    where.append(gc.collect())
                return pack(*arguments)
            outcomes = asyncio.run(use())
            store = outcomes[0].ref._beside.__self__
            asyncio.run(store.settle())
            Packing.pack = collecting
            more = store.put({"rows": list(range(200_000))})
            (thread,) = [it for it in threading.enumerate() if it.name == "penstock-results"]
            thread.join(10)
            print(bool(where), thread.is_alive())
            """,
        )
        assert said == "True False\n"


@pytest.mark.real_time
class TestAnExceptionOfASignalHandler:
    """Between the taking of a lock and the block that gives it back, it left the lock taken."""

    def test_leaves_no_lock_taken(self) -> None:
        said = run(
            """
            import random, signal, time
            from penstock import ResultStore
            class Bang(BaseException): pass
            def raises(*_): raise Bang
            signal.signal(signal.SIGALRM, raises)
            store = ResultStore(Results(spill=None))
            ref = store.put([f"row {number}" for number in range(3_000)])
            ends, bangs = time.monotonic() + 4, 0
            while time.monotonic() < ends:
                try:
                    signal.setitimer(signal.ITIMER_REAL, random.random() * 2e-4 + 1e-6, 0.01)
                    while True:
                        found = store.find(ref.id)
                        del found
                except Bang:
                    bangs += 1
            signal.setitimer(signal.ITIMER_REAL, 0)
            print(bangs > 100, store.find(ref.id) is not None, ref._forms.guard.lock.locked())
            """
        )
        assert said == "True True False\n"


class TestASharedStore:
    """It was closed while an engine held calls for want of room, and they were held for ever."""

    @in_virtual_time
    async def test_that_closes_lets_held_calls_go_on(self) -> None:
        store = ResultStore(small())
        runs = Engine([opaque], results=store)
        held = await runs.run([Call("opaque", {"count": 40_000})])
        batch = runs.submit([Call("opaque", {"count": 1})] * 3)
        store.close()
        async with asyncio.timeout(0.5):  # less than full_wait
            assert statuses(await batch) == ["ok"] * 3
        await runs.aclose()
        assert len(held[0].value) == 40_000


class TestWhoClosesAnEngine:
    """Its cancellation was taken for that of the watch, and swallowed, while calls were held."""

    @pytest.mark.real_time
    @pytest.mark.parametrize("turns", range(5))
    async def test_can_be_cancelled_while_calls_are_held(self, turns: int) -> None:
        runs = Engine([opaque], results=small())
        held = await runs.run([Call("opaque", {"count": 40_000})])
        closing = asyncio.ensure_future(runs.aclose())
        for _ in range(turns):
            await asyncio.sleep(0)
        asked = closing.cancel()
        (ended,) = await asyncio.gather(closing, return_exceptions=True)
        assert isinstance(ended, asyncio.CancelledError) is asked
        await runs.aclose()
        assert len(held[0].value) == 40_000


@pytest.mark.real_time
class TestAfterTheEnd:
    """Only what needed no thread could be read: `load` and `chunks` found theirs shut down."""

    async def test_values_can_be_loaded_and_read_in_parts(self) -> None:
        runs = Engine([rows], results=small())
        outcomes = await runs.run([Call("rows", {"count": 30_000 + n}) for n in range(4)])
        store = runs.results
        await store.settle()
        await outcomes[0].load()  # the thread that reads has begun
        await runs.aclose()
        packed = [outcome for outcome in outcomes if outcome.where == "packed"]
        assert len(packed) > 1
        for outcome in packed:
            await outcome.load()
            assert outcome.value["rows"][7] == {"id": 7}
            parts = [part async for part in store.chunks(outcome.ref, 0, 8)]
            assert parts == [b'{"rows":']
        await store.settle()
        await store.aclose()


def held(store: ResultStore) -> int:
    figures = store.statistics()
    return figures.object_bytes + figures.packed_bytes


async def within_budget(store: ResultStore) -> bool:
    """Wait until the store has brought down by itself what it holds."""
    async with asyncio.timeout(10):
        while held(store) > MIB:  # noqa: ASYNC110 - a wait for room would wake the thread
            await asyncio.sleep(0.01)
    return True


@pytest.mark.real_time
class TestReadingBack:
    """What came back to memory was not taken for growth, and what was loaded was counted nowhere."""

    @pytest.mark.parametrize("what", ["value", "raw"])
    async def test_pushes_others_out(self, what: str) -> None:
        async with ResultStore(small()) as store:
            refs = [store.put({"n": n, "rows": ["x" * 90] * 2_000}) for n in range(60)]
            await store.settle()
            for ref in refs:
                ref.value()
                if what == "raw":
                    assert ref.raw
            assert store.statistics().promoted > 30
            assert await within_budget(store)

    async def test_loads_no_more_than_the_budget(self) -> None:
        async with ResultStore(small()) as store:
            refs = [store.put({"n": n, "rows": ["x" * 90] * 2_000}) for n in range(60)]
            await store.settle()
            for ref in refs:
                await ref.load()
            assert await within_budget(store)
            loaded = [ref.entry.encoded for ref in refs]
            assert 0 < sum(len(data) for data in loaded if data is not None) <= MIB
            assert [ref.peek()["n"] for ref in refs] == list(range(60))  # type: ignore[index]  # dicts


class TestAHoldForAModel:
    """Without other traffic nobody noticed that its time was over, and calls waited for its room."""

    @in_virtual_time
    async def test_ends_for_who_waits_for_room(self) -> None:
        async with Engine([opaque], results=small(ttl=0.5, full_wait=3.0)) as runs:
            (outcome,) = await runs.run([Call("opaque", {"count": 40_000})])
            runs.results.hold(outcome.ref)
            del outcome
            began = asyncio.get_running_loop().time()
            assert statuses(await runs.run([Call("opaque", {"count": 1})])) == ["ok"]
            assert asyncio.get_running_loop().time() - began < 1.0
            assert runs.results.statistics().values == 0


class TestACallThatShallNotWait:
    """With full_wait=0 the watch went round and round, without a pause."""

    @in_virtual_time
    async def test_is_refused_and_the_watch_rests(self) -> None:
        async with Engine([opaque], results=small(full_wait=0.0)) as runs:
            held = await runs.run([Call("opaque", {"count": 40_000})])
            waits: list[float] = []
            wait = runs.results.room.wait

            async def counted(*arguments: Any) -> None:
                waits.append(asyncio.get_running_loop().time())
                await wait(*arguments)

            runs.results.room.wait = counted  # type: ignore[method-assign]  # watches the watch
            await asyncio.sleep(1.0)
            assert 10 <= len(waits) <= 21
            assert statuses(await runs.run([Call("opaque", {"count": 1})])) == ["rejected"]
            assert len(held[0].value) == 40_000


class TestAValueThatLeadsToItsOwnOutcome:
    """The store itself kept such a cycle alive."""

    async def test_is_collected(self) -> None:
        async with Engine([rows], results=small(memory_bytes=64 * MIB)) as runs:
            for _ in range(5):
                (outcome,) = await runs.run([Call("rows", {"count": 10_000})])
                outcome.value["itself"] = outcome
                assert outcome.ref.id
                del outcome
            gc.collect()
            assert runs.results.statistics().values == 0


@dataclass
class Report:
    """A model reads an object."""

    items: list[dict[str, int]]


ITEMS = [{"id": number} for number in range(20_000)]
KINDS: dict[str, tuple[object, str]] = {
    "bytes of JSON": (json.dumps({"items": ITEMS}).encode(), "items[7].id"),
    "text of JSON": (json.dumps({"items": ITEMS}), "items[7].id"),
    "a dict below the inline bound": ({"items": ITEMS[:3_000]}, "items[7].id"),
    "a dict": ({"items": ITEMS}, "items[7].id"),
    "tuples": (tuple(ITEMS), "[7].id"),
    "a dataclass": (Report(ITEMS), "items[7].id"),
    "keys that are numbers": ({number: number for number in range(20_000)}, "['7']"),
}


async def read(store: ResultStore, **arguments: str) -> str:
    """Return what the tool of a model answers, or the error that the model is told."""
    async with Engine([read_result(store)], results=store) as runs:
        (outcome,) = await runs.run([Call("read_result", arguments)])
    return outcome.value if outcome.ok else str(outcome.error)


def handle_of(told: Outcome) -> str:
    """Return the handle that a model is told."""
    return str(told.value).split('handle="')[1].split('"')[0]


@pytest.mark.real_time
class TestAPathIntoAResult:
    """A note offered it for values of which the tool then said that they are not JSON."""

    @pytest.mark.parametrize("kind", KINDS)
    async def test_leads_into_whatever_a_note_offers_it_for(self, kind: str) -> None:
        value, path = KINDS[kind]

        @tool
        async def give() -> object:
            return value

        async with ResultStore(small()) as store, Engine([give], results=store) as runs:
            (outcome,) = await runs.run([Call("give")])
            told = Cap(store, characters=2_000)(outcome)
            assert "json_path=" in told.value
            assert await read(store, handle=handle_of(told), json_path=path) == "7"
            said = await read(store, handle=handle_of(told), json_path="nothing")
            assert "so it has no 'nothing'" in said or "has no 'nothing'; it has" in said

    async def test_is_walked_beside_the_loop_and_no_further_than_is_told(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A wrong key among a million, or all of them, held the loop for seconds."""
        threads: set[str] = set()
        walk = handles._part

        def noted(*arguments: Any) -> tuple[bytes, bool]:
            threads.add(threading.current_thread().name.rpartition("_")[0])
            part, is_all = walk(*arguments)
            assert len(part) < 100_000
            return part, is_all

        monkeypatch.setattr(handles, "_part", noted)
        async with ResultStore(small(memory_bytes=256 * MIB)) as store:
            ref = store.put({f"key{number}": number for number in range(300_000)})
            handle = store.hold(ref)
            said = await read(store, handle=handle, json_path="[*]")
            assert said.startswith("[bytes 0 to 20,000 of more; the next part is range=")
            assert "it has 'key0', 'key1'," in await read(store, handle=handle, json_path="kez5")
            assert await read(store, handle=handle, json_path="key5") == "5"
        assert threads == {"penstock-results-read"}


@pytest.mark.real_time
class TestAStoreThatCannotBeMade:
    """It was found out in the middle of a turn, by each large result again, with a traceback each."""

    @pytest.mark.parametrize("keep", [True, False])
    async def test_is_told_at_the_start(self, tmp_path: Path, keep: bool) -> None:
        options = small(spill=tmp_path / "gone", keep=keep)
        (tmp_path / "gone").rmdir()
        with pytest.raises(ConfigError, match=r"spill=.*files cannot be made there"):
            async with Engine([rows], results=options):
                pass

    async def test_what_was_left_is_read_before_the_first_call(self, tmp_path: Path) -> None:
        options = small(spill=tmp_path, keep=True)
        async with ResultStore(options) as store:
            ref = store.put("a report " * 10_000)
        async with Engine([rows], results=options) as runs:
            figures = runs.statistics().results
            assert figures is not None
            assert figures.recovery.values == 1
        assert ref.tool == ""


class Label(str):
    """Text of a program's own type."""

    __slots__ = ()


TEXTS: dict[str, tuple[Callable[[int], object], bytes, str]] = {
    "bytearray": (lambda count: bytearray(b"x" * count), b"xxx", "xxx"),
    "memoryview": (lambda count: memoryview(b"x" * count), b"xxx", "xxx"),
    "a type of text": (lambda count: Label("x" * count), b"xxx", "xxx"),
    "a lone surrogate": (lambda count: "\ud800" + "x" * count, "\ufffd".encode(), "\ufffdxx"),
    "no text": (lambda count: b"\xff" * count, b"\xff\xff\xff", "\ufffd\ufffd\ufffd"),
}


class TestTextAndBytes:
    """Of some types a small value was itself, and a large one a JSON string of it."""

    @pytest.mark.parametrize("count", [100, 100_000])
    @pytest.mark.parametrize("kind", TEXTS)
    async def test_are_the_same_whatever_their_size(self, kind: str, count: int) -> None:
        make, raw, start = TEXTS[kind]

        @tool
        async def give() -> object:
            return make(count)

        async with Engine([give], results=small()) as runs:
            (outcome,) = await runs.run([Call("give")])
            assert outcome.ref is None or count == 100_000
            assert bytes(outcome.raw)[:3] == raw
            assert outcome.preview(3) == start

    async def test_nothing_comes_before_their_beginning(self) -> None:
        async with ResultStore(small()) as store:
            ref = store.put("x" * 100)
            with pytest.raises(ConfigError, match="characters=-1"):
                ref.preview(-1)
            for start, length in ((-1, 5), (0, -1)):
                with pytest.raises(ConfigError, match="a whole number from 0"):
                    _ = [part async for part in store.chunks(ref, start, length)]


def nested(depth: int) -> list[Any]:
    value: list[Any] = ["x" * 70_000]
    for _ in range(depth):
        value = [value]
    return value


class Raising(dict[int, str]):
    """A mapping that cannot be read."""

    def items(self) -> Any:
        raise RuntimeError("a fault of its own")


class TestWhatAModelIsTold:
    """Bytes that are no text were counted wrongly, and each look at one outcome made a new handle."""

    async def test_the_next_part_begins_where_the_first_ends(self) -> None:
        value = b"".join(b"%05d\xe9\xe9\xe9\n" % number for number in range(20_000))
        async with ResultStore(small()) as store:
            told = Cap(store, characters=2_000).of_ref(store.put(value))
            assert told is not None
            start = told.split("\n\n[")[0]
            next_part = told.split('range="')[1].split('"')[0]
            handle = told.split('handle="')[1].split('"')[0]
            more = (await read(store, handle=handle, range=next_part)).split("]\n")[1]
            assert value.decode(errors="replace").startswith(start + more)

    async def test_is_the_same_handle_each_time(self) -> None:
        async with ResultStore(small()) as store:
            outcome = Outcome.make(Call("t", id="a"), value="x" * 30_000)
            cap, other = Cap(store, tenant="acme"), Cap(store, tenant="other")
            handles = {handle_of(cap(outcome)) for _ in range(10)}
            assert len(handles) == 1
            assert handle_of(other(outcome)) not in handles
            assert store.statistics().values == 2

    async def test_what_cannot_be_shown_is_left_alone(self) -> None:
        async with ResultStore(small(memory_bytes=64 * MIB)) as store:
            for value in (nested(300), nested(3_000), Raising({1: "x" * 70_000})):
                outcome = Outcome.make(Call("t", id="a"), value=value)
                assert Cap(store)(outcome) is outcome
