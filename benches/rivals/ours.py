"""Penstock: parse the reply's bytes, run the calls, render the tool messages."""
# /// script
# dependencies = []
# ///

import time

from benches.rivals._reply import openai_chat_reply
from benches.rivals._turn import Measured, Rival, Round, Turn, tool_on_loop
from penstock import Engine, formats, tool


async def prepare(turn: Turn) -> Round:
    engine = await turn.cleanup.enter_async_context(Engine([tool(tool_on_loop(turn.delay))]))
    reply = openai_chat_reply(turn)

    async def run_round() -> Measured:
        started = time.perf_counter_ns()
        calls = formats.openai_chat.parse(reply)
        messages = formats.openai_chat.render(await engine.run(calls))
        elapsed = time.perf_counter_ns() - started
        return Measured(elapsed, [(m["tool_call_id"], m["content"]) for m in messages])

    return run_round


RIVAL = Rival("ours", "Penstock", "async", "penstock", prepare)
