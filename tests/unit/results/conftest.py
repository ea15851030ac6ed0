"""What the tests of results share: small budgets, so that a few values fill them."""

import logging
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from penstock.results import Results, ResultStore

MIB = 1 << 20

Open = Callable[..., ResultStore]


@pytest.fixture
def options(tmp_path: Path) -> Results:
    """1 MiB of memory, and files of 1 MiB in a folder of the test."""
    return Results(
        memory_bytes=MIB,
        spill=tmp_path / "spill",
        disk_bytes=64 * MIB,
        segment_bytes=MIB,
        inline_bytes=1_000,
        full_wait=1.0,
    )


@pytest.fixture
def open_store(tmp_path: Path) -> Iterator[Open]:
    """Return a function that opens stores; they are closed after the test."""
    stores: list[ResultStore] = []

    def open_one(**changes: object) -> ResultStore:
        settings: dict[str, object] = {
            "memory_bytes": MIB,
            "spill": tmp_path / "spill",
            "disk_bytes": 64 * MIB,
            "segment_bytes": MIB,
            "inline_bytes": 1_000,
            "full_wait": 1.0,
        }
        stores.append(ResultStore(Results(**{**settings, **changes})))  # type: ignore[arg-type]
        return stores[-1]

    yield open_one
    for store in stores:
        store.close()


@pytest.fixture
def warnings_of_results(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    """Collect what the store tells its operator."""
    caplog.set_level(logging.WARNING, "penstock.results")
    return caplog
