"""When two calls are the same: the canonical form of their arguments.

Equal bytes only for arguments that a tool cannot tell apart. JSON alone would not do: it writes the
number 1.5 and the text "1.5" of a `Decimal` alike, infinity as null, and a tuple as a list. So what is
not plain JSON carries its type; keys are sorted at every depth. What has no form of which that is
certain has no key, and is run each time.
"""

import dataclasses
import hashlib
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from pathlib import PurePath
from typing import Any
from uuid import UUID

from penstock._codec import encode

DEEPEST = 64
"""Levels of nesting; what is deeper has no key."""

_LONGEST_KEY = 64  # bytes; beyond, a digest is kept instead of what may be megabytes

_PLAIN = frozenset({str, int, bool, type(None)})


class Unkeyable(TypeError):
    """Something in the arguments has no canonical form."""


def canonical(arguments: object) -> bytes | None:
    """Return the same bytes for the same arguments only, or None if that cannot be told."""
    try:
        form = encode(_form(arguments, DEEPEST))
    except (TypeError, UnicodeError, RecursionError):
        return None
    return form if len(form) <= _LONGEST_KEY else hashlib.blake2b(form, digest_size=32).digest()


def _form(value: Any, levels: int) -> object:
    kind = type(value)
    if kind in _PLAIN:
        if kind is str and not value.isascii():
            value.encode()  # raises: a lone surrogate would be written as U+FFFD, another text
        return value
    if not levels:
        raise Unkeyable(kind.__name__)
    # A list is always a type and a content, so that no content can look like another type.
    convert = _FORMS.get(kind) or _by_family(value)
    return [_name(kind), convert(value, levels - 1)]


def _by_family(value: object) -> Callable[[Any, int], object]:
    for family, convert in _FAMILIES:
        if isinstance(value, family):
            return convert
    if dataclasses.is_dataclass(value):
        return _of_dataclass
    if hasattr(type(value), "model_dump"):
        return _of_model
    if hasattr(type(value), "unicode_string"):  # a URL of pydantic
        return lambda url, _levels: url.unicode_string()
    raise Unkeyable(type(value).__name__)


def _of_items(value: Any, levels: int) -> object:
    return [_form(item, levels) for item in value]


def _of_mapping(value: dict[Any, Any], levels: int) -> object:
    pairs = ([_form(key, levels), _form(item, levels)] for key, item in value.items())
    return sorted(pairs, key=lambda pair: encode(pair[0]))


def _of_set(value: Any, levels: int) -> object:
    return sorted((_form(item, levels) for item in value), key=encode)


def _of_dataclass(value: Any, levels: int) -> object:
    names = [field.name for field in dataclasses.fields(value)]
    return [[name, _form(getattr(value, name), levels)] for name in names]


def _of_model(value: Any, levels: int) -> object:
    return _of_mapping(vars(value) | (value.model_extra or {}), levels)


def _by_repr(value: object, _levels: int) -> object:
    return repr(value)


def _name(kind: type) -> str:
    own = kind.__module__ == "builtins"
    return kind.__name__ if own else f"{kind.__module__}.{kind.__qualname__}"


# By exact type: a subclass may know more than its base writes.
_FORMS: dict[type, Callable[[Any, int], object]] = {
    **dict.fromkeys((float, complex, range, Decimal, UUID), _by_repr),
    **dict.fromkeys((date, datetime, time, timedelta), _by_repr),
    **dict.fromkeys((list, tuple), _of_items),
    **dict.fromkeys((set, frozenset), _of_set),
    dict: _of_mapping,
    bytes: lambda value, _levels: value.hex(),
}

_FAMILIES: tuple[tuple[type, Callable[[Any, int], object]], ...] = (
    (Enum, lambda member, levels: _form(member.value, levels)),
    (PurePath, lambda path, _levels: str(path)),
)
