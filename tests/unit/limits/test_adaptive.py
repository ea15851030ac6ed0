"""`Adaptive`: its defaults, and what it refuses."""

from typing import Any

import pytest

from penstock.errors import ConfigError
from penstock.limits.adaptive import Adaptive


def test_the_defaults_are_the_documented_ones() -> None:
    assert Adaptive() == Adaptive(least=1, most=200, mode="aimd", latency="total")


@pytest.mark.parametrize(
    ("field", "options"),
    [
        ("least", {"least": 0}),
        ("most", {"most": 0}),
        ("most", {"most": 2**32}),
        ("least", {"least": 9, "most": 8}),
        ("mode", {"mode": "vegas"}),
        ("latency", {"latency": "p99"}),
    ],
)
def test_a_field_that_cannot_work_is_named(field: str, options: dict[str, Any]) -> None:
    with pytest.raises(ConfigError) as caught:
        Adaptive(**options)
    assert caught.value.field == field
