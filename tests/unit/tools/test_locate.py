"""From a `loc` to the path in the input: what is a key and what is only a label."""

from dataclasses import dataclass
from typing import Annotated, Any, Literal, NamedTuple

import pytest
from pydantic import AfterValidator, BaseModel, Field, TypeAdapter, ValidationError

from penstock.tools.locate import Locator, Place


class Cat(BaseModel):
    kind: Literal["cat"]
    lives: int


class Dog(BaseModel):
    kind: Literal["dog"]
    names: dict[str, list[int]] = {}


@dataclass
class Node:
    value: int
    inner: list["Node"]


class Pair(NamedTuple):
    left: int
    right: "int | list[int]"


Pet = Annotated[Cat | Dog, Field(discriminator="kind")]


def places(annotation: Any, value: object) -> list[Place]:
    adapter = TypeAdapter(annotation)
    with pytest.raises(ValidationError) as caught:
        adapter.validate_python(value)
    locator = Locator(adapter.core_schema)
    return [locator.locate(error["loc"]) for error in caught.value.errors()]


@pytest.mark.parametrize(
    ("annotation", "value", "path"),
    [
        (int, "x", ""),
        (list[int], [1, "x"], "[1]"),
        (dict[str, list[int]], {"a": ["x"]}, "a[0]"),
        (dict[str, int], {"x-y": "x"}, "['x-y']"),
        (tuple[int, str], (1, 2), "[1]"),
        (tuple[int, ...], (1, "x"), "[1]"),
        (set[int], ["x"], "[0]"),
        (Cat, {"kind": "cat", "lives": "x"}, "lives"),
        (Cat, {"kind": "cat"}, "lives"),
        (Pet, {"kind": "cat", "lives": "x"}, "lives"),
        (list[Pet], [{"kind": "dog", "names": {"int": ["x"]}}], "[0].names.int[0]"),
        (Node, {"value": 1, "inner": [{"value": "x", "inner": []}]}, "inner[0].value"),
        (Pair, ("x", 1), "[0]"),
        (Annotated[list[int], AfterValidator(lambda v: v)] | None, ["x"], "[0]"),
        (dict[str, Annotated[int, AfterValidator(lambda v: v)] | None], {"a": "x"}, "a"),
    ],
)
def test_the_path_holds_keys_only(annotation: Any, value: object, path: str) -> None:
    assert [place.path for place in places(annotation, value)] == [path]


def test_the_choices_of_a_union_are_labels() -> None:
    found = places(dict[str, int | list[int]], {"list[int]": ["x"]})
    assert {place.path for place in found} == {"['list[int]']", "['list[int]'][0]"}
    assert [place.branches[0].label for place in found] == ["int", "list[int]"]


def test_a_union_inside_a_union_has_two_labels() -> None:
    (*_, last) = places(int | list[Cat | Dog], [{"kind": "cow"}])
    assert [branch.path for branch in last.branches] == ["", "[0]"]


def test_a_key_at_fault_is_told_from_its_value() -> None:
    (place,) = places(dict[int, str], {"x": "y"})
    assert (place.path, place.is_key) == ("x", True)


def test_the_names_beside_a_wrong_one_are_known() -> None:
    class Closed(BaseModel, extra="forbid"):
        city: str = ""
        days: Annotated[int, Field(alias="count")] = 3

    (place,) = places(list[Closed], [{"citty": "x"}])
    assert (place.path, place.siblings) == ("[0].citty", ("city", "count"))


def test_an_unknown_schema_leaves_the_rest_as_it_is() -> None:
    place = Locator({"type": "any"}).locate(("a", 0, "b"))
    assert place.path == "a[0].b"
