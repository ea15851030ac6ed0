"""OpenAI's Responses.

`function_call` and `custom_tool_call` items are ours. All other items (messages, reasoning, what
OpenAI's servers run themselves, calls of remote MCP servers) are not: they are passed over. The
arguments of a function are always JSON text here; the free text of a custom tool becomes a mapping
with the one key `input`, and that difference tells `render` which output item the API wants.

Reasoning items must go back with the items of the calls: append the whole `output` to the input.

This API takes functions as strict unless told otherwise, and a strict one may have no optional
parameters: `describe` says that they are not.

Source: https://developers.openai.com/api/docs/guides/function-calling,
https://developers.openai.com/api/docs/guides/migrate-to-responses and
https://developers.openai.com/api/reference/resources/responses (2026-11).
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from penstock.calls import Call, Outcome
from penstock.formats._answer import answer
from penstock.formats._protocol import Format, Message
from penstock.formats._reply import (
    Unreadable,
    arguments,
    as_id,
    as_object,
    as_text,
    join_texts,
    objects,
    plain,
    read_calls,
    reading,
    refuse_error,
)
from penstock.formats._streams.openai_responses import OpenAIResponsesReader
from penstock.formats._streams.reader import Reader
from penstock.tools import Tool

NAME = "openai_responses"

_OURS = ("function_call", "custom_tool_call")
_ITEMS = (*_OURS, "reasoning", "message")


def parse(reply: object) -> list[Call]:
    """Return the calls of a response, or of the list of its output items."""
    with reading(NAME):
        path, items = _output(plain(reply))
        return read_calls(items, path, _read_item)


def render(outcomes: Sequence[Outcome]) -> list[Message]:
    """Return one input item for each outcome."""
    return [_output_item(outcome) for outcome in outcomes]


def describe(tools: Iterable[Tool[..., Any]]) -> list[Message]:
    """Return the request's `tools`."""
    return [_function(tool) for tool in tools]


def recognise(reply: object) -> bool:
    """Say whether `reply` has a list `output`, or is a list of output items."""
    if isinstance(reply, Mapping):
        return isinstance(reply.get("output"), list) or reply.get("object") == "response"
    return any(item.get("type") in _ITEMS for item in objects(reply))


def text(reply: object) -> str:
    """Return what the model said beside its calls, or why it refused."""
    with reading(NAME):
        _, items = _output(plain(reply))
        messages = [item for item in objects(items) if item.get("type") == "message"]
        parts = [part for message in messages for part in objects(message.get("content"))]
        return join_texts(parts, "text", "refusal")


def _output(reply: object) -> tuple[str, object]:
    """Return the output items, and where they are."""
    if isinstance(reply, list):
        return "", reply
    response = as_object(reply, "")
    refuse_error(response)
    if "output" not in response:
        raise Unreadable("", "has no `output`")
    return "output", response["output"]


def _read_item(item: Mapping[str, object]) -> Call | None:
    kind = item.get("type")
    if kind not in _OURS:
        return None
    id = as_id(item.get("call_id"), "call_id")
    name = as_text(item.get("name"), "name")
    if kind == "custom_tool_call":
        return Call(name, {"input": as_text(item.get("input"), "input")}, id=id)
    return Call(name, arguments(item.get("arguments")), id=id)


def _output_item(outcome: Outcome) -> Message:
    output, _ = answer(outcome)
    custom = isinstance(outcome.call.arguments, dict) and outcome.call.arguments.keys() == {"input"}
    kind = "custom_tool_call_output" if custom else "function_call_output"
    return {"type": kind, "call_id": outcome.id, "output": output}


def _function(tool: Tool[..., Any]) -> Message:
    function: Message = {"type": "function", "name": tool.name, "parameters": tool.schema}
    if tool.description:
        function["description"] = tool.description
    return {**function, "strict": False}


def reader() -> Reader:
    """Return a reader of one streamed reply: what `parse` says of the whole, while it comes."""
    return OpenAIResponsesReader()


FORMAT = Format(NAME, parse, render, describe, recognise, text, reader)
