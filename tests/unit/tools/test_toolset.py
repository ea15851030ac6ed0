"""Toolsets: where tools come from, how some are chosen, what an unknown name says."""

from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

from penstock.errors import ConfigError, DuplicateTool, UnknownTool
from penstock.tools import Tool, Toolset, tool


@tool(tags=["web", "read"])
async def search(query: str) -> str:
    return query


@tool(tags=["web"])
async def fetch(url: str) -> str:
    return url


@tool(effects="read", timeout=3)
async def get_weather(city: str) -> str:
    return city


ALL = Toolset([search, fetch, get_weather])


def test_tools_keep_their_order() -> None:
    assert ALL.names == ("search", "fetch", "get_weather")
    assert list(ALL) == [search, fetch, get_weather]


def test_a_tool_is_found_by_its_name() -> None:
    assert ALL["fetch"] is fetch


def test_size_and_membership() -> None:
    assert len(ALL) == 3
    assert "fetch" in ALL
    assert fetch in ALL
    assert "fly" not in ALL
    assert not Toolset()


def test_a_function_becomes_a_tool() -> None:
    def add(a: int, b: int) -> int:
        return a + b

    assert Toolset([add])["add"].host == "thread"


def test_a_toolset_may_hold_toolsets() -> None:
    assert Toolset([Toolset([search]), [fetch]]).names == ("search", "fetch")


def test_a_single_tool_is_a_toolset() -> None:
    assert Toolset(search).names == ("search",)


def test_a_module_gives_its_tools_and_nothing_else() -> None:
    module = ModuleType("tools_of_the_test")
    vars(module).update(search=search, again=search, helper=len, __name__="x")
    assert Toolset(module).names == ("search",)


def test_two_toolsets_are_joined() -> None:
    assert (Toolset([search]) | [fetch]).names == ("search", "fetch")


def test_the_same_tool_twice_counts_once() -> None:
    assert len(Toolset([search, search])) == 1


def test_two_tools_of_one_name_are_refused() -> None:
    with pytest.raises(DuplicateTool) as caught:
        Toolset([search, fetch.replace(name="search")])
    assert caught.value.name == "search"


@pytest.mark.parametrize("source", ["search", 3, {"a": search}, [None], b"x", int])
def test_what_holds_no_tools_is_refused(source: Any) -> None:
    with pytest.raises(ConfigError):
        Toolset(source)


@pytest.mark.parametrize("name", ["getWeather", "get-weather", "get_wether", "GET_WEATHER"])
def test_an_unknown_name_gets_the_nearest(name: str) -> None:
    with pytest.raises(UnknownTool) as caught:
        ALL[name]
    assert caught.value.near == ("get_weather",)


def test_filter_wants_all_tags() -> None:
    assert ALL.filter(tags=["web"]).names == ("search", "fetch")
    assert ALL.filter(tags=["web", "read"]).names == ("search",)
    assert ALL.filter(tags="read").names == ("search",)


def test_only_takes_the_named_in_that_order() -> None:
    assert ALL.only(["get_weather", "search"]).names == ("get_weather", "search")


def test_without_leaves_the_named_out() -> None:
    assert ALL.without(["search"]).names == ("fetch", "get_weather")
    assert ALL.without("search").names == ("fetch", "get_weather")


@pytest.mark.parametrize("choose", [ALL.only, ALL.without])
def test_choosing_by_an_unknown_name_is_an_error(choose: Callable[..., Toolset]) -> None:
    with pytest.raises(UnknownTool):
        choose(["serch"])


def test_a_prefix_renames_and_keeps_the_options() -> None:
    renamed = ALL.prefix("web_")["web_get_weather"]
    assert isinstance(renamed, Tool)
    assert (renamed.effects, renamed.timeout, renamed.function) == (
        "read",
        3,
        get_weather.function,
    )


def test_a_repr_names_the_tools() -> None:
    assert repr(ALL) == "Toolset(search, fetch, get_weather)"


class Shop:
    async def price(self, item: str) -> str:
        return item

    @tool
    async def stock(self, item: str) -> str:
        return item


@pytest.mark.parametrize("method", [Shop.price, Shop.stock, tool(Shop.price)])
def test_a_method_that_is_not_bound_is_refused(method: Callable[..., Any]) -> None:
    with pytest.raises(ConfigError, match=r"`self`: give a bound method, `Shop\(\)\.") as caught:
        Toolset([method])
    assert caught.value.field == "tools"


def test_bound_methods_are_tools() -> None:
    shop = Shop()
    assert Toolset([shop.price, shop.stock]).names == ("price", "stock")


def test_a_function_may_call_its_parameter_self() -> None:
    def echo(self: str) -> str:
        return self

    assert Toolset([echo]).names == ("echo",)


def test_writes_that_say_what_they_change_are_known() -> None:
    @tool(mutates=["row:{key}"])
    def put(key: str) -> None: ...

    @tool(mutates=[])
    def nothing() -> None: ...

    @tool
    def anything() -> None: ...

    assert Toolset([put, nothing, anything]).fencing == {"put"}
