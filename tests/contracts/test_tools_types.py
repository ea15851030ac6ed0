"""Every type that a parameter may have: its schema, a value that fits it, one that does not.

The table is the contract. A type that pydantic learns, or a user misses, is a row.
"""

import inspect
import json
import re
import uuid
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum, IntEnum, StrEnum
from fractions import Fraction
from ipaddress import IPv4Address
from pathlib import Path
from typing import (
    Annotated,
    Any,
    Generic,
    Literal,
    NamedTuple,
    NewType,
    NotRequired,
    Optional,
    TypeVar,
    Union,
)

import annotated_types
import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from pydantic import AfterValidator, BaseModel, BeforeValidator, Discriminator, Field, Tag
from typing_extensions import TypeAliasType, TypedDict

from penstock.errors import InvalidArguments
from penstock.tools import Tool, tool

T = TypeVar("T")


class Colour(Enum):
    RED = "red"


class Level(IntEnum):
    LOW = 1


class Word(StrEnum):
    YES = "yes"


class Cat(BaseModel):
    kind: Literal["cat"] = "cat"
    lives: int


class Dog(BaseModel):
    kind: Literal["dog"] = "dog"
    friends: list["Dog"] = []


class Page(BaseModel, Generic[T]):
    items: list[T]


class Strict(BaseModel, strict=True, extra="forbid"):
    copy_of: Annotated[int, Field(alias="copy")]


@dataclass
class Point:
    x: int
    y: int = 0


@pydantic.dataclasses.dataclass
class Circle:
    centre: Point
    radius: Annotated[float, Field(gt=0)]


class Film(TypedDict):
    title: str
    year: NotRequired[int]


class Span(NamedTuple):
    start: int
    end: int = 9


UserId = NewType("UserId", int)
Names = TypeAliasType("Names", list[str])
Tree = TypeAliasType("Tree", "dict[str, Tree] | int")


def _even(value: int) -> int:
    if value % 2:
        raise ValueError("must be even")
    return value


def _by_size(value: Any) -> str:
    return "many" if isinstance(value, list) else "one"


@dataclass
class Row:
    """A type, a JSON value with what it becomes, and one that does not fit with its path."""

    annotation: Any
    good: object
    value: object
    bad: object = None
    path: str = "x"
    fits_everything: bool = False


ROWS: dict[str, Row] = {
    "int": Row(int, 3, 3, "three"),
    "int from text": Row(int, "3", 3, 3.5),
    "float": Row(float, 1.5, 1.5, "much"),
    "bool": Row(bool, True, True, "perhaps"),
    "str": Row(str, "Tromsø", "Tromsø", 3),
    "bytes": Row(bytes, "abc", b"abc", 3),
    "None": Row(None, None, None, 0),
    "Any": Row(Any, {"a": [1]}, {"a": [1]}, fits_everything=True),
    "no annotation": Row(inspect.Parameter.empty, [1], [1], fits_everything=True),
    "object": Row(object, [1], [1], fits_everything=True),
    "Decimal": Row(Decimal, "1.10", Decimal("1.10"), "much"),
    "Fraction": Row(Fraction, "1/3", Fraction(1, 3), "a/b"),
    "complex": Row(complex, "1+2j", 1 + 2j, "i"),
    "datetime": Row(
        datetime, "2025-01-02T03:04:05Z", datetime(2025, 1, 2, 3, 4, 5, tzinfo=UTC), "soon"
    ),
    "date": Row(date, "2025-01-02", date(2025, 1, 2), "2025-13-01"),
    "time": Row(time, "03:04", time(3, 4), "25:00"),
    "timedelta": Row(timedelta, "PT90S", timedelta(seconds=90), "a while"),
    "UUID": Row(uuid.UUID, str(uuid.UUID(int=1)), uuid.UUID(int=1), "1"),
    "Path": Row(Path, "a/b", Path("a/b"), 3),
    "IPv4Address": Row(IPv4Address, "10.0.0.1", IPv4Address("10.0.0.1"), "10.0.0.256"),
    "Pattern": Row(re.Pattern[str], "a+", re.compile("a+"), "["),
    "Enum": Row(Colour, "red", Colour.RED, "blue"),
    "IntEnum": Row(Level, 1, Level.LOW, 2),
    "StrEnum": Row(Word, "yes", Word.YES, "no"),
    "Literal": Row(Literal["a", 1], 1, 1, "b"),
    "list": Row(list[int], [1, "2"], [1, 2], [1, "x"], "x[1]"),
    "bare list": Row(list, [1, "a"], [1, "a"], {}),
    "Sequence": Row(Sequence[int], [1], [1], ["x"], "x[0]"),
    "set": Row(set[int], [1, 2], {1, 2}, ["x"], "x[0]"),
    "frozenset": Row(frozenset[str], ["a"], frozenset("a"), [1], "x[0]"),
    "deque": Row(deque[int], [1], deque([1]), ["x"], "x[0]"),
    "tuple": Row(tuple[int, str], [1, "a"], (1, "a"), [1, 2], "x[1]"),
    "tuple of any length": Row(tuple[int, ...], [1, 2], (1, 2), [1, "x"], "x[1]"),
    "dict": Row(dict[str, list[int]], {"a": [1]}, {"a": [1]}, {"a": ["x"]}, "x.a[0]"),
    "dict with keys": Row(dict[int, str], {"1": "a"}, {1: "a"}, {"a": "b"}, "x.a"),
    "Mapping": Row(Mapping[str, int], {"a": 1}, {"a": 1}, {"a-b": "x"}, "x['a-b']"),
    "optional": Row(int | None, None, None, "x"),
    "Optional": Row(Optional[list[int]], [1], [1], ["x"], "x[0]"),  # noqa: UP045 - as people write it
    "union": Row(int | str, "a", "a", []),
    "Union": Row(Union[list[int], bool], [1], [1], ["x"], "x[0]"),  # noqa: UP007 - as people write it
    "discriminated union": Row(
        Annotated[Cat | Dog, Field(discriminator="kind")],
        {"kind": "cat", "lives": 9},
        Cat(lives=9),
        {"kind": "cat", "lives": "x"},
        "x.lives",
    ),
    "union with a callable discriminator": Row(
        Annotated[
            Annotated[int, Tag("one")] | Annotated[list[int], Tag("many")], Discriminator(_by_size)
        ],
        [1],
        [1],
        [1, "x"],
        "x[1]",
    ),
    "constrained number": Row(Annotated[int, Field(ge=1, multiple_of=2)], 4, 4, 3),
    "constrained text": Row(Annotated[str, Field(pattern="^a+$", max_length=2)], "aa", "aa", "aaa"),
    "constrained list": Row(Annotated[list[int], Field(min_length=2)], [1, 2], [1, 2], [1]),
    "constrained items": Row(list[Annotated[int, annotated_types.Gt(0)]], [1], [1], [0], "x[0]"),
    "conint": Row(pydantic.PositiveInt, 1, 1, 0),
    "strict": Row(Annotated[int, Field(strict=True)], 3, 3, "3"),
    "after validator": Row(Annotated[int, AfterValidator(_even)], 2, 2, 3),
    "before validator": Row(
        Annotated[list[str], BeforeValidator(lambda v: v.split(",") if isinstance(v, str) else v)],
        ["a"],
        ["a"],
        3,
    ),
    "model": Row(Cat, {"lives": 9}, Cat(lives=9), {"lives": "x"}, "x.lives"),
    "recursive model": Row(
        Dog,
        {"friends": [{"friends": []}]},
        Dog(friends=[Dog()]),
        {"friends": [{"friends": 3}]},
        "x.friends[0].friends",
    ),
    "generic model": Row(
        Page[int], {"items": [1]}, Page[int](items=[1]), {"items": ["x"]}, "x.items[0]"
    ),
    "closed model with alias": Row(Strict, {"copy": 1}, Strict(copy=1), {"copy": 1, "x": 2}, "x.x"),
    "dataclass": Row(Point, {"x": 1}, Point(1, 0), {"x": 1, "y": "x"}, "x.y"),
    "pydantic dataclass": Row(
        Circle,
        {"centre": {"x": 1}, "radius": 1},
        Circle(Point(1), 1.0),
        {"centre": {"x": 1}, "radius": 0},
        "x.radius",
    ),
    "TypedDict": Row(Film, {"title": "M"}, {"title": "M"}, {"title": "M", "year": "x"}, "x.year"),
    "NamedTuple": Row(Span, [1], Span(1, 9), ["x"], "x[0]"),
    "NewType": Row(UserId, 3, 3, "x"),
    "type alias": Row(Names, ["a"], ["a"], [3], "x[0]"),
    "recursive type alias": Row(Tree, {"a": {"b": 1}}, {"a": {"b": 1}}, {"a": {"b": "x"}}, "x.a.b"),
    "TypeVar": Row(T, [1], [1], fits_everything=True),
    "JSON in text": Row(pydantic.Json[list[int]], "[1]", [1], "[x"),
    "URL": Row(pydantic.HttpUrl, "https://a.b/c", pydantic.HttpUrl("https://a.b/c"), "ftp://a.b"),
    "secret": Row(pydantic.SecretStr, "abc", pydantic.SecretStr("abc"), 3),
    "big": Row(int, 10**40, 10**40, "x"),
}

EVERY = pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)


def taking(annotation: Any, default: Any = inspect.Parameter.empty) -> Tool[..., Any]:
    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    return making({"x": inspect.Parameter("x", kind, annotation=annotation, default=default)})


def making(parameters: dict[str, inspect.Parameter]) -> Tool[..., Any]:
    async def probe(**arguments: Any) -> None: ...

    probe.__signature__ = inspect.Signature(list(parameters.values()))
    return tool(probe)


@EVERY
def test_the_schema_is_valid(row: Row) -> None:
    schema = taking(row.annotation).schema
    Draft202012Validator.check_schema(schema)
    assert schema["additionalProperties"] is False
    assert json.loads(json.dumps(schema)) == schema


@EVERY
def test_a_json_value_becomes_a_python_value(row: Row) -> None:
    args, kwargs = taking(row.annotation).validate(json.dumps({"x": row.good}).encode())
    assert (args, kwargs) == ((), {"x": row.value})
    assert type(kwargs["x"]) is type(row.value)


@EVERY
def test_the_value_may_come_decoded(row: Row) -> None:
    assert taking(row.annotation).validate({"x": row.good})[1] == {"x": row.value}


@EVERY
def test_what_does_not_fit_has_its_path(row: Row) -> None:
    if row.fits_everything:
        return
    with pytest.raises(InvalidArguments) as caught:
        taking(row.annotation).validate(json.dumps({"x": row.bad}).encode())
    assert [fault.path for fault in caught.value.faults] == [row.path]


@EVERY
def test_a_default_is_filled_in(row: Row) -> None:
    assert taking(row.annotation, default=row.value).validate({})[1] == {"x": row.value}


LEAVES: dict[Any, st.SearchStrategy[object]] = {
    int: st.integers(-(10**6), 10**6),
    float: st.floats(-1e6, 1e6),
    str: st.text(max_size=5),
    bool: st.booleans(),
    type(None): st.none(),
    Literal["a", "b", 3]: st.sampled_from(["a", "b", 3]),
    Annotated[int, Field(ge=1, lt=9)]: st.integers(-2, 12),
    Annotated[str, Field(min_length=1, max_length=3)]: st.text(max_size=5),
    Colour: st.just("red"),
}
JSON = st.recursive(
    st.one_of(*LEAVES.values()),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner),
    max_leaves=5,
)
ANNOTATIONS = st.recursive(
    st.sampled_from(list(LEAVES)),
    lambda inner: st.one_of(
        inner.map(lambda item: list[item]),
        inner.map(lambda item: dict[str, item]),
        inner.map(lambda item: Optional[item]),  # noqa: UP045 - `None | None` is no type
        st.tuples(inner, inner).map(lambda items: Union[items]),  # noqa: UP007 - a tuple of types
        st.tuples(inner, inner).map(lambda items: tuple[items]),
    ),
    max_leaves=4,
)
NAMES = st.sampled_from(["city", "copy", "schema", "self", "json", "model_name", "x"])


def fitting(annotation: Any) -> st.SearchStrategy[object]:
    """Values that mostly fit, so that the law is tried on more than refusals."""
    if annotation in LEAVES:
        return LEAVES[annotation]
    origin, inner = getattr(annotation, "__origin__", None), annotation.__args__
    parts = [fitting(part) for part in inner]
    if origin is list:
        return st.lists(parts[0], max_size=3)
    if origin is dict:
        return st.dictionaries(st.text(max_size=2), parts[1], max_size=3)
    return st.tuples(*parts).map(list) if origin is tuple else st.one_of(parts)


@st.composite
def signatures_and_arguments(
    draw: st.DrawFn,
) -> tuple[dict[str, inspect.Parameter], dict[str, object]]:
    parameters: dict[str, inspect.Parameter] = {}
    arguments: dict[str, object] = {}
    for name in draw(st.lists(NAMES, unique=True, max_size=3)):
        annotation = draw(ANNOTATIONS)
        default = draw(st.sampled_from([inspect.Parameter.empty, None]))
        parameters[name] = inspect.Parameter(
            name, inspect.Parameter.KEYWORD_ONLY, annotation=annotation, default=default
        )
        if draw(st.integers(0, 9)) < 9:
            arguments[name] = draw(st.one_of(fitting(annotation), fitting(annotation), JSON))
    if draw(st.integers(0, 9)) == 9:
        arguments[draw(NAMES)] = draw(JSON)
    return parameters, arguments


@given(signatures_and_arguments())
def test_what_the_schema_accepts_the_validator_accepts(
    given: tuple[dict[str, inspect.Parameter], dict[str, object]],
) -> None:
    parameters, arguments = given
    made = making(parameters)
    if Draft202012Validator(made.schema).is_valid(arguments):
        _, kwargs = made.validate(json.dumps(arguments).encode())
        assert set(kwargs) == set(parameters)
