"""Draws what guessing gives, from the rows of `penstock bench speculation`, as self-contained SVGs.

    how="--traces DIR --latency 0.1,0.25,0.5,1,2,3,5,8"
    penstock bench speculation $how > rows.jsonl
    penstock bench speculation $how --modes engine --ablate cache_only >> rows.jsonl
    python benches/curves.py rows.jsonl docs/concepts

`speculation-calibration.svg` holds the chances that were said against what came true, a panel a family of tools;
`speculation-wait.svg` the share of waiting for tools that is hidden, by how long a call takes. Of equal rows the last
one counts. Families with few reads are left out, those without recorded times of the model in the second picture.
"""

import argparse
import json
import math
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

ROOT = Path(__file__).resolve().parents[1]
if __name__ == "__main__":
    sys.path[0] = str(ROOT)

from benches.chart import STYLE as BASE  # noqa: E402 (needs the path above)

Row = dict[str, Any]
Point = tuple[float, float]

WIDTH = 860
TOP, HEIGHT = 108, 190
LEFT, BOTTOM, GAP, HEAD = 52, 44, 24, 26
FEW = 20
"""Guesses of a bin below which its share says little: drawn as a ring."""

BINS = f"Down: came true. Across: chance. A dot is a tenth of it, larger with more guesses; a ring has fewer than {FEW}."

STYLE = (
    BASE
    + """
.axis { stroke: #9aa5b1 } .even { stroke: #9aa5b1; stroke-dasharray: 4 4 } .panel { font-weight: 600 }
path { fill: none; stroke-width: 2 } .dot { fill: #0b69a3 } .ring { fill: #fff; stroke: #0b69a3 }
.engine { stroke: #0b69a3 } .gated { stroke: #38a3a5 } .cache { stroke: #b44d12 } .oracle { stroke: #616e7c; stroke-dasharray: 6 4 }
"""
)

LINES = (
    ("oracle", "oracle", "if every next read were known"),
    ("engine", "engine", "guesses and cache"),
    ("gated", "gated", "guesses only"),
    ("cache_only", "cache", "cache only"),
)
"""Name in the rows, style, words."""


@dataclass(frozen=True, slots=True)
class Panel:
    """One plot: where it is, and how its numbers become places, both axes from 0 to 1 of its size."""

    left: float
    top: float
    width: float
    height: float

    def across(self, share: float) -> float:
        return self.left + share * self.width

    def down(self, share: float) -> float:
        return self.top + (1 - share) * self.height

    def frame(self, title: str, across: Sequence[tuple[float, str]]) -> list[str]:
        """The title, the axes, and the numbers beside them; `across` has those below."""
        parts = [_text(self.left, self.top - 10, title, "panel")]
        for share in (0.0, 0.25, 0.5, 0.75, 1.0):
            style = "grid" if share else "axis"
            parts.append(
                _line(style, self.left, self.down(share), self.across(1), self.down(share))
            )
            parts.append(_text(self.left - 6, self.down(share) + 4, f"{share:.0%}", "note", "end"))
        for share, words in across:
            parts.append(_text(self.across(share), self.down(0) + 16, words, "note", "middle"))
        return parts

    def path(self, style: str, points: Iterable[Point]) -> str:
        places = " L".join(f"{self.across(x):.1f} {self.down(y):.1f}" for x, y in points)
        return f'<path class="{style}" d="M{places}"/>'


def calibration(rows: Sequence[Row]) -> str:
    """A panel a family: what was said of a guess, and how often it came true."""
    shown = [row for row in families(rows) if row["mode"] == "gated"]

    def draw(panel: Panel, row: Row) -> list[str]:
        numbers = [(share, f"{share:.0%}") for share in (0.0, 0.5, 1.0)]
        parts = panel.frame(f"{row['family']}, error {row['ece']:.3f}", numbers)
        parts.append(panel.path("even", [(0.0, 0.0), (1.0, 1.0)]))
        full = [(chance, came) for count, chance, came in row["bins"] if count >= FEW]
        if full:
            parts.append(panel.path("engine", full))
        for count, chance, came in row["bins"]:
            if count:
                parts.append(_dot(panel, chance, came, count))
        return parts

    return picture(
        "How often a guess comes true, by the chance that it was given",
        f"{_data(shown, 'test_sessions')}, {sum(row['read_calls'] for row in shown):,} reads",
        [_text(20, 78, BINS, "note")],
        shown,
        draw,
        columns=3,
    )


def waits(rows: Sequence[Row]) -> str:
    """A panel a family: the share of waiting for tools that is hidden, by how long a call takes."""
    timed = [row for row in families(rows) if row["stall_hidden"]]
    shown = [row for row in timed if row["mode"] == "engine" and not row.get("ablation")]

    def draw(panel: Panel, row: Row) -> list[str]:
        low, high = _ends(row)

        def place(seconds: float) -> float:
            return math.log(seconds / low) / math.log(high / low)

        numbers = [
            (place(at), f"{at:g} s") for at in (0.1, 0.25, 1.0, 3.0, 8.0) if low <= at <= high
        ]
        parts = panel.frame(str(row["family"]), numbers)
        for name, style, _ in LINES:
            for found in timed:
                if found["family"] == row["family"] and _line_of(found) == name:
                    hidden = found["stall_hidden"].items()
                    line = [(place(float(at)), max(0.0, share)) for at, share in hidden]
                    parts.append(panel.path(style, line))
        return parts

    return picture(
        "Waiting for tools that is hidden behind the model, by how long a call takes",
        f"{_data(shown, 'stall_sessions')}; across: seconds of a call",
        list(_legend()),
        shown,
        draw,
        columns=2,
    )


def families(rows: Sequence[Row]) -> list[Row]:
    """Rows of families with enough reads; of equal ones the last."""
    found = {(row["row"], row.get("ablation")): row for row in rows if not row["small"]}
    return list(found.values())


def picture(
    title: str,
    note: str,
    legend: Sequence[str],
    shown: Sequence[Row],
    draw: Callable[[Panel, Row], list[str]],
    columns: int,
) -> str:
    """The panels in rows, as SVG text."""
    if not shown:
        raise SystemExit(
            "there is no row to draw: are the rows those of `penstock bench speculation`?"
        )
    width = (WIDTH - 20 - columns * (LEFT + GAP)) / columns
    high = HEAD + HEIGHT + BOTTOM
    parts = [_text(20, 32, title, "title"), _text(20, 54, note, "note"), *legend]
    for number, row in enumerate(shown):
        left = 10 + number % columns * (width + LEFT + GAP) + LEFT
        above = TOP + number // columns * high + HEAD - 12
        parts += draw(Panel(left, above, width, HEIGHT), row)
    whole = TOP + math.ceil(len(shown) / columns) * high
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{whole}"'
            f' viewBox="0 0 {WIDTH} {whole}" role="img" aria-label="{escape(title)}">',
            f"<style>{STYLE}</style>",
            f'<rect width="{WIDTH}" height="{whole}" rx="8" fill="#fff"/>',
            *parts,
            "</svg>\n",
        ]
    )


def _data(shown: Sequence[Row], counted: str) -> str:
    sessions = sum(row[counted] for row in shown)
    return f"{sessions} recorded sessions, each guessed by a model that learned of other tasks"


def _line_of(row: Row) -> str:
    return str(row.get("ablation") or row["mode"])


def _ends(row: Row) -> tuple[float, float]:
    seconds = [float(at) for at in row["stall_hidden"]]
    return min(seconds), max(*seconds, 2 * min(seconds))


def _dot(panel: Panel, chance: float, came: float, count: int) -> str:
    style = "dot" if count >= FEW else "ring"
    radius = min(7.0, 2.0 + math.log10(count) * 1.3)
    across, down = panel.across(chance), panel.down(came)
    return f'<circle class="{style}" cx="{across:.1f}" cy="{down:.1f}" r="{radius:.1f}"/>'


def _legend() -> Iterator[str]:
    across = 20.0
    for _, style, words in LINES:
        yield f'<path class="{style}" d="M{across:.0f} 74 L{across + 26:.0f} 74"/>'
        yield _text(across + 32, 78, words, "note")
        across += 60 + 6.4 * len(words)


def _line(style: str, x1: float, y1: float, x2: float, y2: float) -> str:
    return f'<line class="{style}" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>'


def _text(across: float, down: float, words: str, style: str, anchor: str = "start") -> str:
    return (
        f'<text class="{style}" x="{across:.1f}" y="{down:.1f}" text-anchor="{anchor}">'
        f"{escape(words)}</text>"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("rows", type=Path, help="JSON lines")
    parser.add_argument("folder", type=Path, help="where the pictures go")
    options = parser.parse_args()
    rows = [json.loads(line) for line in options.rows.read_text().splitlines() if line.strip()]
    for name, draw in (("calibration", calibration), ("wait", waits)):
        (options.folder / f"speculation-{name}.svg").write_text(draw(rows))


if __name__ == "__main__":
    main()
