"""LangGraph: one `ToolNode` with an async tool; it gathers the calls of the last AI message.

The node is invoked by itself, with the runtime that a graph would hand it: a graph around it only
adds time.
"""
# /// script
# dependencies = ["langgraph==1.2.22", "langgraph-prebuilt==1.1.2", "langchain-core==1.7.2", "uvloop==0.23.0"]
# ///

import time

from langchain_core.messages import AIMessage
from langchain_core.tools import tool
from langgraph.prebuilt import ToolNode
from langgraph.runtime import Runtime

from benches.rivals._turn import Measured, Rival, Round, Turn, tool_on_loop


async def prepare(turn: Turn) -> Round:
    node = ToolNode([tool(tool_on_loop(turn.delay))])
    config = {"configurable": {"__pregel_runtime": Runtime()}}

    async def run_round() -> Measured:
        reply = scripted(turn)
        started = time.perf_counter_ns()
        update = await node.ainvoke({"messages": [reply]}, config)
        elapsed = time.perf_counter_ns() - started
        return Measured(elapsed, [(m.tool_call_id, m.content) for m in update["messages"]])

    return run_round


def scripted(turn: Turn) -> AIMessage:
    calls = [
        {"type": "tool_call", "name": "forecast", "id": id_, "args": arguments}
        for id_, arguments in zip(turn.ids(), turn.arguments(), strict=True)
    ]
    return AIMessage(content="", tool_calls=calls)


RIVAL = Rival("langgraph", "LangGraph ToolNode", "async", "langgraph", prepare)
