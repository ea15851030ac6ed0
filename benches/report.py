"""Turns measured rows into lines for a terminal and into a results folder."""

import datetime
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field, replace
from itertools import chain
from pathlib import Path
from typing import Any

from benches import chart
from benches.rivals._driver import OURS, Standing, best_async
from benches.rivals.limits._driver import Standing as LimiterStanding

Record = dict[str, object]

GATE = 50.0
"""How many times our overhead a turn the best async agent framework's must be, at least."""
GATE_COUNT = 1000
GATE_DELAY = 0.0
COMMAND = "make bench SAVE=1"
METHOD = (
    "Every row runs our way and its baseline in turn, round by round, in one process and on one "
    "event loop; a ratio is the median over the rounds of ours divided by the baseline's in the same "
    "round, the spread is the middle half of those ratios as a share of the median. The rivals run "
    "in a process and an environment each; their rounds take turns with ours, and every round's "
    "messages are checked. Overhead is the wall time from a model's reply to the tool messages, "
    "less the time that the tools take when all run at once. Rows in bytes or milliseconds are "
    "held against their gate as they are."
)
LIMITERS = (
    "Each limiter runs in a process and an environment of its own, measure by measure in turn. "
    "`try` and `take` are a decision that is a yes; five limits are passed together where a library "
    "can, else one after the other. The crowd is 1,000 tasks that take 20 units each from 10,000 a "
    "second: units a second beyond the burst, grants out of turn, CPU a grant. The rest is about 1,000 "
    "a second and 100 at once: units in 2 s and what may be, the fullest second's excess; how late the "
    "last call comes after 80 of 100 were cancelled, and a call of 100 units behind 50 single ones. A "
    "wait is given up after 3 s."
)


@dataclass(frozen=True, slots=True)
class Results:
    """All that one run of the benchmarks found."""

    machine: dict[str, str]
    micro: list[Record] = field(default_factory=list)
    core: list[Record] = field(default_factory=list)
    rivals: list[Standing] = field(default_factory=list)
    limits: list[Record] = field(default_factory=list)
    limiters: list[LimiterStanding] = field(default_factory=list)
    results: list[Record] = field(default_factory=list)
    streams: list[Record] = field(default_factory=list)
    early: list[Record] = field(default_factory=list)
    hedge: list[Record] = field(default_factory=list)
    speculation_load: list[Record] = field(default_factory=list)

    @property
    def turn(self) -> float | None:
        """The best async framework's overhead divided by ours, at the size that the gate names."""
        best = best_async(self.rivals, GATE_COUNT, GATE_DELAY)
        return best.ratio if best else None

    def verdict(self) -> str:
        """One sentence: which gates hold and which do not."""
        suites = (
            self.limits,
            self.results,
            self.streams,
            self.early,
            self.hedge,
            self.speculation_load,
        )
        rows = [*self.micro, *self.core, *chain.from_iterable(suites)]
        gated = [row for row in rows if row["pass"] is not None]
        failed = [row_name(row) for row in gated if not row["pass"]]
        held = len(gated) - len(failed)
        if self.rivals:
            turn_holds = self.turn is not None and self.turn >= GATE
            held += turn_holds
            failed += [] if turn_holds else ["turn"]
        words = f"{held} of {held + len(failed)} gates hold"
        return words + (f"; not: {', '.join(failed)}." if failed else ".")

    def save(self, folder: Path) -> Path:
        """Writes `raw.json`, `summary.md` and, if the rivals ran, `chart.svg`; returns their folder."""
        today = datetime.datetime.now(datetime.UTC).date().isoformat()
        place = folder / f"{today}-{self.machine['machine']}"
        place.mkdir(parents=True, exist_ok=True)
        raw = place / "raw.json"
        whole = self.completed(json.loads(raw.read_text())) if raw.exists() else self
        raw.write_text(json.dumps(whole.as_record(), indent=1) + "\n")
        (place / "summary.md").write_text("\n".join(whole.summary(today)) + "\n")
        picture = self.picture()
        if picture:
            (place / "chart.svg").write_text(picture)
        return place

    def completed(self, earlier: dict[str, Any]) -> "Results":
        """These, and what an earlier run of the day measured that this one left out."""
        return replace(
            self,
            micro=self.micro or earlier["micro"],
            core=self.core or earlier["core"],
            rivals=self.rivals or [Standing(**row) for row in earlier["rivals"]],
            limits=self.limits or earlier.get("limits", []),
            limiters=self.limiters
            or [LimiterStanding(**row) for row in earlier.get("limiters", [])],
            results=self.results or earlier.get("results", []),
            streams=self.streams or earlier.get("streams", []),
            early=self.early or earlier.get("early", []),
            hedge=self.hedge or earlier.get("hedge", []),
            speculation_load=self.speculation_load or earlier.get("speculation_load", []),
        )

    def as_record(self) -> Record:
        return {
            "machine": self.machine,
            "micro": self.micro,
            "core": self.core,
            "rivals": [asdict(row) for row in self.rivals],
            "turn": {"row": "turn", "ratio": self.turn, "gate": GATE},
            "limits": self.limits,
            "limiters": [asdict(row) for row in self.limiters],
            "results": self.results,
            "streams": self.streams,
            "early": self.early,
            "hedge": self.hedge,
            "speculation_load": self.speculation_load,
        }

    def summary(self, date: str) -> list[str]:
        lines = [f"# Benchmarks of {date}", "", f"Command: `{COMMAND}`. {self.verdict()}", ""]
        lines += [
            METHOD,
            "",
            *table(("machine", ""), [list(fact) for fact in self.machine.items()]),
        ]
        if self.micro:
            lines += ["", "## The hot path", "", *micro_table(self.micro)]
        if self.core:
            lines += ["", "## The Rust core (criterion)", "", *core_table(self.core)]
        if self.limits:
            lines += ["", "## Limits", "", *micro_table(self.limits)]
        if self.limiters:
            lines += ["", "## Limiters", "", LIMITERS, "", *limiter_table(self.limiters)]
        suites = {
            "Results": self.results,
            "Streams": self.streams,
            "Early dispatch": self.early,
            "Hedge": self.hedge,
            "Speculation load": self.speculation_load,
        }
        for title, shown in suites.items():
            lines += ["", f"## {title}", "", *micro_table(shown)] if shown else []
        sizes = dict.fromkeys((row.count, row.milliseconds) for row in self.rivals)
        for size in sizes:
            rows = [row for row in self.rivals if (row.count, row.milliseconds) == size]
            lines += ["", f"## One turn: {size_words(*size)}", "", *rival_table(rows)]
        if self.turn is not None:
            lines += [
                "",
                f"The best async framework against ours: {self.turn:.0f}x (gate {GATE:.0f}x).",
            ]
        return lines

    def picture(self) -> str:
        """The turn that the gate names, as a bar a rival; empty if it was not run."""
        rows = [
            row
            for row in self.rivals
            if (row.count, row.milliseconds) == (GATE_COUNT, GATE_DELAY) and not row.error
        ]
        if not rows:
            return ""
        return chart.draw(
            f"One turn of {GATE_COUNT:,} tool calls: overhead a call",
            "Microseconds, logarithmic, less is better: from the model's reply to the tool messages.",
            [bar(row) for row in rows],
            f"{self.machine['python']}, {self.machine['machine']}; versions in summary.md. "
            "Pale: no agent framework, or no async door.",
        )


def bar(row: Standing) -> chart.Bar:
    style = "ours" if row.rival == OURS else "bar" if row.style == "async" else "quiet"
    text = f"{row.overhead_us_per_call:.3g} µs"
    if row.ratio is not None and row.rival != OURS:
        text += f"  ({row.ratio:.3g}x)"
    return chart.Bar(row.title, max(row.overhead_us_per_call, 0.01), text, style)


def size_words(count: int, milliseconds: float) -> str:
    return f"{count:,} calls of {milliseconds:g} ms"


def micro_line(row: Record) -> str:
    """A row of the hot path in one line of a terminal."""
    return "{:<18} {:>9} {:>10} {:>12} {:>5}  {}".format(*micro_cells(row))


def micro_cells(row: Record) -> list[str]:
    gate = "" if row["gate"] is None else f"{'>=' if row.get('at_least') else '<='} {row['gate']:g}"
    passed = {True: "yes", False: "NO", None: ""}[row["pass"]]
    against = str(row["baseline"])
    if row["baseline_ns"] is not None:
        against += f" ({row['baseline_ns']:,.0f} ns)"
    value = number(row["value"]) + ("x" if row["unit"] == "x" else f" {row['unit']}")
    return [str(row["row"]), f"{row['n']:,}", value, gate, passed, against]


def micro_table(rows: Iterable[Record]) -> list[str]:
    head = ("row", "calls", "ours", "gate", "holds", "against", "ns a call", "spread")
    return table(
        head,
        [
            [
                *micro_cells(row),
                "" if row["ns_per_call"] is None else f"{row['ns_per_call']:,.0f}",
                f"{row['spread']:.0%}",
            ]
            for row in rows
        ],
    )


def row_name(row: Record) -> str:
    return f"{row['row']} ({row['n']})" if "n" in row else str(row["row"])


def core_line(row: Record) -> str:
    name, nanoseconds, gate, passed = core_cells(row)
    return f"{name:<40} {nanoseconds:>10} ns {gate:>6} {passed}"


def core_cells(row: Record) -> list[str]:
    gate = "" if row["gate"] is None else f"<= {row['gate']:g}"
    passed = {True: "yes", False: "NO", None: ""}[row["pass"]]
    return [str(row["row"]), f"{row['ns_per_call']:,.1f}", gate, passed]


def core_table(rows: Iterable[Record]) -> list[str]:
    return table(("row", "ns", "gate", "holds"), [core_cells(row) for row in rows])


def rival_table(rows: Sequence[Standing]) -> list[str]:
    head = ("rival", "version", "loop", "overhead us a call", "wall ms", "overhead / ours")
    return table(head, [rival_cells(row) for row in rows])


def rival_cells(row: Standing) -> list[str]:
    if row.error:
        return [row.title, row.version, row.loop, "failed", "", row.error]
    ratio = "" if row.ratio is None else f"{row.ratio:.3g}x"
    overhead = f"{row.overhead_us_per_call:.3g}"
    return [row.title, row.version, row.loop, overhead, f"{row.wall_ms:,.1f}", ratio]


LIMITER_COLUMNS = {
    "try ns": "try_ns",
    "take ns": "take_ns",
    "try five ns": "five_try_ns",
    "take five ns": "five_take_ns",
    "units a second": "rate",
    "out of turn": "inversions",
    "CPU us": "cpu_us",
    "units in 2 s": "granted",
    "may be": "ideal",
    "excess": "excess",
    "after cancel, ms late": "cancel_ms",
    "big call, ms late": "big_ms",
}


def limiter_table(rows: Sequence[LimiterStanding]) -> list[str]:
    head = ("limiter", "version", *LIMITER_COLUMNS)
    return table(head, [limiter_cells(row) for row in rows])


def limiter_cells(row: LimiterStanding) -> list[str]:
    if row.error:
        return [row.title, row.version, f"failed: {row.error}", *[""] * (len(LIMITER_COLUMNS) - 1)]
    found = [row.found.get(key) for key in LIMITER_COLUMNS.values()]
    cells = ["" if value is None else number(value) for value in found]
    return [row.title, row.version, *cells]


def number(value: float) -> str:
    """Three digits, or all before the point."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """A Markdown table with its columns lined up."""
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |"
        for row in [head, *rows]
    ]
    return [lines[0], "|" + "|".join("-" * (width + 2) for width in widths) + "|", *lines[1:]]
