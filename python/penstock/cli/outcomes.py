"""Outcomes for people and for programs: as a line, as a row of a table, as a JSON record."""

from collections.abc import Sequence

from rich.table import Table
from rich.text import Text

from penstock._codec import decode, encode
from penstock.calls import Call, Outcome
from penstock.cli.screen import seconds, status_text, visible
from penstock.errors import BadValue, PenstockError, ResultUnreadable

_ARGUMENT_CHARACTERS = 60
_LINE_CHARACTERS = 200
_PREVIEW = 4
"""Characters to look at for each that is shown: white space is taken out."""

# Columns of the table of calls: names at most, and what is always as wide, with the gaps between.
_NAME, _STATUS, _TIME, _GAPS = 24, 9, 7, 10
_FIXED = _STATUS + _TIME + _GAPS

_FLAGS = ("detached", "late", "cached", "speculative")


def record(outcome: Outcome) -> dict[str, object]:
    """Return an outcome as `penstock run --json` prints it.

    `value` is there for calls that are ok, `error` for the others; times are seconds.
    """
    fields: dict[str, object] = {
        "index": outcome.index,
        "id": outcome.id,
        "tool": outcome.tool,
        "status": outcome.status,
        "waited": round(outcome.waited, 6),
        "duration": round(outcome.duration, 6),
        "attempts": outcome.attempts,
        **{flag: True for flag in _FLAGS if getattr(outcome, flag)},
    }
    if not outcome.ok:
        return {**fields, "error": _error_record(outcome.error)}
    try:
        return {**fields, "value": decode(encode(outcome.value))}
    except (BadValue, ResultUnreadable) as fault:
        return {**fields, "value": None, "error": _error_record(fault)}


def _error_record(error: BaseException | None) -> dict[str, object]:
    code = error.code if isinstance(error, PenstockError) else None
    return {"type": type(error).__name__, "code": code, "message": _text_of(error)}


def line(outcome: Outcome) -> Text:
    """Return an outcome as one line of plain output: status, id, tool, time, result."""
    return Text("  ").join(
        (
            Text.assemble(status_text(outcome.status), " " * (9 - len(outcome.status))),
            Text(visible(outcome.id, 40)),
            Text(visible(outcome.tool, 40)),
            Text(_time(outcome)),
            result(outcome, _LINE_CHARACTERS),
        )
    )


Row = tuple[Call, int, Outcome | None, float | None]
"""A call, its place, its outcome if there is one, and the seconds that it has been running, if so."""


def table_of(rows: Sequence[Row], width: int, *, whole_errors: bool = False) -> Table:
    """Return calls as a table.

    Args:
        rows: in the order to show.
        width: of the screen, in columns.
        whole_errors: whether a call that was not ok may take several lines to say why.
    """
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    names = [(_id(call, index), visible(call.tool, _NAME)) for call, index, _, _ in rows]
    id, tool = (max((len(name[at]) for name in names), default=4) for at in (0, 1))
    room = max(20, width - id - tool - _FIXED)
    table.add_column("call", style="dim", no_wrap=True, min_width=id)
    table.add_column("tool", style="bold", no_wrap=True, min_width=tool)
    table.add_column("arguments", no_wrap=True, overflow="ellipsis", max_width=room * 2 // 5)
    table.add_column("status", no_wrap=True, min_width=_STATUS)
    table.add_column("time", justify="right", no_wrap=True, min_width=_TIME)
    table.add_column("result", max_width=room * 3 // 5)
    for (call, _, outcome, running), name in zip(rows, names, strict=True):
        shown = _shown(outcome, room * 3 // 5, whole_errors)
        table.add_row(*name, Text(_arguments(call), "dim"), *_state(outcome, running), shown)
    return table


def _shown(outcome: Outcome | None, width: int, whole_errors: bool) -> Text:
    if outcome is None:
        return Text("")
    return result(outcome, _LINE_CHARACTERS if whole_errors and not outcome.ok else width)


def _id(call: Call, index: int) -> str:
    return visible(call.id if call.id is not None else f"call-{index}", _NAME)


def _state(outcome: Outcome | None, running: float | None) -> tuple[Text, str]:
    if outcome is not None:
        return status_text(outcome.status), _time(outcome)
    if running is not None:
        return Text("running", "cyan"), seconds(running)
    return Text("waiting", "dim"), ""


def _time(outcome: Outcome) -> str:
    return "\N{EN DASH}" if outcome.started is None else seconds(outcome.duration)


def result(outcome: Outcome, most: int) -> Text:
    """Return the beginning of the value, or of what went wrong."""
    if not outcome.ok:
        return Text(_short(_text_of(outcome.error), most), "red")
    try:
        return Text(_short(outcome.preview(_PREVIEW * most), most))
    except (BadValue, ResultUnreadable) as fault:
        return Text(_short(str(fault), most), "red")


def _text_of(error: BaseException | None) -> str:
    """An error's text; that of a tool's own error starts with its type, as a model reads it."""
    try:
        text = str(error)
    except Exception:  # noqa: BLE001 - a tool's broken error must not cost the other outcomes
        text = "(its text cannot be shown)"
    kind = type(error).__name__
    return text if isinstance(error, PenstockError) else f"{kind}: {text}" if text else kind


def _arguments(call: Call) -> str:
    arguments, most = call.arguments, _ARGUMENT_CHARACTERS
    if isinstance(arguments, bytes):
        return _short(arguments[: 4 * most].decode(errors="replace"), most)
    return _short(", ".join(f"{key}={value!r}" for key, value in (arguments or {}).items()), most)


def _short(text: str, most: int) -> str:
    return visible(" ".join(text[: 4 * most].split()), most)
