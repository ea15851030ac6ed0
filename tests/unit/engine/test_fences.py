"""Fences: which calls of a step wait for which, and until when."""

import asyncio

import pytest

from penstock import Call, Engine, sleep, tool
from penstock.engine.fences import Fences, fence, names_of
from penstock.plan import Plan
from penstock.tools import Toolset


@tool(effects="read", reads=["row:{key}"])
async def get(key: str) -> str:
    await sleep(1.0)
    return key


@tool(effects="read", reads=["row:*"])
async def scan() -> None: ...


@tool(mutates=["row:{key}"])
async def put(key: str) -> str:
    await sleep(1.0)
    if key == "bad":
        raise ValueError(key)
    return key


@tool
async def quiet() -> None:
    await sleep(1.0)


TOOLS = Toolset([get, scan, put, quiet])


def read(key: str) -> Call:
    return Call("get", {"key": key})


def write(key: str) -> Call:
    return Call("put", {"key": key})


def held(*calls: Call) -> list[int]:
    found = fence(calls, TOOLS)
    return [] if found is None else found.held


def test_who_comes_behind_a_write_of_the_same_waits() -> None:
    assert held(write("a"), read("a"), write("a"), read("b"), Call("scan")) == [1, 2, 4]


def test_a_read_holds_nobody_and_who_says_nothing_neither() -> None:
    assert held(read("a"), write("a")) == []
    assert held(Call("quiet"), read("a"), write("a"), Call("quiet")) == []


def test_wrong_arguments_and_unknown_tools_hold_nobody() -> None:
    assert held(Call("put", {"key": 7}), Call("nothing"), read("a")) == []


def test_what_orders_its_calls_itself_has_no_fences() -> None:
    first = Call("put", {"key": "a"}, id="1")
    assert held(first, Call("get", {"key": "a"}, after=["1"])) == []
    assert fence(Plan.from_calls([write("a"), read("a")]), TOOLS) is None


def test_all_writes_before_are_waited_for_whoever_ends_first() -> None:
    fences = Fences(TOOLS)
    for place, call in enumerate([write("a"), write("a"), read("a")]):
        fences.add(place, call)
    assert fences.end(1) == []  # cancelled, while the first one runs
    assert fences.end(0) == [2]
    assert not fences.is_held(2)


def test_a_call_that_waits_for_several_names_waits_for_the_last() -> None:
    fences = Fences(TOOLS)
    for place, call in enumerate([write("a"), write("b"), Call("scan")]):
        fences.add(place, call)
    assert (fences.end(1), fences.end(0)) == ([], [2])


def test_while_a_write_is_spoken_who_may_meet_it_waits() -> None:
    fences = Fences(TOOLS)
    fences.begin(0, "put")
    fences.add(1, read("a"))
    fences.add(2, read("b"))
    fences.add(3, Call("quiet"))
    assert [fences.is_held(place) for place in (1, 2, 3)] == [True, True, False]
    assert fences.add(0, write("a")) == [2]
    assert fences.end(0) == [1]


def test_of_a_call_that_goes_on_after_its_end_the_later_counts() -> None:
    fences = Fences(TOOLS)
    for place, call in enumerate([write("a"), read("a"), read("b")]):
        fences.add(place, call)
    assert fences.add(0, write("b")) == [1]
    assert fences.add(2, read("a")) == []
    assert (fences.is_held(2), fences.end(0)) == (False, [])


def test_a_name_for_too_much_is_all() -> None:
    keys = [str(number) for number in range(300)]

    @tool(mutates=["row:{keys}"])
    async def many(keys: list[str]) -> None: ...

    assert names_of(many, Call("many", {"keys": keys})) == (("*",), ("*",))


async def test_a_fence_keeps_an_order_and_passes_no_failure_on() -> None:
    async with Engine(TOOLS) as engine, engine.session("s") as session:
        outcomes = await session.run([write("bad"), read("bad"), read("b")])
    assert [outcome.status for outcome in outcomes] == ["failed", "ok", "ok"]
    assert [outcome.started for outcome in outcomes] == [
        outcomes[0].started,
        pytest.approx(outcomes[0].ended, abs=0.001),
        outcomes[0].started,
    ]


async def test_a_cancelled_write_lets_those_behind_it_start() -> None:
    async with Engine(TOOLS) as engine, engine.session("s") as session:
        batch = session.submit([write("a"), read("a")])
        await asyncio.sleep(0.5)
        batch.cancel_call(0)
        assert [outcome.status for outcome in await batch] == ["cancelled", "ok"]


async def test_cancelling_a_step_ends_what_is_held() -> None:
    async with Engine(TOOLS) as engine, engine.session("s") as session:
        batch = session.submit([write("a"), read("a")])
        await asyncio.sleep(0.5)
        batch.cancel("a test")
        assert [outcome.status for outcome in await batch] == ["cancelled", "cancelled"]


async def test_one_place_in_flight_is_enough_for_a_chain() -> None:
    async with Engine(TOOLS, max_parallel=1) as engine, engine.session("s") as session:
        calls = [Call("put", {"key": "a"}, priority=7), *[read("a")] * 2]
        outcomes = await session.run(calls, max_parallel=1)
    assert all(outcome.ok for outcome in outcomes)


async def test_a_batch_without_a_session_is_run_at_once() -> None:
    async with Engine(TOOLS) as engine:
        first, second = await engine.run([write("a"), read("a")])
    assert first.started == pytest.approx(second.started, abs=0.001)
