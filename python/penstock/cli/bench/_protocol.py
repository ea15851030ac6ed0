"""What a file of benchmark rows offers: `ROWS`, a `Rows` that knows its row names and measures them."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

Loop = Literal["uvloop", "asyncio"]
Unit = Literal["x", "B", "ns", "us", "ms", "/s", "%", "calls"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One measured row.

    A row judges one number, `value`, in `unit`: for most rows the median over the rounds of our time
    divided by the baseline's of the same round (`x`), for others what the unit says.

    Attributes:
        row: the row's name.
        n: how many calls one round runs.
        loop: the event loop that ran it.
        value: what the gate judges, in `unit`.
        unit: `x` (ratio), `B` (bytes a call), `ns`, `us` or `ms`, `/s` (a rate), `%`, or `calls`.
        gate: the most that `value` may be; None for a row that only informs.
        at_least: makes the gate the least that `value` may be.
        ratio: ours divided by the baseline; None if the row has no baseline.
        ns_per_call: our median nanoseconds a call; None if the row does not measure time.
        baseline: what ours is divided by.
        baseline_ns: the baseline's median nanoseconds a call.
        spread: the middle half of the rounds' values, as a share of the median.
    """

    row: str
    n: int
    loop: Loop
    value: float
    unit: Unit = "x"
    gate: float | None = None
    at_least: bool = False
    ratio: float | None = None
    ns_per_call: float | None = None
    baseline: str = ""
    baseline_ns: float | None = None
    spread: float = 0.0

    @property
    def passed(self) -> bool | None:
        """Whether the gate holds; None without a gate."""
        if self.gate is None:
            return None
        return self.value >= self.gate if self.at_least else self.value <= self.gate

    def as_record(self) -> dict[str, object]:
        """The row as `penstock bench --json` prints it, one line a row."""
        return {
            "row": self.row,
            "n": self.n,
            "loop": self.loop,
            "ratio": _short(self.ratio),
            "ns_per_call": _short(self.ns_per_call),
            "baseline": self.baseline,
            "baseline_ns": _short(self.baseline_ns),
            "value": _short(self.value),
            "unit": self.unit,
            "gate": self.gate,
            "at_least": self.at_least,
            "pass": self.passed,
            "spread": _short(self.spread),
        }


@dataclass(frozen=True, slots=True)
class Settings:
    """How long to measure, on which event loop, and what.

    Attributes:
        loop: the event loop; rows in virtual time have their own.
        quick: whether fewer rounds will do.
        traces: a folder of recorded sessions for the rows of `speculation-load`; None for invented ones.
    """

    loop: Loop = "uvloop"
    quick: bool = False
    traces: Path | None = None

    def rounds(self, usual: int) -> int:
        """The number of interleaved rounds: `usual`, or a third of it (at least three) if quick."""
        return max(3, usual // 3) if self.quick else usual


@dataclass(frozen=True, slots=True)
class Rows:
    """A group of rows that share a set-up; `name` is the file's stem."""

    name: str
    measure: Callable[[Settings], AsyncIterator[Result]] = field(repr=False)


def _short(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.4g}")
