"""`pick`: a part of a JSON value by its path, as a model may write one."""

import re
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

from penstock.errors import extend_path, nearest

DEEPEST = 64
"""Steps of a path."""

_STEP = re.compile(
    r"""
    \.?(?P<name>[^.\[\]'"\s*]+)              # .items
    | \[(?P<index>-?\d{1,18})\]              # [0]
    | \[(?P<from>-?\d{0,18}):(?P<to>-?\d{0,18})\]   # [2:5]
    | \[(?P<quote>['"])(?P<key>.*?)(?P=quote)\]     # ['x-y']
    | (?P<every>\[\*\]|\.\*)                 # [*]
    """,
    re.VERBOSE,
)
_LISTED = 10
_COMPARED = 1_000
"""Keys among which one is looked for that a model may have meant: it takes 7 µs each."""

_SHOWN = 100
"""Characters of a key."""

Step = Callable[[Any, str], Iterator[tuple[Any, str]]]
"""From a value and its path to those that one step leads to."""


def pick(value: object, path: str) -> object:
    """Return what a path leads to; with `[*]` or a slice, a list of all.

    Raises:
        ValueError: the path is none, or leads nowhere; says where it ends and what is there.

    Example:
        >>> pick({"items": [{"id": 1}, {"id": 2}]}, "$.items[*].id")
        [1, 2]
    """
    found, many = reach(value, path)
    return list(found) if many else next(found)


def reach(value: object, path: str) -> tuple[Iterator[Any], bool]:
    """Return what a path leads to, one after the other, and whether it may be several.

    Nothing is looked at before its turn: the beginning of a long part costs no more than that.

    Raises:
        ValueError: see `pick`; while iterating, too.
    """
    steps, many = _parse(path)
    found: Iterator[tuple[Any, str]] = iter([(value, "")])
    for step in steps:
        found = _each(found, step)
    return (reached for reached, _ in found), many


def _each(found: Iterator[tuple[Any, str]], step: Step) -> Iterator[tuple[Any, str]]:
    for at, place in found:
        yield from step(at, place)


def _parse(path: str) -> tuple[list[Step], bool]:
    text = path.strip().removeprefix("$")
    steps, at, many = list[Step](), 0, False
    while at < len(text):
        match = _STEP.match(text, at)
        if match is None or len(steps) == DEEPEST:
            reason = f"cannot be read from {text[at : at + 20]!r} on"
            raise ValueError(
                f"{reason}; write it like items[0].name, items[2:5] or items[*]['x-y']"
            )
        steps.append(_step(match))
        many = many or match["every"] is not None or match["from"] is not None
        at = match.end()
    return steps, many


def _step(match: "re.Match[str]") -> Step:
    if match["every"] is not None:
        return _every
    if match["index"] is not None:
        return _at(int(match["index"]))
    if match["from"] is not None:
        ends = (int(end) if end else None for end in (match["from"], match["to"]))
        return _between(slice(*ends))
    return _key(match["name"] if match["key"] is None else match["key"])


def _key(key: str) -> Step:
    def step(value: Any, place: str) -> Iterator[tuple[Any, str]]:
        if not isinstance(value, dict):
            raise ValueError(f"{_named(place)} is {_kind(value)}, so it has no {key!r}")
        if key not in value:
            raise ValueError(f"{_named(place)} has no {key!r}; it has {_keys_near(key, value)}")
        yield value[key], extend_path(place, key)

    return step


def _keys_near(key: str, value: dict[str, Any]) -> str:
    near = nearest(key, value) if len(value) <= _COMPARED else ()
    names = near or tuple(islice(value, _LISTED))
    return ", ".join(repr(name[:_SHOWN]) for name in names) or "none"


def _at(index: int) -> Step:
    def step(value: Any, place: str) -> Iterator[tuple[Any, str]]:
        if not isinstance(value, list):
            raise ValueError(f"{_named(place)} is {_kind(value)}, so it has no [{index}]")
        if not -len(value) <= index < len(value):
            raise ValueError(f"{_named(place)} has {len(value)} items, so it has no [{index}]")
        yield value[index], extend_path(place, index)

    return step


def _between(part: slice) -> Step:
    def step(value: Any, place: str) -> Iterator[tuple[Any, str]]:
        if not isinstance(value, list):
            raise ValueError(f"{_named(place)} is {_kind(value)}, so it has no part from … to …")
        for index in range(*part.indices(len(value))):
            yield value[index], extend_path(place, index)

    return step


def _every(value: Any, place: str) -> Iterator[tuple[Any, str]]:
    if isinstance(value, dict):
        yield from ((item, extend_path(place, key)) for key, item in value.items())
    elif isinstance(value, list):
        yield from ((item, extend_path(place, index)) for index, item in enumerate(value))
    else:
        raise ValueError(f"{_named(place)} is {_kind(value)}, so it has no items")


def _named(place: str) -> str:
    return place or "the value"


def _kind(value: object) -> str:
    kinds = {dict: "an object", list: "a list", str: "text", bool: "true or false"}
    return kinds.get(type(value), "null" if value is None else "a number")
