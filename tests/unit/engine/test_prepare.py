"""Preparations: when they begin, who gets what they return, and what undoes them."""

import asyncio
from functools import partial
from typing import Any

import pytest

import penstock
from penstock import Call, Engine, Retry, formats, tool
from penstock.testing.chaos import every_cancel_point
from unit.engine import speaking
from unit.engine.speaking import END, play

LOG: list[str] = []


@pytest.fixture(autouse=True)
def _empty_log() -> None:
    LOG.clear()


async def connect(arguments: dict[str, Any]) -> str:
    LOG.append(f"prepare {arguments}")
    await asyncio.sleep(1)
    if arguments["host"] == "down":
        raise OSError
    return f"open {arguments['host']}"


async def close(staged: str) -> None:
    LOG.append(f"abort {staged}")


@tool(effects="read", early=["host"], prepare=connect, abort=close)
async def fetch(host: str, path: str) -> str:
    return f"{path} of {await penstock.prepared()}"


@tool(early=["host"], prepare=connect, abort=close)
async def send(host: str, text: str) -> str:
    return f"{text} to {await penstock.prepared()}"


@tool(effects="read", early=["host"], prepare=connect, abort=close)
async def ignore(host: str) -> str:
    return host


chunks = partial(speaking.chunks, size=4)


async def values(pieces: list[dict[str, Any]], *tools: Any) -> list[Any]:
    async with Engine(tools) as engine, engine.reply(formats.anthropic) as reply:
        await play(reply, pieces)
        return [outcome.value for outcome in await reply.outcomes()]


async def test_it_begins_when_its_arguments_are_there_and_the_call_gets_it() -> None:
    pieces = chunks(0, "fetch", host="a", path="a very long path, which the model still writes")
    assert await values(pieces + END, fetch) == [
        "a very long path, which the model still writes of open a"
    ]
    assert LOG == ["prepare {'host': 'a'}"]


async def test_each_call_gets_its_own() -> None:
    pieces = chunks(0, "fetch", host="a", path="x") + chunks(1, "fetch", host="b", path="y") + END
    assert await values(pieces, fetch) == ["x of open a", "y of open b"]


async def test_one_that_fails_is_none_for_the_call() -> None:
    assert await values(chunks(0, "fetch", host="down", path="x") + END, fetch) == ["x of None"]


async def test_a_call_that_never_asks_has_it_undone() -> None:
    assert await values(chunks(0, "ignore", host="a") + END + [{"type": "ping"}] * 12, ignore) == [
        "a"
    ]
    assert LOG == ["prepare {'host': 'a'}", "abort open a"]


async def test_a_call_that_is_rejected_has_it_undone() -> None:
    pieces = chunks(0, "fetch", host="a", wrong=1) + END
    async with Engine([fetch]) as engine, engine.reply(formats.anthropic) as reply:
        await play(reply, pieces, 1.0)
        (outcome,) = await reply.outcomes()
    assert outcome.status == "rejected"
    assert LOG == ["prepare {'host': 'a'}", "abort open a"]


async def test_a_write_is_prepared_early_and_made_at_the_end() -> None:
    assert await values(chunks(0, "send", host="a", text="hi") + END, send) == ["hi to open a"]


async def test_a_reply_that_breaks_undoes_what_no_call_will_take() -> None:
    async with Engine([send, fetch]) as engine:
        async with engine.reply(formats.anthropic) as reply:
            await play(reply, chunks(0, "send", host="a", text="hi"), 1.0)
            await play(reply, chunks(1, "fetch", host="b", path="x")[:-1], 1.0)
        assert LOG[-2:] == ["abort open a", "abort open b"]
        assert len(LOG) == 4


async def test_discarding_cancels_one_that_runs() -> None:
    async with Engine([send]) as engine, engine.reply(formats.anthropic) as reply:
        await play(reply, chunks(0, "send", host="a", text="hi"), 0)
        reply.discard("a guardrail")
        assert await reply.outcomes() == []
    assert LOG == ["prepare {'host': 'a'}"]


async def fail_in_block(engine: Engine) -> None:
    async with engine.reply(formats.anthropic) as reply:
        await play(reply, chunks(0, "send", host="a", text="hi"), 1.0)
        raise KeyError


async def test_an_error_in_the_block_undoes_it() -> None:
    async with Engine([send]) as engine:
        with pytest.raises(KeyError):
            await fail_in_block(engine)
    assert LOG == ["prepare {'host': 'a'}", "abort open a"]


async def test_abort_is_tried_three_times(caplog: pytest.LogCaptureFixture) -> None:
    tries = []

    def stuck(staged: str) -> None:
        tries.append(staged)
        raise OSError

    never = ignore.replace(abort=stuck)
    await values(chunks(0, "ignore", host="a") + END + [{"type": "ping"}] * 12, never)
    assert tries == ["open a"] * 3
    assert "abort of 'ignore' failed 3 times" in caplog.text


async def test_every_attempt_gets_the_same() -> None:
    seen = []

    @tool(effects="read", early=["host"], prepare=connect, retries=Retry(attempts=2, base=0.01))
    async def flaky(host: str) -> str:
        seen.append(await penstock.prepared())
        if len(seen) == 1:
            raise ConnectionError
        return host

    assert await values(chunks(0, "flaky", host="a") + END, flaky) == ["a"]
    assert seen == ["open a"] * 2


async def test_a_plain_function_can_prepare() -> None:
    quick = fetch.replace(prepare=lambda arguments: arguments["host"].upper())
    assert await values(chunks(0, "fetch", host="a", path="x") + END, quick) == ["x of A"]


async def test_without_a_stream_nothing_is_prepared() -> None:
    async with Engine([fetch]) as engine:
        (outcome,) = await engine.run([Call("fetch", {"host": "a", "path": "x"})])
    assert outcome.value == "x of None"
    assert await penstock.prepared() is None


def test_cancelled_at_any_moment_it_leaves_nothing_behind() -> None:
    async def story() -> None:
        LOG.clear()
        try:
            pieces = chunks(0, "fetch", host="a", path="x") + chunks(1, "send", host="b", text="y")
            await values(pieces + END, fetch, send)
        finally:
            begun = sum(line.startswith("prepare") for line in LOG)
            undone = sum(line.startswith("abort") for line in LOG)
            assert undone <= begun

    assert every_cancel_point(story) > 10


@tool(early=["host"], prepare=connect, abort=close)
async def late(host: str) -> str:
    await asyncio.sleep(5)
    LOG.append(f"late with {await penstock.prepared()}")
    return host


async def start_late_and_fail(engine: Engine) -> None:
    async with engine.reply(formats.anthropic, early_writes=True) as reply:
        await play(reply, chunks(0, "late", host="a"))
        await asyncio.sleep(1)
        raise KeyError


async def test_a_write_that_outlives_its_reply_does_the_work_itself() -> None:
    async with Engine([late]) as engine:
        with pytest.raises(KeyError):
            await start_late_and_fail(engine)
        await asyncio.sleep(5)
    assert LOG == ["prepare {'host': 'a'}", "abort open a", "late with None"]


async def test_a_call_that_is_cancelled_while_it_waits_ends_its_preparation() -> None:
    async def forever(arguments: dict[str, Any]) -> None:
        try:
            await asyncio.sleep(1e6)
        finally:
            LOG.append("ended")

    slow = fetch.replace(prepare=forever)
    async with Engine([slow]) as engine, engine.reply(formats.anthropic, timeout=2.0) as reply:
        await play(reply, chunks(0, "fetch", host="a", path="x") + END)
        (outcome,) = await reply.outcomes()
    assert outcome.status == "timeout"
    assert LOG == ["ended"]
