"""The scripted reply as the bytes that a chat completions endpoint answers with."""

import json

from benches.rivals._turn import Turn


def openai_chat_reply(turn: Turn) -> bytes:
    calls = [
        {
            "id": id_,
            "type": "function",
            "function": {"name": "forecast", "arguments": json.dumps(arguments)},
        }
        for id_, arguments in zip(turn.ids(), turn.arguments(), strict=True)
    ]
    message = {"role": "assistant", "content": None, "tool_calls": calls}
    choice = {"index": 0, "message": message, "finish_reason": "tool_calls"}
    reply = {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1700000000,
        "model": "scripted",
        "choices": [choice],
        "usage": {"prompt_tokens": 10, "completion_tokens": 10, "total_tokens": 20},
    }
    return json.dumps(reply).encode()
