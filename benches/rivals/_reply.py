"""The scripted reply as the bytes that OpenAI's chat completions endpoint answers with.

It indents its JSON with two spaces; the arguments inside are compact, as its models write them.
"""

import json

from benches.rivals._turn import Turn


def openai_chat_reply(turn: Turn) -> bytes:
    calls = [
        {
            "id": id_,
            "type": "function",
            "function": {"name": "forecast", "arguments": compact(arguments)},
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
    return json.dumps(reply, indent=2).encode()


def compact(arguments: dict[str, object]) -> str:
    return json.dumps(arguments, separators=(",", ":"))
