"""OpenAI's Chat Completions, and the many servers that speak it.

A refusal has no calls. The deprecated `function_call` carries no id: a call without an id is
answered by a `function` message, which names the function instead. The API has no flag for errors,
so an error is told in the text. A custom tool's free text becomes the one argument `input`.

Source: https://developers.openai.com/api/docs/guides/function-calling and
https://developers.openai.com/api/reference/resources/chat/subresources/completions (2026-11).
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from penstock._codec import encode
from penstock.calls import Call, Outcome
from penstock.formats._answer import answer
from penstock.formats._protocol import Format, Message
from penstock.formats._reply import (
    Unreadable,
    arguments,
    as_id,
    as_list,
    as_object,
    as_text,
    join_texts,
    objects,
    plain,
    read_plain_calls,
    reading,
    refuse_error,
)
from penstock.formats._streams.openai_chat import OpenAIChatReader
from penstock.formats._streams.reader import Reader
from penstock.tools import Tool

NAME = "openai_chat"

_KEYS = ("function", "name", "arguments", "id")


def parse(reply: object) -> list[Call]:
    """Return the calls of a completion (its first choice), of a message, or of a list of calls."""
    with reading(NAME):
        reply = plain(reply)
        if isinstance(reply, list):
            return read_plain_calls(reply, "", _KEYS, _read_call)
        path, message = _message(as_object(reply, ""))
        calls, legacy = message.get("tool_calls"), message.get("function_call")
        if legacy is not None and not calls:
            return [_read_function(legacy, f"{path}function_call", None)]
        if calls is None:
            return []
        return read_plain_calls(calls, f"{path}tool_calls", _KEYS, _read_call)


def render(outcomes: Sequence[Outcome]) -> list[Message]:
    """Return one message for each outcome."""
    return [_tool_message(outcome) for outcome in outcomes]


def describe(tools: Iterable[Tool[..., Any]]) -> list[Message]:
    """Return the request's `tools`."""
    return [{"type": "function", "function": _function(tool)} for tool in tools]


def recognise(reply: object) -> bool:
    """Say whether `reply` has choices, or is an assistant's message without typed blocks."""
    if isinstance(reply, list):
        return any("function" in call or "custom" in call for call in objects(reply))
    if not isinstance(reply, Mapping):
        return False
    if "choices" in reply or "tool_calls" in reply:
        return True
    message = reply.get("message", reply)
    return (
        isinstance(message, Mapping)
        and message.get("role") == "assistant"
        and "content" in message
        and (not isinstance(message["content"], list) or "function_call" in message)
    )


def text(reply: object) -> str:
    """Return what the model said beside its calls, or why it refused."""
    with reading(NAME):
        reply = plain(reply)
        if isinstance(reply, list):
            return ""
        _, message = _message(as_object(reply, ""))
        content = message.get("content")
        parts = content if isinstance(content, list) else [{"text": content}]
        return join_texts([*parts, {"refusal": message.get("refusal")}], "text", "refusal")


def _message(reply: Mapping[str, object]) -> tuple[str, Mapping[str, object]]:
    """Return the message in `reply`, and where it is, with a dot at the end."""
    refuse_error(reply)
    if "choices" in reply:
        choices = as_list(reply["choices"], "choices")
        if not choices:
            return "", {}
        choice, path = as_object(choices[0], "choices[0]"), "choices[0]."
    else:
        choice, path = reply, ""
    if "message" in choice:
        return f"{path}message.", as_object(choice["message"], f"{path}message")
    if "delta" in choice:
        raise Unreadable(f"{path}delta", "is a piece of a stream: put the pieces together first")
    if path or not choice.keys() & {"role", "content", "tool_calls", "function_call"}:
        raise Unreadable(path.rstrip("."), "has no `message`")
    return "", choice


def _read_call(call: Mapping[str, object]) -> Call:
    id = as_id(call.get("id"), "id")
    if call.get("type") == "custom":
        custom = as_object(call.get("custom"), "custom")
        given = {"input": as_text(custom.get("input"), "custom.input")}
        return Call(as_text(custom.get("name"), "custom.name"), encode(given), id=id)
    return _read_function(call.get("function"), "function", id)


def _read_function(value: object, path: str, id: str | None) -> Call:
    function = as_object(value, path)
    try:
        name = as_text(function.get("name"), "name")
    except Unreadable as fault:
        raise fault.under(path) from None
    return Call(name, arguments(function.get("arguments")), id=id)


def _tool_message(outcome: Outcome) -> Message:
    content = outcome.value if outcome.ref is None else None
    if type(content) is not str or not content.isascii():
        content, _ = answer(outcome)
    id = outcome.call.id
    if id is None:
        return {"role": "function", "name": outcome.tool, "content": content}
    return {"role": "tool", "tool_call_id": id, "content": content}


def _function(tool: Tool[..., Any]) -> Message:
    function: Message = {"name": tool.name, "parameters": tool.schema}
    return {**function, "description": tool.description} if tool.description else function


def reader() -> Reader:
    """Return a reader of one streamed reply: what `parse` says of the whole, while it comes."""
    return OpenAIChatReader()


FORMAT = Format(NAME, parse, render, describe, recognise, text, reader)
