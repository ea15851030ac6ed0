"""smolagents: a `ToolCallingAgent` step; tools are plain functions and run in threads.

It has no async door: `max_tool_threads` is what its documentation offers. A slow tool gets a
thread a call (at most 1,000, above which creating threads costs more than it gains), a quick one
the default of the thread pool, which is faster for it.
"""
# /// script
# dependencies = ["smolagents==1.26.0", "uvloop==0.23.0"]
# ///

from smolagents import LogLevel, Model, ToolCallingAgent, tool
from smolagents.models import (
    ChatMessage,
    ChatMessageToolCall,
    ChatMessageToolCallFunction,
    MessageRole,
)

from benches.rivals._turn import Measured, Rival, Round, Turn, Watch, tool_in_thread


class Scripted(Model):
    """Replies with the calls, then, asked with their observations, with the final answer."""

    def __init__(self, turn: Turn) -> None:
        super().__init__(model_id="scripted")
        self.watch = Watch()
        self._replies = [
            message(list(zip(turn.ids(), turn.arguments(), strict=True)), "forecast"),
            message([("call_final", {"answer": "done"})], "final_answer"),
        ]

    def generate(self, messages, **options) -> ChatMessage:
        self.watch.asked()
        reply = self._replies.pop(0)
        if self._replies:
            self.watch.replied()
        return reply


async def prepare(turn: Turn) -> Round:
    threads = min(turn.count, 1000) if turn.delay else None

    async def run_round() -> Measured:
        model = Scripted(turn)
        agent = ToolCallingAgent(
            tools=[tool(tool_in_thread(turn.delay))],
            model=model,
            max_tool_threads=threads,
            verbosity_level=LogLevel.OFF,
        )
        agent.run("The weather, please.")
        step = agent.memory.steps[1]
        ids = [call.id for call in step.tool_calls]
        return Measured(
            model.watch.nanoseconds, list(zip(ids, step.observations.split("\n"), strict=True))
        )

    return run_round


def message(calls: list[tuple[str, dict]], name: str) -> ChatMessage:
    return ChatMessage(
        role=MessageRole.ASSISTANT,
        content="",
        tool_calls=[
            ChatMessageToolCall(ChatMessageToolCallFunction(arguments, name), id_, "function")
            for id_, arguments in calls
        ],
    )


RIVAL = Rival("smolagents", "smolagents", "threads", "smolagents", prepare)
