"""What all screens share: the console, the colours of statuses, and how text and time are shown."""

import json
import os
import re
import sys
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import TextIO

from rich.console import Console
from rich.text import Text

from penstock._codec import decode, encode, encode_text

STATUS_STYLES: Mapping[str, str] = {
    "ok": "green",
    "failed": "red",
    "rejected": "magenta",
    "skipped": "bright_black",
    "cancelled": "bright_blue",
    "timeout": "yellow",
}
"""Every status in the order in which they are listed."""

PIPE_WIDTH = 160
"""Columns where nobody has a window: lines that a person may still read, and `grep` may cut."""

# What moves, hides or recolours the text around it: control characters and marks of direction.
_UNSEEN = re.compile(r"[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_UNSEEN_IN_LINES = re.compile(_UNSEEN.pattern.replace(r"\x00-\x1f", r"\x00-\x09\x0b-\x1f"))


def screen(*, stderr: bool = False) -> Console:
    """Return a console on standard output or error; without colours unless that is a terminal."""
    stream = sys.stderr if stderr else sys.stdout
    given = "COLUMNS" in os.environ or stream.isatty()
    return Console(file=stream, highlight=False, width=None if given else PIPE_WIDTH)


def visible(text: str, most: int | None = None, *, lines: bool = False) -> str:
    """Return text of somebody else's as a screen may show it.

    Args:
        text: a tool's, a model's or a file's.
        most: characters; longer text is cut and ends in an ellipsis.
        lines: whether line ends stay.
    """
    if most is not None and len(text) > most:
        text = f"{text[: most - 1]}…"
    return (_UNSEEN_IN_LINES if lines else _UNSEEN).sub("\N{REPLACEMENT CHARACTER}", text)


def seconds(value: float) -> str:
    """Return a duration with three digits that count: `1.24 s`, `12.4 ms`, `310 µs`."""
    if value >= 1:
        return f"{value:.2f} s"
    if value >= 0.001:
        return f"{value * 1e3:.3g} ms" if value < 0.1 else f"{value * 1e3:.0f} ms"
    return f"{value * 1e6:.0f} µs"


def status_text(status: str) -> Text:
    """Return a status in its colour."""
    return Text(status, STATUS_STYLES.get(status, ""))


def counts_text(statuses: Iterable[str]) -> Text:
    """Return how many calls have each status, such as `47 ok  1 failed`."""
    counts = Counter(statuses)
    return Text("  ").join(
        Text(f"{counts[status]:,}\N{NO-BREAK SPACE}{status}", style)
        for status, style in STATUS_STYLES.items()
        if counts[status]
    )


def print_json(record: object, out: TextIO | None = None) -> None:
    """Print a record as one line of JSON, at once: a reader may wait for it.

    Args:
        record: anything that JSON can hold.
        out: where to; None for standard output.
    """
    out = out or sys.stdout
    out.write(encode_text(record) + "\n")
    out.flush()


def indented_json(value: object) -> str:
    """Return JSON for people to read."""
    return json.dumps(decode(encode(value)), indent=2, ensure_ascii=False)
