"""A model's turn."""

import asyncio
import json

from penstock import Engine, formats, tool
from penstock.testing import every_cancel_point


@tool(effects="read")
async def forecast(city: str, days: int = 3) -> dict[str, object]:
    await asyncio.sleep(0.1 * days)
    return {"city": city, "days": days}


def asked(number: int, name: str, arguments: str) -> dict[str, object]:
    call = {"name": name, "arguments": arguments}
    return {"id": f"call_{number}", "type": "function", "function": call}


REPLY = {
    "choices": [
        {
            "message": {
                "role": "assistant",
                "content": "Let me look.",
                "tool_calls": [
                    asked(1, "forecast", '{"city": "Oslo", "days": 3}'),
                    asked(2, "forecast", '{"city": "Oslo", "days'),
                    asked(3, "forcast", '{"city": "Rome"}'),
                    asked(4, "forecast", '{"city": "Rome", "days": "many"}'),
                    asked(5, "forecast", '{"city": "Rome", "days": 1}'),
                ],
            }
        }
    ]
}


async def test_a_bad_call_costs_the_others_nothing() -> None:
    """A model asks for five forecasts.

    The second call's JSON breaks off, the third names a tool that does not exist, the fourth
    gives a word for a number. The two good ones run, in parallel. The model gets five messages
    in the order in which it asked, each with the id of its call, and each fault is told in
    words that it can act on.
    """
    async with Engine([forecast]) as engine:
        outcomes = await engine.run(formats.openai_chat.parse(REPLY))
    assert [o.status for o in outcomes] == ["ok", "rejected", "rejected", "rejected", "ok"]

    messages = formats.openai_chat.render(outcomes)
    assert [message["tool_call_id"] for message in messages] == [f"call_{n}" for n in range(1, 6)]
    texts = [str(message["content"]) for message in messages]
    assert json.loads(texts[0]) == {"city": "Oslo", "days": 3}
    assert json.loads(texts[4]) == {"city": "Rome", "days": 1}
    assert "JSON" in texts[1]
    assert "forecast" in texts[2]
    assert "days" in texts[3]
    # The slow forecast started first and ended last: nothing waited for it.
    assert outcomes[4].ended < outcomes[0].ended


def test_it_can_stop_anywhere() -> None:
    assert every_cancel_point(test_a_bad_call_costs_the_others_nothing) > 3
