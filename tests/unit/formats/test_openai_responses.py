"""Responses: which items are ours, custom tools, and the SDK's own types."""

from typing import Any

import pytest

from penstock.calls import Call
from penstock.errors import BadReply
from penstock.formats import openai_responses
from penstock.testing import outcome
from penstock.tools import tool


def item(**fields: object) -> dict[str, Any]:
    own = {"type": "function_call", "call_id": "call_1", "name": "forecast", "arguments": "{}"}
    return {"id": "fc_1", **own, **fields}


CUSTOM = {"type": "custom_tool_call", "call_id": "call_2", "name": "run", "input": "print(1)"}


@tool
async def forecast(city: str, days: int = 3) -> str:
    """The weather of a city."""
    return city * days


@pytest.mark.parametrize(
    ("reply", "path"),
    [
        ({}, ""),
        ({"output": None}, "output"),
        ({"output": [item(), 7]}, "output[1]"),
        ({"output": [item(name=7)]}, "output[0].name"),
        ({"output": [item(call_id=7)]}, "output[0].call_id"),
        ([{**CUSTOM, "input": None}], "[0].input"),
    ],
)
def test_a_fault_is_named_with_its_path(reply: object, path: str) -> None:
    with pytest.raises(BadReply) as caught:
        openai_responses.parse(reply)
    assert caught.value.path == path


def test_a_response_that_failed_is_said() -> None:
    failed = {"status": "failed", "error": {"code": "server_error", "message": "No luck"}}
    with pytest.raises(BadReply, match="answered with an error: 'No luck'"):
        openai_responses.parse({**failed, "output": []})


@pytest.mark.parametrize(
    "kind", ["message", "reasoning", "web_search_call", "mcp_call", "computer_call", None, [1]]
)
def test_other_items_are_passed_over(kind: object) -> None:
    assert openai_responses.parse([{"type": kind, "name": "forecast", "arguments": "{}"}]) == []


def test_a_call_is_named_by_its_call_id_and_not_by_the_items_id() -> None:
    assert openai_responses.parse([item()])[0].id == "call_1"


def test_a_call_without_an_id_is_answered_with_the_one_it_was_given() -> None:
    (call,) = openai_responses.parse([item(call_id=None)])
    assert call.id is None
    made = outcome(call, value=1)
    assert openai_responses.render([made])[0]["call_id"] == made.id


def test_each_outcome_is_an_output_item() -> None:
    made = [
        outcome(Call("forecast", b"{}", id="call_1"), value="Sunny."),
        outcome(Call("forecast", b"{}", id="call_2"), error=OSError("down")),
    ]
    assert openai_responses.render(made) == [
        {"type": "function_call_output", "call_id": "call_1", "output": "Sunny."},
        {"type": "function_call_output", "call_id": "call_2", "output": "OSError: down"},
    ]


def test_a_custom_call_gets_an_output_of_its_own_kind() -> None:
    made = [outcome(call, value=1) for call in openai_responses.parse([CUSTOM])]
    assert openai_responses.render(made) == [
        {"type": "custom_tool_call_output", "call_id": "call_2", "output": "1"}
    ]


@pytest.mark.parametrize("given", ['{"input": "x"}', {"input": "x"}])
def test_a_function_whose_parameter_is_input_stays_a_function(given: object) -> None:
    made = [outcome(c, value=1) for c in openai_responses.parse([item(arguments=given)])]
    assert openai_responses.render(made)[0]["type"] == "function_call_output"


def test_a_tool_is_a_function_that_may_have_optional_parameters() -> None:
    assert openai_responses.describe([forecast]) == [
        {
            "type": "function",
            "name": "forecast",
            "description": "The weather of a city.",
            "parameters": forecast.schema,
            "strict": False,
        }
    ]


def test_the_sdks_response_and_items_are_read() -> None:
    responses = pytest.importorskip("openai.types.responses")
    fields = {"id": "r", "object": "response", "created_at": 1.0, "model": "m", "tools": []}
    more = {"tool_choice": "auto", "parallel_tool_calls": True, "output": [item(), CUSTOM]}
    reply = responses.Response.model_validate({**fields, **more})
    for part in (reply, reply.output):
        assert [(c.tool, c.id) for c in openai_responses.parse(part)] == [
            ("forecast", "call_1"),
            ("run", "call_2"),
        ]


def test_what_is_rendered_is_what_the_sdk_takes() -> None:
    responses = pytest.importorskip("openai.types.responses")
    from pydantic import TypeAdapter

    made = [outcome(call, value=1) for call in openai_responses.parse([item(), CUSTOM])]
    rendered = openai_responses.render(made)
    for one, kind in zip(
        rendered,
        (
            responses.response_input_item_param.FunctionCallOutput,
            responses.ResponseCustomToolCallOutputParam,
        ),
        strict=True,
    ):
        assert TypeAdapter(kind).validate_python(one) == one
    tools = TypeAdapter(list[responses.FunctionToolParam])
    described = openai_responses.describe([forecast])
    assert tools.validate_python(described) == described
