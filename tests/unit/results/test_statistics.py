"""Figures: frozen, with a default for each, so that tests and parts that are off can make them."""

import pytest

from penstock.results.statistics import RecoveryStatistics, ResultStatistics, SpillStatistics


@pytest.mark.parametrize("kind", [ResultStatistics, RecoveryStatistics, SpillStatistics])
def test_nothing_was_counted_yet(kind: type) -> None:
    assert kind() == kind()
    assert hash(kind()) == hash(kind())
