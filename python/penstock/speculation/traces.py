"""Recorded sessions: a folder of JSON lines, one session a line, with the effects of tools beside.

A session has `session source domain task inputs calls`; an input `turn text`; a call `tool args result
turn step`, and maybe `t_call gap_s latency_s error args_truncated result_truncated`. Effects are in
`tool_effects.json`: family -> tool -> `read`, `write` or `generic`, or an object with `effect`; a session
may have its own, `effects`: tool -> word, for what that file does not name. `answered` are the turns that
the model answered in words. The family is the domain's text before `:`.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeVar

from penstock._codec import decode, encode
from penstock.errors import TraceError

_T = TypeVar("_T")

Effect = Literal["read", "write", "generic"]

EFFECTS_FILE = "tool_effects.json"
_EFFECTS: tuple[Effect, ...] = ("read", "write", "generic")


@dataclass(frozen=True, slots=True)
class TraceCall:
    """One recorded call.

    Attributes:
        tool: its name.
        arguments: as an object.
        result: what the tool returned, decoded; None where nothing was recorded.
        turn: index of the user's input before it; -1 before any.
        step: index of the model's message; calls of equal turn and step were made together.
        gap_s: seconds that the model took for the message; None where not recorded.
        error: whether the tool answered with an error.
        cut: whether the arguments were cut when they were recorded, so that nobody can guess them.
        at: seconds from the session's start to the message; None where not recorded.
        latency: seconds that the tool took; None where not recorded.
        result_cut: whether the result was cut.
    """

    tool: str
    arguments: Mapping[str, Any]
    result: Any
    turn: int
    step: int
    gap_s: float | None = None
    error: bool = False
    cut: bool = False
    at: float | None = None
    latency: float | None = None
    result_cut: bool = False


@dataclass(frozen=True, slots=True)
class TraceSession:
    """One recorded conversation.

    Attributes:
        id: its name.
        source: where it is from.
        domain: which tools it has; text behind a colon says of which kind it is.
        task: what it was about; sessions of one task are alike.
        inputs: what the user said, as (turn, text), ascending.
        calls: in the order of turn and step.
        model: which agent made the calls; empty where not recorded.
        answered: the turns that the model answered in words; empty where not recorded.
        effects: what its tools do, as far as the session itself says.
    """

    id: str
    source: str
    domain: str
    task: str
    inputs: tuple[tuple[int, str], ...]
    calls: tuple[TraceCall, ...]
    model: str = ""
    answered: tuple[int, ...] = ()
    effects: Mapping[str, Effect] = field(default_factory=dict)

    @property
    def family(self) -> str:
        """The domain before its colon: sessions of one family share tools and values."""
        return self.domain.partition(":")[0]


@dataclass(frozen=True, slots=True)
class Effects:
    """What tools do, by family and name. A tool that is not listed is a write."""

    families: Mapping[str, Mapping[str, Effect]]

    def of(self, family: str, tool: str) -> Effect:
        """The effect of a tool."""
        return self.families.get(family, {}).get(tool, "write")


def read_traces(
    place: Path, *, on_fault: Callable[[TraceError], None] | None = None
) -> tuple[list[TraceSession], Effects]:
    """Read every `*.jsonl` of a folder, in the order of their names, and the effects beside.

    Args:
        place: the folder, or one file.
        on_fault: told of a line that cannot be used, which is then left out; None to raise it.

    Raises:
        TraceError: a file, line or field cannot be used, or there is none; the caller corrects it.
    """
    files = sorted(place.glob("*.jsonl")) if place.is_dir() else [place]
    if not files:
        raise TraceError(place.name, 0, "", "there is no *.jsonl file in the folder")
    sessions = [session for file in files for session in _sessions(file, on_fault)]
    beside = files[0].parent / EFFECTS_FILE
    families = dict(_effects(beside).families) if beside.exists() else {}
    return sessions, Effects(_completed(families, sessions))


def render(session: TraceSession) -> bytes:
    """Return a session as its line, without the line's end; nothing is written that is not known."""
    record = {
        "session": session.id,
        "source": session.source,
        "domain": session.domain,
        "model": session.model,
        "task": session.task,
        "effects": dict(session.effects),
        "inputs": [{"turn": turn, "text": text} for turn, text in session.inputs],
        "answered": list(session.answered),
        "calls": [_call_record(call) for call in session.calls],
    }
    return encode(record)


def _call_record(call: TraceCall) -> dict[str, Any]:
    record = {
        "tool": call.tool,
        "args": dict(call.arguments),
        "result": call.result,
        "turn": call.turn,
        "step": call.step,
    }
    times = {"t_call": call.at, "gap_s": call.gap_s, "latency_s": call.latency}
    marks = {
        "error": call.error,
        "args_truncated": call.cut,
        "result_truncated": call.result_cut,
    }
    record |= {name: round(value, 6) for name, value in times.items() if value is not None}
    return record | {name: True for name, is_set in marks.items() if is_set}


def _completed(
    families: dict[str, Mapping[str, Effect]], sessions: Iterable[TraceSession]
) -> dict[str, Mapping[str, Effect]]:
    """Add what sessions say of tools that no file names."""
    for session in sessions:
        if session.effects:
            families[session.family] = {**session.effects, **families.get(session.family, {})}
    return families


def _sessions(file: Path, on_fault: Callable[[TraceError], None] | None) -> Iterator[TraceSession]:
    with file.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                yield _session(line, file.name, number)
            except TraceError as fault:
                if on_fault is None:
                    raise
                on_fault(fault)


def _session(line: bytes, file: str, number: int) -> TraceSession:
    record = _decoded(line, file, number)
    where = (file, number)
    return TraceSession(
        id=_field(record, "session", str, where),
        source=_field(record, "source", str, where),
        domain=_field(record, "domain", str, where),
        task=str(record.get("task", "")),
        inputs=tuple(sorted(_inputs(_field(record, "inputs", list, where), where))),
        calls=tuple(sorted(_calls(_field(record, "calls", list, where), where), key=_place)),
        model=str(record.get("model") or ""),
        answered=tuple(_answered(record.get("answered", []), where)),
        effects=dict(_own_effects(record.get("effects", {}), where)),
    )


def _answered(turns: object, where: tuple[str, int]) -> Sequence[int]:
    if not isinstance(turns, list) or not all(type(turn) is int for turn in turns):
        raise TraceError(*where, "answered", "it must be a list of turns, which are integers")
    return turns


def _own_effects(tools: object, where: tuple[str, int]) -> Iterator[tuple[str, Effect]]:
    if not isinstance(tools, dict):
        raise TraceError(*where, "effects", "it must be an object: tool -> effect")
    for tool, word in tools.items():
        if word not in _EFFECTS:
            reason = f"it must be one of {', '.join(_EFFECTS)}"
            raise TraceError(*where, f"effects.{tool}", reason)
        yield tool, word


def _place(call: TraceCall) -> tuple[int, int]:
    return call.turn, call.step


def _inputs(records: Iterable[Any], where: tuple[str, int]) -> Iterator[tuple[int, str]]:
    for index, record in enumerate(records):
        at = f"inputs[{index}]."
        yield _field(record, "turn", int, where, at), _field(record, "text", str, where, at)


def _calls(records: Iterable[Any], where: tuple[str, int]) -> Iterator[TraceCall]:
    for index, record in enumerate(records):
        at = f"calls[{index}]."
        tool = _field(record, "tool", str, where, at)
        yield TraceCall(
            tool=tool,
            arguments=_field(record, "args", dict, where, at),
            result=record.get("result"),
            turn=_field(record, "turn", int, where, at),
            step=_field(record, "step", int, where, at),
            gap_s=_seconds(record, "gap_s", where, at),
            error=bool(record.get("error")),
            cut=bool(record.get("args_truncated")),
            at=_seconds(record, "t_call", where, at),
            latency=_seconds(record, "latency_s", where, at),
            result_cut=bool(record.get("result_truncated")),
        )


def _seconds(record: Any, name: str, where: tuple[str, int], at: str) -> float | None:
    value = record.get(name)
    if value is None:
        return None
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not 0 <= value < float("inf"):
        raise TraceError(*where, f"{at}{name}", "it must be a number of seconds, at least 0")
    return float(value)


def _field(record: Any, name: str, kind: type[_T], where: tuple[str, int], at: str = "") -> _T:
    value = record.get(name) if isinstance(record, dict) else None
    if not isinstance(value, kind) or isinstance(value, bool):
        kinds = {str: "a text", int: "an integer", list: "a list", dict: "an object"}
        raise TraceError(*where, f"{at}{name}", f"it must be {kinds[kind]}")
    return value


def _decoded(content: bytes, file: str, line: int) -> Any:
    try:
        return decode(content)
    except ValueError as fault:
        raise TraceError(file, line, "", f"it is not JSON: {fault}") from None


def _effects(file: Path) -> Effects:
    families = _decoded(file.read_bytes(), file.name, 0)
    if not isinstance(families, dict):
        raise TraceError(file.name, 0, "", "it must be an object: family -> tool -> effect")
    return Effects(
        {family: dict(_of_family(family, tools, file)) for family, tools in families.items()}
    )


def _of_family(family: str, tools: Any, file: Path) -> Iterator[tuple[str, Effect]]:
    if not isinstance(tools, dict):
        raise TraceError(file.name, 0, family, "it must be an object: tool -> effect")
    for tool, given in tools.items():
        word = given.get("effect") if isinstance(given, dict) else given
        if word not in _EFFECTS:
            raise TraceError(
                file.name, 0, f"{family}.{tool}", f"it must be one of {', '.join(_EFFECTS)}"
            )
        yield tool, word
