"""The public face under mypy: what a user's editor shows. Never run; `make check` type-checks it."""

from typing import Any, assert_type

import penstock
from penstock import Call, Engine, Outcome, Ref, formats, tool
from penstock.engine import Batch, Race
from penstock.streams import Subscription
from penstock.tools import Tool, Toolset


@tool
async def bare(city: str) -> dict[str, int]:
    """A tool without options."""
    return {city: 1}


@tool(effects="read", service="weather", timeout=2.0)
def with_options(city: str, days: int = 3) -> int:
    """A tool with options."""
    return days


async def the_tools() -> None:
    assert_type(await bare("Oslo"), dict[str, int])
    assert_type(with_options("Oslo", days=2), int)
    assert_type(bare.name, str)
    assert_type(bare.tags, frozenset[str])


async def the_engine() -> None:
    async with Engine([bare, with_options]) as engine:
        assert_type(engine, Engine)
        calls: list[Call] = formats.openai_chat.parse({})  # found by name: untyped on purpose
        outcomes = await engine.run(calls, timeout=1.0, on_error="fail_fast")
        assert_type(outcomes, list[Outcome])
        async for outcome in engine.stream(calls):
            assert_type(outcome, Outcome)
        assert_type(await engine.race([calls, calls]), Race)


async def the_batch(engine: Engine, calls: list[Call]) -> None:
    batch = engine.submit(calls, timeout=30)
    assert_type(batch, Batch)
    assert_type(batch.events(after=0), Subscription)
    assert_type(batch.cancel("user left"), int)
    assert_type(batch.branch("b").cancel("lost"), int)
    assert_type(await batch, list[Outcome])


def the_nouns(outcome: Outcome, toolset: Toolset) -> None:
    assert_type(Ref("a")["items"][0], Ref)
    assert_type(outcome.ok, bool)
    assert_type(outcome.error, BaseException | None)
    assert_type(outcome.duration, float)
    assert_type(toolset["bare"], Tool[..., Any])
    assert_type(penstock.run_sync([bare], [Call("bare", {"city": "Oslo"})]), list[Outcome])
