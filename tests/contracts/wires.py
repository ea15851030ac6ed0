"""The streams of the four providers, made of calls: as decoded pieces, in any cut and order.

The shapes are those of recorded streams; `SDK_PIECES` makes the SDK's own objects of them.
"""

import importlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import cycle
from typing import Any

Piece = dict[str, Any]


@dataclass(frozen=True)
class Asked:
    """A call as the model writes it."""

    id: str
    name: str
    arguments: str


def cut(text: str, sizes: Sequence[int]) -> list[str]:
    """The text in pieces of these sizes, over and over; one empty piece of nothing."""
    found, at, size = [], 0, cycle(sizes)
    while at < len(text):
        width = next(size)
        found.append(text[at : at + width])
        at += width
    return found or [""]


def interleaved(rows: list[list[Piece]], *, by_turns: bool) -> Iterator[Piece]:
    """The pieces of all calls, one call after the other or one piece of each in turn."""
    if not by_turns:
        for row in rows:
            yield from row
        return
    for at in range(max(map(len, rows), default=0)):
        for row in rows:
            if at < len(row):
                yield row[at]


def openai_chat(asked: Sequence[Asked], sizes: Sequence[int], *, by_turns: bool) -> list[Piece]:
    def piece(delta: Piece, reason: str | None = None) -> Piece:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}
        head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "m"}
        return {**head, "choices": [choice]}

    def call(index: int, one: Asked) -> list[Piece]:
        start = {"name": one.name, "arguments": ""}
        first = {"index": index, "id": one.id, "type": "function", "function": start}
        rest = [
            {"index": index, "function": {"arguments": text}} for text in cut(one.arguments, sizes)
        ]
        return [piece({"tool_calls": [entry]}) for entry in (first, *rest)]

    rows = [call(index, one) for index, one in enumerate(asked)]
    start = piece({"role": "assistant", "content": None})
    return [start, *interleaved(rows, by_turns=by_turns), piece({}, "tool_calls")]


def openai_responses(
    asked: Sequence[Asked], sizes: Sequence[int], *, by_turns: bool
) -> list[Piece]:
    def item(place: int, one: Asked, arguments: str, status: str) -> Piece:
        names = {"id": f"fc_{place}", "call_id": one.id, "name": one.name}
        return {"type": "function_call", **names, "arguments": arguments, "status": status}

    def call(place: int, one: Asked) -> list[Piece]:
        at = {"output_index": place, "item_id": f"fc_{place}"}
        kind = "response.function_call_arguments"
        whole = item(place, one, one.arguments, "completed")
        return [
            {
                "type": "response.output_item.added",
                "output_index": place,
                "item": item(place, one, "", "in_progress"),
            },
            *({"type": f"{kind}.delta", **at, "delta": text} for text in cut(one.arguments, sizes)),
            {"type": f"{kind}.done", **at, "name": one.name, "arguments": one.arguments},
            {"type": "response.output_item.done", "output_index": place, "item": whole},
        ]

    rows = [call(place, one) for place, one in enumerate(asked)]
    output = [item(at, one, one.arguments, "completed") for at, one in enumerate(asked)]
    # All that the SDK's `Response` insists on.
    response = {
        "id": "resp_1",
        "object": "response",
        "created_at": 1.0,
        "model": "m",
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
    }
    pieces = [
        {"type": "response.created", "response": {**response, "status": "queued", "output": []}},
        *interleaved(rows, by_turns=by_turns),
        {
            "type": "response.completed",
            "response": {**response, "status": "completed", "output": output},
        },
    ]
    return [{**piece, "sequence_number": number} for number, piece in enumerate(pieces)]


def anthropic(asked: Sequence[Asked], sizes: Sequence[int], *, by_turns: bool) -> list[Piece]:
    def call(index: int, one: Asked) -> list[Piece]:
        block = {"type": "tool_use", "id": one.id, "name": one.name, "input": {}}
        deltas = [
            {"type": "input_json_delta", "partial_json": text} for text in cut(one.arguments, sizes)
        ]
        return [
            {"type": "content_block_start", "index": index, "content_block": block},
            *({"type": "content_block_delta", "index": index, "delta": d} for d in deltas),
            {"type": "content_block_stop", "index": index},
        ]

    usage = {"input_tokens": 1, "output_tokens": 1}
    message = {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "m",
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": usage,
    }
    return [
        {"type": "message_start", "message": message},
        *interleaved([call(at, one) for at, one in enumerate(asked)], by_turns=by_turns),
        {
            "type": "message_delta",
            "delta": {"stop_reason": "tool_use", "stop_sequence": None},
            "usage": {"output_tokens": 2},
        },
        {"type": "message_stop"},
    ]


def gemini(asked: Sequence[Asked], sizes: Sequence[int], *, by_turns: bool) -> list[Piece]:
    """Each call in a part, as all but the newest models do; `sizes` says how many parts a piece has."""
    calls = [
        {
            "functionCall": {
                "id": one.id,
                "name": one.name,
                "args": json.loads(one.arguments or "{}"),
            }
        }
        for one in asked
    ]
    pieces, rest, size = [], calls, cycle(sizes)
    while rest:
        width = next(size)
        pieces.append(
            {"candidates": [{"index": 0, "content": {"parts": rest[:width], "role": "model"}}]}
        )
        rest = rest[width:]
    end = {
        "index": 0,
        "content": {"parts": [{"text": ""}], "role": "model"},
        "finishReason": "STOP",
    }
    return [*pieces, {"candidates": [end], "usageMetadata": {"totalTokenCount": 2}}]


def gemini_partial(asked: Sequence[Asked], sizes: Sequence[int], *, by_turns: bool) -> list[Piece]:
    """Each value of the arguments by its path, texts in pieces."""
    calls: list[Piece] = []
    for one in asked:
        calls.append({"id": one.id, "name": one.name, "willContinue": True})
        for path, value in leaves(json.loads(one.arguments or "{}"), "$"):
            texts = cut(value, sizes) if isinstance(value, str) else [None]
            for at, text in enumerate(texts):
                part = {"jsonPath": path, **partial(value if text is None else text)}
                if at < len(texts) - 1:
                    part["willContinue"] = True
                calls.append({"partialArgs": [part], "willContinue": True})
        calls.append({})
    parts = [{"functionCall": call} for call in calls]
    pieces = [{"candidates": [{"content": {"parts": [part], "role": "model"}}]} for part in parts]
    return [*pieces, {"candidates": [{"finishReason": "STOP"}]}]


def partial(value: Any) -> Piece:
    if isinstance(value, str):
        return {"stringValue": value}
    if isinstance(value, bool):
        return {"boolValue": value}
    return {"nullValue": "NULL_VALUE"} if value is None else {"numberValue": value}


def leaves(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for key, item in value.items():
            quoted = key.replace("\\", "\\\\").replace("'", "\\'")
            yield from leaves(item, f"{path}['{quoted}']")
    elif isinstance(value, list):
        for at, item in enumerate(value):
            yield from leaves(item, f"{path}[{at}]")
    else:
        yield path, value


Wire = Callable[..., list[Piece]]
WIRES: dict[str, Wire] = {
    "openai_chat": openai_chat,
    "openai_responses": openai_responses,
    "anthropic": anthropic,
    "gemini": gemini,
}


def whole(name: str, asked: Sequence[Asked]) -> Piece:
    """The reply that is not streamed."""
    if name == "openai_chat":
        calls = [
            {"id": o.id, "type": "function", "function": {"name": o.name, "arguments": o.arguments}}
            for o in asked
        ]
        return {"choices": [{"message": {"role": "assistant", "tool_calls": calls}}]}
    if name == "openai_responses":
        return openai_responses(asked, [1], by_turns=False)[-1]["response"]
    inputs = [json.loads(one.arguments or "{}") for one in asked]
    if name == "anthropic":
        blocks = [
            {"type": "tool_use", "id": one.id, "name": one.name, "input": given}
            for one, given in zip(asked, inputs, strict=True)
        ]
        return {"type": "message", "role": "assistant", "content": blocks}
    parts = [
        {"functionCall": {"id": one.id, "name": one.name, "args": given}}
        for one, given in zip(asked, inputs, strict=True)
    ]
    return {"candidates": [{"content": {"parts": parts}}]}


SDK_TYPES = {
    "openai_chat": ("openai.types.chat", "ChatCompletionChunk"),
    "openai_responses": ("openai.types.responses", "ResponseStreamEvent"),
    "anthropic": ("anthropic.types", "RawMessageStreamEvent"),
    "gemini": ("google.genai.types", "GenerateContentResponse"),
}


def sdk_pieces(name: str, pieces: Sequence[Piece]) -> list[Any]:
    """The same as the objects that the provider's SDK yields."""
    from pydantic import TypeAdapter

    module, type_name = SDK_TYPES[name]
    adapter: TypeAdapter[Any] = TypeAdapter(getattr(importlib.import_module(module), type_name))
    return [adapter.validate_python(piece) for piece in pieces]


def sse_lines(name: str, pieces: Sequence[Piece]) -> list[str]:
    """The same as the raw lines of the stream."""
    lines = []
    for piece in pieces:
        if "type" in piece:
            lines.append(f"event: {piece['type']}")
        lines += [f"data: {json.dumps(piece, ensure_ascii=False)}", ""]
    return [*lines, "data: [DONE]", ""] if name == "openai_chat" else lines
