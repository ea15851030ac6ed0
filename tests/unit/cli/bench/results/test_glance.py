"""The rows about the glance at each result."""

import time

from penstock._native import measure
from penstock.cli.bench.results.glance import GLANCES, VALUES, glance


def test_a_glance_is_really_repeated() -> None:
    value, _ = VALUES["measure-list"]
    began = time.perf_counter_ns()
    measure(value)
    once = time.perf_counter_ns() - began
    assert glance(value) * GLANCES > once


def test_the_values_are_those_of_the_rows() -> None:
    nothing, entries, items = (value for value, _ in VALUES.values())
    assert nothing is None
    assert isinstance(entries, dict)
    assert isinstance(items, list)
    assert (len(entries), len(items)) == (8, 10_000)
