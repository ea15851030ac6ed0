"""The rows about a store measure what they say."""

from pathlib import Path

import pytest

from penstock.cli.bench import Settings
from penstock.cli.bench.results import store

pytestmark = pytest.mark.real_time

QUICK = Settings(quick=True)


async def test_a_look_is_measured_on_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "LOOKS", 10)
    row = await store.raw_row(QUICK, str(tmp_path))
    assert (row.row, row.unit, row.gate) == ("raw", "us", 5.0)
    assert row.value > 0


async def test_recovery_finds_what_was_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "KEPT", 16)
    row = await store.recovery_row(QUICK, str(tmp_path))
    assert (row.row, row.n, row.unit) == ("recovery", 4, "ms")


async def test_the_heartbeat_counts_its_beats(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "BEATS", 20)
    rows = await store.lag_rows(QUICK, str(tmp_path))
    assert [(row.row, row.n, row.gate) for row in rows] == [
        ("lag", 20, 2.0),
        ("lag-packing", 20, 0.25),
    ]
    assert all(row.value >= 0 for row in rows)


async def test_ratios_are_taken_within_a_round(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = {
        "spill": {"seconds": 2.0, "read_seconds": 3.0, "extra_bytes": 7.0},
        "write": {"seconds": 1.0, "read_seconds": 1.0},
        "budget": {"extra_bytes": 5.0},
    }
    monkeypatch.setattr(store, "probe", lambda kind, count, folder: answers[kind])
    rows = {row.row: row async for row in store.spill_rows(QUICK, str(tmp_path))}
    assert {name: row.value for name, row in rows.items()} == {
        "spill": 2.0,
        "spill-memory": 7.0,
        "spill-read": 3.0,
    }
    assert not rows["spill"].passed
    assert store.budget_row(QUICK, "").value == 5.0
    rates = store.tmpfs_rows(QUICK, "")
    assert [row.value for row in rates] == [
        store.TMPFS * store.MIB / 2,
        store.TMPFS * store.MIB / 3,
    ]
    assert all(row.at_least for row in rates)
