"""Haystack: an agent run with a coroutine tool, and its limit of concurrent tool calls lifted.

Since Haystack 3 the agent owns tool execution; there is no ToolInvoker any more.
"""
# /// script
# dependencies = ["haystack-ai==3.4.0", "uvloop==0.23.0"]
# ///

from haystack import component
from haystack.components.agents import Agent
from haystack.dataclasses import ChatMessage, ToolCall
from haystack.tools import Tool

from benches.rivals._turn import Measured, Rival, Round, Turn, Watch, tool_on_loop

PARAMETERS = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "days": {"type": "integer", "default": 3}},
    "required": ["city"],
}


@component
class Scripted:
    """Replies with the calls, then, asked with their results, with a text."""

    def begin(self, reply: ChatMessage) -> None:
        self.watch = Watch()
        self.results: list[ChatMessage] = []
        self._reply: ChatMessage | None = reply

    @component.output_types(replies=list[ChatMessage])
    def run(self, messages: list[ChatMessage], tools=None, **options) -> dict:
        self.watch.asked()
        self.results = [message for message in messages if message.tool_call_result]
        reply, self._reply = self._reply, None
        self.watch.replied()
        return {"replies": [reply or ChatMessage.from_assistant("done")]}

    @component.output_types(replies=list[ChatMessage])
    async def run_async(self, messages: list[ChatMessage], tools=None, **options) -> dict:
        return self.run(messages, tools)


async def prepare(turn: Turn) -> Round:
    model = Scripted()
    function = tool_on_loop(turn.delay)
    tool = Tool("forecast", function.__doc__ or "", PARAMETERS, async_function=function)
    agent = Agent(chat_generator=model, tools=[tool], tool_concurrency_limit=turn.count)

    async def run_round() -> Measured:
        model.begin(scripted(turn))
        await agent.run_async(messages=[ChatMessage.from_user("The weather, please.")])
        results = [message.tool_call_result for message in model.results]
        return Measured(model.watch.nanoseconds, [(r.origin.id, r.result) for r in results])

    return run_round


def scripted(turn: Turn) -> ChatMessage:
    calls = [
        ToolCall("forecast", arguments, id=id_)
        for id_, arguments in zip(turn.ids(), turn.arguments(), strict=True)
    ]
    return ChatMessage.from_assistant(tool_calls=calls)


RIVAL = Rival("haystack", "Haystack Agent", "async", "haystack-ai", prepare)
