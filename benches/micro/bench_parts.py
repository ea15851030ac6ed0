"""The parts of a turn, one by one: `python -m pytest benches/micro/bench_parts.py` (pytest-benchmark).

For finding out where a turn's time goes; the rows with gates are `penstock bench hot`. Each bench
handles 1,000 calls, so that a microsecond of it is a nanosecond a call.
"""

import asyncio
import json
from collections.abc import Iterator

import pytest

from benches.rivals._reply import openai_chat_reply
from benches.rivals._turn import Turn, tool_on_loop
from penstock import Call, Engine, formats, tool

TURN = Turn(count=1000, delay=0.0)
FORECAST = tool(tool_on_loop(TURN.delay))
REPLY = openai_chat_reply(TURN)


@pytest.fixture(scope="module")
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as runner:
        yield runner


@pytest.fixture(scope="module")
def engine(runner: asyncio.Runner) -> Iterator[Engine]:
    engine = Engine([FORECAST])
    runner.run(engine.__aenter__())
    yield engine
    runner.run(engine.aclose())


def test_decode_the_reply(benchmark) -> None:
    """The floor of parsing: nothing but JSON."""
    benchmark(json.loads, REPLY)


@pytest.mark.parametrize("form", ["indented", "compact", "decoded"])
def test_parse(benchmark, form: str) -> None:
    decoded = json.loads(REPLY)
    replies = {
        "indented": REPLY,
        "compact": json.dumps(decoded, separators=(",", ":")).encode(),
        "decoded": decoded,
    }
    assert len(benchmark(formats.openai_chat.parse, replies[form])) == TURN.count


def test_make_calls(benchmark) -> None:
    benchmark(lambda: [Call("forecast", {"city": "Oslo"}) for _ in range(TURN.count)])


def test_validate(benchmark) -> None:
    validate = FORECAST.validator.validate_json
    benchmark(lambda: [validate(b'{"city":"Oslo","days":3}') for _ in range(TURN.count)])


def test_run(benchmark, runner: asyncio.Runner, engine: Engine) -> None:
    calls = formats.openai_chat.parse(REPLY)
    assert len(benchmark(lambda: runner.run(engine.run(calls)))) == TURN.count


@pytest.mark.parametrize("name", ["openai_chat", "openai_responses", "anthropic", "gemini", "mcp"])
def test_render(benchmark, runner: asyncio.Runner, engine: Engine, name: str) -> None:
    outcomes = runner.run(engine.run(formats.openai_chat.parse(REPLY)))
    assert benchmark(getattr(formats, name).render, outcomes)


def test_describe(benchmark) -> None:
    benchmark(formats.openai_chat.describe, [FORECAST])
