"""`Entry`: its forms, the memory that they take, and which of them go."""

import pytest

from penstock._native import Ledger
from penstock.results.entries import ABSENT, Entry
from penstock.results.origin import Origin
from penstock.results.spill import Place, Spot

PLACE = Place(bytes(16), b"", 10, Spot(1, 64, 80, 100), 0)


def entry(value: object = b"x" * 100, resident: int = 133) -> Entry:
    return Entry(1, value, Origin("t"), 100, resident, is_exact=True)


def test_an_object_takes_what_was_estimated() -> None:
    assert (entry().where, entry().memory()) == ("object", 133)


def test_the_bytes_of_bytes_are_not_counted_twice() -> None:
    made = entry()
    made.encoded = made.value  # type: ignore[assignment]  # is bytes
    assert made.memory() == 133


def test_each_form_counts() -> None:
    made = entry({"a": 1}, resident=300)
    made.encoded, made.parcel = b"12345", b"123"
    assert made.memory() == 308


def test_shedding_keeps_the_smallest_form() -> None:
    packed, stored = entry(), entry()
    packed.parcel = b"123"
    stored.parcel, stored.place = b"123", PLACE
    packed.shed()
    stored.shed()
    assert (packed.where, packed.memory()) == ("packed", 3)
    assert (stored.where, stored.memory()) == ("disk", 0)


def test_shedding_never_drops_the_only_form() -> None:
    made = entry()
    made.shed()
    assert made.where == "object"


def test_clearing_gives_back_the_place() -> None:
    made = entry()
    made.place = PLACE
    assert made.clear() is PLACE
    assert made.place is None
    assert made.value is ABSENT


@pytest.mark.parametrize("is_released", [False, True])
def test_a_view_pins_while_it_lives(is_released: bool) -> None:
    ledger = Ledger(1 << 20)
    made = entry()
    made.number = ledger.add(133, plain=True)
    view = made.pin_by(memoryview(b"abc"), ledger)
    assert ledger.statistics()["pinned"] == 1
    if is_released:
        ledger.release(made.number)
    del view
    assert ledger.statistics()["pinned"] == 0
    assert not made.views
