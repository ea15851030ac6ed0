"""MCP: ids of both kinds, which errors are results, and the SDK's own types."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.calls import Call
from penstock.errors import BadReply, InvalidArguments, UnknownTool
from penstock.formats import mcp
from penstock.testing import outcome
from penstock.tools import tool


def request(id: object = 1, **params: object) -> dict[str, Any]:
    fields = {"name": "forecast", "arguments": {"city": "Oslo"}, **params}
    return {"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": fields}


@tool(effects="read")
async def forecast(city: str) -> str:
    """The weather of a city."""
    return city


@tool
async def send(text: str) -> None:
    pass


@pytest.mark.parametrize(
    ("reply", "path"),
    [
        ({**request(), "jsonrpc": "1.0"}, "jsonrpc"),
        ({**request(), "params": None}, "params"),
        ({**request(), "params": ["forecast"]}, "params"),
        (request(name=7), "params.name"),
        (request(id=1.5), "id"),
        (request(id=True), "id"),
        (request(id=2**64), "id"),
        ([request(), {**request(), "params": 7}], "[1].params"),
        ([request(), 7], "[1]"),
        ({"arguments": {}}, "name"),
    ],
)
def test_a_fault_is_named_with_its_path(reply: object, path: str) -> None:
    with pytest.raises(BadReply) as caught:
        mcp.parse(reply)
    assert caught.value.path == path


@pytest.mark.parametrize(
    "message",
    [
        {"jsonrpc": "2.0", "id": 1, "method": "tools/list"},
        {"jsonrpc": "2.0", "method": "notifications/initialized"},
        {"jsonrpc": "2.0", "id": 1, "result": {}},
        {"jsonrpc": "2.0", "id": 1, "error": {"code": -32601, "message": "Method not found"}},
    ],
)
def test_other_messages_are_passed_over(message: object) -> None:
    assert mcp.parse(message) == []
    assert mcp.recognise(message)


@given(id=st.integers(-(2**63), 2**63) | st.text() | st.from_regex(r'"?-?[0-9]*"?\Z') | st.none())
def test_an_answer_has_the_id_of_its_request(id: object) -> None:
    made = [outcome(call, value=1) for call in mcp.parse(request(id=id))]
    assert [(type(one["id"]), one["id"]) for one in mcp.render(made)] == [(type(id), id)]


@pytest.mark.parametrize("id", ['"', '"a', '"1" ', "call-7", "-", "9" * 9_999])
def test_any_id_made_by_hand_is_answered(id: str) -> None:
    assert mcp.render([outcome(Call("forecast", id=id), value=1)])[0]["id"] == id


def test_a_value_that_is_an_object_is_told_as_text_and_structured() -> None:
    (answer,) = mcp.render([outcome(Call("forecast", id="1"), value={"sky": ("clear",)})])
    assert answer == {
        "jsonrpc": "2.0",
        "id": 1,
        "result": {
            "content": [{"type": "text", "text": '{"sky":["clear"]}'}],
            "isError": False,
            "resultType": "complete",
            "structuredContent": {"sky": ["clear"]},
        },
    }


@pytest.mark.parametrize("value", ['{"a": 1}', [1], None, 7])
def test_other_values_are_told_as_text_only(value: object) -> None:
    (answer,) = mcp.render([outcome(Call("forecast", id="1"), value=value)])
    assert "structuredContent" not in answer["result"]


@pytest.mark.parametrize("error", [OSError("down"), InvalidArguments("forecast", ())])
def test_errors_of_the_tool_and_of_its_arguments_are_results(error: Exception) -> None:
    (answer,) = mcp.render([outcome(Call("forecast", id="1"), error=error)])
    assert answer["result"]["isError"]


def test_an_unknown_tool_is_an_error_of_the_protocol() -> None:
    error = UnknownTool("forcast", ("forecast",))
    (answer,) = mcp.render([outcome(Call("forcast", id="1"), error=error, status="rejected")])
    assert answer == {
        "jsonrpc": "2.0",
        "id": 1,
        "error": {"code": -32602, "message": error.for_model()},
    }


def test_effects_are_hints() -> None:
    assert mcp.describe([forecast, send]) == [
        {
            "name": "forecast",
            "description": "The weather of a city.",
            "inputSchema": forecast.schema,
            "annotations": {"readOnlyHint": True},
        },
        {"name": "send", "inputSchema": send.schema},
    ]


def test_the_sdks_requests_are_read() -> None:
    types = pytest.importorskip("mcp.types")
    params = {"name": "forecast", "arguments": {"city": "Oslo"}}
    whole = types.JSONRPCRequest.model_validate(request(id="a"))
    bare = types.CallToolRequest.model_validate({"method": "tools/call", "params": params})
    for reply, id in ((whole, "a"), (bare, None), (bare.params, None)):
        (call,) = mcp.parse(reply)
        assert (call.tool, call.arguments, call.id) == ("forecast", b'{"city":"Oslo"}', id)


def test_what_is_rendered_is_what_the_sdk_takes() -> None:
    types = pytest.importorskip("mcp.types")
    made = [
        outcome(Call("forecast", id="1"), value={"a": 1}),
        outcome(Call("x", id="2"), error=OSError()),
    ]
    for answer in mcp.render(made):
        result = types.JSONRPCResponse.model_validate(answer).result
        assert types.CallToolResult.model_validate(result).content[0].type == "text"
    for described in mcp.describe([forecast, send]):
        assert types.Tool.model_validate(described).name == described["name"]
