"""The laws of results: a value is what it was, wherever it went; all that was let go of is free."""

import asyncio
import random
import tempfile
from collections.abc import Callable
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


KINDS: dict[str, Callable[[bytes], Any]] = {
    "bytes": lambda noise: noise,
    "text": lambda noise: noise.hex(),
    "json": lambda noise: {"rows": [noise[n : n + 40].hex() for n in range(0, len(noise), 40)]},
    "opaque": lambda noise: ("a tuple", noise.hex()),
}


class Store(RuleBasedStateMachine):
    """A store against a dict of what was put in. Hypothesis keeps numbers: a ref must be droppable."""

    numbers = Bundle("numbers")

    def __init__(self) -> None:
        super().__init__()
        self.random = random.Random(1)
        self.held: dict[int, tuple[ResultRef, Any]] = {}
        self.told: dict[str, Any] = {}
        self.views: list[tuple[memoryview, bytes]] = []
        self.count = 0
        self.loop = asyncio.new_event_loop()

    @initialize(keyed=st.booleans(), spills=st.booleans())
    def open(self, keyed: bool, spills: bool) -> None:
        self.folder = tempfile.TemporaryDirectory()
        keys = {"a": b"a" * 32} if keyed else {}
        changes: dict[str, Any] = {} if spills else {"spill": None}
        self.store = open_store(self.folder.name, keys=keys, **changes)
        self.keyed = keyed

    @rule(target=numbers, size=st.integers(0, 200_000), kind=st.sampled_from(sorted(KINDS)))
    def put(self, size: int, kind: str) -> int:
        value = KINDS[kind](self.random.randbytes(size))
        self.count += 1
        self.held[self.count] = (self.store.put(value, tool=kind), value)
        return self.count

    @rule(target=numbers, count=st.integers(5, 25))
    def put_many(self, count: int) -> Any:
        return multiple(*(self.put(60_000, "bytes" if n % 2 else "json") for n in range(count)))

    @rule(number=numbers)
    def read(self, number: int) -> None:
        if number in self.held:
            ref, value = self.held[number]
            assert ref.value() == value

    @rule(number=numbers)
    def load(self, number: int) -> None:
        if number in self.held:
            ref, value = self.held[number]
            self.loop.run_until_complete(ref.load())
            assert ref.peek() == value

    @rule(number=numbers, characters=st.integers(0, 500))
    def preview(self, number: int, characters: int) -> None:
        if number in self.held:
            ref, _ = self.held[number]
            whole = bytes(ref.raw).decode(errors="replace")
            assert ref.preview(characters) == whole[:characters]

    @rule(number=numbers)
    def look(self, number: int) -> None:
        ref, value = self.held.get(number, (None, None))
        if ref is not None and isinstance(value, bytes):
            self.views.append((ref.raw, value))

    @rule()
    def look_away(self) -> None:
        assert all(view == value for view, value in self.views)
        self.views.clear()

    @rule(number=numbers, start=st.integers(0, 300_000), length=st.integers(0, 300_000))
    def read_part(self, number: int, start: int, length: int) -> None:
        ref, value = self.held.get(number, (None, None))
        if ref is not None and isinstance(value, bytes):
            got = self.loop.run_until_complete(self.collect(ref, start, length))
            assert got == value[start : start + length]

    async def collect(self, ref: ResultRef, start: int, length: int) -> bytes:
        return b"".join([part async for part in self.store.chunks(ref, start, length)])

    @rule(number=consumes(numbers))
    def let_go(self, number: int) -> None:
        self.held.pop(number, None)

    @rule(number=numbers)
    def tell_a_model(self, number: int) -> None:
        if number in self.held:
            ref, value = self.held[number]
            if Cap(self.store, 2_000).of_ref(ref) is not None:
                self.told[ref.id] = value

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
        self.held.clear()
        self.views.clear()
        for id in self.store.ids():
            self.store.forget(id)
        self.loop.run_until_complete(self.store.settle())
        figures = self.store.statistics()
        self.loop.run_until_complete(self.store.aclose())
        files = self.store.statistics().spill
        self.loop.close()
        self.folder.cleanup()
        assert (figures.values, figures.object_bytes, figures.packed_bytes) == (0, 0, 0)
        assert files is None or (files.live_bytes, files.held_bytes) == (0, 0)


Store.TestCase.settings = settings(max_examples=100, stateful_step_count=40)
TestStore = Store.TestCase
