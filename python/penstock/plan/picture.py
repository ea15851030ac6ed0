"""Pictures of an explained plan: DOT for Graphviz, and an SVG that needs nothing else."""

from collections.abc import Iterable, Iterator, Sequence
from html import escape
from itertools import pairwise
from unicodedata import east_asian_width

from penstock.errors import ConfigError
from penstock.plan import layout
from penstock.plan.dag import Edge
from penstock.plan.explain import Explanation, Step, plain
from penstock.plan.layout import Point

# Above these a picture takes seconds to draw, and nobody can read it.
MAX_CALLS = 2_000
MAX_EDGES = 10_000
MAX_BENDS = 20_000

_NAME_CHARACTERS = 26
_BOX_HEIGHT = 42.0
_MARGIN = 20.0
_HEADER = 76.0
_LEGEND_ENTRIES = 8

# Okabe and Ito's palette (2008), which colour-blind people can tell apart; yellow is left out.
_COLOURS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#7f7f7f")

_STYLE = """
svg { --paper: #fff; --ink: #1c2330; --soft: #5b6678; --box: #f6f8fb; --line: #a9b4c4; --hot: #c8321f }
@media (prefers-color-scheme: dark) {
  svg { --paper: #12161d; --ink: #e8edf5; --soft: #9aa7b9; --box: #1d2430; --line: #536074; --hot: #ff7a66 }
}
.paper { fill: var(--paper) }
text { font-family: system-ui, "Segoe UI", "DejaVu Sans", sans-serif; fill: var(--ink) }
.title { font-size: 16px; font-weight: 600 }
.soft { font-size: 11px; fill: var(--soft) }
.id { font-size: 12.5px; font-weight: 600 }
.box { fill: var(--box); stroke: var(--line) }
.edge { fill: none; stroke: var(--line); stroke-width: 1.2 }
.hot.box, .hot.edge { stroke: var(--hot); stroke-width: 2.2 }
.tip { fill: var(--line) }
.hot.tip { fill: var(--hot) }
g:hover > .box { stroke: var(--ink) }
"""


def dot(explanation: Explanation) -> str:
    """Return the plan in the DOT language, from left to right; critical path and branches drawn."""
    colours = _branch_colours(explanation.steps)
    lines = [
        f"digraph {_quoted(explanation.name or 'plan')} {{",
        "  rankdir=LR;",
        '  node [shape=box, style=rounded, fontname="sans-serif"];',
    ]
    for step in explanation.steps:
        marks = f", color={_quoted(colours[step.branch])}" if step.branch is not None else ""
        marks += ", penwidth=2.5" if step.critical else ""
        label = f"{_quoted(step.id)[:-1]}\\n{_quoted(step.tool)[1:]}"
        lines.append(f"  n{step.index} [label={label}{marks}];")
    hot = _hot_edges(explanation)
    for parent, child in _edges(explanation):
        marks = ' [penwidth=2.5, color="#c8321f"]' if (parent, child) in hot else ""
        lines.append(f"  n{parent} -> n{child}{marks};")
    return "\n".join([*lines, "}", ""])


def svg(explanation: Explanation) -> str:
    """Return the plan as one SVG document without outside resources.

    Raises:
        ConfigError: more calls, edges or bends than a picture can show.
    """
    steps, edges = explanation.steps, list(_edges(explanation))
    depths = [step.level for step in steps]
    _check_size(depths, edges)
    drawing = layout.lay_out(
        depths, edges, [_box_width(explanation, step) for step in steps], _BOX_HEIGHT
    )
    colours = _branch_colours(steps)
    width = max(drawing.width, 560.0) + 2 * _MARGIN
    height = drawing.height + _HEADER + _MARGIN
    body = [
        *_header(explanation, colours),
        f'<g transform="translate({_MARGIN:g} {_HEADER:g})">',
        *_lines(drawing.routes, _hot_edges(explanation)),
        *(
            part
            for step, box in zip(steps, drawing.boxes, strict=True)
            for part in _box(explanation, step, box, colours)
        ),
        "</g>",
    ]
    size = f'width="{width:.0f}" height="{height:.0f}" viewBox="0 0 {width:.0f} {height:.0f}"'
    root = f'<svg xmlns="http://www.w3.org/2000/svg" role="img" aria-labelledby="title" {size}>'
    paper = '<rect class="paper" width="100%" height="100%"/>'
    return "\n".join([root, f"<style>{_STYLE}</style>", paper, *body, "</svg>", ""])


def _check_size(depths: Sequence[int], edges: Sequence[Edge]) -> None:
    sizes = (
        ("calls", MAX_CALLS, len(depths)),
        ("edges", MAX_EDGES, len(edges)),
        ("bends of long edges", MAX_BENDS, layout.bends(depths, edges)),
    )
    for what, limit, size in sizes:
        if size > limit:
            reason = f"a picture shows at most {limit:,} {what}; use explain() or to_dot()"
            raise ConfigError("plan", f"{size:,} {what}", reason)


def _header(explanation: Explanation, colours: dict[str | None, str]) -> Iterator[str]:
    steps = explanation.steps
    title = explanation.name or "plan"
    facts = (
        f"{len(steps):,} calls in {len(explanation.levels)} levels · "
        f"work {explanation.amount(explanation.total)} · "
        f"at best {explanation.amount(explanation.best)} · "
        f"parallelism {explanation.parallelism:.1f}"
    )
    yield f'<title id="title">{_text(title, 80)}: {escape(facts)}</title>'
    yield f'<text class="title" x="{_MARGIN:g}" y="28">{_text(title, 60)}</text>'
    yield f'<text class="soft" x="{_MARGIN:g}" y="46">{escape(facts)}</text>'
    yield from _legend(explanation, colours)


def _legend(explanation: Explanation, colours: dict[str | None, str]) -> Iterator[str]:
    path = "critical path" if explanation.measured else "longest chain"
    entries = [(path, 'class="hot edge"')] if explanation.path else []
    named = [(name, colour) for name, colour in colours.items() if name is not None]
    for name, colour in named[:_LEGEND_ENTRIES]:
        entries.append((f"branch {plain(name, 16)}", f'stroke="{colour}" stroke-width="5"'))
    if len(named) > _LEGEND_ENTRIES:
        entries.append((f"and {len(named) - _LEGEND_ENTRIES} more branches", 'stroke="none"'))
    x = _MARGIN
    for label, look in entries:
        yield f'<path d="M{x:.1f} 60h14" {look}/>'
        yield f'<text class="soft" x="{x + 19:.1f}" y="64">{_text(label, 40)}</text>'
        x += 19 + _text_width(label, 11) + 18


def _lines(routes: dict[Edge, list[Point]], hot: set[Edge]) -> Iterator[str]:
    """All edges, those of the critical path last, so that they lie on top."""
    for edge in sorted(routes, key=hot.__contains__):
        line = routes[edge]
        mark = "hot " if edge in hot else ""
        x, y = line[-1]
        yield f'<path class="{mark}edge" d="{_curve(line)}"/>'
        yield f'<path class="{mark}tip" d="M{x:.1f} {y:.1f}l-7 -3.5v7z"/>'


def _curve(line: Sequence[Point]) -> str:
    parts = [f"M{line[0][0]:.1f} {line[0][1]:.1f}"]
    for (x1, y1), (x2, y2) in pairwise(line):
        middle = (x1 + x2) / 2
        straight = f"H{x2:.1f}"
        curve = f"C{middle:.1f} {y1:.1f} {middle:.1f} {y2:.1f} {x2:.1f} {y2:.1f}"
        parts.append(straight if abs(y1 - y2) < 0.05 else curve)
    return "".join(parts)


def _box(
    explanation: Explanation,
    step: Step,
    box: tuple[float, float, float],
    colours: dict[str | None, str],
) -> Iterator[str]:
    x, y, width = box
    size = f'width="{width:.1f}" height="{_BOX_HEIGHT:g}"'
    yield f"<g><title>{_text(_details(explanation, step), 400)}</title>"
    mark = "hot " if step.critical else ""
    yield f'<rect class="{mark}box" x="{x:.1f}" y="{y:.1f}" {size} rx="7"/>'
    if step.branch is not None:
        stripe = f'x="{x + 5:.1f}" y="{y + 8:.1f}" width="4" height="{_BOX_HEIGHT - 16:g}" rx="2"'
        yield f'<rect fill="{colours[step.branch]}" {stripe}/>'
    id = _text(step.id, _NAME_CHARACTERS)
    yield f'<text class="id" x="{x + 15:.1f}" y="{y + 18:.1f}">{id}</text>'
    below = _text(_second_line(explanation, step), 2 * _NAME_CHARACTERS)
    yield f'<text class="soft" x="{x + 15:.1f}" y="{y + 33:.1f}">{below}</text></g>'


def _second_line(explanation: Explanation, step: Step) -> str:
    time = f" · {explanation.amount(step.seconds)}" if explanation.measured else ""
    return plain(step.tool, _NAME_CHARACTERS) + time


def _details(explanation: Explanation, step: Step) -> str:
    parts = [step.id, f"tool {step.tool}", f"level {step.level}"]
    if step.branch is not None:
        parts.append(f"branch {step.branch}")
    if explanation.measured:
        times = (("starts at", step.starts), ("takes", step.seconds), ("slack", step.slack))
        parts += [f"{name} {explanation.amount(time)}" for name, time in times]
    return " · ".join(parts)


def _box_width(explanation: Explanation, step: Step) -> float:
    id = _text_width(plain(step.id, _NAME_CHARACTERS), 12.5)
    return max(70.0, id, _text_width(_second_line(explanation, step), 11)) + 30


def _text_width(text: str, size: float) -> float:
    """About how wide a text is drawn; fonts differ, so rather too much."""
    units = sum(1.0 if east_asian_width(character) in "WF" else 0.62 for character in text)
    return units * size


def _branch_colours(steps: Iterable[Step]) -> dict[str | None, str]:
    """A colour for each branch, in the order of the plan; with many branches they repeat."""
    names = dict.fromkeys(step.branch for step in steps if step.branch is not None)
    return {name: _COLOURS[index % len(_COLOURS)] for index, name in enumerate(names)}


def _edges(explanation: Explanation) -> Iterator[Edge]:
    return ((parent, step.index) for step in explanation.steps for parent in step.parents)


def _hot_edges(explanation: Explanation) -> set[Edge]:
    return set(pairwise(explanation.path))


def _text(text: str, width: int) -> str:
    return escape(plain(text, width))


def _quoted(text: str) -> str:
    """A quoted string of DOT. Its backslashes start commands for labels, so they are doubled."""
    return '"' + plain(text, 200).replace("\\", "\\\\").replace('"', '\\"') + '"'
