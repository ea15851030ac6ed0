"""Replies that are still being written: when calls start, and what ends, cuts and errors do."""

import asyncio
import json
from typing import Any

import pytest

from penstock import Call, Engine, formats, tool
from penstock.errors import BadReply, CallCancelled, ConfigError, EngineClosed, ReplyClosed
from penstock.formats import CallClosed, MessageEnd
from penstock.testing.chaos import every_cancel_point
from unit.engine.speaking import END, chunks, play

LOG: list[str] = []


@pytest.fixture(autouse=True)
def _empty_log() -> None:
    LOG.clear()


@tool(effects="read")
async def look(at: str, seconds: float = 1.0) -> str:
    LOG.append(f"look {at}")
    try:
        await asyncio.sleep(seconds)
    except asyncio.CancelledError:
        LOG.append(f"cancelled {at}")
        raise
    LOG.append(f"saw {at}")
    return at.upper()


@tool
async def write(to: str) -> str:
    LOG.append(f"write {to}")
    await asyncio.sleep(1)
    LOG.append(f"wrote {to}")
    return to


async def test_a_read_starts_when_it_is_complete_and_a_write_with_the_end() -> None:
    async with Engine([look, write]) as engine, engine.reply(formats.anthropic) as reply:
        await play(reply, chunks(0, "write", to="a") + chunks(1, "look", at="b", seconds=0.05))
        assert LOG == ["look b", "saw b"]
        await play(reply, END)
        assert LOG[2:] == ["write a"]
        outcomes = await reply.outcomes()
    assert [(o.id, o.index, o.value) for o in outcomes] == [("id-0", 0, "a"), ("id-1", 1, "B")]
    assert [o.call for o in outcomes] == reply.calls


async def test_early_writes_start_when_they_are_complete() -> None:
    async with (
        Engine([look, write]) as engine,
        engine.reply(formats.anthropic, early_writes=True) as reply,
    ):
        await play(reply, chunks(0, "write", to="a"))
        assert LOG == ["write a"]
        assert [call.id for call in reply.started] == ["id-0"]
        await play(reply, END)
        await reply.outcomes()
    assert LOG == ["write a", "wrote a"]


async def test_outcomes_are_those_of_the_whole_reply() -> None:
    pieces = [
        *chunks(0, "look", at="a"),
        *chunks(1, "look", at=7),
        *chunks(2, "nothing"),
        *chunks(3, "write", to="b"),
        *END,
    ]
    blocks = [
        {"type": "tool_use", "id": "id-0", "name": "look", "input": {"at": "a"}},
        {"type": "tool_use", "id": "id-1", "name": "look", "input": {"at": 7}},
        {"type": "tool_use", "id": "id-2", "name": "nothing", "input": {}},
        {"type": "tool_use", "id": "id-3", "name": "write", "input": {"to": "b"}},
    ]
    async with Engine([look, write]) as engine:
        whole = await engine.run(formats.anthropic.parse(blocks))
        async with engine.reply(formats.anthropic) as reply:
            await play(reply, pieces)
            early = await reply.outcomes()
    assert formats.anthropic.render(early) == formats.anthropic.render(whole)
    assert [o.status for o in early] == ["ok", "rejected", "rejected", "ok"]
    assert [o.index for o in early] == [0, 1, 2, 3]


async def test_a_rejected_call_leaves_its_siblings_running() -> None:
    async with Engine([look]) as engine, engine.reply(formats.anthropic) as reply:
        await play(reply, chunks(0, "look", at="a", seconds=9) + chunks(1, "look", wrong=1) + END)
        assert [o.status for o in await reply.outcomes()] == ["ok", "rejected"]


async def test_arguments_that_the_model_did_not_finish_are_rejected() -> None:
    *cut, stop = chunks(0, "look", at="a long text that is cut")
    end = [{"type": "message_delta", "delta": {"stop_reason": "max_tokens"}}, END[1]]
    async with Engine([look]) as engine, engine.reply(formats.anthropic) as reply:
        await play(reply, [*cut[:-1], stop, *end])
        (outcome,) = await reply.outcomes()
    assert outcome.status == "rejected"
    assert reply.ended == "max_tokens"


async def test_calls_without_ids_are_named_by_their_place() -> None:
    parts = [{"functionCall": {"name": "look", "args": {"at": at}}} for at in "ab"]
    pieces: list[dict[str, Any]] = [
        {"candidates": [{"content": {"parts": [part]}}]} for part in parts
    ]
    pieces.append({"candidates": [{"finishReason": "STOP"}]})
    async with Engine([look]) as engine, engine.reply(formats.gemini) as reply:
        await play(reply, pieces)
        outcomes = await reply.outcomes()
    assert [outcome.id for outcome in outcomes] == ["call-0", "call-1"]
    assert [outcome.value for outcome in outcomes] == ["A", "B"]


async def test_calls_that_close_in_one_piece_start_together() -> None:
    parts = [{"functionCall": {"name": "look", "args": {"at": at}}} for at in "abc"]
    async with Engine([look]) as engine, engine.reply(formats.gemini) as reply:
        reply.feed({"candidates": [{"content": {"parts": parts}, "finishReason": "STOP"}]})
        await asyncio.sleep(0)
        assert LOG == ["look a", "look b", "look c"]
        await reply.outcomes()


async def test_a_broken_reply_starts_no_write_and_keeps_its_reads() -> None:
    async with Engine([look, write]) as engine:
        async with engine.reply(formats.anthropic) as reply:
            await play(reply, chunks(0, "look", at="a") + chunks(1, "write", to="b"))
            await play(reply, chunks(2, "look", at="c")[:-1])
        assert reply.ended == "broken"
        outcomes = await reply.outcomes()
    assert [o.status for o in outcomes] == ["ok", "cancelled"]
    assert isinstance(outcomes[1].error, CallCancelled)
    assert outcomes[1].index == 1
    assert LOG == ["look a", "saw a"]


async def test_discarding_cancels_reads_and_starts_nothing_more() -> None:
    async with Engine([look, write]) as engine, engine.reply(formats.anthropic) as reply:
        await play(reply, chunks(0, "look", at="a", seconds=60) + chunks(1, "write", to="b"))
        reply.discard("a guardrail")
        assert reply.ended == "broken"
        assert await reply.outcomes() == []
    assert LOG == ["look a", "cancelled a"]


async def test_writes_that_started_outlive_a_discard() -> None:
    async with (
        Engine([look, write]) as engine,
        engine.reply(formats.anthropic, early_writes=True) as reply,
    ):
        await play(reply, chunks(0, "look", at="a", seconds=60) + chunks(1, "write", to="b"))
        reply.discard("a fallback")
        assert [call.tool for call in reply.started] == ["write"]
        (outcome,) = await reply.outcomes()
    assert (outcome.value, outcome.index) == ("b", 0)


async def test_a_discarded_reply_takes_nothing_more() -> None:
    async with Engine([look]) as engine, engine.reply(formats.anthropic) as reply:
        reply.discard("a retry")
        with pytest.raises(ReplyClosed, match="a retry"):
            reply.feed(END[0])


async def fail_in_block(engine: Engine) -> None:
    async with engine.reply(formats.anthropic) as reply:
        await play(reply, chunks(0, "look", at="a", seconds=60))
        raise KeyError


async def test_an_error_in_the_block_discards_and_waits_for_the_reads() -> None:
    async with Engine([look]) as engine:
        with pytest.raises(KeyError):
            await fail_in_block(engine)
        assert LOG == ["look a", "cancelled a"]


async def test_who_is_cancelled_while_waiting_cancels_the_calls() -> None:
    async with Engine([look, write]) as engine, engine.reply(formats.anthropic) as reply:
        await play(
            reply, chunks(0, "look", at="a", seconds=60) + chunks(1, "write", to="b") + END, 0
        )
        waiting = asyncio.ensure_future(reply.outcomes())
        await asyncio.sleep(0.1)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert LOG == ["look a", "write b", "cancelled a"]


async def test_leaving_the_block_leaves_the_calls_running() -> None:
    async with Engine([look]) as engine:
        async with engine.reply(formats.anthropic) as reply:
            await play(reply, chunks(0, "look", at="a") + END, 0)
        assert [o.value for o in await reply.outcomes()] == ["A"]
        assert [o.value for o in await reply.outcomes()] == ["A"]


async def test_a_full_engine_delays_early_calls_to_the_end() -> None:
    async with Engine([look], max_pending=1) as engine, engine.reply(formats.anthropic) as reply:
        await play(reply, chunks(0, "look", at="a") + chunks(1, "look", at="b") + END, 0)
        assert LOG == ["look a"]
        await asyncio.sleep(2)
        assert [o.value for o in await reply.outcomes()] == ["A", "B"]


async def test_a_read_that_goes_on_after_its_end_is_replaced() -> None:
    def piece(arguments: str, **more: Any) -> dict[str, Any]:
        call = {"index": 0, "function": {"arguments": arguments, **more}, "id": "1"}
        return {"choices": [{"index": 0, "delta": {"tool_calls": [call]}}]}

    async with Engine([look]) as engine, engine.reply(formats.openai_chat) as reply:
        await play(reply, [piece('{"at": "a"}', name="look"), piece('{"at": "b"}')])
        reply.feed("data: [DONE]")
        (outcome,) = await reply.outcomes()
    assert outcome.status == "rejected"
    assert LOG == ["look a", "cancelled a"]


async def test_of_a_call_that_ends_twice_in_one_piece_the_later_is_made() -> None:
    def line(arguments: str, **more: Any) -> str:
        call = {"index": 0, "function": {"arguments": arguments, **more}, "id": "1"}
        return f"data: {json.dumps({'choices': [{'index': 0, 'delta': {'tool_calls': [call]}}]})}"

    async with Engine([look]) as engine, engine.reply(formats.openai_chat) as reply:
        reply.feed(line('{"at": "a"}', name="look") + "\n\n" + line('{"at": "b"}'))
        reply.feed("data: [DONE]")
        (outcome,) = await reply.outcomes()
    assert outcome.status == "rejected"
    assert LOG == []


async def test_the_lead_is_counted() -> None:
    async with Engine([look]) as engine, engine.reply(formats.anthropic) as reply:
        await play(reply, chunks(0, "look", at="a", seconds=0), 0)
        await asyncio.sleep(3)
        await play(reply, chunks(1, "look", at="b", seconds=0), 0)
        await asyncio.sleep(2)
        await play(reply, END, 0)
        found = reply.statistics()
        await reply.outcomes()
    assert (found.calls, found.early) == (2, 2)
    assert found.lead == pytest.approx(7.0, abs=0.01)


async def test_options_are_those_of_a_batch() -> None:
    async with Engine([look]) as engine, engine.reply(formats.anthropic, timeout=5) as reply:
        await play(reply, chunks(0, "look", at="a", seconds=60) + END, 0)
        (outcome,) = await reply.outcomes()
    assert outcome.status == "timeout"


@pytest.mark.parametrize(
    "options", [{"on_error": "fail_fast"}, {"max_parallel": 1}, {"timeout": -1}, {"priorty": 1}]
)
async def test_misuse_is_told_before_anything_runs(options: dict[str, Any]) -> None:
    async with Engine([look]) as engine:
        with pytest.raises(ConfigError):
            engine.reply(formats.anthropic, **options)


async def test_a_format_that_nobody_streams_is_refused() -> None:
    async with Engine([look]) as engine:
        for format in (formats.mcp, formats.get("mcp")):
            with pytest.raises(ConfigError, match="stream"):
                engine.reply(format)


async def test_a_closed_engine_reads_no_reply() -> None:
    engine = Engine([look])
    await engine.aclose()
    with pytest.raises(EngineClosed):
        engine.reply(formats.anthropic)


async def test_events_are_those_of_the_reader() -> None:
    async with Engine([look]) as engine, engine.reply(formats.get("anthropic")) as reply:
        events = [event for piece in chunks(0, "look", at="a") + END for event in reply.feed(piece)]
        assert [type(event) for event in events[-2:]] == [CallClosed, MessageEnd]
        with pytest.raises(BadReply):
            reply.feed("data: {")
        assert all(isinstance(call, Call) for call in reply.calls)
        await reply.outcomes()


def test_cancelled_at_any_moment_it_leaves_nothing_behind() -> None:
    async def story() -> None:
        LOG.clear()
        async with Engine([look, write]) as engine, engine.reply(formats.anthropic) as reply:
            await play(reply, chunks(0, "look", at="a", seconds=0.3) + chunks(1, "write", to="b"))
            await play(reply, END)
            assert len(await reply.outcomes()) == 2

    assert every_cancel_point(story) > 10
