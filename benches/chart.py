"""Draws horizontal bars on a logarithmic scale as a self-contained SVG."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

WIDTH = 860
LABELS = 220
VALUES = 150
TOP = 84
ROW = 34
BAR = 20

STYLE = """
text { font: 14px system-ui, "Segoe UI", "DejaVu Sans", sans-serif; fill: #1f2933 }
.title { font-size: 18px; font-weight: 600 } .note { font-size: 12px; fill: #616e7c }
.bar { fill: #9fb3c8 } .quiet { fill: #d9e2ec } .ours { fill: #0b69a3 } .grid { stroke: #e4e7eb }
"""


@dataclass(frozen=True, slots=True)
class Bar:
    """One row of a chart: its label, its length in the chart's unit, what stands behind it."""

    label: str
    value: float
    text: str
    style: str = "bar"


def draw(title: str, note: str, bars: Sequence[Bar], foot: str = "") -> str:
    """The chart as SVG text, bars in the given order from the top down."""
    low = 10 ** math.floor(math.log10(min(bar.value for bar in bars)))
    high = 10 ** math.ceil(math.log10(max(bar.value for bar in bars)))
    scale = (WIDTH - LABELS - VALUES) / math.log10(high / low)
    bottom = TOP + ROW * len(bars)
    parts = [
        _text(20, 32, title, "title"),
        _text(20, 54, note, "note"),
        *_grid(low, high, scale, bottom),
        *[line for row, bar in enumerate(bars) for line in _bar(row, bar, low, scale)],
        _text(20, bottom + 40, foot, "note"),
    ]
    height = bottom + 56
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}"'
            f' viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{escape(title)}">',
            f"<style>{STYLE}</style>",
            f'<rect width="{WIDTH}" height="{height}" rx="8" fill="#fff"/>',
            *parts,
            "</svg>\n",
        ]
    )


def _grid(low: float, high: float, scale: float, bottom: float) -> list[str]:
    """A line and a number for each power of ten."""
    parts = []
    for power in range(round(math.log10(high / low)) + 1):
        across = LABELS + power * scale
        parts.append(
            f'<line class="grid" x1="{across:.1f}" x2="{across:.1f}" y1="{TOP - 6}" y2="{bottom}"/>'
        )
        parts.append(_text(across, bottom + 16, f"{low * 10**power:g}", "note", "middle"))
    return parts


def _bar(row: int, bar: Bar, low: float, scale: float) -> list[str]:
    down = TOP + ROW * row
    length = max(2.0, math.log10(bar.value / low) * scale)
    return [
        _text(LABELS - 12, down + 15, bar.label, "label", "end"),
        f'<rect class="{bar.style}" x="{LABELS}" y="{down}" width="{length:.1f}" height="{BAR}" rx="2"/>',
        _text(LABELS + length + 8, down + 15, bar.text, "value"),
    ]


def _text(across: float, down: float, words: str, style: str, anchor: str = "start") -> str:
    return (
        f'<text class="{style}" x="{across:.1f}" y="{down}" text-anchor="{anchor}">'
        f"{escape(words)}</text>"
    )
