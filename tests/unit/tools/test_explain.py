"""What a model is told about arguments that do not fit."""

from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, Literal

import pytest
from pydantic import AfterValidator, BaseModel, Field

from penstock.errors import Fault, InvalidArguments
from penstock.tools import tool


class Unit(Enum):
    C = "celsius"
    F = "fahrenheit"


class Cat(BaseModel):
    kind: Literal["cat"]
    lives: int


class Dog(BaseModel):
    kind: Literal["dog"]
    age: int


def even(value: int) -> int:
    if value % 2:
        raise ValueError("must be even; double it")
    return value


def faults(annotation: Any, value: object) -> tuple[Fault, ...]:
    async def probe(x: annotation) -> None: ...

    with pytest.raises(InvalidArguments) as caught:
        tool(probe).validate({"x": value})
    return caught.value.faults


@tool
async def forecast(city: str, days: Annotated[int, Field(ge=1, le=16)] = 3) -> None: ...


def explained(arguments: object) -> list[str]:
    with pytest.raises(InvalidArguments) as caught:
        forecast.validate(arguments)
    assert caught.value.tool == "forecast"
    return [str(fault) for fault in caught.value.faults]


def test_a_missing_argument() -> None:
    assert explained({}) == ["city: is required, and missing"]


def test_an_unknown_argument_names_the_nearest_and_all() -> None:
    assert explained({"city": "Oslo", "day": 3}) == [
        "day: is not a known name; did you mean 'days'?; allowed: 'city', 'days'"
    ]


def test_every_fault_is_told_at_once() -> None:
    assert len(explained({"city": 3, "days": 0, "x": 1})) == 3


def test_broken_json_says_where() -> None:
    (text,) = explained(b'{"city": "Oslo"')
    assert text.startswith(
        "the arguments are not valid JSON: EOF while parsing an object at line 1"
    )


@pytest.mark.parametrize(
    ("annotation", "value", "fault"),
    [
        (int, "x", Fault("x", "should be a valid integer, unable to parse string as an integer", "", "'x'")),
        (Annotated[int, Field(ge=1)], 0, Fault("x", "should be greater than or equal to 1", "", "0")),
        (Literal["a", "b"], "c", Fault("x", "should be 'a' or 'b'", "", "'c'")),
        (Unit, "kelvin", Fault("x", "should be 'celsius' or 'fahrenheit'", "", "'kelvin'")),
        (list[int], "abc", Fault("x", "should be an array", "", "'abc'")),
        (dict[str, int], [], Fault("x", "should be an object", "", "[]")),
        (Cat, 3, Fault("x", "should be an object", "", "3")),
        (None, 3, Fault("x", "should be null", "", "3")),
        (Annotated[int, AfterValidator(even)], 3, Fault("x", "must be even; double it", "", "3")),
        (dict[int, str], {"a": "b"}, Fault("x.a", "the key should be a valid integer, unable to parse string as an integer", "", "'a'")),
        (list[Cat], [{"kind": "cat"}], Fault("x[0].lives", "is required, and missing")),
    ],
)  # fmt: skip
def test_a_fault_says_what_is_wrong_and_what_was_found(
    annotation: Any, value: object, fault: Fault
) -> None:
    assert faults(annotation, value) == (fault,)


def test_a_union_that_nothing_fits_is_one_fault() -> None:
    (fault,) = faults(int | bool | list[str] | Decimal, {"a": 1})
    assert (fault.path, fault.problem) == ("x", "fits none of the allowed forms")
    assert fault.allowed.startswith("a valid integer or a valid boolean or an array or ")
    assert fault.value == "{'a': 1}"


def test_a_union_tells_only_about_the_choice_that_was_meant() -> None:
    assert faults(int | Cat, {"kind": "cat", "lives": "x"})[0].path == "x.lives"
    assert len(faults(int | Cat, {"kind": "cat", "lives": "x"})) == 1


def test_a_union_of_models_says_which_model_misses_what() -> None:
    problems = [str(fault) for fault in faults(Cat | Dog, {})]
    assert "x.lives: as Cat: is required, and missing" in problems
    assert "x.age: as Dog: is required, and missing" in problems


def test_a_discriminated_union_names_its_tags() -> None:
    (fault,) = faults(Annotated[Cat | Dog, Field(discriminator="kind")], {"kind": "cow"})
    assert "'cat', 'dog'" in fault.problem


def test_a_union_in_each_item_is_told_for_each_item() -> None:
    found = faults(list[int | list[int]], ["a", 1, "b"])
    assert [fault.path for fault in found] == ["x[0]", "x[2]"]


def test_a_thousand_faults_are_not_a_thousand_lines() -> None:
    found = faults(list[int], ["x"] * 1000)
    assert len(found) == 21
    assert found[-1].problem == "and 980 more"


def test_a_large_value_is_cut() -> None:
    (fault,) = faults(int, "x" * 100_000)
    assert len(fault.value) <= 200


def test_a_secret_is_not_repeated() -> None:
    @tool
    async def login(password: int) -> None: ...

    with pytest.raises(InvalidArguments) as caught:
        login.validate({"password": "hunter2"})
    assert "hunter2" not in str(caught.value)


def test_the_text_for_a_model_holds_every_fault() -> None:
    with pytest.raises(InvalidArguments) as caught:
        forecast.validate({"days": 0})
    text = caught.value.for_model()
    assert "city: is required" in text
    assert "days: should be greater than or equal to 1 (got 0)" in text
