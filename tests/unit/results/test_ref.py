"""`ResultRef`: what it says of a value, and that dropping it lets go."""

import pytest

from penstock._native import Ledger
from penstock.results._packing import Packing
from penstock.results.entries import Entry
from penstock.results.forms import Forms
from penstock.results.origin import Origin
from penstock.results.ref import ResultRef

MIB = 1 << 20


class World:
    """A ref over forms without a disk; what it runs beside the loop runs here."""

    def __init__(self) -> None:
        self.ledger = Ledger(MIB)
        self.released: list[Entry] = []
        self.forms = Forms(self.ledger, Packing(MIB), None, MIB, self.released.append)
        self.loads = 0

    async def beside(self, work: object) -> None:
        self.loads += 1
        work()  # type: ignore[operator]  # a function

    def ref(self, value: object) -> ResultRef:
        number = self.ledger.add(1_000, plain=True)
        entry = Entry(number, value, Origin("t", "text/plain", "a"), 500, 1_000, is_exact=False)
        return ResultRef(entry, self.forms, self.ledger, self.beside)


@pytest.fixture
def world() -> World:
    return World()


def test_it_says_where_a_value_comes_from(world: World) -> None:
    ref = world.ref("x")
    assert (ref.tool, ref.tenant, ref.media_type) == ("t", "a", "text/plain")
    assert repr(ref) == "<ResultRef of 't', 500 bytes, object>"


def test_its_id_is_its_own_and_stays(world: World) -> None:
    first, second = world.ref("x"), world.ref("x")
    assert first.id == first.id != second.id
    assert len(first.id) == 32


def test_dropping_it_lets_go(world: World) -> None:
    ref = world.ref("x")
    entry = ref.entry
    del ref
    assert world.released == [entry]
    assert world.ledger.statistics()["entries"] == 0


async def test_an_object_needs_no_loading(world: World) -> None:
    ref = world.ref("x")
    await ref.load()
    assert world.loads == 0


async def test_a_packed_value_is_loaded_once_and_decoded_from_that(world: World) -> None:
    ref = world.ref("text " * 1_000)
    world.forms.demote(ref.entry, to_disk=False)
    assert ref.where == "packed"
    await ref.load()
    await ref.load()
    assert world.loads == 1
    assert ref.peek() == "text " * 1_000
    assert ref.where == "packed"
    assert ref.value() == "text " * 1_000
    assert ref.where == "object"


def test_a_pin_counts_while_the_block_lasts(world: World) -> None:
    ref = world.ref("x")
    with ref.pinned():
        assert world.ledger.statistics()["pinned"] == 1
    assert world.ledger.statistics()["pinned"] == 0
