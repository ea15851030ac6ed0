"""The options of `@tool`: what each may be, and the error that names it."""

import functools
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from penstock.errors import ConfigError
from penstock.tools import options, tool


async def asynchronous() -> None: ...


def synchronous() -> None: ...


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("name", ""),
        ("name", "with space"),
        ("name", "x" * 129),
        ("name", 3),
        ("effects", "write"),
        ("service", ""),
        ("service", 3),
        ("timeout", 0),
        ("timeout", -1),
        ("timeout", float("nan")),
        ("timeout", float("inf")),
        ("timeout", 30 * 86_400 + 1),
        ("timeout", "2"),
        ("timeout", True),
        ("priority", -1),
        ("priority", 8),
        ("priority", 4.0),
        ("priority", True),
        ("host", "process"),
        ("host", "inline"),
        ("host", "thread"),
        ("concurrency", 0),
        ("concurrency", 1.5),
        ("concurrency", True),
        ("value_bytes", 0),
        ("value_bytes", 1.5),
        ("value_bytes", True),
        ("media_type", "json"),
        ("media_type", None),
        ("media_type", "a/b\nc"),
        ("tags", "web"),
        ("tags", [1]),
        ("tags", 3),
    ],
)
def test_an_option_that_cannot_work_is_named(option: str, value: object) -> None:
    with pytest.raises(ConfigError) as caught:
        tool(**{option: value})(asynchronous)
    assert (caught.value.field, caught.value.value) == (option, value)


def test_thirty_days_are_a_timeout() -> None:
    assert tool(timeout=30 * 86_400)(asynchronous).timeout == 30 * 86_400


def generator(count: int) -> Iterator[int]:
    yield count


def test_a_plain_generator_is_no_tool() -> None:
    with pytest.raises(ConfigError, match="generator"):
        tool(generator)


def test_a_lambda_needs_a_name() -> None:
    with pytest.raises(ConfigError, match="lambda"):
        tool(lambda x: x)


def test_a_name_that_no_provider_takes_is_refused() -> None:
    def größe() -> None: ...

    with pytest.raises(ConfigError) as caught:
        tool(größe)
    assert caught.value.field == "name"


@pytest.mark.parametrize("effects", ["read", "idempotent", "once", "compensable"])
def test_each_effect_can_be_declared(effects: Any) -> None:
    assert tool(effects=effects)(asynchronous).effects == effects


@pytest.mark.parametrize("host", ["call", "task"])
def test_async_def_runs_on_the_loop(host: Any) -> None:
    assert tool(host=host)(asynchronous).host == host


@pytest.mark.parametrize("host", ["call", "task", "inline", "thread"])
def test_def_runs_where_it_is_declared(host: Any) -> None:
    assert tool(host=host)(synchronous).host == host


@pytest.mark.parametrize("tags", [["a", "b"], ("b", "a"), {"a", "b"}, iter(["a", "b"])])
def test_tags_come_in_any_collection(tags: Any) -> None:
    assert tool(tags=tags)(asynchronous).tags == {"a", "b"}


def test_an_error_says_which_tool_and_what_is_allowed() -> None:
    with pytest.raises(
        ConfigError, match=r"effects='write': tool 'asynchronous': must be one of 'read'"
    ):
        tool(effects="write")(asynchronous)  # type: ignore[call-overload]


def passed_on(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def wrapper(*args: object, **kwargs: object) -> Any:
        return function(*args, **kwargs)

    return wrapper


class Greeter:
    async def __call__(self) -> None: ...


WRAPPERS = [
    passed_on(asynchronous),
    passed_on(passed_on(asynchronous)),
    functools.lru_cache(asynchronous),
    functools.partial(passed_on(asynchronous)),
    functools.partial(Greeter()),
]


@pytest.mark.parametrize("function", WRAPPERS)
def test_what_wraps_an_async_def_runs_as_a_call(function: Callable[..., Any]) -> None:
    assert tool(name="wrapped")(function).host == "call"


@pytest.mark.parametrize("function", WRAPPERS)
@pytest.mark.parametrize("host", ["inline", "thread"])
def test_what_wraps_an_async_def_needs_the_loop(function: Callable[..., Any], host: Any) -> None:
    with pytest.raises(ConfigError, match="'wrapped' wraps an `async def`; it can run as 'call'"):
        tool(name="wrapped", host=host)(function)


def test_an_async_wrapper_of_a_def_runs_as_a_call() -> None:
    @functools.wraps(synchronous)
    async def wrapper() -> None: ...

    assert tool(wrapper).host == "call"


@pytest.mark.parametrize(
    ("option", "says"),
    [
        ("efects", "did you mean 'effects'?"),
        ("timeOut", "did you mean 'timeout'?"),
        ("xyz", "there are name, effects, service, timeout"),
        ("description", "the first paragraph of the docstring is the description"),
    ],
)
def test_an_option_that_is_not_known_is_named_with_the_nearest(option: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says.replace("?", r"\?")) as caught:
        tool(**{option: "x"})
    assert caught.value.field == option
    with pytest.raises(ConfigError, match=option):
        tool(asynchronous).replace(**{option: "x"})


async def prepare(arguments: dict[str, Any]) -> None: ...


def close(staged: object) -> None: ...


EARLY: list[dict[str, Any]] = [
    {"early": ["host"]},
    {"prepare": prepare},
    {"abort": close},
    {"early": "host", "prepare": prepare},
    {"early": ["hots"], "prepare": prepare},
    {"early": ["host"], "prepare": 7},
    {"early": ["host"], "prepare": prepare, "abort": 7},
]


@pytest.mark.parametrize("chosen", EARLY)
def test_a_preparation_needs_parameters_and_a_function(chosen: dict[str, Any]) -> None:
    async def fetch(host: str) -> None: ...

    with pytest.raises(ConfigError):
        tool(fetch, **chosen)


def test_only_coroutines_can_ask_for_what_was_prepared() -> None:
    def fetch(host: str) -> None: ...

    with pytest.raises(ConfigError, match="thread"):
        tool(fetch, early=["host"], prepare=prepare)


STAGED: dict[str, Any] = {"prepare": prepare, "commit": close, "abort": close}


@pytest.mark.parametrize(
    ("chosen", "field"),
    [
        ({"commit": close}, "prepare"),
        ({"commit": close, "prepare": prepare}, "abort"),
        ({"commit": close, "abort": close}, "prepare"),
        ({**STAGED, "commit": 7}, "commit"),
        ({**STAGED, "early": ["host"]}, "early"),
        ({**STAGED, "effects": "read"}, "commit"),
        ({**STAGED, "speculate": True}, "speculate"),
    ],
)
def test_a_staged_tool_has_all_three_parts_and_changes_something(
    chosen: dict[str, Any], field: str
) -> None:
    async def send(host: str) -> None: ...

    with pytest.raises(ConfigError) as caught:
        tool(send, **chosen)
    assert caught.value.field == field


@pytest.mark.parametrize("effects", ["idempotent", "once", "compensable"])
def test_a_staged_tool_keeps_its_parts(effects: Any) -> None:
    async def send(host: str) -> None: ...

    made = tool(send, effects=effects, **STAGED).replace(timeout=1.0)
    assert (made.prepare, made.commit, made.abort) == (prepare, close, close)
    with pytest.raises(ConfigError, match="thread"):
        tool(lambda: None, name="f", host="thread", **STAGED)


def test_a_preparation_is_kept_by_copies() -> None:
    async def fetch(host: str) -> None: ...

    made = tool(fetch, early=["host"], prepare=prepare, abort=close)
    assert made.early == ("host",)
    assert (made.replace(timeout=1.0).prepare, made.replace().abort) == (prepare, close)


def test_only_a_read_says_what_it_reads() -> None:
    with pytest.raises(ConfigError, match="leave reads out"):
        options.reads(["a"], "once", "t")
    assert options.reads(["a"], "read", "t") == ("a",)


def test_a_read_changes_nothing() -> None:
    with pytest.raises(ConfigError, match="changes nothing"):
        options.mutates(["a"], "read", "t")
    assert options.mutates([], "once", "t") == ()
