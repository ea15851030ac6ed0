"""Streams of the four providers, as decoded pieces: the calls of one reply, one after the other."""

import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from penstock.cli.bench.early._asked import pieces

Piece = dict[str, Any]


def openai_chat(asked: Sequence[str]) -> Iterator[Piece]:
    def piece(delta: Piece, reason: str | None = None) -> Piece:
        return {"choices": [{"index": 0, "delta": delta, "finish_reason": reason}]}

    for index, text in enumerate(asked):
        start = {"name": "tool", "arguments": ""}
        yield piece({"tool_calls": [{"index": index, "id": f"call_{index}", "function": start}]})
        for part in pieces(text):
            yield piece({"tool_calls": [{"index": index, "function": {"arguments": part}}]})
    yield piece({}, "tool_calls")


def openai_responses(asked: Sequence[str]) -> Iterator[Piece]:
    kind = "response.function_call_arguments"
    for place, text in enumerate(asked):
        at = {"output_index": place, "item_id": f"fc_{place}"}
        names = {"type": "function_call", "id": f"fc_{place}", "call_id": f"call_{place}"}
        item = {**names, "name": "tool", "arguments": ""}
        yield {"type": "response.output_item.added", "output_index": place, "item": item}
        for part in pieces(text):
            yield {"type": f"{kind}.delta", **at, "delta": part}
        yield {"type": f"{kind}.done", **at, "arguments": text}
        item = {**item, "arguments": text}
        yield {"type": "response.output_item.done", "output_index": place, "item": item}
    yield {"type": "response.completed", "response": {"status": "completed"}}


def anthropic(asked: Sequence[str]) -> Iterator[Piece]:
    for index, text in enumerate(asked):
        block = {"type": "tool_use", "id": f"toolu_{index}", "name": "tool", "input": {}}
        yield {"type": "content_block_start", "index": index, "content_block": block}
        for part in pieces(text):
            delta = {"type": "input_json_delta", "partial_json": part}
            yield {"type": "content_block_delta", "index": index, "delta": delta}
        yield {"type": "content_block_stop", "index": index}
    yield {"type": "message_delta", "delta": {"stop_reason": "tool_use"}}
    yield {"type": "message_stop"}


def gemini(asked: Sequence[str]) -> Iterator[Piece]:
    """Values by path, texts in pieces: whole calls in one part would leave nothing to read early."""

    def piece(call: Piece, **more: str) -> Piece:
        content = {"parts": [{"functionCall": call}]}
        return {"candidates": [{"content": content, **more}]}

    for text in asked:
        yield piece({"name": "tool", "willContinue": True})
        for path, value in _leaves(json.loads(text), "$"):
            parts = pieces(value) if isinstance(value, str) and value else [value]
            for number, part in enumerate(parts, 1):
                one = {"jsonPath": path, **_typed(part), "willContinue": number < len(parts)}
                yield piece({"partialArgs": [one], "willContinue": True})
        yield piece({})
    yield {"candidates": [{"finishReason": "STOP"}]}


def _leaves(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value)
    for step, item in inner:
        place = f"{path}[{step}]" if isinstance(step, int) else f"{path}['{step}']"
        if isinstance(item, (dict, list)):
            yield from _leaves(item, place)
        else:
            yield place, item


def _typed(value: Any) -> Piece:
    kind = {str: "stringValue", bool: "boolValue"}.get(type(value), "numberValue")
    return {kind: value}


WIRES: dict[str, Callable[[Sequence[str]], Iterator[Piece]]] = {
    "anthropic": anthropic,
    "gemini": gemini,
    "openai_chat": openai_chat,
    "openai_responses": openai_responses,
}
