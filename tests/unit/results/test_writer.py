"""`Writer`: works when it is woken, ends when nothing is left, survives what one value does."""

import logging
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from penstock._native import Ledger
from penstock.results import writer as writer_module
from penstock.results._packing import Packing
from penstock.results.entries import Entry
from penstock.results.folder import Nameless
from penstock.results.forms import Forms
from penstock.results.keys import Keyring
from penstock.results.origin import Origin
from penstock.results.spill import Spill
from penstock.results.writer import Writer

MIB = 1 << 20
SIZE = 100_000

pytestmark = pytest.mark.real_time


class World:
    """A writer over a budget of 1 MiB."""

    def __init__(self, folder: Path, *, disk_bytes: int = 64 * MIB) -> None:
        self.ledger = Ledger(MIB)
        self.packing = Packing(MIB)
        self.spill = Spill(Nameless(folder), Keyring({}), disk_bytes=disk_bytes, segment_bytes=MIB)
        self.entries: dict[int, Entry] = {}
        self.forms = Forms(self.ledger, self.packing, self.spill, MIB, self.forget)
        self.changes = self.ends = 0
        self.writer = Writer(
            self.ledger,
            self.entries.get,
            self.forms,
            self.spill,
            self.packing,
            self.change,
            self.end,
        )

    def change(self) -> None:
        self.changes += 1

    def end(self) -> None:
        self.ends += 1

    def forget(self, entry: Entry) -> None:
        self.entries.pop(entry.number, None)

    def fill(self, count: int) -> list[Entry]:
        for _ in range(count):
            number = self.ledger.add(SIZE, plain=True)
            value = os.urandom(SIZE)
            self.entries[number] = Entry(number, value, Origin("t"), SIZE, SIZE, is_exact=True)
        return list(self.entries.values())

    @property
    def bytes(self) -> int:
        figures = self.ledger.statistics()
        return figures["object_bytes"] + figures["packed_bytes"]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    yield made
    made.writer.close()
    made.spill.close()


def threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "penstock-results"]


def test_there_is_no_thread_before_there_is_work(world: World) -> None:
    world.writer.nudge()
    assert threads() == []


def test_it_works_down_to_eighty_percent(world: World) -> None:
    world.fill(30)
    world.writer.settle()
    assert 0.6 * MIB < world.bytes <= 0.8 * MIB
    assert world.changes >= 20


def test_within_the_budget_nothing_moves(world: World) -> None:
    entries = world.fill(10)
    world.writer.settle()
    assert {entry.where for entry in entries} == {"object"}


def test_it_ends_when_it_is_told_to(world: World) -> None:
    world.fill(3)
    world.writer.settle()
    assert len(threads()) == 1
    world.writer.close()
    assert threads() == []
    world.writer.wake()
    assert threads() == []


def test_who_only_tells_it_to_end_waits_for_nobody(world: World) -> None:
    world.fill(3)
    world.writer.settle()
    (thread,) = threads()
    with world.forms.guard, world.forms.guard.lock:  # as a destructor may be called
        world.writer.end()
    thread.join(5.0)
    assert threads() == []
    assert world.ends == 1


def test_it_ends_by_itself_when_no_file_is_left_and_begins_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer_module, "IDLE_SECONDS", 0.02)
    entries = world.fill(30)
    world.writer.settle()
    (thread,) = threads()
    for entry in entries:
        world.forms.guard.leave(entry)
    entries.clear()
    thread.join(5.0)
    assert not world.spill.has_files
    world.fill(30)
    world.writer.settle()
    assert world.bytes <= MIB


def test_a_fault_with_one_value_stops_nobody_else(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    entries = world.fill(30)
    pack = world.packing.pack

    def sometimes(kind: object, data: object, origin: object) -> object:
        if data is broken:
            raise MemoryError("no more")
        return pack(kind, data, origin)  # type: ignore[arg-type]  # passed on

    broken = entries[0].value
    monkeypatch.setattr(world.packing, "pack", sometimes)
    with caplog.at_level(logging.ERROR, "penstock.results"):
        world.writer.settle()
    assert entries[0].where == "object"
    assert world.bytes <= MIB
    assert "could not be moved" in caplog.text


def test_on_a_full_disk_it_waits_for_room_and_goes_on(tmp_path: Path) -> None:
    world = World(tmp_path, disk_bytes=2 * MIB)
    entries = world.fill(60)
    world.writer.settle()
    assert world.ledger.is_full
    for entry in [entry for entry in entries if entry.where == "disk"]:
        world.forms.guard.leave(entry)
    world.writer.settle()
    world.writer.settle()
    assert world.spill.statistics().written > 20
    world.writer.close()
    world.spill.close()
