"""Google's Gemini: `generateContent` of the Gemini API and of Vertex AI.

Keys may be in camelCase (the REST API) or snake_case (the Python SDK). Of several candidates the
first is read. Calls may have no id: then a response is matched by its function's name and place.
The API wants all responses of one turn in one message, in the order of the calls, so `render`
returns one, and none for none. A response is an object with the key `output`, or `error`.

Thought signatures sit beside the calls in the model's own message. Append that message to the
conversation as it came; Gemini 3 refuses a conversation that has lost them.

Source: https://ai.google.dev/gemini-api/docs/function-calling and
https://ai.google.dev/gemini-api/docs/thought-signatures (2026-11).
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from penstock.calls import Call, Outcome
from penstock.formats._answer import json_answer
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
    read_calls,
    reading,
    refuse_error,
)
from penstock.formats._streams.gemini import GeminiReader
from penstock.formats._streams.reader import Reader
from penstock.tools import Tool

NAME = "gemini"

_FEEDBACK = {"promptFeedback", "prompt_feedback"}


def parse(reply: object) -> list[Call]:
    """Return the calls of a response (its first candidate), of a content, or of a list of parts."""
    with reading(NAME):
        path, parts = _parts(plain(reply))
        return read_calls(parts, path, _read_part)


def render(outcomes: Sequence[Outcome]) -> list[Message]:
    """Return one content with a `functionResponse` for each outcome; `[]` for no outcomes."""
    parts = [{"functionResponse": _response(outcome)} for outcome in outcomes]
    return [{"role": "user", "parts": parts}] if parts else []


def describe(tools: Iterable[Tool[..., Any]]) -> list[Message]:
    """Return the request's `tools`: one entry that declares all; `[]` for no tools."""
    declarations = [_declaration(tool) for tool in tools]
    return [{"functionDeclarations": declarations}] if declarations else []


def recognise(reply: object) -> bool:
    """Say whether `reply` has candidates or parts, or is a list of parts (which have no type)."""
    if isinstance(reply, Mapping):
        content = reply.get("content", reply)
        return (
            "candidates" in reply
            or not _FEEDBACK.isdisjoint(reply)
            or (isinstance(content, Mapping) and isinstance(content.get("parts"), list))
        )
    return any(_call_of(part) is not None or _is_text(part) for part in objects(reply))


def text(reply: object) -> str:
    """Return what the model said beside its calls, without its thoughts."""
    with reading(NAME):
        _, parts = _parts(plain(reply))
        return join_texts([part for part in objects(parts) if not part.get("thought")], "text")


def _parts(reply: object) -> tuple[str, object]:
    """Return the parts of a reply, and where they are."""
    if isinstance(reply, list):
        return "", reply
    path, content = _content(as_object(reply, ""))
    parts = content.get("parts")
    return f"{path}parts", [] if parts is None else parts


def _content(reply: Mapping[str, object]) -> tuple[str, Mapping[str, object]]:
    """Return the content of a reply, and where it is, with a dot at the end."""
    refuse_error(reply)
    if "parts" in reply:
        return "", reply
    path = ""
    if "candidates" in reply or not _FEEDBACK.isdisjoint(reply):
        # A prompt that was blocked has feedback and no candidates.
        given = reply.get("candidates")
        candidates = [] if given is None else as_list(given, "candidates")
        if not candidates:
            return "", {}
        reply, path = as_object(candidates[0], "candidates[0]"), "candidates[0]."
    elif "content" not in reply:
        raise Unreadable("", "has no `candidates`, `content` or `parts`")
    # A candidate that was stopped (safety, malformed call) may have no content.
    content = reply.get("content")
    path = f"{path}content"
    return f"{path}.", {} if content is None else as_object(content, path)


def _read_part(part: Mapping[str, object]) -> Call | None:
    value = _call_of(part)
    if value is None:
        return None
    try:
        call = as_object(value, "")
        id = as_id(call.get("id"), "id")
        return Call(as_text(call.get("name"), "name"), arguments(call.get("args")), id=id)
    except Unreadable as fault:
        raise fault.under("functionCall" if "functionCall" in part else "function_call") from None


def _call_of(part: Mapping[str, object]) -> object:
    call = part.get("functionCall")
    return part.get("function_call") if call is None else call


def _is_text(part: Mapping[str, object]) -> bool:
    return "text" in part and "type" not in part


def _response(outcome: Outcome) -> Message:
    value, ok = json_answer(outcome)
    response = {"output" if ok else "error": value}
    id = outcome.call.id
    if id is None:
        return {"name": outcome.tool, "response": response}
    return {"id": id, "name": outcome.tool, "response": response}


def _declaration(tool: Tool[..., Any]) -> Message:
    declaration: Message = {"name": tool.name, "parametersJsonSchema": tool.schema}
    if tool.description:
        declaration["description"] = tool.description
    return declaration


def reader() -> Reader:
    """Return a reader of one streamed reply: what `parse` says of the whole, while it comes."""
    return GeminiReader()


FORMAT = Format(NAME, parse, render, describe, recognise, text, reader)
