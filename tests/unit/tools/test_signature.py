"""Reading a signature: which parameters a model fills, which it never sees."""

import functools
from collections.abc import Callable
from typing import Annotated, Any, Optional

import pytest
from pydantic import BaseModel

from penstock.errors import ConfigError
from penstock.tools import tool
from penstock.tools.signature import Signature, innermost, read


class Context:
    """Stands for the native class: it is known by its qualified name."""


Context.__module__ = "penstock._native"
Context.__qualname__ = "Context"


def of(function: Callable[..., Any]) -> Signature:
    return read(function, "probe", {})


def test_each_kind_of_parameter_is_counted() -> None:
    def function(a, /, b, *, c, **rest): ...

    found = of(function)
    assert found.parameters == ("a", "b", "c")
    assert (found.positional_only, found.keyword_only, found.extras) == (1, 1, True)


def test_no_parameters_are_no_parameters() -> None:
    found = of(lambda: None)
    assert (found.parameters, found.keyword_only, found.extras, found.context) == (
        (),
        0,
        False,
        None,
    )


@pytest.mark.parametrize(
    "annotation",
    [Context, Context | None, Optional[Context], Annotated[Context, "why"]],  # noqa: UP045
)
def test_a_context_parameter_is_found_and_left_out(annotation: Any) -> None:
    def function(city: str, context: annotation, days: int = 3): ...

    found = of(function)
    assert (found.context, found.parameters) == ("context", ("city", "days"))


def test_what_is_behind_the_context_is_passed_by_name() -> None:
    def function(city: str, context: Context, days: int, *, unit: str): ...

    found = of(function)
    assert (found.parameters, found.keyword_only) == (("city", "days", "unit"), 2)


def test_what_is_behind_the_argument_of_a_partial_is_passed_by_name() -> None:
    def function(city: str, key: str, days: int): ...

    found = of(functools.partial(function, key="secret"))
    assert (found.parameters, found.keyword_only) == (("city", "days"), 1)


def test_another_class_of_that_name_is_no_context() -> None:
    class Other(BaseModel): ...

    Other.__qualname__ = "Context"

    def function(context: Other): ...

    assert of(function).context is None


def test_two_contexts_are_refused() -> None:
    def function(one: Context, two: Context): ...

    with pytest.raises(ConfigError) as caught:
        of(function)
    assert caught.value.field == "two"


def test_a_context_that_has_no_name_for_the_caller_is_refused() -> None:
    def function(context: Context, /, city: str): ...

    with pytest.raises(ConfigError, match="passed by name"):
        of(function)


def test_a_model_cannot_pass_the_context() -> None:
    @tool
    async def function(context: Context, **extras: Any) -> None: ...

    with pytest.raises(ValueError, match="context: is not a known name"):
        function.validate(b'{"context":1}')
    assert function.validate(b'{"x":1}') == ((), {"x": 1})


def test_a_model_cannot_pass_what_a_partial_has_bound() -> None:
    async def function(key: str, **extras: Any) -> None: ...

    bound = tool(functools.partial(function, key="secret"))
    with pytest.raises(ValueError, match="key: is not a known name"):
        bound.validate(b'{"key":"stolen"}')


def test_the_innermost_function_is_found_through_every_layer() -> None:
    def function(x: int): ...

    @functools.wraps(function)
    def wrapper(x: int): ...

    class Called:
        def __call__(self): ...

    assert innermost(functools.partial(functools.partial(wrapper, 1))) is function
    assert innermost(Called()) is Called.__call__


class Area(BaseModel):
    name: str


def test_annotations_may_be_strings() -> None:
    async def function(area: "Area", days: "Annotated[int, 'why'] | None" = None): ...

    assert tool(function).validate(b'{"area":{"name":"x"}}')[1]["area"] == Area(name="x")


def test_strings_may_name_what_is_local() -> None:
    class Local(BaseModel):
        name: str

    @tool
    async def function(local: "list[Local]"): ...

    @tool(effects="read")
    async def other(local: list["Local"]): ...

    assert function.validate(b'{"local":[{"name":"x"}]}')[1]["local"] == [Local(name="x")]
    assert other.validate(b'{"local":[{"name":"x"}]}')[1]["local"] == [Local(name="x")]


def test_a_local_name_hides_one_of_the_module() -> None:
    class Area(BaseModel):
        size: int

    @tool
    async def function(area: "Area"): ...

    assert function.validate(b'{"area":{"size":3}}')[1]["area"] == Area(size=3)


def test_only_the_local_names_that_are_mentioned_are_kept() -> None:
    heavy = bytearray(1)
    limit = 3

    @tool
    async def function(days: "Annotated[int, limit]"): ...

    assert function._names == {"limit": limit}
    assert heavy


def test_a_method_may_name_what_its_class_holds() -> None:
    class Shop:
        class Item(BaseModel):
            name: str

        @tool
        async def price(self, item: "Item") -> None: ...

    assert Shop().price.validate(b'{"item":{"name":"tea"}}')[1]["item"] == Shop.Item(name="tea")


@tool
async def early(later: "Later") -> None: ...


class Later(BaseModel):
    name: str


def test_a_string_may_name_what_is_defined_later() -> None:
    assert early.validate(b'{"later":{"name":"x"}}')[1]["later"] == Later(name="x")


def test_a_string_that_names_nothing_is_an_error_at_first_use() -> None:
    @tool
    async def function(value: "Nowhere") -> None: ...  # noqa: F821 - that is the point

    with pytest.raises(ConfigError, match="Nowhere"):
        _ = function.schema
    with pytest.raises(ConfigError, match="Nowhere"):
        _ = function.parameters
