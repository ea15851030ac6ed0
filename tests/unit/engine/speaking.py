"""A model that speaks in Anthropic's wire format, piece by piece."""

import asyncio
import json
from typing import Any

from penstock.engine import Reply


def chunks(number: int, name: str, size: int = 8, **arguments: Any) -> list[dict[str, Any]]:
    """The events of one block of Anthropic's stream."""
    text = json.dumps(arguments)
    block = {"type": "tool_use", "id": f"id-{number}", "name": name, "input": {}}
    deltas = [
        {"type": "input_json_delta", "partial_json": text[at : at + size]}
        for at in range(0, len(text), size)
    ]
    return [
        {"type": "content_block_start", "index": number, "content_block": block},
        *({"type": "content_block_delta", "index": number, "delta": delta} for delta in deltas),
        {"type": "content_block_stop", "index": number},
    ]


END = [
    {"type": "message_delta", "delta": {"stop_reason": "tool_use"}},
    {"type": "message_stop"},
]


async def play(reply: Reply, pieces: list[dict[str, Any]], pause: float = 0.1) -> None:
    for piece in pieces:
        reply.feed(piece)
        await asyncio.sleep(pause)
