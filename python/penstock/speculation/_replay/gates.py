"""The gates of the evaluation: what a row of the reference sessions must reach.

The numbers are of the public benchmarks that the reference sessions come from, and of nothing else:
rows of other families, or of fewer than 50 reads, have no gate.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from penstock.speculation._replay.row import Row


@dataclass(frozen=True, slots=True)
class Gate:
    """A number and what it must reach.

    Attributes:
        value: what was measured.
        bound: the least it may be, or the most.
        at_least: which of the two.
    """

    value: float
    bound: float
    at_least: bool = True

    @property
    def passed(self) -> bool:
        """Whether it holds."""
        return self.value >= self.bound if self.at_least else self.value <= self.bound

    def as_record(self) -> dict[str, object]:
        """The gate in a JSON row."""
        return {"gate": self.bound, "at_least": self.at_least, "pass": self.passed}


@dataclass(frozen=True, slots=True)
class _Family:
    """exact@1, exact@3, hits at most at this waste, ECE, stall hidden, and the mode of the stall."""

    first: float
    three: float
    hit: float
    waste: float
    ece: float = 0.04
    stall: Mapping[str, float] | None = None
    stall_mode: str = "gated"


_GATES: Mapping[str, _Family] = {
    "retail": _Family(0.60, 0.75, 0.62, 0.40, stall={"0.25": 0.50, "1": 0.46, "3": 0.22}),
    "airline": _Family(0.43, 0.56, 0.50, 0.40, stall={"0.25": 0.29, "1": 0.28, "3": 0.20}),
    "telecom": _Family(
        0.62, 0.76, 0.62, 0.30, 0.05, {"0.25": 0.70, "1": 0.70, "3": 0.62}, "engine"
    ),
    "telecom-solo": _Family(0.60, 0.75, 0.60, 0.40, stall={"0.25": 0.36, "1": 0.36, "3": 0.34}),
    "bfcl": _Family(0.43, 0.50, 0.38, 0.60),
}

_PREDICTION_US = 50.0
_PREDICTION_US_P99 = 200.0
_OBSERVE_US = 1.0


def check(row: Row) -> dict[str, Gate]:
    """The gates of a row by field; empty if it has none."""
    family = _GATES.get(row.family)
    if family is None or row.fields["small"]:
        return {}
    return dict(_judged(row, family))


def _judged(row: Row, family: _Family) -> Iterator[tuple[str, Gate]]:
    if row.mode == "gated":
        for name, bound in (
            ("exact_at_1", family.first),
            ("exact_at_3", family.three),
            ("window_hit", family.hit),
        ):
            yield name, Gate(_number(row.fields[name]), bound)
        for name, bound in (
            ("wasted_per_read", family.waste),
            ("ece", family.ece),
            ("prediction_us", _PREDICTION_US),
            ("prediction_us_p99", _PREDICTION_US_P99),
            ("observe_us", _OBSERVE_US),
        ):
            yield name, Gate(_number(row.fields[name]), bound, at_least=False)
    hidden = row.fields["stall_hidden"]
    if row.mode == family.stall_mode and isinstance(hidden, dict):
        for latency, bound in (family.stall or {}).items():
            if latency in hidden:
                yield f"stall_hidden {latency}", Gate(_number(hidden[latency]), bound)


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) else 0.0
