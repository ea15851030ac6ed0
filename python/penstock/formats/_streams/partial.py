"""Arguments that come value by value, each with its JSON path: Gemini's `partialArgs`."""

import re
from typing import Any

from penstock.formats._reply import Unreadable, as_object, as_text
from penstock.formats._streams.events import ArgClosed, ReplyEvent
from penstock.formats._streams.fields import field

DEEPEST = 64
"""Steps of a path; the depth that the arguments of a call may have."""

Path = tuple[str | int, ...]

# The part of RFC 9535 that names one place: `$.name`, `$['any name']`, `$["any name"]`, `[0]`.
_STEP = re.compile(
    r"""\.([^.\[\]]+)|\[(\d{1,9})\]|\['((?:[^'\\]|\\.)*)'\]|\["((?:[^"\\]|\\.)*)"\]"""
)
_ESCAPE = re.compile(r"\\(.)")
_EXACT = 2**53


class PartialArguments:
    """The arguments of one call, as far as they came."""

    def __init__(self) -> None:
        self._root: dict[str, Any] = {}
        # Texts that go on: joined once, when they end.
        self._texts: dict[Path, list[str]] = {}

    def merge(self, given: object) -> None:
        """Take arguments that came as an object beside the others."""
        if given is not None:
            self._root.update(as_object(given, "args"))

    def set(self, part: object, index: int, events: list[ReplyEvent]) -> None:
        """Take one value, or a piece of a text; add what it completed to `events`.

        Raises:
            Unreadable: the path or the value cannot be read.
        """
        path = parse(as_text(field(part, "jsonPath", "json_path"), "partialArgs.jsonPath"))
        value = _value(part)
        if isinstance(value, str):
            texts = self._texts.setdefault(path, [])
            texts.append(value)
            if field(part, "willContinue", "will_continue") is True:
                return
            value = "".join(self._texts.pop(path))
        elif path in self._texts and value is None:
            value = "".join(self._texts.pop(path))  # an empty last piece
        place(self._root, path, value)
        events.append(ArgClosed(index, path, value))

    def whole(self) -> dict[str, Any]:
        """Return the arguments; texts that were cut are as long as they came."""
        for path, texts in self._texts.items():
            place(self._root, path, "".join(texts))
        self._texts.clear()
        return self._root


def parse(path: str) -> Path:
    """Return the steps of a JSON path that names one place.

    Raises:
        Unreadable: it is something else.
    """
    steps: list[str | int] = []
    at = 1
    while at < len(path) and (step := _STEP.match(path, at)):
        name, number, *quoted = step.groups()
        steps.append(int(number) if number else name or _unescaped(quoted))
        at = step.end()
    if not path.startswith("$") or at < len(path) or not 0 < len(steps) <= DEEPEST:
        raise Unreadable("partialArgs.jsonPath", "is not the path of one value")
    return tuple(steps)


def place(root: dict[str, Any], path: Path, value: object) -> None:
    """Set a value; objects and lists on the way to it are made.

    Raises:
        Unreadable: there is something else on the way, or a list would have a gap.
    """
    inner: Any = root
    for step, following in zip(path, (*path[1:], None), strict=True):
        made: Any = value if following is None else [] if isinstance(following, int) else {}
        if isinstance(inner, dict) and isinstance(step, str):
            known = step in inner
        elif isinstance(inner, list) and isinstance(step, int) and step <= len(inner):
            known = step < len(inner)
            if not known:
                inner.append(made)
        else:
            raise Unreadable("partialArgs.jsonPath", "leads through a value that has no such step")
        if not known or following is None:
            inner[step] = made
        inner = inner[step]


def _value(part: object) -> object:
    """Return the value of a part; null if it has none."""
    value = field(
        part,
        "stringValue",
        "string_value",
        "boolValue",
        "bool_value",
        "numberValue",
        "number_value",
    )
    # The API has doubles only. A whole reply shows them as whole numbers where they are.
    if isinstance(value, float) and value.is_integer() and abs(value) <= _EXACT:
        return int(value)
    return value


def _unescaped(quoted: list[str | None]) -> str:
    text = next((one for one in quoted if one is not None), "")
    return _ESCAPE.sub(r"\1", text)
