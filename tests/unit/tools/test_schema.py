"""The JSON Schema of a tool: what a model is told."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, Literal, Unpack

import pytest
from jsonschema import Draft202012Validator
from pydantic import BaseModel, Field
from typing_extensions import TypedDict

from penstock.errors import ConfigError, InvalidArguments
from penstock.tools import Tool, tool


class Unit(Enum):
    C = "celsius"
    F = "fahrenheit"


class Area(BaseModel):
    """A part of the world."""

    title: str
    parts: list["Area"] = []


@dataclass
class Window:
    start: int
    title: str = "now"
    marks: list[int] = field(default_factory=list)


class Filters(TypedDict, total=False):
    title: str
    year: int


@tool
async def forecast(
    city: Annotated[str, Field(min_length=1, description="its English name")],
    area: Area,
    unit: Unit = Unit.C,
    window: Window | None = None,
    days: Annotated[int, Field(ge=1, le=16)] = 3,
    source: Literal["model", "station"] = "model",
) -> str:
    """The weather forecast of a city.

    :param city: not shown, the annotation speaks
    :param days: how many
    """
    return city


def properties(function: Callable[..., Any]) -> dict[str, Any]:
    return tool(function).schema["properties"]


def titles(schema: object) -> list[object]:
    if isinstance(schema, list):
        return [title for inner in schema for title in titles(inner)]
    if not isinstance(schema, dict):
        return []
    own = [schema["title"]] if isinstance(schema.get("title"), str) else []
    return own + [title for inner in schema.values() for title in titles(inner)]


def test_a_schema_is_valid_2020_12() -> None:
    Draft202012Validator.check_schema(forecast.schema)


def test_a_schema_is_an_object_that_allows_no_other_names() -> None:
    assert forecast.schema["type"] == "object"
    assert forecast.schema["additionalProperties"] is False


def test_parameters_without_default_are_required_in_order() -> None:
    assert forecast.schema["required"] == ["city", "area"]
    assert list(forecast.schema["properties"])[:2] == ["city", "area"]


def test_there_is_no_generated_title() -> None:
    assert titles(forecast.schema) == []


def test_a_property_may_be_called_title() -> None:
    assert "title" in forecast.schema["$defs"]["Area"]["properties"]
    assert "title" in properties(lambda_with_title)


def lambda_with_title(title: str) -> None: ...


def test_a_title_that_somebody_wrote_is_kept() -> None:
    def function(city: Annotated[str, Field(title="The city")]) -> None: ...

    assert properties(function)["city"]["title"] == "The city"


def test_defaults_and_constraints_are_told() -> None:
    assert forecast.schema["properties"]["days"] == {
        "type": "integer",
        "minimum": 1,
        "maximum": 16,
        "default": 3,
        "description": "how many",
    }


def test_an_enum_is_told_by_its_values() -> None:
    assert forecast.schema["$defs"]["Unit"]["enum"] == ["celsius", "fahrenheit"]
    assert forecast.schema["properties"]["unit"]["default"] == "celsius"


def test_an_annotation_describes_before_the_docstring() -> None:
    assert forecast.schema["properties"]["city"]["description"] == "its English name"


def test_models_are_definitions() -> None:
    assert forecast.schema["properties"]["area"] == {"$ref": "#/$defs/Area"}
    assert forecast.schema["$defs"]["Area"]["description"] == "A part of the world."


def test_a_tool_without_parameters_takes_an_empty_object() -> None:
    @tool
    async def ping() -> None: ...

    assert ping.schema == {
        "type": "object",
        "properties": {},
        "required": [],
        "additionalProperties": False,
    }


def test_a_parameter_without_annotation_takes_anything() -> None:
    def function(value, other=None): ...

    assert properties(function) == {"value": {}, "other": {"default": None}}


def test_extras_allow_other_names() -> None:
    @tool
    async def anything(**extras: Any) -> None: ...

    assert anything.schema["additionalProperties"] is True
    assert anything.validate(b'{"a":[1]}') == ((), {"a": [1]})


def test_typed_extras_constrain_other_names() -> None:
    @tool
    async def counts(**extras: int) -> None: ...

    assert counts.schema["additionalProperties"] == {"type": "integer"}


def test_unpacked_extras_are_properties() -> None:
    @tool
    async def find(query: str, **filters: Unpack[Filters]) -> None: ...

    assert set(find.schema["properties"]) == {"query", "title", "year"}
    assert find.schema["additionalProperties"] is False
    assert find.schema["required"] == ["query"]
    assert find.validate(b'{"query":"x","year":"3"}') == ((), {"query": "x", "year": 3})
    with pytest.raises(InvalidArguments, match="yeer: is not a known name; did you mean 'year'"):
        find.validate(b'{"query":"x","yeer":"3"}')


def test_an_alias_is_the_name_for_the_model() -> None:
    @tool
    async def travel(from_: Annotated[str, Field(alias="from")]) -> None:
        """Travel.

        Args:
            from_: where it starts
        """

    assert travel.schema["properties"] == {
        "from": {"type": "string", "description": "where it starts"}
    }
    assert travel.parameters == ("from_",)
    assert travel.validate(b'{"from":"Oslo"}') == ((), {"from_": "Oslo"})


def test_a_default_factory_makes_a_new_value_each_time() -> None:
    @tool
    async def collect(into: Annotated[list[int], Field(default_factory=list)]) -> None: ...

    first, second = collect.validate({})[1]["into"], collect.validate({})[1]["into"]
    assert first == second == []
    assert first is not second


def test_a_mutable_default_is_not_shared() -> None:
    @tool
    async def collect(into: list[int] = []) -> None: ...  # noqa: B006 - what people write

    assert collect.validate({})[1]["into"] is not collect.validate({})[1]["into"]


def test_a_default_that_json_cannot_express_is_filled_in_but_not_told() -> None:
    marker = object()

    @tool
    async def collect(into: Any = marker) -> None: ...

    assert collect.schema["properties"] == {"into": {}}
    assert collect.validate({})[1]["into"] is marker


def test_a_type_without_json_form_names_its_parameter() -> None:
    @tool
    async def sort(items: list[int], key: Callable[[int], int]) -> None: ...

    with pytest.raises(ConfigError) as caught:
        _ = sort.schema
    assert caught.value.field == "key"


def test_a_schema_is_made_once() -> None:
    assert forecast.schema is forecast.schema


CLASHES = ["copy", "json", "schema", "dict", "validate", "model_config", "model_x", "self", "cls",
           "fields", "construct", "args", "kwargs", "_private", "__root__", "class_", "type",
           "arguments", "v__args", "title"]  # fmt: skip


@pytest.mark.parametrize("name", CLASHES)
def test_a_parameter_may_have_any_name(name: str) -> None:
    def function(**values: Any) -> None: ...

    function.__signature__ = inspect.Signature(
        [inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, annotation=int)]
    )
    made: Tool[..., Any] = tool(function)
    assert made.schema["properties"] == {name: {"type": "integer"}}
    assert made.validate({name: "3"}) == ((), {name: 3})


def test_a_decimal_may_come_as_number_or_text() -> None:
    @tool
    async def pay(amount: Decimal) -> None: ...

    assert pay.validate(b'{"amount":"1.10"}')[1] == {"amount": Decimal("1.10")}
