"""The stories of the rows about a store: they hold what they say, and check what they read."""

from pathlib import Path

import pytest

from penstock.cli.bench.results import _store_probe as probe

pytestmark = pytest.mark.real_time


def test_large_values_are_all_different_and_made_twice_alike() -> None:
    make = probe.large_values(50)
    values = {make(number) for number in range(50)}
    assert len(values) == 50
    assert {len(value) for value in values} == {probe.MIB}
    assert make(7) == make(7)


async def test_what_was_spilled_is_read_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(probe, "SPILL_MEMORY", 4 * probe.MIB)
    figures = await probe.spill(12, str(tmp_path))
    assert figures["seconds"] > 0
    assert figures["read_seconds"] > 0


async def test_the_plain_file_is_gone_afterwards(tmp_path: Path) -> None:
    assert (await probe.write(3, str(tmp_path)))["seconds"] > 0
    assert list(tmp_path.iterdir()) == []


async def test_many_values_of_each_kind_come_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(probe, "BUDGET_MEMORY", 2 * probe.MIB)
    monkeypatch.setattr(probe, "KINDS", 2)
    assert (await probe.budget(40, str(tmp_path))).keys() == {"extra_bytes"}
