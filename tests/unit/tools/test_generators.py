"""Tools that yield."""

from collections.abc import AsyncIterator

import pytest

import penstock
from penstock import Call, Engine, tool
from penstock.errors import ResultTooLarge
from penstock.tools.generators import is_streaming, joined


async def lines(count: int) -> AsyncIterator[str]:
    """Say lines."""
    for number in range(count):
        yield f"{number}\n"
        await penstock.sleep(1)


async def fails() -> AsyncIterator[str]:
    """Say one thing, then fail."""
    yield "before"
    raise ValueError("after")


async def test_the_value_is_all_parts_and_watchers_get_each() -> None:
    async with Engine([tool(lines)]) as engine:
        batch = engine.submit([Call("lines", {"count": 3})])
        told = [event.data async for event in batch.events(types=["call.output"])]
        assert told == [{"text": "0\n"}, {"text": "1\n"}, {"text": "2\n"}]
        assert (await batch)[0].value == "0\n1\n2\n"


async def test_what_was_told_before_a_failure_is_told_before_the_end() -> None:
    async with Engine([tool(fails)]) as engine:
        batch = engine.submit([Call("fails")])
        types = [event.type async for event in batch.events()]
        assert types[2:4] == ["call.output", "call.ended"]
        assert (await batch)[0].status == "failed"


async def test_one_that_grows_too_large_is_stopped_there() -> None:
    told: list[int] = []

    @tool(value_bytes=10_000)
    async def endless() -> AsyncIterator[str]:
        while True:
            told.append(1)
            yield "x" * 1_000

    async with Engine([endless]) as engine:
        (outcome,) = await engine.run([Call("endless")])
    assert isinstance(outcome.error, ResultTooLarge)
    assert len(told) == 11


async def test_leaving_closes_the_generator() -> None:
    closed = []

    @tool
    async def endless() -> AsyncIterator[int]:
        try:
            while True:
                yield 1
                await penstock.sleep(1)
        finally:
            closed.append(True)

    async with Engine([endless]) as engine:
        batch = engine.submit([Call("endless")])
        await penstock.sleep(2)
        batch.cancel()
        assert (await batch)[0].status == "cancelled"
    assert closed == [True]


def test_a_method_that_yields_is_a_tool_once() -> None:
    class Desk:
        @tool
        async def talk(self) -> AsyncIterator[str]:
            yield "hello"

    assert Desk().talk.name == "talk"
    assert not is_streaming(Desk().talk.function)


@pytest.mark.parametrize(
    ("parts", "value"),
    [
        ([], []),
        (["a", "b"], "ab"),
        ([b"a", b"b"], b"ab"),
        (["a", b"b"], ["a", b"b"]),
        ([{"n": 1}], [{"n": 1}]),
    ],
)
def test_parts_of_one_kind_are_joined(parts: list[object], value: object) -> None:
    assert joined(parts) == value
