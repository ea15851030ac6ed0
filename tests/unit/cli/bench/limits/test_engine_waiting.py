"""Batches that wait for a limit: what is counted over them."""

import pytest

from penstock.cli.bench.limits.engine_waiting import BATCHES, COUNT, batches

IN_TURN = list(range(COUNT))
SWAPPED = [1, 0, *range(2, COUNT)]


@pytest.mark.parametrize(("batch", "expected"), [(IN_TURN, 0), (SWAPPED, BATCHES)])
async def test_the_turn_is_judged_batch_by_batch(batch: list[int], expected: int) -> None:
    order = list[int]()

    async def run() -> None:
        order.extend(batch)

    found = await batches(run, order)
    assert (found.granted, found.inversions) == (BATCHES * COUNT, expected)
