"""`Forms`: from object to packed to disk and back, step by step, and what happens in between."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from penstock._native import Ledger
from penstock.errors import ResultUnreadable
from penstock.results._packing import Packing
from penstock.results.entries import Entry
from penstock.results.folder import Nameless
from penstock.results.forms import Forms
from penstock.results.keys import Keyring
from penstock.results.origin import Origin
from penstock.results.spill import Spill
from penstock.results.values import measure

MIB = 1 << 20
TABLE = {"rows": [{"id": number} for number in range(2_000)]}
NOISE = os.urandom(50_000)


class World:
    """Forms with a ledger that asks for nothing by itself."""

    def __init__(self, folder: Path | None, *, disk_bytes: int = 8 * MIB) -> None:
        self.ledger = Ledger(16 * MIB)
        self.released: list[Entry] = []
        self.spill = folder and Spill(
            Nameless(folder), Keyring({}), disk_bytes=disk_bytes, segment_bytes=MIB
        )
        self.packing = Packing(MIB)
        self.forms = Forms(self.ledger, self.packing, self.spill or None, MIB, self.released.append)

    def take(self, value: object) -> Entry:
        size, resident = measure(value)
        number = self.ledger.add(resident, plain=True)
        return Entry(number, value, Origin("t"), size, resident, is_exact=False)

    @property
    def bytes(self) -> int:
        figures = self.ledger.statistics()
        return figures["object_bytes"] + figures["packed_bytes"]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    yield made
    if made.spill:
        made.spill.close()


class TestDown:
    def test_a_value_is_packed_first(self, world: World) -> None:
        entry = world.take(TABLE)
        assert world.forms.demote(entry, to_disk=False)
        assert (entry.where, entry.kind) == ("packed", "json")
        assert world.bytes == entry.memory() < 10_000

    def test_then_it_goes_to_disk(self, world: World) -> None:
        entry = world.take(TABLE)
        world.forms.demote(entry, to_disk=False)
        world.forms.demote(entry, to_disk=True)
        assert entry.where == "disk"
        assert world.bytes == 0
        assert world.forms.value(entry) == TABLE

    def test_what_packing_does_not_make_smaller_goes_to_disk_at_once(self, world: World) -> None:
        entry = world.take(NOISE)
        world.forms.demote(entry, to_disk=False)
        assert entry.where == "disk"
        assert world.forms.value(entry) == NOISE

    def test_an_opaque_value_stays_and_is_pinned(self, world: World) -> None:
        entry = world.take([(1, 2)] * 1_000)
        assert world.forms.demote(entry, to_disk=True)
        assert entry.where == "object"
        assert entry.is_opaque
        assert world.ledger.statistics()["pinned"] == 1

    def test_a_value_of_more_bytes_than_can_be_read_back_stays(self, world: World) -> None:
        entry = world.take(["x" * 1_000] * 2_000)
        world.forms.demote(entry, to_disk=True)
        assert entry.where == "object"

    def test_on_a_full_disk_a_value_is_packed_at_least(self, tmp_path: Path) -> None:
        world = World(tmp_path, disk_bytes=2 * MIB)
        assert world.spill
        for size in (400_000, 1_000):
            while world.spill.write(os.urandom(16), b"", [bytes(size)]):
                pass
        entry, noise = world.take(TABLE), world.take(os.urandom(450_000))
        assert not world.forms.demote(entry, to_disk=True)
        assert not world.forms.demote(noise, to_disk=True)
        assert (entry.where, noise.where) == ("packed", "object")
        world.spill.close()

    def test_without_a_disk_nothing_is_ever_full(self) -> None:
        world = World(None)
        entry = world.take(NOISE)
        assert world.forms.demote(entry, to_disk=False)
        assert entry.where == "object"

    def test_what_was_let_go_of_meanwhile_leaves_nothing(self, world: World) -> None:
        entry = world.take(TABLE)
        pack = world.packing.pack

        def slow(*arguments: object) -> object:
            world.forms.guard.leave(entry)
            return pack(*arguments)  # type: ignore[arg-type]  # passed on

        world.packing.pack = slow  # type: ignore[assignment,method-assign]  # in the middle of it
        assert world.forms.demote(entry, to_disk=True)
        assert world.released == [entry]
        assert world.bytes == 0
        assert world.spill
        assert world.spill.statistics().live_bytes == 0


class TestUp:
    def test_a_value_that_is_used_is_in_memory_again(self, world: World) -> None:
        entry = world.take(TABLE)
        world.forms.demote(entry, to_disk=True)
        assert world.forms.value(entry) == TABLE
        assert entry.where == "object"
        assert world.bytes == entry.resident

    def test_going_down_again_writes_nothing(self, world: World) -> None:
        entry = world.take(TABLE)
        world.forms.demote(entry, to_disk=True)
        world.forms.value(entry)
        world.forms.demote(entry, to_disk=False)
        assert entry.where == "disk"
        assert world.spill
        assert world.spill.statistics().written == 1

    def test_a_look_leaves_it_where_it_is(self, world: World) -> None:
        entry = world.take(TABLE)
        world.forms.demote(entry, to_disk=True)
        assert world.forms.value(entry, promote=False) == TABLE
        assert entry.where == "disk"

    def test_bytes_that_were_loaded_are_not_read_again(self, world: World) -> None:
        entry = world.take(TABLE)
        world.forms.demote(entry, to_disk=True)
        world.forms.load(entry)
        assert world.spill
        before = world.spill.statistics().read_seconds
        assert world.forms.value(entry) == TABLE
        assert world.spill.statistics().read_seconds == before

    def test_json_is_made_once_and_counts(self, world: World) -> None:
        entry = world.take(TABLE)
        assert world.forms.encoded(entry) is world.forms.encoded(entry)
        assert world.bytes == entry.resident + len(world.forms.encoded(entry))
        assert entry.is_exact

    def test_what_is_gone_is_unreadable(self, world: World) -> None:
        entry = world.take(TABLE)
        world.forms.guard.leave(entry)
        with pytest.raises(ResultUnreadable, match="let go"):
            world.forms.value(entry)
        with pytest.raises(ResultUnreadable):
            world.forms.read(entry, 0, 10)
        assert world.forms.unreadable == 2


class TestHolders:
    def test_the_last_holder_drops_all_forms(self, world: World) -> None:
        entry = world.take(TABLE)
        world.ledger.hold(entry.number)
        world.forms.demote(entry, to_disk=True)
        world.forms.guard.leave(entry)
        assert entry.where == "disk"
        world.forms.guard.leave(entry)
        assert world.released == [entry]
        assert world.spill
        assert world.spill.statistics().live_bytes == 0

    def test_letting_go_too_often_does_nothing(self, world: World) -> None:
        entry = world.take(TABLE)
        world.forms.guard.leave(entry)
        world.forms.guard.leave(entry)
        assert world.released == [entry]
