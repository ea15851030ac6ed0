"""Results of the benchmark rows, as lines that other programs read."""

import pytest

from penstock.cli.bench._protocol import Result, Settings


def result(value: float, gate: float | None) -> Result:
    return Result(row="noop", n=1000, loop="uvloop", value=value, gate=gate)


def test_a_value_at_its_gate_passes() -> None:
    assert result(0.15, 0.15).passed


def test_a_value_above_its_gate_fails() -> None:
    assert result(0.151, 0.15).passed is False


@pytest.mark.parametrize(("rate", "passes"), [(9_899.0, False), (9_900.0, True), (9_901.0, True)])
def test_a_gate_may_be_the_least(rate: float, passes: bool) -> None:
    row = Result(
        row="wait", n=1000, loop="uvloop", value=rate, unit="/s", gate=9_900.0, at_least=True
    )
    assert row.passed is passes


def test_a_row_without_a_gate_neither_passes_nor_fails() -> None:
    assert result(9.0, None).passed is None


def test_a_record_has_the_promised_keys() -> None:
    promised = {"row", "ratio", "ns_per_call", "baseline", "gate", "pass"}
    assert promised <= result(0.1, 0.15).as_record().keys()


def test_a_record_keeps_four_digits() -> None:
    assert result(0.123456, None).as_record()["value"] == 0.1235


@pytest.mark.parametrize(("usual", "quick"), [(15, 5), (9, 3), (3, 3)])
def test_quick_never_runs_less_than_three_rounds(usual: int, quick: int) -> None:
    assert Settings(quick=True).rounds(usual) == quick
