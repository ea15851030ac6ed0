"""The settings of speculation: each is refused by its name."""

import math
from typing import Any

import pytest

from penstock import Engine
from penstock.errors import ConfigError
from penstock.speculation import Predictor, Speculation


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *[("mode", bad) for bad in ("on", None, True)],
        *[("min_p", bad) for bad in (-0.1, 1.1, math.nan, "0.2", True)],
        *[("min_p_priced", bad) for bad in (2, None)],
        *[("slot_share", bad) for bad in (-1, 1.01)],
        *[("rate_share", bad) for bad in (-0.1, 1.5, math.nan, None, True, "0.1")],
        *[("control", bad) for bad in (5, "1 %")],
        *[("value_per_second", bad) for bad in (-1, math.inf)],
        *[("budget", bad) for bad in (-1, 0.5, True)],
        ("early_writes", 1),
        *[("memory_bytes", bad) for bad in (0, 1 << 19, 1e9)],
        ("predictor", object()),
    ],
)
def test_a_bad_value_is_refused_by_its_field(field: str, value: Any) -> None:
    with pytest.raises(ConfigError) as refused:
        Speculation(**{field: value})
    assert (refused.value.field, refused.value.reason != "") == (field, True)


def test_nothing_runs_unless_somebody_says_so() -> None:
    assert Speculation().mode == "shadow"
    assert Speculation(predictor=Predictor()).budget == 0


def test_an_engine_takes_nothing_else() -> None:
    with pytest.raises(ConfigError, match="Speculation"):
        Engine([], speculation="live")  # type: ignore[arg-type]


async def test_an_engine_without_it_says_how_to_get_it() -> None:
    async with Engine([]) as engine:
        with pytest.raises(ConfigError, match="speculation=Speculation"):
            engine.speculation  # noqa: B018 - it raises
