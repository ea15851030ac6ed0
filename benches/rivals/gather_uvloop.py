"""What one writes by hand: decode the reply, gather the coroutines, build the messages.

No validation, no limits, no timeouts, no record of what happened; one failing tool loses the rest.
"""
# /// script
# dependencies = ["orjson==3.13.0", "uvloop==0.23.0"]
# ///

import asyncio
import time

import orjson

from benches.rivals._reply import openai_chat_reply
from benches.rivals._turn import Measured, Rival, Round, Turn, tool_on_loop


async def prepare(turn: Turn) -> Round:
    tools = {"forecast": tool_on_loop(turn.delay)}
    reply = openai_chat_reply(turn)

    async def run_round() -> Measured:
        started = time.perf_counter_ns()
        calls = orjson.loads(reply)["choices"][0]["message"]["tool_calls"]
        answers = await asyncio.gather(*[run_call(tools, call["function"]) for call in calls])
        messages = [
            {"role": "tool", "tool_call_id": call["id"], "content": answer}
            for call, answer in zip(calls, answers, strict=True)
        ]
        elapsed = time.perf_counter_ns() - started
        return Measured(elapsed, [(m["tool_call_id"], m["content"]) for m in messages])

    return run_round


async def run_call(tools: dict, function: dict) -> str:
    return await tools[function["name"]](**orjson.loads(function["arguments"]))


RIVAL = Rival("gather_uvloop", "asyncio.gather, uvloop", "bare", "uvloop", prepare)
