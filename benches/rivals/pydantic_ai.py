"""Pydantic AI: an agent run; its tools run in parallel by default.

The scripted model states its token usage, or `FunctionModel` would count the tokens of each part.
"""
# /// script
# dependencies = ["pydantic-ai-slim==2.68.0", "uvloop==0.23.0"]
# ///

from pydantic_ai import Agent
from pydantic_ai.messages import ModelMessage, ModelResponse, TextPart, ToolCallPart
from pydantic_ai.models.function import AgentInfo, FunctionModel
from pydantic_ai.usage import RequestUsage

from benches.rivals._turn import Measured, Rival, Round, Turn, Watch, tool_on_loop

USAGE = RequestUsage(input_tokens=10, output_tokens=10)


async def prepare(turn: Turn) -> Round:
    async def run_round() -> Measured:
        watch, reply = Watch(), scripted(turn)
        asked: list[ModelMessage] = []

        async def answer(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
            if len(messages) == 1:
                watch.replied()
                return reply
            watch.asked()
            asked.extend(messages)
            return ModelResponse(parts=[TextPart("done")], usage=USAGE)

        agent.model = FunctionModel(answer)
        await agent.run("The weather, please.")
        return Measured(
            watch.nanoseconds, [(part.tool_call_id, part.content) for part in asked[-1].parts]
        )

    agent = Agent(tools=[tool_on_loop(turn.delay)])
    return run_round


def scripted(turn: Turn) -> ModelResponse:
    calls = [
        ToolCallPart("forecast", arguments, tool_call_id=id_)
        for id_, arguments in zip(turn.ids(), turn.arguments(), strict=True)
    ]
    return ModelResponse(parts=calls, usage=USAGE)


RIVAL = Rival("pydantic_ai", "Pydantic AI", "async", "pydantic-ai-slim", prepare)
