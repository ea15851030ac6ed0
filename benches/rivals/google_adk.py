"""Google ADK: an agent run by the in-memory runner; coroutine tools of one reply run in parallel."""
# /// script
# dependencies = ["google-adk==2.13.0", "google-genai==2.34.0", "uvloop==0.23.0"]
# ///

from collections.abc import AsyncGenerator

from google.adk.agents import LlmAgent
from google.adk.models import BaseLlm, LlmRequest, LlmResponse
from google.adk.runners import InMemoryRunner
from google.genai import types

from benches.rivals._turn import Measured, Rival, Round, Turn, Watch, tool_on_loop


class Scripted(BaseLlm):
    """Replies with the calls, then, asked with their responses, with a text."""

    watch: Watch
    replies: list[types.Content]
    responses: list[types.FunctionResponse]

    async def generate_content_async(
        self, llm_request: LlmRequest, stream: bool = False
    ) -> AsyncGenerator[LlmResponse, None]:
        self.watch.asked()
        parts = llm_request.contents[-1].parts or []
        self.responses = [part.function_response for part in parts if part.function_response]
        response = LlmResponse(content=self.replies.pop(0))
        self.watch.replied()
        yield response


async def prepare(turn: Turn) -> Round:
    tool = tool_on_loop(turn.delay)

    async def run_round() -> Measured:
        done = types.Content(role="model", parts=[types.Part(text="done")])
        model = Scripted(
            model="scripted", watch=Watch(), replies=[scripted(turn), done], responses=[]
        )
        runner = InMemoryRunner(LlmAgent(name="forecaster", model=model, tools=[tool]))
        session = await runner.session_service.create_session(
            app_name=runner.app_name, user_id="user"
        )
        question = types.Content(role="user", parts=[types.Part(text="The weather, please.")])
        async for _event in runner.run_async(
            user_id="user", session_id=session.id, new_message=question
        ):
            pass
        return Measured(
            model.watch.nanoseconds, [(r.id, r.response["result"]) for r in model.responses]
        )

    return run_round


def scripted(turn: Turn) -> types.Content:
    parts = [
        types.Part(function_call=types.FunctionCall(id=id_, name="forecast", args=arguments))
        for id_, arguments in zip(turn.ids(), turn.arguments(), strict=True)
    ]
    return types.Content(role="model", parts=parts)


RIVAL = Rival("google_adk", "Google ADK", "async", "google-adk", prepare)
