"""From the `loc` of a pydantic error to the path in the JSON that the model wrote.

A `loc` mixes the keys of the input with labels of pydantic's own: `("pet", "function-after[...]",
"name")` is `pet.name`. Only the core schema tells them apart, so it is walked beside the `loc`: a
part that some schema on the way can consume as a key is a key, a part that a union consumes is a
label. A schema type that is not known here ends the walk, and the rest of the `loc` is taken as it
is.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from pydantic_core import CoreSchema

from penstock.errors import extend_path

KEY_LABEL = "[key]"
"""Pydantic's last part when the key of a dict is at fault, not its value."""

Node = Any
"""A core schema; read as a plain dict, because its 60 typed forms share most keys."""


_ANY: Node = {"type": "any"}

_TRANSPARENT: dict[str, Callable[[Node], Iterable[Node]]] = {
    "lax-or-strict": lambda node: (node["lax_schema"], node["strict_schema"]),
    "json-or-python": lambda node: (node["json_schema"], node["python_schema"]),
    "chain": lambda node: node["steps"],
}

_WITH_FIELDS = {"arguments", "model-fields", "typed-dict", "dataclass-args", "named-tuple"}


@dataclass(frozen=True, slots=True)
class Branch:
    """One choice of a union that an error was found in."""

    path: str
    label: str


@dataclass(frozen=True, slots=True)
class Place:
    """Where an error is.

    Attributes:
        path: in the input, such as `items[2].name`.
        branches: the unions on the way, outermost first, with the choice that was tried.
        is_key: whether the key at `path` is at fault, not its value.
        siblings: the names that are known beside the last part of the path.
    """

    path: str
    branches: tuple[Branch, ...]
    is_key: bool
    siblings: tuple[str, ...]


class Locator:
    """Finds places in the input of one core schema."""

    def __init__(self, schema: CoreSchema) -> None:
        self._schema: Node = schema
        self._definitions: dict[str, Node] = {}

    def locate(self, loc: tuple[int | str, ...]) -> Place:
        """Return the place that `loc` means."""
        path = ""
        branches: list[Branch] = []
        nodes = list(self._open(self._schema))
        siblings: tuple[str, ...] = ()
        is_key = bool(loc) and loc[-1] == KEY_LABEL
        for part in loc[: len(loc) - is_key]:
            siblings = tuple(dict.fromkeys(name for node in nodes for name in _names(node)))
            inside = [inner for node in nodes for inner in _children(node, part)]
            choices = [choice for node in nodes for choice in _choices(node, str(part))]
            if choices and not inside:
                branches.append(Branch(path, str(part)))
            else:
                path = extend_path(path, part)
            nodes = [opened for node in inside or choices for opened in self._open(node)]
        return Place(path, tuple(branches), is_key, siblings)

    def _open(self, node: Node) -> Iterator[Node]:
        """Yield the schemas inside the wrappers that take no part of a `loc`."""
        kind = node["type"]
        if kind == "definitions":
            self._definitions |= {inner["ref"]: inner for inner in node["definitions"]}
        if kind == "definition-ref":
            yield from self._open(self._definitions.get(node["schema_ref"], _ANY))
        elif kind in _TRANSPARENT:
            for inner in _TRANSPARENT[kind](node):
                yield from self._open(inner)
        elif isinstance(node.get("schema"), dict):
            yield from self._open(node["schema"])
        elif kind == "union" and len(node["choices"]) == 1:
            yield from self._open(_choices(node, "")[0])
        else:
            yield node


def _fields(node: Node) -> Iterator[tuple[str, Node]]:
    """Yield the named fields of a schema under the names that the input uses."""
    fields = node.get("arguments_schema") or node.get("fields") or ()
    named = fields.items() if isinstance(fields, dict) else ((f["name"], f) for f in fields)
    for name, field in named:
        alias = field.get("alias", field.get("validation_alias"))
        yield alias if isinstance(alias, str) else name, field["schema"]
    if node.get("var_kwargs_mode") == "unpacked-typed-dict":
        yield from _fields(node["var_kwargs_schema"])


def _names(node: Node) -> Iterator[str]:
    if node["type"] in _WITH_FIELDS:
        yield from (name for name, _ in _fields(node))


def _children(node: Node, part: int | str) -> list[Node]:
    """Return the schemas of what `part` is the key of."""
    if node["type"] in _WITH_FIELDS:
        return _in_fields(node, part)
    if node["type"] == "dict":
        return [node.get("values_schema", _ANY)]
    if isinstance(part, int):
        return _in_items(node, part)
    return []


def _in_fields(node: Node, part: int | str) -> list[Node]:
    fields = dict(_fields(node))
    if part in fields:
        return [fields[str(part)]]
    if node["type"] == "named-tuple" and isinstance(part, int):
        return list(fields.values())[part : part + 1]
    return [node.get("var_kwargs_schema") or node.get("extras_schema") or _ANY]


def _in_items(node: Node, index: int) -> list[Node]:
    items = node.get("items_schema")
    if not isinstance(items, list):
        return [items] if items else []
    last = len(items) - 1
    return [items[min(index, last)]] if items else []


def _choices(node: Node, label: str) -> list[Node]:
    """Return the schemas that a union tried under `label`."""
    if node["type"] == "tagged-union":
        tagged = {str(tag): choice for tag, choice in node["choices"].items()}
        return [tagged[label]] if label in tagged else list(tagged.values())
    if node["type"] == "union":
        return [choice[0] if isinstance(choice, tuple) else choice for choice in node["choices"]]
    return []
