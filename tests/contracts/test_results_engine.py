"""Large results through an engine: kept, moved, read back, capped, and what happens at the brim."""

import asyncio
import gc
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from contracts.moments import in_virtual_time, statuses
from penstock import Call, Engine, Outcome, Ref, Results, ResultStore, formats, read_result, tool
from penstock.errors import ConfigError, ResultsFull, ResultTooLarge, ResultUnreadable
from penstock.results import Cap, ResultRef
from penstock.streams.encode import encode as encode_event

MIB = 1 << 20


@tool(effects="read")
async def rows(count: int) -> dict[str, list[dict[str, int]]]:
    return {"rows": [{"id": number} for number in range(count)]}


@tool(effects="read", media_type="application/json")
async def blob(size: int) -> bytes:
    return b'"' + b"x" * (size - 2) + b'"'


@tool
async def opaque(count: int) -> tuple[str, ...]:
    return tuple(f"item {number}" for number in range(count))


@tool
async def length(of: list[Any]) -> int:
    return len(of)


def small(**changes: Any) -> Results:
    return Results(**{"memory_bytes": MIB, "spill": None, "full_wait": 1.0, **changes})


def engine(*tools: Any, **changes: Any) -> Engine:
    return Engine(tools or [rows, blob, opaque, length], results=small(**changes))


async def one(runs: Engine, name: str, **arguments: Any) -> Outcome:
    (outcome,) = await runs.run([Call(name, arguments)])
    return outcome


class TestWhatIsKept:
    async def test_a_small_value_is_its_outcomes_own_and_no_store_is_made(self) -> None:
        async with engine() as runs:
            outcome = await one(runs, "rows", count=3)
            assert outcome.ref is None
            assert outcome.where == "object"
            assert runs.statistics().results is None
        assert bytes(outcome.raw) == b'{"rows":[{"id":0},{"id":1},{"id":2}]}'
        assert outcome.preview(9) == '{"rows":['
        assert outcome.size == pytest.approx(len(outcome.raw), rel=0.5)

    async def test_a_large_value_is_the_tools_own_object_until_it_must_leave(self) -> None:
        made: list[object] = []

        @tool
        async def give() -> list[int]:
            made.append(list(range(30_000)))
            return made[0]  # type: ignore[return-value]

        async with engine(give) as runs:
            outcome = await one(runs, "give")
            assert outcome.value is made[0]
            assert isinstance(outcome.ref, ResultRef)
            assert (outcome.ref.tool, outcome.where) == ("give", "object")

    async def test_a_value_that_left_comes_back_equal(self) -> None:
        async with engine() as runs:
            outcomes = await runs.run([Call("rows", {"count": 20_000 + n}) for n in range(5)])
            await runs.results.settle()
            assert "packed" in {outcome.where for outcome in outcomes}
            for extra, outcome in enumerate(outcomes):
                await outcome.load()
                assert outcome.value == await rows(20_000 + extra)

    @pytest.mark.parametrize("count", [3, 30_000])
    async def test_a_preview_of_less_than_nothing_is_refused(self, count: int) -> None:
        async with engine() as runs:
            outcome = await one(runs, "rows", count=count)
            assert outcome.preview(0) == ""
            with pytest.raises(ConfigError, match="characters"):
                outcome.preview(-1)

    async def test_bytes_are_what_they_are(self) -> None:
        async with engine() as runs:
            outcome = await one(runs, "blob", size=100_000)
            assert outcome.size == 100_000
            assert outcome.ref.media_type == "application/json"
            assert len(outcome.raw) == 100_000

    async def test_parts_are_read_without_the_whole(self) -> None:
        async with engine() as runs:
            outcome = await one(runs, "rows", count=50_000)
            parts = [part async for part in runs.results.chunks(outcome.ref, 9, 20)]
            assert parts == [b'{"id":0},{"id":1},{"']

    async def test_a_child_gets_the_value_of_a_parent_that_left_memory(self) -> None:
        async with engine() as runs:
            calls = [
                Call("rows", {"count": 60_000}, id="parent"),
                *(Call("blob", {"size": 400_000}, id=f"b{n}", after=["parent"]) for n in range(4)),
                Call(
                    "length",
                    {"of": Ref("parent", ("rows",))},
                    after=[f"b{number}" for number in range(4)],
                ),
            ]
            outcomes = await runs.run(calls)
            assert outcomes[-1].value == 60_000

    async def test_the_values_of_a_call_made_in_its_callers_task_are_not_kept(self) -> None:
        async with engine() as runs:
            assert len(await runs.call("blob", size=100_000)) == 100_000
            assert runs.statistics().results is None

    async def test_of_a_tool_with_policies_the_answer_is_kept_once(self) -> None:
        async with engine(tool(retries=2, effects="read")(rows.function)) as runs:
            outcome = await one(runs, "rows", count=20_000)
            assert outcome.ref is not None
            figures = runs.statistics().results
            assert figures is not None
            assert figures.kept == 1

    async def test_one_object_that_answers_many_calls_is_held_once(self) -> None:
        cached = tool(cache=60.0, effects="read")(rows.function)
        async with engine(cached, memory_bytes=64 * MIB) as runs:
            outcomes = await runs.run([Call("rows", {"count": 20_000})] * 5, max_parallel=1)
            assert len({id(outcome.value) for outcome in outcomes}) == 1
            figures = runs.statistics().results
            assert figures is not None
            assert figures.values == 1

    async def test_tenants_share_no_reference_of_one_object(self) -> None:
        value = ["x" * 1_000] * 100

        @tool(effects="read")
        async def give() -> list[str]:
            return value

        async with engine(give) as runs:
            (mine,) = await runs.run([Call("give")], tenant="a")
            (theirs,) = await runs.run([Call("give")], tenant="b")
            assert (mine.ref.tenant, theirs.ref.tenant) == ("a", "b")

    async def test_values_belong_to_the_tenant_of_their_batch(self) -> None:
        async with engine() as runs:
            (outcome,) = await runs.run([Call("blob", {"size": 100_000})], tenant="acme")
            assert outcome.ref.tenant == "acme"
            assert runs.results.find(outcome.ref.id, tenant="acme") is not None
            assert runs.results.find(outcome.ref.id) is None
            assert runs.results.find(outcome.ref.id, tenant="other") is None

    async def test_a_forgotten_outcome_gives_its_room_back(self) -> None:
        async with engine() as runs:
            outcome: Outcome | None = await one(runs, "blob", size=500_000)
            figures = runs.results.statistics
            assert figures().values == 1
            del outcome
            gc.collect()
            assert figures().values == 0


class TestLimits:
    async def test_a_value_over_the_tools_own_bound_is_a_failure(self) -> None:
        @tool(value_bytes=100)
        async def chatty() -> str:
            return "x" * 101

        async with engine(chatty) as runs:
            outcome = await one(runs, "chatty")
            assert outcome.status == "failed"
            assert isinstance(outcome.error, ResultTooLarge)
            assert (outcome.error.size, outcome.error.limit) == (101, 100)

    async def test_a_value_over_that_of_the_engine_is_too(self) -> None:
        async with engine(value_bytes=MIB) as runs:
            outcome = await one(runs, "blob", size=2 * MIB)
            assert isinstance(outcome.error, ResultTooLarge)

    @pytest.mark.parametrize(
        "value",
        [
            ["x" * 1_100_000, *["y"] * 999],
            "\N{ROCKET}" + "x" * 900_000,
            [["z" * 70_000], *range(1_000)],
        ],
    )
    async def test_no_value_is_refused_for_an_estimate(self, value: object) -> None:
        @tool
        async def give() -> object:
            return value

        async with engine(give, value_bytes=3 * MIB) as runs:
            outcome = await one(runs, "give")
            assert outcome.ok
            assert outcome.value == value

    @pytest.mark.parametrize(
        "value",
        [
            {**{f"key {number}": number for number in range(40)}, "body": "x" * (2 * MIB)},
            {"grid": [[0] * 16] * 16, "body": "x" * (2 * MIB)},
            [[0] * 16, *["x" * 100_000] * 30],
            type("Text", (str,), {})("x" * (2 * MIB)),
            bytearray(2 * MIB),
        ],
        ids=["late key", "beside a grid", "below", "subclass", "bytearray"],
    )
    async def test_a_large_part_is_found_where_it_is(self, value: object) -> None:
        @tool
        async def give() -> object:
            return value

        async with engine(give, value_bytes=MIB) as runs:
            assert isinstance((await one(runs, "give")).error, ResultTooLarge)

    async def test_code_of_a_value_that_fails_harms_nothing(self) -> None:
        class Rude:
            @property
            def nbytes(self) -> int:
                raise RuntimeError("no")

        @tool
        async def give() -> object:
            return Rude()

        async with engine(give) as runs:
            assert (await one(runs, "give")).ok

    async def test_what_is_no_setting_is_told(self) -> None:
        with pytest.raises(ConfigError, match="results"):
            Engine([rows], results=5)  # type: ignore[arg-type]

    async def test_an_unreadable_value_fails_the_child_that_needs_it(self) -> None:
        async with engine() as runs:
            outcome = await one(runs, "rows", count=60_000)
            await fill(runs, 6)
            await runs.results.settle()
            damage(outcome)
            with pytest.raises(ResultUnreadable):
                _ = outcome.value
            (message,) = formats.get("anthropic").render([outcome])
            (block,) = message["content"]
            assert block["is_error"]


async def fill(runs: Engine, count: int) -> list[Outcome]:
    return await runs.run([Call("blob", {"size": 600_000})] * count)


def damage(outcome: Outcome) -> None:
    """Change a byte of a packed value."""
    entry = outcome.ref.entry
    parcel = entry.parcel
    assert parcel is not None
    entry.parcel = parcel[:-1] + bytes([parcel[-1] ^ 0xFF])


class TestTheBrim:
    """Opaque values cannot leave: memory stays full until somebody lets go."""

    @in_virtual_time
    async def test_calls_with_large_results_wait_and_others_do_not(self) -> None:
        async with engine(opaque, length) as runs:
            held = await runs.run([Call("opaque", {"count": 40_000})])
            batch = runs.submit([Call("opaque", {"count": 1}), Call("length", {"of": []})])
            await asyncio.sleep(0.5)
            assert [outcome and outcome.status for outcome in batch.outcomes] == [None, "ok"]
            held.clear()
            gc.collect()
            assert statuses(await batch) == ["ok", "ok"]

    @in_virtual_time
    async def test_who_waits_too_long_is_rejected(self) -> None:
        async with engine(opaque) as runs:
            held = await runs.run([Call("opaque", {"count": 40_000})])
            began = asyncio.get_running_loop().time()
            outcome = await one(runs, "opaque", count=1)
            assert asyncio.get_running_loop().time() - began == pytest.approx(1.0, abs=0.1)
            assert outcome.status == "rejected"
            error = outcome.error
            assert isinstance(error, ResultsFull)
            assert error.retryable
            assert error.limit == MIB
            assert error.held > MIB
            del held[:]

    @in_virtual_time
    async def test_a_call_in_its_callers_task_waits_too(self) -> None:
        async with engine(opaque) as runs:
            held = await runs.run([Call("opaque", {"count": 40_000})])
            calling = asyncio.ensure_future(runs.call("opaque", count=2))
            await asyncio.sleep(0.5)
            assert not calling.done()
            held.clear()
            gc.collect()
            assert await calling == ("item 0", "item 1")

    @in_virtual_time
    async def test_an_engine_closes_while_calls_are_held(self) -> None:
        runs = engine(opaque)
        held = await runs.run([Call("opaque", {"count": 40_000})])
        batch = runs.submit([Call("opaque", {"count": 1})])
        await asyncio.sleep(0.1)
        await runs.aclose()
        assert statuses(await batch) == ["cancelled"]
        assert len(held[0].value) == 40_000

    @in_virtual_time
    async def test_a_tool_whose_results_are_mostly_small_is_not_held(self) -> None:
        async with engine(opaque, blob) as runs:
            await runs.run([Call("blob", {"size": 3})] * 20)
            await one(runs, "blob", size=70_000)
            held = await runs.run([Call("opaque", {"count": 40_000})])
            assert (await one(runs, "blob", size=3)).ok
            del held[:]


class TestAfterTheEnd:
    async def test_values_can_be_read_after_the_engine_was_closed(self) -> None:
        runs = engine()
        outcomes = await fill(runs, 5)
        await runs.aclose()
        assert {len(outcome.value) for outcome in outcomes} == {600_000}

    async def test_a_store_that_was_given_is_shared_and_stays_open(self) -> None:
        async with ResultStore(small()) as store:
            async with (
                Engine([blob], results=store) as first,
                Engine([blob], results=store) as second,
            ):
                outcomes = [
                    await one(first, "blob", size=100_000),
                    await one(second, "blob", size=100_000),
                ]
                assert first.results is second.results is store
            assert store.statistics().kept == 2
            assert store.put("still open").value() == "still open"
            assert {outcome.size for outcome in outcomes} == {100_000}


class TestSpilling:
    async def test_values_go_to_disk_and_are_read_from_the_map(self, tmp_path: Path) -> None:
        options = small(spill=tmp_path, segment_bytes=MIB, disk_bytes=64 * MIB)
        async with Engine([noise], results=options) as runs:
            outcomes = [await one(runs, "noise", seed=seed, size=200_000) for seed in range(20)]
            await runs.results.settle()
            assert "disk" in {outcome.where for outcome in outcomes}
            for seed, outcome in enumerate(outcomes):
                assert bytes(outcome.raw) == await noise(seed, 200_000)

    async def test_a_preview_of_a_value_on_disk_loads_no_more(self, tmp_path: Path) -> None:
        options = small(spill=tmp_path, segment_bytes=8 * MIB, disk_bytes=64 * MIB)
        async with Engine([blob], results=options) as runs:
            outcome = await one(runs, "blob", size=6 * MIB)
            await runs.results.settle()
            assert outcome.where == "disk"
            with peak() as most:
                assert outcome.preview(10) == '"xxxxxxxxx'
            assert most[0] < 3 * MIB
            assert outcome.where == "disk"


@tool
async def noise(seed: int, size: int) -> bytes:
    import random

    return random.Random(seed).randbytes(size)


@contextmanager
def peak() -> Iterator[list[int]]:
    """The most bytes that Python held at once, above those at the start."""
    found = [0]
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    try:
        yield found
        found[0] = tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()


class TestWhatAModelSees:
    @pytest.mark.parametrize("name", formats.names())
    async def test_every_format_tells_a_beginning_and_a_handle(self, name: str) -> None:
        async with (
            ResultStore(small()) as store,
            Engine([rows, read_result(store)], results=store) as runs,
        ):
            outcomes = await runs.run([Call("rows", {"count": 20_000}, id="a")])
            cap = Cap(store, characters=2_000)
            told = str(formats.get(name).render([cap(outcome) for outcome in outcomes]))
            assert "read_result(handle=" in told
            assert len(told) < 3_000
            read = await one(runs, "read_result", handle=outcomes[0].ref.id, json_path="rows[7].id")
            assert read.value == "7"

    async def test_what_is_short_enough_is_told_as_it_is(self) -> None:
        async with ResultStore(small()) as store, Engine([rows], results=store) as runs:
            outcome = await one(runs, "rows", count=3)
            assert Cap(store)(outcome) is outcome
            failed = await one(runs, "rows", count="x")
            assert Cap(store)(failed) is failed

    async def test_a_value_that_is_not_in_the_store_is_put_there(self) -> None:
        async with (
            ResultStore(small()) as store,
            Engine([rows, read_result(store)], results=store) as runs,
        ):
            (outcome,) = await runs.run([Call("rows", {"count": 200}, id="a")], tenant="acme")
            told = Cap(store, characters=1_000, tenant="acme")(outcome)
            handle = told.value.split('handle="')[1].split('"')[0]
            call = Call("read_result", {"handle": handle, "range": "0-8"})
            (mine,) = await runs.run([call], tenant="acme")
            (theirs,) = await runs.run([call], tenant="other")
            assert mine.value.endswith('{"rows":')
            assert theirs.status == "failed"

    async def test_an_event_refers_to_a_large_value(self) -> None:
        async with engine() as runs:
            batch = runs.submit([Call("blob", {"size": 100_000})])
            await batch
            events = [event async for event in batch.events(types=["call.ended"])]
            (outcome,) = await batch
            said = encode_event(events[0]).json
            assert outcome.ref.id.encode() in said
            assert b'"bytes":100000' in said
            assert runs.results.find(outcome.ref.id) is not None
