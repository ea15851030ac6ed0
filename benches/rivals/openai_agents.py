"""OpenAI Agents SDK: an agent run; all function calls of a reply start at once by default.

Tracing is off, as its documentation advises for runs that nobody will look at.
"""
# /// script
# dependencies = ["openai-agents==0.24.0", "openai==3.54.0", "uvloop==0.23.0"]
# ///

import json

from agents import Agent, Model, ModelResponse, RunConfig, Runner, Usage, function_tool
from openai.types.responses import (
    ResponseFunctionToolCall,
    ResponseOutputMessage,
    ResponseOutputText,
)

from benches.rivals._turn import Measured, Rival, Round, Turn, Watch, tool_on_loop


class Scripted(Model):
    """Replies with the calls, then, asked with their outputs, with a text."""

    def __init__(self, turn: Turn) -> None:
        self.watch = Watch()
        self.outputs: list[dict] = []
        self._replies = [calls(turn), [text("done")]]

    async def get_response(self, system_instructions, input, *args, **options) -> ModelResponse:
        self.watch.asked()
        if len(self._replies) == 1:
            self.outputs = [item for item in input if item.get("type") == "function_call_output"]
        reply = ModelResponse(self._replies.pop(0), Usage(), response_id=None)
        self.watch.replied()
        return reply

    def stream_response(self, *args, **options):
        raise NotImplementedError


async def prepare(turn: Turn) -> Round:
    agent = Agent(name="forecaster", tools=[function_tool(tool_on_loop(turn.delay))])

    async def run_round() -> Measured:
        model = Scripted(turn)
        config = RunConfig(model=model, tracing_disabled=True)
        await Runner.run(agent, "The weather, please.", run_config=config)
        return Measured(
            model.watch.nanoseconds, [(item["call_id"], item["output"]) for item in model.outputs]
        )

    return run_round


def calls(turn: Turn) -> list[ResponseFunctionToolCall]:
    return [
        ResponseFunctionToolCall(
            id=f"fc_{id_}",
            call_id=id_,
            type="function_call",
            name="forecast",
            arguments=json.dumps(arguments),
        )
        for id_, arguments in zip(turn.ids(), turn.arguments(), strict=True)
    ]


def text(words: str) -> ResponseOutputMessage:
    content = ResponseOutputText(text=words, type="output_text", annotations=[])
    return ResponseOutputMessage(
        id="msg_1", type="message", role="assistant", status="completed", content=[content]
    )


RIVAL = Rival("openai_agents", "OpenAI Agents SDK", "async", "openai-agents", prepare)
