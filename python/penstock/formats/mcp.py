"""The Model Context Protocol: JSON-RPC requests for `tools/call`, one or a batch of them.

Other methods, notifications and answers are passed over. An error of the tool or of its arguments
is a result with `isError`, which the model reads; an unknown tool is an error of the protocol, as
the specification asks. A value that is an object goes out as `structuredContent` and as text.

JSON-RPC ids are numbers or texts, and an answer must have the id as it was asked with. The id of a
call is always text: the number 7 becomes "7", and a text that looks like that, such as "7", is kept
in its quotes. A request without an id is answered with the id null, as JSON-RPC asks.

Source: https://modelcontextprotocol.io/specification/2025-11-25/server/tools,
https://modelcontextprotocol.io/specification/draft/server/tools (`resultType`) and
https://www.jsonrpc.org/specification (2026-11).
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from penstock._codec import decode
from penstock.calls import Call, Outcome
from penstock.errors import UnknownTool
from penstock.formats._answer import answer, error_text
from penstock.formats._protocol import Format, Message
from penstock.formats._reply import (
    Unreadable,
    arguments,
    as_object,
    as_text,
    objects,
    plain,
    read_calls,
    reading,
)
from penstock.tools import Tool

NAME = "mcp"

INVALID_PARAMS = -32602
"""The JSON-RPC code of an unknown tool."""

_HINTS: dict[str, Message] = {
    "read": {"readOnlyHint": True},
    "idempotent": {"readOnlyHint": False, "idempotentHint": True},
}

_NUMBER = re.compile(r"-?[0-9]{1,19}")
_QUOTE = '"'
_LARGEST_NUMBER = 2**63


def parse(reply: object) -> list[Call]:
    """Return the calls of a request, of a batch of requests, or of a request's params alone."""
    with reading(NAME):
        reply = plain(reply)
        if isinstance(reply, list):
            return read_calls(reply, "", _read_request)
        request = as_object(reply, "")
        if "method" not in request and "jsonrpc" not in request:
            return [_read_params(request, "", None)]
        call = _read_request(request)
        return [] if call is None else [call]


def render(outcomes: Sequence[Outcome]) -> list[Message]:
    """Return one JSON-RPC response for each outcome."""
    return [_response(outcome) for outcome in outcomes]


def describe(tools: Iterable[Tool[..., Any]]) -> list[Message]:
    """Return the `tools` of a `tools/list` result."""
    return [_tool(tool) for tool in tools]


def recognise(reply: object) -> bool:
    """Say whether `reply` is a JSON-RPC message or a batch of them."""
    messages = [reply] if isinstance(reply, Mapping) else objects(reply)
    return any("jsonrpc" in one or one.get("method") == "tools/call" for one in messages)


def text(reply: object) -> str:
    """Return `""`: a request says nothing beside its call."""
    with reading(NAME):
        plain(reply)
    return ""


def _read_request(request: Mapping[str, object]) -> Call | None:
    if request.get("jsonrpc", "2.0") != "2.0":
        raise Unreadable("jsonrpc", 'must be "2.0"')
    if request.get("method") != "tools/call":
        return None
    return _read_params(request.get("params"), "params", _read_id(request.get("id")))


def _read_params(value: object, path: str, id: str | None) -> Call:
    params = as_object(value, path)
    try:
        name = as_text(params.get("name"), "name")
    except Unreadable as fault:
        raise fault.under(path) from None
    return Call(name, arguments(params.get("arguments")), id=id)


def _read_id(id: object) -> str | None:
    if id is None:
        return None
    if isinstance(id, int) and not isinstance(id, bool) and abs(id) <= _LARGEST_NUMBER:
        return str(id)
    if isinstance(id, str):
        known = as_text(id, "id")
        odd = known.startswith(_QUOTE) or _NUMBER.fullmatch(known)
        return json.dumps(known) if odd else known
    raise Unreadable("id", "must be text or a whole number")


def _request_id(id: str | None) -> str | int | None:
    """Return the id as it was in the request."""
    if id is None:
        return None
    if _NUMBER.fullmatch(id):
        return int(id)
    return _unquoted(id) if id.startswith(_QUOTE) else id


def _unquoted(id: str) -> str:
    try:
        text: str = json.loads(id)
    except ValueError:
        return id
    return text if json.dumps(text) == id else id


def _response(outcome: Outcome) -> Message:
    id = _request_id(outcome.call.id)
    if not outcome.ok and isinstance(outcome.error, UnknownTool):
        error = {"code": INVALID_PARAMS, "message": error_text(outcome)}
        return {"jsonrpc": "2.0", "id": id, "error": error}
    said, ok = answer(outcome)
    result: Message = {
        "content": [{"type": "text", "text": said}],
        "isError": not ok,
        "resultType": "complete",
    }
    if ok and said.startswith("{") and not isinstance(outcome.value, str):
        result["structuredContent"] = decode(said)
    return {"jsonrpc": "2.0", "id": id, "result": result}


def _tool(tool: Tool[..., Any]) -> Message:
    described: Message = {"name": tool.name, "inputSchema": tool.schema}
    if tool.description:
        described["description"] = tool.description
    if hints := _HINTS.get(tool.effects):
        described["annotations"] = dict(hints)
    return described


FORMAT = Format(NAME, parse, render, describe, recognise, text)
