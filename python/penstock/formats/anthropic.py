"""Anthropic's Messages.

`tool_use` blocks are ours; `server_tool_use` blocks run on Anthropic's servers and are passed over,
as are text and thinking. The API wants all results of one turn in one user message, before any
text in it: so `render` returns one message, however many calls there were, and none for none.

Source: https://platform.claude.com/docs/en/agents-and-tools/tool-use/handle-tool-calls and
https://platform.claude.com/docs/en/agents-and-tools/tool-use/parallel-tool-use (2026-11).
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
from penstock.formats._streams.anthropic import AnthropicReader
from penstock.formats._streams.reader import Reader
from penstock.tools import Tool

NAME = "anthropic"

_BLOCKS = ("text", "tool_use", "server_tool_use", "thinking", "redacted_thinking")


def parse(reply: object) -> list[Call]:
    """Return the calls of a message, or of the list of its content blocks."""
    with reading(NAME):
        path, blocks = _content(plain(reply))
        return [] if isinstance(blocks, str) else read_calls(blocks, path, _read_block)


def render(outcomes: Sequence[Outcome]) -> list[Message]:
    """Return one user message with a `tool_result` block for each outcome; `[]` for no outcomes."""
    results = [_result(outcome) for outcome in outcomes]
    return [{"role": "user", "content": results}] if results else []


def describe(tools: Iterable[Tool[..., Any]]) -> list[Message]:
    """Return the request's `tools`."""
    return [_tool(tool) for tool in tools]


def recognise(reply: object) -> bool:
    """Say whether `reply` is a message with typed blocks, or is a list of such blocks."""
    if isinstance(reply, Mapping):
        if reply.get("type") == "message" or "stop_reason" in reply:
            return True
        reply = reply.get("content") if reply.get("role") == "assistant" else None
    return any(block.get("type") in _BLOCKS for block in objects(reply))


def text(reply: object) -> str:
    """Return what the model said beside its calls, without its thinking."""
    with reading(NAME):
        _, blocks = _content(plain(reply))
        if isinstance(blocks, str):
            return blocks
        return join_texts([b for b in objects(blocks) if b.get("type") == "text"], "text")


def _content(reply: object) -> tuple[str, object]:
    """Return the content blocks, and where they are."""
    if isinstance(reply, list):
        return "", reply
    message = as_object(reply, "")
    refuse_error(message)
    if "content" not in message:
        raise Unreadable("", "has no `content`")
    return "content", message["content"]


def _read_block(block: Mapping[str, object]) -> Call | None:
    if block.get("type") != "tool_use":
        return None
    id = as_id(block.get("id"), "id")
    return Call(as_text(block.get("name"), "name"), arguments(block.get("input")), id=id)


def _result(outcome: Outcome) -> Message:
    content, ok = answer(outcome)
    result: Message = {"type": "tool_result", "tool_use_id": outcome.id, "content": content}
    if not ok:
        result["is_error"] = True
    return result


def _tool(tool: Tool[..., Any]) -> Message:
    described: Message = {"name": tool.name, "input_schema": tool.schema}
    return {**described, "description": tool.description} if tool.description else described


def reader() -> Reader:
    """Return a reader of one streamed reply: what `parse` says of the whole, while it comes."""
    return AnthropicReader()


FORMAT = Format(NAME, parse, render, describe, recognise, text, reader)
