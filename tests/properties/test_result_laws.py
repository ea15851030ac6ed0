"""The laws of results: a value is what it was, wherever it went; all that was let go of is free."""

import asyncio
import gc
import random
import tempfile
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    multiple,
    rule,
)

from penstock.results import Cap, Results, ResultStore
from penstock.results.ref import ResultRef

MIB = 1 << 20

pytestmark = pytest.mark.timeout(120)

LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(), max_size=10)
    | st.binary(max_size=10)
)
ANYTHING = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=5)
        | st.tuples(inner, inner)
        | st.dictionaries(st.text(max_size=5) | st.integers(), inner, max_size=5)
        | st.frozensets(st.integers(), max_size=3)
    ),
    max_leaves=10,
)


def same(left: Any, right: Any) -> bool:
    """Equal, with the same types all the way down; NaN is itself."""
    if type(left) is not type(right):
        return False
    if isinstance(left, dict):
        pairs = zip(left.items(), right.items(), strict=True)
        return len(left) == len(right) and all(same(a, b) for a, b in pairs)
    if isinstance(left, list | tuple):
        return len(left) == len(right) and all(map(same, left, right))
    return repr(left) == repr(right)


@settings(max_examples=200)
@given(st.lists(ANYTHING, min_size=1, max_size=5))
def test_any_value_comes_back_as_it_was(values: list[Any]) -> None:
    """Opaque or plain, under a pressure that moves all that may be moved."""
    with tempfile.TemporaryDirectory() as folder:
        store = open_store(folder)
        padding = random.Random(0).randbytes(300_000)
        taken = [[value, padding.hex()] for value in values]
        refs = [store.put(value) for value in taken]
        pressure = [store.put(padding + bytes([n])) for n in range(10)]
        asyncio.run(store.settle())
        for ref, value in zip(refs, taken, strict=True):
            assert same(ref.value(), value)
        pressure.clear()
        refs.clear()
        store.close()


def open_store(folder: str, **changes: Any) -> ResultStore:
    usual: dict[str, Any] = {
        "memory_bytes": MIB,
        "spill": folder,
        "disk_bytes": 8 * MIB,
        "segment_bytes": MIB,
        "full_wait": 0.0,
    }
    return ResultStore(Results(**{**usual, **changes}))


class Store(RuleBasedStateMachine):
    """A store against a dict of what was put in."""

    refs = Bundle("refs")

    def __init__(self) -> None:
        super().__init__()
        self.random = random.Random(1)
        self.values: dict[ResultRef, Any] = {}
        self.told: dict[str, Any] = {}
        self.views: list[tuple[memoryview, bytes]] = []
        self.loop = asyncio.new_event_loop()

    @initialize(keyed=st.booleans(), spills=st.booleans())
    def open(self, keyed: bool, spills: bool) -> None:
        self.folder = tempfile.TemporaryDirectory()
        keys = {"a": b"a" * 32} if keyed else {}
        self.store = open_store(self.folder.name, keys=keys)
        if not spills:
            self.store.close()
            self.store = open_store(self.folder.name, keys=keys, spill=None)
        self.keyed = keyed

    @rule(
        target=refs,
        size=st.integers(0, 200_000),
        kind=st.sampled_from("bytes text json opaque".split()),
    )
    def put(self, size: int, kind: str) -> ResultRef:
        value = self.make(size, kind)
        ref = self.store.put(value, tool=kind)
        self.values[ref] = value
        return ref

    @rule(target=refs, count=st.integers(5, 25))
    def put_many(self, count: int) -> Any:
        return multiple(*(self.put(60_000, "bytes" if n % 2 else "json") for n in range(count)))

    def make(self, size: int, kind: str) -> Any:
        noise = self.random.randbytes(size)
        makers: dict[str, Any] = {
            "bytes": lambda: noise,
            "text": lambda: noise.hex()[:size],
            "json": lambda: {
                "n": size,
                "rows": [noise[n : n + 40].hex() for n in range(0, size, 40)],
            },
            "opaque": lambda: ("a tuple", noise),
        }
        return makers[kind]()

    @rule(ref=refs)
    def read(self, ref: ResultRef) -> None:
        if ref in self.values:
            assert ref.value() == self.values[ref]

    @rule(ref=refs)
    def load(self, ref: ResultRef) -> None:
        if ref in self.values:
            self.loop.run_until_complete(ref.load())
            assert ref.peek() == self.values[ref]

    @rule(ref=refs, characters=st.integers(0, 500))
    def preview(self, ref: ResultRef, characters: int) -> None:
        if ref in self.values and not isinstance(self.values[ref], tuple):
            whole = bytes(ref.raw).decode(errors="replace")
            assert ref.preview(characters) == whole[:characters]

    @rule(ref=refs)
    def look(self, ref: ResultRef) -> None:
        if ref in self.values and isinstance(self.values[ref], bytes):
            self.views.append((ref.raw, self.values[ref]))

    @rule()
    def look_away(self) -> None:
        assert all(view == value for view, value in self.views)
        self.views.clear()

    @rule(ref=refs, start=st.integers(0, 300_000), length=st.integers(0, 300_000))
    def read_part(self, ref: ResultRef, start: int, length: int) -> None:
        if ref in self.values and isinstance(self.values[ref], bytes):
            got = self.loop.run_until_complete(self.collect(ref, start, length))
            assert got == self.values[ref][start : start + length]

    async def collect(self, ref: ResultRef, start: int, length: int) -> bytes:
        return b"".join([part async for part in self.store.chunks(ref, start, length)])

    @rule(ref=consumes(refs))
    def let_go(self, ref: ResultRef) -> None:
        self.values.pop(ref, None)

    @rule(ref=refs)
    def tell_a_model(self, ref: ResultRef) -> None:
        if ref in self.values and not isinstance(self.values[ref], tuple):
            if Cap(self.store, 2_000).of_ref(ref) is not None:
                self.told[ref.id] = self.values[ref]

    @rule()
    def find_what_was_told(self) -> None:
        assert set(self.store.ids()) == self.told.keys()
        for id, value in self.told.items():
            found = self.store.find(id)
            assert found is not None
            assert found.value() == value

    @rule()
    def forget(self) -> None:
        for id in self.told:
            self.store.forget(id)
        self.told.clear()

    @rule()
    def settle(self) -> None:
        self.loop.run_until_complete(self.store.settle())
        figures = self.store.statistics()
        held = figures.object_bytes + figures.packed_bytes
        assert held <= MIB or figures.is_full

    @rule()
    def rotate(self) -> None:
        if self.keyed:
            self.store.rotate(str(self.random.random())[:20], self.random.randbytes(32))

    @invariant()
    def files_stay_within_their_quota(self) -> None:
        store = getattr(self, "store", None)
        if store is not None and (spill := store.statistics().spill) is not None:
            assert spill.held_bytes <= 8 * MIB

    def teardown(self) -> None:
        self.values.clear()
        self.told.clear()
        self.names_to_values.clear()
        self.bundles.clear()
        for id in self.store.ids():
            self.store.forget(id)
        gc.collect()
        self.views.clear()
        self.loop.run_until_complete(self.store.settle())
        figures = self.store.statistics()
        assert (figures.values, figures.object_bytes, figures.packed_bytes) == (0, 0, 0)
        assert figures.spill is None or figures.spill.live_bytes == 0
        self.loop.run_until_complete(self.store.aclose())
        after = self.store.statistics().spill
        assert after is None or after.held_bytes == 0
        self.loop.close()
        self.folder.cleanup()


Store.TestCase.settings = settings(max_examples=30, stateful_step_count=30)
TestStore = Store.TestCase
