"""Adding up: one row a family and mode."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from penstock._native import Decision
from penstock.speculation._replay.chain import Charges
from penstock.speculation._replay.play import Mode, Played
from penstock.speculation._replay.timeline import Made, Point, Timeline

_BINS = 10
_TOP = 3
SMALL = 50
"""A row with fewer reads has no gate."""


@dataclass(slots=True)
class Guessing:
    """How good the candidates of a family were; the same for every mode."""

    sessions: int = 0
    reads: int = 0
    repeats: int = 0
    steps_with_read: int = 0
    tools_right: int = 0
    first: int = 0
    among_three: int = 0
    bins: list[list[float]] = field(default_factory=lambda: [[0.0, 0.0, 0.0] for _ in range(_BINS)])
    squares: float = 0.0
    predictions: list[int] = field(default_factory=list)
    observed_ns: int = 0
    leaves: int = 0

    def add(self, timeline: Timeline, decisions: Sequence[Sequence[Decision]]) -> None:
        """Add one session.

        Args:
            timeline: the session.
            decisions: for each of its points the decision before it, then perhaps one for each further
                call, made with the calls before that one known.
        """
        self.sessions += 1
        fresh = set[bytes]()
        for point, made in zip(timeline.points, decisions, strict=True):
            self._add_point(point, made[0])
            for index, call in enumerate(point.calls):
                if call.effect == "read":
                    self._add_read(call, made[min(index, len(made) - 1)])
            for call in point.calls:
                if call.effect == "write":
                    fresh.clear()
                elif call.effect == "read":
                    self.repeats += call.key in fresh
                    fresh.add(call.key)

    def _add_point(self, point: Point, decision: Decision) -> None:
        self.steps_with_read += any(call.effect == "read" for call in point.calls)
        truth = {call.key for call in point.calls}
        for guess in decision.candidates[:_TOP]:
            hit = float(guess.key in truth)
            self.squares += (guess.p - hit) ** 2
            cell = self.bins[min(int(guess.p * _BINS), _BINS - 1)]
            for place, value in enumerate((1.0, guess.p, hit)):
                cell[place] += value

    def _add_read(self, call: Made, decision: Decision) -> None:
        keys = [guess.key for guess in decision.candidates[:_TOP]]
        best = decision.tools[0][0] if decision.tools else None
        self.reads += 1
        self.tools_right += call.tool == best
        self.first += call.key in keys[:1]
        self.among_three += call.key in keys

    def ece(self) -> float:
        """Mean distance of chance and frequency over the bins, weighted by their guesses."""
        whole = sum(count for count, _, _ in self.bins)
        return _share(sum(abs(chance - hits) for _, chance, hits in self.bins), whole)

    def frequencies(self) -> list[tuple[int, float, float]]:
        """Of each bin the guesses, their mean chance, and the share of them that came true."""
        return [
            (int(count), _share(chance, count), _share(hits, count))
            for count, chance, hits in self.bins
        ]

    def brier(self) -> float:
        """Mean squared distance of chance and truth."""
        return _share(self.squares, sum(count for count, _, _ in self.bins))


@dataclass(slots=True)
class Launching:
    """What launching gave in one mode."""

    reads: int = 0
    window_hits: int = 0
    cache_hits: int = 0
    launches: int = 0
    stall_sessions: int = 0
    stalls: dict[float, list[float]] = field(default_factory=dict)

    def add(self, played: Played) -> None:
        """One session."""
        self.reads += played.reads
        self.window_hits += played.window_hits
        self.cache_hits += played.cache_hits
        self.launches += played.launches
        self.stall_sessions += bool(played.stalls)
        for latency, seconds in played.stalls.items():
            sums = self.stalls.setdefault(latency, [0.0, 0.0, 0.0])
            for place, value in enumerate(seconds):
                sums[place] += value


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the evaluation: a family in a mode, or an ablation of it."""

    family: str
    mode: Mode
    fields: Mapping[str, object]

    def as_record(self) -> dict[str, object]:
        """As `penstock bench speculation` prints it."""
        return {"row": f"{self.family}/{self.mode}", **self.fields}


def row_of(
    family: str,
    mode: Mode,
    guessing: Guessing,
    launching: Launching,
    notes: Mapping[str, object],
    charges: Charges | None = None,
) -> Row:
    """Divide what was added up.

    Args:
        family: whose sessions.
        mode: who launched.
        guessing: how good the candidates were.
        launching: what launching them gave.
        notes: further fields of the row.
        charges: what is charged for launches beyond wrong ones; None where nothing is chained.
    """
    reads = launching.reads
    launches = launching.launches + (charges.charged if charges else 0.0)
    fields: dict[str, object] = {
        "family": family,
        "mode": mode,
        "read_calls": reads,
        "repeat_reads": _share(guessing.repeats, reads),
        "at_1_ceiling": _share(guessing.steps_with_read, reads),
        "tool_at_1": _share(guessing.tools_right, reads),
        "exact_at_1": _share(guessing.first, reads),
        "exact_at_3": _share(guessing.among_three, reads),
        "window_hit": _share(launching.window_hits, reads),
        "cache_hit": _share(launching.cache_hits, reads),
        "wasted_per_read": _share(launches - launching.window_hits, reads),
        "precision": _share(launching.window_hits, launches),
        "ece": round(guessing.ece(), 4),
        "brier": round(guessing.brier(), 4),
        "bins": guessing.frequencies(),
        **_times(guessing),
        "stall_hidden": {
            _name(at): _share(1, 1) - _share(s[0], s[1]) for at, s in launching.stalls.items()
        },
        "e2e_saved": {
            _name(at): _share(s[1] - s[0], s[1] + s[2]) for at, s in launching.stalls.items()
        },
        "stall_sessions": launching.stall_sessions,
        "test_sessions": guessing.sessions,
        "small": reads < SMALL,
    }
    if charges is not None:
        fields["chained_per_read"] = _share(charges.chained, reads)
        fields["charged_per_read"] = _share(charges.charged, reads)
    return Row(family, mode, {**fields, **notes})


def _times(guessing: Guessing) -> dict[str, object]:
    times = sorted(guessing.predictions)
    return {
        "prediction_us": _quantile(times, 0.5),
        "prediction_us_p99": _quantile(times, 0.99),
        "observe_us": _share(guessing.observed_ns / 1e3, guessing.leaves),
    }


def _quantile(times: Sequence[int], rank: float) -> float:
    if not times:
        return 0.0
    return round(times[max(0, math.ceil(rank * len(times)) - 1)] / 1e3, 1)


def _share(part: float, whole: float) -> float:
    return round(part / whole, 4) if whole else 0.0


def _name(latency: float) -> str:
    return f"{latency:g}"
