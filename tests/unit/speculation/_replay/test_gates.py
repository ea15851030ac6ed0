from penstock.speculation import Row, check
from penstock.speculation._replay.gates import Gate

GOOD = {
    "exact_at_1": 0.9,
    "exact_at_3": 0.9,
    "window_hit": 0.9,
    "wasted_per_read": 0.1,
    "ece": 0.01,
    "prediction_us": 10.0,
    "prediction_us_p99": 90.0,
    "observe_us": 0.5,
    "stall_hidden": {"0.25": 0.9, "1": 0.9},
    "small": False,
}


def row(family: str = "retail", mode="gated", **fields: object) -> Row:
    return Row(family, mode, {**GOOD, **fields})


def test_a_good_row_passes_every_gate() -> None:
    judged = check(row())
    assert len(judged) == 10
    assert all(gate.passed for gate in judged.values())


def test_a_gate_is_a_least_or_a_most() -> None:
    missed = {name for name, gate in check(row(exact_at_1=0.1, ece=0.5)).items() if not gate.passed}
    assert missed == {"exact_at_1", "ece"}


def test_what_hits_at_too_much_waste_misses() -> None:
    assert not check(row(wasted_per_read=0.9))["wasted_per_read"].passed


def test_small_and_unknown_rows_have_no_gate() -> None:
    assert check(row(small=True)) == {}
    assert check(row("somebody")) == {}


def test_the_stall_is_judged_in_the_mode_of_its_family() -> None:
    assert "stall_hidden 1" not in check(row("telecom"))
    assert set(check(row("telecom", "engine"))) == {"stall_hidden 0.25", "stall_hidden 1"}
    assert check(row(mode="oracle")) == {}


def test_a_gate_is_a_record() -> None:
    record = Gate(0.5, 0.4, at_least=False).as_record()
    assert record == {"gate": 0.4, "at_least": False, "pass": False}
