"""JSON: the one home of orjson.

What the tools of ordinary programs return becomes JSON that a model can read:

- pydantic models, dataclasses, named tuples, sets, deques, mappings, enums, UUIDs, dates, paths;
- NaN and infinity become `null`, a `Decimal` becomes a string, a `timedelta` an ISO 8601 duration;
- bytes become text where they are UTF-8, which a model can read, and base64 where they are not;
- sets come sorted where they can be, so that equal values give equal bytes in every process
  (pydantic models write themselves, and do not sort);
- whole numbers of any size stay numbers, and a lone surrogate becomes U+FFFD.

The fast path is one call into orjson. Only what orjson refuses is walked in Python, to convert it or
to say where the trouble is.
"""

import base64
import re
from collections import deque
from collections.abc import Callable, Mapping, Set
from datetime import timedelta
from decimal import Decimal
from enum import Enum
from pathlib import PurePath
from typing import Any

import orjson

from penstock.errors import BadValue, extend_path

DEEPEST = 250
"""Levels of nesting that are encoded; orjson itself stops at 254."""

_OPTIONS = orjson.OPT_SERIALIZE_NUMPY
_SLOW_OPTIONS = _OPTIONS | orjson.OPT_NON_STR_KEYS


def encode(value: object) -> bytes:
    """Return `value` as JSON.

    Raises:
        BadValue: something in it has no JSON form; names the path; the author of the tool acts.
    """
    try:
        return orjson.dumps(value, _default, _OPTIONS)
    except TypeError:
        return orjson.dumps(_plain(value, "", ()), _default, _SLOW_OPTIONS)


def embed(json: bytes) -> object:
    """Return JSON text as a value that `encode` writes as it is."""
    return orjson.Fragment(json)


def encode_exactly(value: object) -> bytes:
    """Return JSON of what JSON can say by itself; nothing is converted, replaced or left out.

    Tuples, enums and NaN are the caller's business: orjson writes them without a word.

    Raises:
        ValueError: lone surrogates, numbers over 64 bits, other types, nested too deeply.
    """
    try:
        return orjson.dumps(value)
    except TypeError as error:
        raise ValueError(str(error)) from error


def encode_text(value: object) -> str:
    """Return `value` as JSON text; see `encode`."""
    return encode(value).decode()


def decode(data: bytes | str) -> Any:
    """Return the value of a JSON text.

    Raises:
        ValueError: it is not JSON; says where. NaN, infinity and lone surrogates are not JSON.
    """
    return orjson.loads(data)


def _default(value: object) -> object:
    """Return what orjson shall write instead of a value that it does not know."""
    if hasattr(type(value), "model_dump"):
        return _model(value)
    for kind, convert in _CONVERSIONS:
        if isinstance(value, kind):
            return convert(value)
    attributes = getattr(type(value), "__attrs_attrs__", None)
    if attributes is not None:
        return {attribute.name: getattr(value, attribute.name) for attribute in attributes}
    if type(value).__module__ == "ipaddress":
        return str(value)
    raise TypeError(type(value).__name__)


def _bytes(value: bytes | bytearray | memoryview) -> str:
    data = bytes(value)
    try:
        return data.decode()
    except UnicodeDecodeError:
        return base64.b64encode(data).decode()


def _set(value: Set[Any]) -> list[Any]:
    try:
        return sorted(value)
    except TypeError:
        return list(value)


def _duration(value: timedelta) -> str:
    length = abs(value)
    seconds = f"{length.seconds}.{length.microseconds:06}".rstrip("0").rstrip(".")
    days = f"{length.days}D" if length.days else ""
    return f"{'-' if value < timedelta() else ''}P{days}T{seconds}S"


def _model(value: Any) -> object:
    try:
        return value.model_dump(mode="json")
    except ValueError:
        # Bytes that are no text: pydantic refuses them in JSON, `_bytes` does not.
        return value.model_dump()


# In order: the first type that fits.
_CONVERSIONS: tuple[tuple[Any, Callable[[Any], object]], ...] = (
    ((bytes, bytearray, memoryview), _bytes),
    (Set, _set),
    (Decimal, lambda number: str(number) if number.is_finite() else None),
    (timedelta, _duration),
    (PurePath, str),
    (float, float),
    ((tuple, deque, range), list),
    (Mapping, dict),
    (re.Pattern, lambda pattern: pattern.pattern),
)


def _plain(value: Any, path: str, parents: tuple[int, ...]) -> object:
    """Return `value` in a form that orjson surely takes, or raise naming the path."""
    if isinstance(value, Enum):
        return _plain(value.value, path, parents)
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, int):
        return _number(value, path)
    if id(value) in parents:
        raise BadValue(path, type(value).__name__, "it contains itself")
    if len(parents) > DEEPEST:
        raise BadValue(path, type(value).__name__, f"nested more than {DEEPEST} levels deep")
    inside = (*parents, id(value))
    if isinstance(value, dict):
        return {
            _key(key, path): _plain(item, extend_path(path, str(key)), inside)
            for key, item in value.items()
        }
    if isinstance(value, list | tuple):
        return [_plain(item, extend_path(path, index), inside) for index, item in enumerate(value)]
    if hasattr(type(value), "__dataclass_fields__") and not hasattr(type(value), "model_dump"):
        names = [name for name in type(value).__dataclass_fields__ if not name.startswith("_")]
        return {
            name: _plain(getattr(value, name), extend_path(path, name), inside) for name in names
        }
    try:
        orjson.dumps(value, option=_OPTIONS)
    except TypeError:
        return _plain(_converted(value, path), path, inside)
    return value


def _converted(value: object, path: str) -> object:
    kind = type(value).__name__
    try:
        return _default(value)
    except TypeError as error:
        reason = "return dicts, lists, text, numbers, dataclasses or pydantic models"
        raise BadValue(path, kind, reason) from error
    except Exception as error:
        raise BadValue(path, kind, f"its own conversion failed: {error}") from error


def _text(value: str) -> str:
    # A pair of surrogates is one character; a lone one is none.
    return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _number(value: int, path: str) -> object:
    if -(2**63) <= value < 2**64:
        return value
    try:
        return orjson.Fragment(str(int(value)))
    except ValueError as error:
        raise BadValue(path, "int", str(error)) from error


def _key(key: object, path: str) -> object:
    if isinstance(key, str) and not isinstance(key, Enum):
        return _text(key)
    try:
        return orjson.loads(orjson.dumps({key: None}, option=_SLOW_OPTIONS)).popitem()[0]
    except TypeError as error:
        kind = type(key).__name__
        raise BadValue(
            path, kind, "a key must be text, a number, a date, a UUID or None"
        ) from error
