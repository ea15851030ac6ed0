"""Recorded sessions: a folder of JSON lines, one session a line, with the effects of tools beside.

A session has `session source domain task inputs calls`; an input `turn text`; a call `tool args result
turn step`, and maybe `gap_s error args_truncated`. Effects are in `tool_effects.json`: family -> tool ->
`read`, `write` or `generic`, or an object with `effect`. The family is the domain's text before `:`.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

from penstock._codec import decode
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
    """

    tool: str
    arguments: Mapping[str, Any]
    result: Any
    turn: int
    step: int
    gap_s: float | None = None
    error: bool = False
    cut: bool = False


@dataclass(frozen=True, slots=True)
class TraceSession:
    """One recorded conversation; `inputs` are (turn, text), ascending."""

    id: str
    source: str
    domain: str
    task: str
    inputs: tuple[tuple[int, str], ...]
    calls: tuple[TraceCall, ...]

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


def read_traces(folder: Path) -> tuple[list[TraceSession], Effects]:
    """Read every `*.jsonl` of a folder, in the order of their names, and the effects beside.

    Args:
        folder: where the files are.

    Raises:
        TraceError: a file, line or field cannot be used, or there is none; the caller corrects it.
    """
    files = sorted(folder.glob("*.jsonl"))
    if not files:
        raise TraceError(folder.name, 0, "", "there is no *.jsonl file in the folder")
    sessions = [session for file in files for session in _sessions(file)]
    effects = folder / EFFECTS_FILE
    return sessions, _effects(effects) if effects.exists() else Effects({})


def _sessions(file: Path) -> Iterator[TraceSession]:
    with file.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            if line.strip():
                yield _session(line, file.name, number)


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
    )


def _place(call: TraceCall) -> tuple[int, int]:
    return call.turn, call.step


def _inputs(records: Iterable[Any], where: tuple[str, int]) -> Iterator[tuple[int, str]]:
    for index, record in enumerate(records):
        at = f"inputs[{index}]."
        yield _field(record, "turn", int, where, at), _field(record, "text", str, where, at)


def _calls(records: Iterable[Any], where: tuple[str, int]) -> Iterator[TraceCall]:
    for index, record in enumerate(records):
        at = f"calls[{index}]."
        gap = record.get("gap_s") if isinstance(record, dict) else None
        if gap is not None and (not isinstance(gap, int | float) or not 0 <= gap < float("inf")):
            raise TraceError(*where, f"{at}gap_s", "it must be a number of seconds, at least 0")
        yield TraceCall(
            tool=_field(record, "tool", str, where, at),
            arguments=_field(record, "args", dict, where, at),
            result=record.get("result"),
            turn=_field(record, "turn", int, where, at),
            step=_field(record, "step", int, where, at),
            gap_s=gap,
            error=bool(record.get("error")),
            cut=bool(record.get("args_truncated")),
        )


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
