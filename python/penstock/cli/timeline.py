"""The waterfall of a few turns: one HTML file that shows what waited, ran and failed, and when.

The file needs nothing but a browser: style, script and data are inside, and its content policy
forbids to load anything. Times in the data are whole microseconds since the first turn.
"""

import json
import re
import reprlib
from base64 import b64encode
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from html import escape
from importlib.resources import files
from os import PathLike
from pathlib import Path
from string import Template

from penstock.calls import Outcome

STATUSES = ("ok", "failed", "rejected", "skipped", "cancelled", "timeout")
FLAGS = ("detached", "late", "cached", "speculative")

# Previews of all calls together stay near this size, so that 100,000 calls still open at once.
_PREVIEW_BUDGET = 8_000_000
_PREVIEW_MOST = 600
_PREVIEW_LEAST = 40

_NOTHING = "\N{EN DASH}"

_UNSEEN = re.compile(r"[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class TimelineTurn:
    """One batch to show.

    Attributes:
        name: what the turn was about.
        submitted: when the batch was submitted, in seconds on the clock of its outcomes.
        outcomes: one per call.
        sequential_seconds: how long the same calls took one after the other, if that was measured.
    """

    name: str
    submitted: float
    outcomes: Sequence[Outcome]
    sequential_seconds: float | None = None

    @property
    def wall(self) -> float:
        """Seconds from the submission to the last end."""
        return (
            max((outcome.ended for outcome in self.outcomes), default=self.submitted)
            - self.submitted
        )

    @property
    def call_seconds(self) -> float:
        """The sum of all call times."""
        return sum(outcome.duration for outcome in self.outcomes)


def write(path: str | PathLike[str], turns: Sequence[TimelineTurn]) -> None:
    """Write the waterfall of some turns to an HTML file, and replace what was there.

    Args:
        path: of the file.
        turns: in the order to show; their clocks must be the same.
    """
    Path(path).write_text(render(turns), encoding="utf-8")


def render(turns: Sequence[TimelineTurn]) -> str:
    """Return the waterfall as one self-contained HTML document."""
    style, script = _resource("timeline.css"), _resource("timeline.js")
    return Template(_resource("timeline.html")).substitute(
        title="Penstock timeline",
        style=style,
        style_hash=_policy_hash(style),
        script=script,
        script_hash=_policy_hash(script),
        totals="".join(_totals(turns)),
        turn_rows="\n".join(_turn_rows(turns)),
        data=_script_safe(_data(turns)),
    )


def _resource(name: str) -> str:
    return files("penstock.cli").joinpath(name).read_text("utf-8")


def _policy_hash(text: str) -> str:
    """The source expression that lets exactly this text run. Source: W3C CSP Level 3."""
    return f"sha256-{b64encode(sha256(text.encode()).digest()).decode()}"


def _script_safe(data: object) -> str:
    """JSON that cannot end the script element it stands in; ASCII, so that any text survives."""
    text = json.dumps(data, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


# --- the data for the chart


def _data(turns: Sequence[TimelineTurn]) -> Mapping[str, object]:
    zero = min((turn.submitted for turn in turns), default=0.0)
    outcomes = [outcome for turn in turns for outcome in turn.outcomes]
    tools = {tool: at for at, tool in enumerate(dict.fromkeys(o.tool for o in outcomes))}
    share = _PREVIEW_BUDGET // max(1, len(outcomes))
    preview = min(_PREVIEW_MOST, max(_PREVIEW_LEAST, share))
    return {
        "tools": [_visible(tool) for tool in tools],
        "statuses": STATUSES,
        "flags": FLAGS,
        "turns": [
            {
                "name": _visible(turn.name),
                "start": _micros(turn.submitted - zero),
                "wall": _micros(turn.wall),
                "calls": [_row(outcome, tools, zero, preview) for outcome in turn.outcomes],
            }
            for turn in turns
        ],
    }


def _row(outcome: Outcome, tools: Mapping[str, int], zero: float, preview: int) -> list[object]:
    """The fields of one call, in the order in which `timeline.js` takes them apart."""
    started = None if outcome.started is None else _micros(outcome.started - zero)
    branch = outcome.call.branch
    return [
        _visible(outcome.id),
        tools[outcome.tool],
        STATUSES.index(outcome.status),
        _micros(outcome.submitted - zero),
        started,
        _micros(outcome.ended - zero),
        sum(getattr(outcome, flag) << bit for bit, flag in enumerate(FLAGS)),
        outcome.attempts,
        None if branch is None else _visible(branch),
        _arguments(outcome.call.arguments, preview),
        _error(outcome.error, preview),
    ]


def _micros(seconds: float) -> int:
    return round(seconds * 1e6)


def _arguments(arguments: bytes | Mapping[str, object] | None, limit: int) -> str:
    """The beginning of a call's arguments; big ones are never encoded as a whole."""
    if arguments is None:
        return ""
    if isinstance(arguments, bytes):
        return _cut(arguments[: 4 * limit + 4].decode(errors="replace"), limit)
    shortener = reprlib.Repr()
    shortener.maxdict = shortener.maxlist = shortener.maxtuple = 12
    shortener.maxstring = shortener.maxother = max(30, limit // 2)
    return _cut(shortener.repr(dict(arguments)), limit)


def _error(error: BaseException | None, limit: int) -> str:
    if error is None:
        return ""
    try:
        text = str(error)
    except Exception:  # noqa: BLE001 - a tool's broken error must not cost the whole timeline
        text = "(its text cannot be shown)"
    return _cut(f"{type(error).__name__}: {text}", limit)


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


def _visible(name: str) -> str:
    """A name of at most 200 characters, none of which moves or hides the text around it."""
    return _UNSEEN.sub("\N{REPLACEMENT CHARACTER}", _cut(name, 200))


# --- the part of the page that needs no script


def _totals(turns: Sequence[TimelineTurn]) -> Iterator[str]:
    wall, one_by_one = _wall(turns), sum(map(_sequential, turns))
    calls = sum(len(turn.outcomes) for turn in turns)
    good = sum(outcome.ok for turn in turns for outcome in turn.outcomes)
    yield _total("calls", f"{calls:,}")
    yield _total("not ok", f"{calls - good:,}")
    yield _total("wall time", _time(wall))
    yield _total("sum of call times", _time(sum(turn.call_seconds for turn in turns)))
    yield _total("speed-up", _speed_up(one_by_one, wall, _measured(turns)))


def _total(name: str, value: str) -> str:
    return f"<div><dt>{name}</dt><dd>{value}</dd></div>"


def _turn_rows(turns: Sequence[TimelineTurn]) -> Iterator[str]:
    for number, turn in enumerate(turns):
        name = escape(_visible(turn.name))
        button = f'<button type="button" class="link" data-turn="{number}">{name}</button>'
        yield _turn_row(button, [turn], turn.wall, "<tr>")
    if len(turns) > 1:
        yield _turn_row("together", turns, _wall(turns), '<tr class="total">')


def _turn_row(head: str, turns: Sequence[TimelineTurn], wall: float, row: str) -> str:
    one_by_one = sum(map(_sequential, turns))
    measured = _measured(turns)
    cells = (
        f"{sum(len(turn.outcomes) for turn in turns):,}",
        _time(wall),
        _time(sum(turn.call_seconds for turn in turns)),
        _time(one_by_one) if measured else _NOTHING,
        _speed_up(one_by_one, wall, measured),
        _marks(outcome.status for turn in turns for outcome in turn.outcomes),
    )
    return f'{row}<th scope="row">{head}</th>' + "".join(f"<td>{c}</td>" for c in cells) + "</tr>"


def _marks(statuses: Iterable[str]) -> str:
    counts = Counter(statuses)
    return "".join(
        f'<span class="mark {status}">{counts[status]:,} {status}</span>'
        for status in STATUSES
        if counts[status]
    )


def _wall(turns: Iterable[TimelineTurn]) -> float:
    """Seconds in which at least one turn was under way; turns may overlap."""
    total, until = 0.0, float("-inf")
    for start, wall in sorted((turn.submitted, turn.wall) for turn in turns):
        end = start + wall
        total += max(0.0, end - max(start, until))
        until = max(until, end)
    return total


def _sequential(turn: TimelineTurn) -> float:
    return turn.call_seconds if turn.sequential_seconds is None else turn.sequential_seconds


def _measured(turns: Iterable[TimelineTurn]) -> bool:
    return all(turn.sequential_seconds is not None for turn in turns)


def _speed_up(one_by_one: float, wall: float, measured: bool) -> str:
    return f"{'' if measured else '≈ '}{one_by_one / wall:,.1f}x" if wall else _NOTHING


def _time(seconds: float) -> str:
    for unit, size in (("s", 1.0), ("ms", 1e-3)):
        if seconds >= size:
            return f"{seconds / size:,.2f} {unit}"
    return f"{seconds * 1e6:,.0f} µs"
