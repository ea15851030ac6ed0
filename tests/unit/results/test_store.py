"""`ResultStore`: what is taken, where it goes, how it comes back, who holds it."""

import asyncio
import gc
import os
import tempfile
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from penstock.errors import (
    EngineClosed,
    MissingExtra,
    ResultsFull,
    ResultTooLarge,
    ResultUnreadable,
)
from penstock.results import Results, ResultStore
from penstock.results import store as store_module
from penstock.results.ref import ResultRef

MIB = 1 << 20
KEY = b"k" * 32

Open = Callable[..., ResultStore]

pytestmark = pytest.mark.real_time


@dataclass
class Report:
    """Opaque: JSON would make a dict of it."""

    pages: tuple[str, ...]


def table(number: int, rows: int = 400) -> dict[str, Any]:
    return {"number": number, "rows": [{"id": row, "name": f"row {row}"} for row in range(rows)]}


def mixed(count: int) -> list[object]:
    kinds: list[Callable[[int], object]] = [
        table,
        lambda number: os.urandom(40_000),
        lambda number: f"søk {number} " * 4_000,
        lambda number: [number, 1.5, None, True, "æ" * 20_000],
    ]
    return [kinds[number % 4](number) for number in range(count)]


async def fill(store: ResultStore, values: list[object], **origin: Any) -> list[ResultRef]:
    refs = [store.put(value, **origin) for value in values]
    await store.settle()
    return refs


class TestTaking:
    async def test_a_small_value_stays_with_its_outcome(self, open_store: Open) -> None:
        store = open_store()
        assert store.keep("small", tool="x") is None
        assert store.keep(None) is None
        assert store.statistics().values == 0

    async def test_a_large_value_is_the_tools_own_object(self, open_store: Open) -> None:
        value = table(1)
        ref = open_store().keep(value, tool="query", tenant="acme")
        assert ref is not None
        assert ref.value() is value
        assert (ref.tool, ref.tenant, ref.where) == ("query", "acme", "object")

    async def test_a_value_may_be_measured_by_who_brings_it(self, open_store: Open) -> None:
        ref = open_store().keep("x", measured=(5_000, 7_000))
        assert ref is not None
        assert ref.size == 5_000

    async def test_a_value_that_is_too_large_is_refused_and_counted(self, open_store: Open) -> None:
        store = open_store(value_bytes=MIB)
        with pytest.raises(ResultTooLarge) as caught:
            store.keep(bytes(MIB + 1))
        assert (caught.value.size, caught.value.limit) == (MIB + 1, MIB)
        assert store.statistics().too_large == 1

    async def test_a_tool_may_have_a_limit_of_its_own(self, open_store: Open) -> None:
        with pytest.raises(ResultTooLarge):
            open_store().keep(bytes(5_000), value_bytes=4_000)

    async def test_put_takes_small_values_too(self, open_store: Open) -> None:
        assert open_store().put(7).value() == 7

    async def test_a_closed_store_takes_nothing(self, open_store: Open) -> None:
        store = open_store()
        await store.aclose()
        with pytest.raises(EngineClosed):
            store.put(1)
        await store.aclose()


class TestMoving:
    async def test_memory_stays_within_its_budget_and_all_values_come_back(
        self, open_store: Open
    ) -> None:
        store, values = open_store(), mixed(120)
        refs = await fill(store, values)
        figures = store.statistics()
        assert figures.object_bytes + figures.packed_bytes <= MIB
        assert {ref.where for ref in refs} == {"object", "packed", "disk"}
        for ref, value in zip(refs, values, strict=True):
            assert ref.value() == value

    async def test_values_that_come_back_push_others_out_again(self, open_store: Open) -> None:
        store, values = open_store(), mixed(60)
        refs = await fill(store, values)
        for _ in range(3):
            for ref, value in zip(refs, values, strict=True):
                assert ref.value() == value
            await store.settle()
            figures = store.statistics()
            assert figures.object_bytes + figures.packed_bytes <= MIB
        assert figures.spill is not None
        assert figures.spill.written <= 60  # what is on disk already is not written again

    async def test_load_fetches_and_does_not_promote(self, open_store: Open) -> None:
        store, values = open_store(), mixed(60)
        refs = await fill(store, values)
        ref, value = next(
            (ref, value) for ref, value in zip(refs, values, strict=True) if ref.where == "disk"
        )
        await ref.load()
        assert ref.where == "disk"
        assert ref.value() == value
        assert ref.where == "object"

    async def test_a_value_over_an_eighth_of_the_budget_goes_straight_to_disk(
        self, open_store: Open
    ) -> None:
        store = open_store()
        refs = await fill(store, [table(n, rows=8_000) for n in range(4)])
        assert "disk" in {ref.where for ref in refs}
        assert refs[0].value() == table(0, rows=8_000)

    async def test_opaque_values_never_change(self, open_store: Open) -> None:
        store = open_store()
        values: list[object] = [Report(tuple("page" * 100 for _ in range(50))) for _ in range(40)]
        values += [[("a", "tuple")] * 2_000 for _ in range(40)]
        refs = await fill(store, values)
        assert all(ref.value() is value for ref, value in zip(refs, values, strict=True))
        await fill(store, mixed(40))
        assert store.statistics().opaque > 0
        assert all(ref.where == "object" for ref in refs)

    async def test_without_a_disk_values_are_packed_and_the_rest_stays(
        self, open_store: Open
    ) -> None:
        store, values = open_store(spill=None), mixed(120)
        refs = await fill(store, values)
        assert {ref.where for ref in refs} == {"object", "packed"}
        assert [ref.value() for ref in refs] == values
        assert store.statistics().spill is None

    async def test_a_pinned_value_stays_where_it_is(self, open_store: Open) -> None:
        store = open_store()
        first = store.put(table(1))
        with first.pinned():
            await fill(store, mixed(80))
            assert first.where == "object"
        refs = await fill(store, mixed(80))
        assert first.where != "object"
        assert refs


class TestReading:
    @pytest.mark.parametrize("keys", [{}, {"a": KEY}])
    @pytest.mark.parametrize("spill", [True, False])
    async def test_raw_is_the_bytes_from_wherever_it_lies(
        self, open_store: Open, keys: dict[str, bytes], spill: bool
    ) -> None:
        store = open_store(keys=keys) if spill else open_store(keys=keys, spill=None)
        values = [b"text " * 10_000] * 40 + [os.urandom(30_000) for _ in range(60)]
        refs = [store.put(value, tool=str(number // 40)) for number, value in enumerate(values)]
        await store.settle()
        assert len({ref.where for ref in refs}) > 1
        for ref, value in zip(refs, values, strict=True):
            raw = ref.raw
            assert raw.readonly
            assert raw == value

    async def test_raw_of_an_object_is_its_json_made_once(self, open_store: Open) -> None:
        ref = open_store().put([1, "a"])
        assert bytes(ref.raw) == b'[1,"a"]'
        assert ref.raw.obj is ref.raw.obj
        assert ref.size == 7

    async def test_raw_of_an_opaque_value_is_what_a_model_would_read(
        self, open_store: Open
    ) -> None:
        ref = open_store().put(Report(("a", "b")))
        assert bytes(ref.raw) == b'{"pages":["a","b"]}'
        assert ref.where == "object"

    async def test_a_view_keeps_an_object_in_memory(self, open_store: Open) -> None:
        store = open_store()
        ref = store.put(b"x" * 50_000)
        raw = ref.raw
        await fill(store, mixed(80))
        assert ref.where == "object"
        del raw
        await fill(store, mixed(80))
        assert ref.where != "object"

    async def test_a_view_of_the_disk_outlives_its_value(self, open_store: Open) -> None:
        store, value = open_store(), os.urandom(60_000)
        ref = store.put(value)
        await fill(store, mixed(100))
        assert ref.where == "disk"
        raw = ref.raw
        del ref
        await store.settle()
        assert raw == value

    async def test_a_preview_is_the_beginning_from_wherever_it_lies(self, open_store: Open) -> None:
        store, values = open_store(), mixed(80)
        refs = [store.put(value) for value in values]
        before = [ref.preview(30) for ref in refs]
        await store.settle()
        assert [ref.preview(30) for ref in refs] == before
        assert before[0].startswith('{"number":0,"rows":[{"id":0,')

    async def test_chunks_are_the_bytes_in_parts(self, open_store: Open) -> None:
        store, value = open_store(value_bytes=8 * MIB), os.urandom(3 * MIB + 5)
        ref = store.put(value)
        await store.settle()
        parts = [part async for part in store.chunks(ref)]
        assert [len(part) for part in parts] == [MIB, MIB, MIB, 5]
        assert b"".join(parts) == value

    @pytest.mark.parametrize(
        ("start", "length"), [(0, 10), (5, 0), (1_500_000, None), (2 * MIB - 5, 10), (9 * MIB, 10)]
    )
    async def test_chunks_of_a_range(
        self, open_store: Open, start: int, length: int | None
    ) -> None:
        store, value = open_store(), b"0123456789abcdef" * (MIB // 8)
        ref = store.put(value)
        await store.settle()
        got = b"".join([part async for part in store.chunks(ref, start, length)])
        assert got == value[start : None if length is None else start + length]

    async def test_an_estimated_size_becomes_exact(self, open_store: Open) -> None:
        ref = open_store().put(table(1))
        exact = len(ref.raw)
        assert ref.size == exact


def read_for_a_while(refs: list[ResultRef], values: list[object], faults: list[str]) -> None:
    for number in range(600):
        at = number * 7919 % len(refs)
        readers: list[Callable[[], object]] = [
            refs[at].value,
            refs[at].peek,
            lambda at=at: refs[at].preview(10) and values[at],  # type: ignore[misc]  # bound now
            lambda at=at: refs[at].raw is not None and values[at],  # type: ignore[misc]  # bound now
        ]
        if readers[number % 4]() != values[at]:
            faults.append(f"{refs[at]} is another value")


def test_threads_read_while_values_move(open_store: Open) -> None:
    store, values, faults = open_store(disk_bytes=16 * MIB), mixed(80), list[str]()
    refs = [store.put(value) for value in values]
    threads = [
        threading.Thread(target=read_for_a_while, args=(refs, values, faults)) for _ in range(6)
    ]
    for thread in threads:
        thread.start()
    for number in range(300):  # come and go: files empty, sparse ones are copied together
        keep = store.put(os.urandom(60_000)) if number % 3 else None
        del keep
    for thread in threads:
        thread.join()
    assert faults == []


class TestHolding:
    async def test_a_value_ends_with_its_last_holder(self, open_store: Open) -> None:
        store = open_store()
        refs = await fill(store, mixed(100))
        assert store.statistics().values == 100
        refs.clear()
        gc.collect()
        await store.settle()
        figures = store.statistics()
        assert (figures.values, figures.object_bytes, figures.packed_bytes) == (0, 0, 0)
        assert figures.spill is not None
        assert figures.spill.live_bytes == 0

    async def test_a_value_is_found_by_its_id_while_somebody_holds_it(
        self, open_store: Open
    ) -> None:
        store = open_store()
        ref = store.put(table(1))
        id = ref.id
        found = store.find(id)
        assert found is not None
        assert found.value() is ref.value()
        del ref, found
        assert store.find(id) is None
        assert store.find("0" * 32) is None

    async def test_what_is_held_by_its_id_outlives_its_refs(self, open_store: Open) -> None:
        store = open_store()
        id = store.hold(store.put(table(1), tenant="a"))
        found = store.find(id, tenant="a")
        assert found is not None
        assert found.value() == table(1)
        assert store.ids(tenant="a") == (id,)

    async def test_a_tenant_finds_its_own_values_only(self, open_store: Open) -> None:
        store = open_store()
        id = store.hold(store.put(table(1), tenant="a"))
        assert store.find(id, tenant="b") is None
        assert store.find(id) is None
        assert store.ids(tenant="b") == ()

    async def test_a_hold_ends_with_its_time(self, options: Results) -> None:
        now = 0.0
        async with ResultStore(options, clock=lambda: now) as store:
            id = store.hold(store.put(table(1)), 10.0)
            store.hold(store.put(table(2)), 5.0)
            now = 9.0
            assert store.find(id) is not None
            now = 10.0
            assert store.find(id) is None
            assert store.statistics().values == 0

    async def test_a_hold_is_never_shortened(self, options: Results) -> None:
        now = 0.0
        async with ResultStore(options, clock=lambda: now) as store:
            ref = store.put(table(1))
            id = store.hold(ref, 10.0)
            store.hold(ref, 1.0)
            now = 9.0
            assert store.find(id) is not None

    async def test_a_hold_can_be_ended(self, open_store: Open) -> None:
        store = open_store()
        id = store.hold(store.put(table(1)))
        assert store.forget(id)
        assert not store.forget(id)
        assert store.find(id) is None

    async def test_values_can_be_read_after_the_store_was_closed(self, open_store: Open) -> None:
        store, values = open_store(), mixed(80)
        refs = await fill(store, values)
        await store.aclose()
        assert {ref.where for ref in refs} == {"object", "packed", "disk"}
        assert [ref.value() for ref in refs] == values
        assert "disk" in {ref.where for ref in refs}  # nothing would move it down again
        refs.clear()

    async def test_a_ref_cannot_leave_its_process(self, open_store: Open) -> None:
        with pytest.raises(TypeError, match="holds a value of this process"):
            open_store().put(1).__reduce__()


class TestBrim:
    async def test_with_opaque_values_alone_waits_end_with_results_full(
        self, open_store: Open
    ) -> None:
        store = open_store(full_wait=0.05)
        refs = [store.put([("opaque",) * 50] * 500) for _ in range(40)]
        await store.settle()
        with pytest.raises(ResultsFull):
            await store.wait_room()
        assert store.statistics().is_full
        refs.clear()
        await store.wait_room()

    async def test_who_lets_go_lets_others_begin(self, open_store: Open) -> None:
        store = open_store(full_wait=30)
        refs = [store.put([("opaque",) * 50] * 500, tool="t") for _ in range(40)]
        await store.settle()
        waiting = asyncio.ensure_future(store.wait_room())
        await asyncio.sleep(0.01)
        assert not waiting.done()
        refs.clear()
        await waiting

    async def test_a_full_disk_keeps_values_in_memory(self, open_store: Open) -> None:
        store = open_store(disk_bytes=2 * MIB, full_wait=0.05)
        values: list[object] = [os.urandom(60_000) for _ in range(80)]
        refs = await fill(store, values)
        figures = store.statistics()
        assert figures.is_full
        assert figures.spill is not None
        assert figures.spill.held_bytes <= 2 * MIB
        assert [bytes(ref.raw) for ref in refs] == values

    async def test_there_is_room_again_when_values_on_disk_are_let_go_of(
        self, open_store: Open
    ) -> None:
        store = open_store(disk_bytes=2 * MIB, full_wait=30)
        refs = await fill(store, [os.urandom(60_000) for _ in range(80)])
        del refs[:50]
        await store.wait_room()
        figures = store.statistics()
        assert figures.object_bytes + figures.packed_bytes <= MIB


class TestOpening:
    async def test_a_temporary_folder_in_memory_is_not_used(
        self,
        monkeypatch: pytest.MonkeyPatch,
        warnings_of_results: pytest.LogCaptureFixture,
    ) -> None:
        monkeypatch.setattr(store_module, "is_in_memory", lambda folder: True)
        async with ResultStore(Results(memory_bytes=MIB)) as store:
            assert store.statistics().spill is None
        assert "lies in memory itself" in warnings_of_results.text

    async def test_the_usual_folder_is_the_temporary_one(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        monkeypatch.setattr(tempfile, "gettempdir", lambda: str(tmp_path))
        monkeypatch.setattr(store_module, "is_in_memory", lambda folder: False)
        options = Results(memory_bytes=MIB, segment_bytes=MIB, inline_bytes=0)
        async with ResultStore(options) as store:
            refs = await fill(store, mixed(80))
            assert "disk" in {ref.where for ref in refs}
            assert list(tmp_path.iterdir()) == []

    async def test_keys_without_a_cipher_say_what_to_install(
        self, options: Results, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def missing(name: str) -> object:
            raise MissingExtra("cipher", name, "cryptography", "pip install")

        monkeypatch.setattr("penstock.results.keys.CIPHERS.get", missing)
        with pytest.raises(MissingExtra):
            ResultStore(Results(keys={"a": KEY}, spill=None))

    async def test_a_new_key_is_used_from_then_on(self, open_store: Open) -> None:
        store = open_store(keys={"old": KEY})
        old_values = mixed(60)
        old = await fill(store, old_values)
        store.rotate("new", b"n" * 32)
        new_values = mixed(60)
        new = await fill(store, new_values)
        assert [ref.value() for ref in old] == old_values
        assert [ref.value() for ref in new] == new_values

    async def test_a_store_that_was_forgotten_leaves_no_thread(
        self, options: Results, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("penstock.results.writer.IDLE_SECONDS", 0.05)
        store = ResultStore(options)
        refs = [store.put(value) for value in mixed(80)]
        await store.settle()
        refs.clear()
        (writer,) = (t for t in threading.enumerate() if t.name == "penstock-results")
        writer.join(5.0)
        assert not writer.is_alive()
        del store
        gc.collect()  # and with the store its reader, as the fixture of each test sees


async def test_what_cannot_be_read_is_told_with_its_id_and_counted(
    open_store: Open, tmp_path: Path
) -> None:
    store = open_store(keep=True)
    refs = await fill(store, [os.urandom(60_000) for _ in range(60)])
    for path in tmp_path.rglob("*.segment"):
        os.truncate(path, 64)
    lost = [ref for ref in refs if ref.where == "disk"]
    with pytest.raises(ResultUnreadable, match=lost[0].id):
        lost[0].value()
    with pytest.raises(ResultUnreadable):
        await lost[1].load()
    with pytest.raises(ResultUnreadable):
        lost[1].preview(10)
    assert all(ref.value() for ref in refs if ref.where != "disk")
    assert store.statistics().unreadable >= 3
