"""What every format promises. A new file in `penstock/formats/`, or a new reply, is tested at once."""

import contextlib
import functools
import json
import operator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock import formats
from penstock.calls import Call, Outcome
from penstock.errors import BadReply, CallSkipped, InvalidArguments, UnknownTool
from penstock.testing import outcome
from penstock.tools import tool

REPLIES = Path(__file__).parents[1] / "data" / "replies"
EXPECTED: dict[str, dict[str, Any]] = json.loads((REPLIES / "expected.json").read_text())

each_format = pytest.mark.parametrize("name", formats.names())
each_reply = pytest.mark.parametrize("path", EXPECTED)


@tool(effects="read")
async def get_weather(location: str, unit: str = "celsius") -> dict[str, Any]:
    """The weather of a place.

    Args:
        location: a city.
        unit: celsius or fahrenheit.
    """
    return {"location": location, "unit": unit}


@tool
async def list_cities() -> list[str]:
    return []


def shown(call: Call) -> list[object]:
    given: object = call.arguments
    if isinstance(given, bytes):
        try:
            given = json.loads(given)
        except ValueError:
            given = {"$raw": given.decode()}
    return [call.id, call.tool, given]


def calls_of(name: str) -> list[Call]:
    """Every call of every recorded reply of a format: equal, missing and odd ids are among them."""
    format = formats.get(name)
    paths = [path for path in EXPECTED if path.startswith(f"{name}/")]
    return [call for path in paths for call in format.parse((REPLIES / path).read_bytes())]


def test_every_recorded_reply_is_expected() -> None:
    found = {file.relative_to(REPLIES).as_posix() for file in REPLIES.glob("*/*.json")}
    assert found == set(EXPECTED)


@each_format
def test_every_format_has_replies_with_and_without_calls(name: str) -> None:
    counts = [len(e["calls"]) for path, e in EXPECTED.items() if path.startswith(f"{name}/")]
    assert 0 in counts
    assert max(counts) > 1


@each_reply
def test_a_reply_is_read_as_expected(path: str) -> None:
    calls = formats.get(path.split("/")[0]).parse((REPLIES / path).read_bytes())
    assert [shown(call) for call in calls] == EXPECTED[path]["calls"]


@each_reply
def test_bytes_text_and_decoded_replies_are_read_the_same(path: str) -> None:
    format, reply = formats.get(path.split("/")[0]), (REPLIES / path).read_text()
    compact = json.dumps(json.loads(reply), separators=(",", ":"), ensure_ascii=False)
    for form in (reply, compact, compact.encode(), bytearray(compact.encode()), json.loads(reply)):
        assert [shown(call) for call in format.parse(form)] == EXPECTED[path]["calls"]


# The types of the providers' own packages, and a field that only a whole reply has.
SDK_TYPES = {
    "openai_chat": ("openai.types.chat", "ChatCompletion", "choices"),
    "openai_responses": ("openai.types.responses", "Response", "object"),
    "anthropic": ("anthropic.types", "Message", "stop_reason"),
    "gemini": ("google.genai.types", "GenerateContentResponse", "candidates"),
    "mcp": ("mcp.types", "JSONRPCRequest", "params"),
}


@each_reply
def test_the_sdks_object_is_read_as_expected(path: str) -> None:
    name, reply = path.split("/")[0], json.loads((REPLIES / path).read_text())
    module, type_name, field = SDK_TYPES.get(name, ("", "", ""))
    if field not in reply:
        return
    type_ = getattr(pytest.importorskip(module), type_name)
    calls = formats.get(name).parse(sdk_object := type_.model_validate(reply))
    assert [shown(call) for call in calls] == EXPECTED[path]["calls"]
    assert formats.detect(sdk_object).name == name


@each_reply
def test_a_reply_is_not_changed(path: str) -> None:
    reply = json.loads((REPLIES / path).read_text())
    formats.get(path.split("/")[0]).parse(reply)
    assert reply == json.loads((REPLIES / path).read_text())


@each_reply
def test_the_text_beside_the_calls_is_read(path: str) -> None:
    reply = (REPLIES / path).read_bytes()
    assert formats.get(path.split("/")[0]).text(reply) == EXPECTED[path]["text"]


@each_reply
def test_the_format_of_a_reply_is_detected(path: str) -> None:
    assert formats.detect((REPLIES / path).read_bytes()).name == path.split("/")[0]


@each_reply
def test_no_other_format_recognises_a_reply(path: str) -> None:
    reply = json.loads((REPLIES / path).read_text())
    assert [n for n in formats.names() if formats.get(n).recognise(reply)] == [path.split("/")[0]]


def leaves(value: object) -> list[object]:
    """Everything inside `value` that is no list or object, in order."""
    if isinstance(value, dict):
        value = list(value.values())
    return [leaf for item in value for leaf in leaves(item)] if isinstance(value, list) else [value]


@each_format
def test_each_call_is_answered_once_and_in_order(name: str) -> None:
    made = outcomes_of(calls_of(name))
    said = [str(leaf) for leaf in leaves(formats.get(name).render(made))]
    # MCP keeps an id that looks like a number in quotes.
    ids = [one.call.id.strip('"') for one in made if one.call.id is not None]
    assert [leaf for leaf in said if leaf in ids] == ids
    assert [leaf for leaf in said if leaf.startswith("answer")] == [one.value for one in made]


def outcomes_of(calls: list[Call]) -> list[Outcome]:
    return [outcome(call, value=f"answer {i}.", index=i) for i, call in enumerate(calls)]


@each_format
def test_nothing_is_rendered_for_no_outcomes(name: str) -> None:
    assert formats.get(name).render([]) == []


ERRORS = [
    UnknownTool("forcast", ("forecast",)),
    InvalidArguments("forecast", ()),
    CallSkipped("forecast", "call_1"),
    RuntimeError("the server is down"),
    KeyError(),
    RecursionError("x" * 10_000),
]


@each_format
def test_every_error_is_told_and_can_be_sent(name: str) -> None:
    made = [outcome(Call("forecast", id="1"), error=error) for error in ERRORS]
    text = json.dumps(formats.get(name).render(made), ensure_ascii=False)
    for one in ERRORS:
        said = one.for_model() if hasattr(one, "for_model") else type(one).__name__
        assert json.dumps(said, ensure_ascii=False)[1:-1] in text
    assert len(text) < 5_000


VALUES = [None, True, 7, 1.5, "ø", "", [1, {"a": None}], {"a": (1, 2)}, b"\xff", {1, 2}, 2**70]


class Opaque:
    __slots__ = ()


@each_format
def test_every_value_is_told_and_can_be_sent(name: str) -> None:
    values = [*VALUES, float("nan"), "\ud800", {"k": "\udfff"}, Opaque(), [Opaque()], object]
    made = [outcome(Call("forecast", id=f"id-{i}"), value=v) for i, v in enumerate(values)]
    text = json.dumps(formats.get(name).render(made), allow_nan=False, ensure_ascii=False)
    text.encode()
    assert [text.count(f'"{one.id}"') for one in made] == [1] * len(values)


@each_format
def test_every_tool_is_described_with_its_schema(name: str) -> None:
    tools = {"get_weather": get_weather, "list_cities": list_cities}
    text = json.dumps(described := formats.get(name).describe(tools.values()))
    assert "The weather of a place." in text
    assert json.dumps(get_weather.schema) in text
    assert [x for x in leaves(described) if x in tools] == list(tools)


@each_format
def test_no_tools_are_described_as_none(name: str) -> None:
    assert formats.get(name).describe(iter([])) == []


BROKEN = {
    "empty": b"",
    "cut": b'{"id": "x", "choices": [',
    "not utf-8": b'{"id": "\xff"}',
    "a number": b"7",
    "a text": b'"hello"',
    "null": b"null",
    "an empty object": b"{}",
    "a list of numbers": b"[1, 2]",
    "deep": b"[" * 100_000,
    "deep objects": b'{"a":' * 100_000,
    "NaN": b"NaN",
    "two roots": b"{} {}",
    "repeated": b'{"content": 1, "content": 2, "output": 1, "choices": 3, "parts": 1, "parts": 2}',
    "huge": b'{"x": "' + b"x" * 10_000_000,
}


@each_format
@pytest.mark.parametrize("what", BROKEN)
def test_a_reply_that_cannot_be_read_is_a_bad_reply(name: str, what: str) -> None:
    with pytest.raises(BadReply) as caught:
        formats.get(name).parse(BROKEN[what])
    assert caught.value.format == name
    assert len(str(caught.value)) < 1_000


@each_format
@pytest.mark.parametrize("reply", [None, 7, 1.5, True, object(), dict, range(3), {1}, "\ud800"])
def test_what_is_no_reply_is_a_bad_reply(name: str, reply: object) -> None:
    with pytest.raises(BadReply):
        formats.get(name).parse(reply)


def words(value: object) -> set[str]:
    """Every key and every text inside `value`: what makes made-up JSON look like a reply."""
    if isinstance(value, str):
        return {value}
    if isinstance(value, dict):
        return {*value}.union(*map(words, value.values()))
    return set().union(*map(words, value)) if isinstance(value, list) else set()


WORDS = st.sampled_from(
    sorted(words([json.loads((REPLIES / path).read_text()) for path in EXPECTED]))
)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
JSON = st.recursive(
    SCALARS | WORDS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(WORDS | st.text(), inner),
    max_leaves=30,
)


@each_format
@given(reply=JSON)
def test_any_json_gives_calls_or_a_bad_reply(name: str, reply: object) -> None:
    format = formats.get(name)
    for form in (reply, json.dumps(reply)):
        with contextlib.suppress(BadReply):
            calls = format.parse(form)
            assert all(isinstance(call, Call) for call in calls)
            format.render(outcomes_of(calls))
            format.text(form)


@given(reply=JSON)
def test_any_json_is_detected_or_a_bad_reply(reply: object) -> None:
    for form in (reply, json.dumps(reply)):
        with contextlib.suppress(BadReply):
            assert formats.detect(form).name in formats.names()


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The path of everything inside `value`, at all levels."""
    steps = value if isinstance(value, dict) else range(len(value))
    inner = [(*path, step) for step in steps]
    deeper = [p for p in inner if isinstance(value[p[-1]], (dict, list))]
    return inner + [place for p in deeper for place in places(value[p[-1]], p)]


@st.composite
def damaged_replies(draw: st.DrawFn) -> tuple[str, object]:
    """A recorded reply in which one place, at any level, was replaced by something else."""
    path = draw(st.sampled_from(sorted(EXPECTED)))
    reply = json.loads((REPLIES / path).read_text())
    *parents, last = draw(st.sampled_from(places(reply)))
    functools.reduce(operator.getitem, parents, reply)[last] = draw(JSON)
    return path.split("/")[0], reply


@given(damaged=damaged_replies())
def test_a_damaged_reply_gives_calls_or_a_bad_reply(damaged: tuple[str, object]) -> None:
    name, reply = damaged
    with contextlib.suppress(BadReply):
        formats.get(name).render(outcomes_of(formats.get(name).parse(reply)))
