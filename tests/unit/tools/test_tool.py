"""`@tool`: what it makes of a function, and what it refuses."""

import asyncio
import functools
import inspect
from typing import Annotated

import pytest
from pydantic import Field

from penstock.errors import ConfigError, InvalidArguments
from penstock.tools import Tool, tool


@tool
async def forecast(city: str, days: int = 3, *, unit: str = "C") -> str:
    """The weather forecast of a city.

    More about it.
    """
    return f"{city}: {days} {unit}"


@tool(
    name="look_up",
    effects="read",
    service="web",
    timeout=2,
    priority=0,
    host="inline",
    concurrency=5,
    tags=["web", "slow"],
)
def search(query: str, /) -> list[str]:
    return [query]


class Shop:
    def __init__(self, name: str) -> None:
        self.name = name

    async def price(self, item: str) -> str:
        """The price of an item."""
        return f"{item} at {self.name}"

    @tool(effects="read")
    async def stock(self, item: str) -> str:
        """How many there are."""
        return f"{item} in {self.name}"

    @tool
    @staticmethod
    async def open_today() -> bool:
        return True


class Counter:
    """Counts."""

    async def __call__(self, step: int = 1) -> int:
        return step


def test_a_bare_decorator_takes_the_defaults() -> None:
    found = (forecast.name, forecast.effects, forecast.service, forecast.timeout)
    assert found == ("forecast", "once", None, None)
    assert (forecast.priority, forecast.concurrency, forecast.tags) == (4, None, frozenset())


def test_options_are_kept() -> None:
    found = (search.name, search.effects, search.service, search.timeout)
    assert found == ("look_up", "read", "web", 2.0)
    assert (search.priority, search.host, search.concurrency) == (0, "inline", 5)
    assert search.tags == {"web", "slow"}


def test_the_description_is_the_first_paragraph() -> None:
    assert forecast.description == "The weather forecast of a city."


def test_a_function_without_docstring_has_no_description() -> None:
    assert search.description == ""


def test_calling_a_tool_calls_its_function_unchanged() -> None:
    assert search(3) == [3]
    assert asyncio.run(forecast("Oslo")) == "Oslo: 3 C"


def test_async_def_is_hosted_as_a_call() -> None:
    assert forecast.host == "call"


def test_def_is_hosted_in_a_thread() -> None:
    @tool
    def read_file(path: str) -> str:
        return path

    assert read_file.host == "thread"


def test_parameters_are_in_the_order_of_the_signature() -> None:
    assert forecast.parameters == ("city", "days", "unit")
    assert forecast.keyword_only == 1


def test_the_validator_fills_in_every_default() -> None:
    assert forecast.validator.validate_json(b'{"city":"Oslo"}') == (
        (),
        {"city": "Oslo", "days": 3, "unit": "C"},
    )


def test_a_mapping_with_keys_that_are_no_names_is_refused() -> None:
    with pytest.raises(InvalidArguments):
        forecast.validate({"city": "Oslo", 1: 2})  # type: ignore[dict-item]


def test_the_validator_is_built_once() -> None:
    assert forecast.validator is forecast.validator


def test_validated_arguments_can_be_passed_to_the_function() -> None:
    args, kwargs = search.validate(b'{"query":"x"}')
    assert search.function(*args, **kwargs) == ["x"]


@pytest.mark.parametrize("arguments", ['{"city":"Oslo"}', b' {"city":"Oslo"}', {"city": "Oslo"}])
def test_arguments_come_as_bytes_text_or_a_mapping(arguments: str) -> None:
    assert forecast.validate(arguments)[1]["city"] == "Oslo"


@pytest.mark.parametrize("arguments", [b"", " ", {}, b"{}"])
def test_no_arguments_are_an_empty_object(arguments: bytes) -> None:
    assert Shop.open_today.validate(arguments) == ((), {})


@pytest.mark.parametrize(
    "arguments", [b"[]", b'["Oslo"]', b"3", b"null", b'"Oslo"', ["Oslo"], None]
)
def test_arguments_that_are_no_object_are_refused(arguments: bytes) -> None:
    with pytest.raises(InvalidArguments, match="must be one JSON object"):
        forecast.validate(arguments)


def test_a_bound_method_is_a_tool_without_self() -> None:
    priced = tool(Shop("north").price)
    assert (priced.name, priced.parameters) == ("price", ("item",))
    assert priced.description == "The price of an item."
    assert asyncio.run(priced("tea")) == "tea at north"


def test_a_tool_in_a_class_body_is_bound_by_its_instance() -> None:
    stock = Shop("north").stock
    assert isinstance(stock, Tool)
    assert (stock.name, stock.effects, stock.parameters) == ("stock", "read", ("item",))
    assert asyncio.run(stock("tea")) == "tea in north"


def test_a_tool_of_the_class_itself_is_not_bound() -> None:
    assert Shop.stock.parameters == ("self", "item")


def test_a_static_method_is_not_bound() -> None:
    assert Shop("north").open_today.parameters == ()


def test_a_callable_object_in_a_class_body_is_not_bound() -> None:
    class Holder:
        count = tool(Counter())

    assert Holder().count is Holder.count


def test_a_tool_shows_the_signature_and_docstring_of_its_function() -> None:
    assert list(inspect.signature(forecast).parameters) == ["city", "days", "unit"]
    assert forecast.__doc__ == forecast.function.__doc__


def test_a_static_method_is_hosted_by_what_it_wraps() -> None:
    assert Shop.open_today.host == "call"


def test_a_partial_hides_what_it_has_bound() -> None:
    bound = tool(functools.partial(forecast.function, unit="K", days=1))
    assert bound.parameters == ("city",)
    assert bound.name == "forecast"
    assert asyncio.run(bound("Oslo")) == "Oslo: 1 K"


def test_a_partial_with_positions_hides_them() -> None:
    bound = tool(functools.partial(forecast.function, "Oslo"))
    assert bound.parameters == ("days", "unit")


def test_a_callable_object_is_a_tool_named_after_its_class() -> None:
    counter = tool(Counter())
    assert (counter.name, counter.host, counter.parameters) == ("Counter", "call", ("step",))
    assert counter.description == "Counts."


def test_a_wrapped_function_keeps_its_parameters() -> None:
    def logged(function):
        @functools.wraps(function)
        async def wrapper(*args, **kwargs):
            return await function(*args, **kwargs)

        return wrapper

    wrapped = tool(logged(forecast.function))
    assert wrapped.parameters == ("city", "days", "unit")
    assert wrapped.validate(b'{"city":"Oslo","days":"2"}')[1]["days"] == 2


def test_a_lambda_with_a_name_is_a_tool() -> None:
    assert tool(name="double")(lambda x: 2 * x).validate(b'{"x":[1]}') == ((), {"x": [1]})


def test_a_copy_may_have_another_name() -> None:
    assert forecast.replace(name="weather").name == "weather"
    assert forecast.name == "forecast"


def test_a_repr_says_name_host_and_effects() -> None:
    assert repr(forecast) == "<Tool 'forecast': call, once>"


@pytest.mark.parametrize("function", [3, Shop, forecast, classmethod(len), "search"])
def test_what_is_no_function_is_no_tool(function: object) -> None:
    with pytest.raises(ConfigError, match="made of a function"):
        tool(function)


def test_star_args_are_refused() -> None:
    async def function(first: int, *rest: int) -> None: ...

    with pytest.raises(ConfigError, match=r"\*rest.*declare a list"):
        tool(function)


def test_an_unsupported_annotation_names_its_parameter() -> None:
    class Opaque: ...

    async def function(city: str, lock: Opaque) -> None: ...

    with pytest.raises(ConfigError) as caught:
        tool(function)
    assert caught.value.field == "lock"


def test_a_constraint_that_does_not_fit_its_type_names_its_parameter() -> None:
    async def function(city: Annotated[str, Field(pattern="[")]) -> None: ...

    with pytest.raises(ConfigError) as caught:
        tool(function)
    assert caught.value.field == "city"


def test_bound_arguments_are_in_the_order_of_the_parameters_with_defaults() -> None:
    @tool
    async def plain(a: int, /, b: int = 2, *, c: int = 3) -> None: ...

    @tool
    async def more(a: int, **others: int) -> None: ...

    assert plain.bound(b'{"c": 5, "a": 1}') == (1, 2, 5)
    assert more.bound({"a": 1, "x": 2}) == ((1,), {"x": 2})
    with pytest.raises(InvalidArguments):
        plain.bound({"a": "x"})
