"""Messages: whose blocks are ours, one user message for all results, and the SDK's own types."""

from typing import Any

import pytest

from penstock.calls import Call
from penstock.errors import BadReply
from penstock.formats import anthropic
from penstock.testing import outcome
from penstock.tools import tool


def block(**fields: object) -> dict[str, Any]:
    own = {"type": "tool_use", "id": "toolu_1", "name": "forecast", "input": {"city": "Oslo"}}
    return {**own, **fields}


@tool
async def forecast(city: str) -> str:
    """The weather of a city."""
    return city


@pytest.mark.parametrize(
    ("reply", "path"),
    [
        ({}, ""),
        ({"content": None}, "content"),
        ({"content": [block(), 7]}, "content[1]"),
        ({"content": [block(name=None)]}, "content[0].name"),
        ([block(id=7)], "[0].id"),
    ],
)
def test_a_fault_is_named_with_its_path(reply: object, path: str) -> None:
    with pytest.raises(BadReply) as caught:
        anthropic.parse(reply)
    assert caught.value.path == path


def test_an_error_of_the_provider_is_said() -> None:
    error = {"type": "overloaded_error", "message": "Overloaded"}
    with pytest.raises(BadReply, match="answered with an error: 'Overloaded'"):
        anthropic.parse({"type": "error", "error": error})


@pytest.mark.parametrize("kind", ["text", "thinking", "server_tool_use", "mcp_tool_use", None, {}])
def test_other_blocks_are_passed_over(kind: object) -> None:
    assert anthropic.parse([block(type=kind)]) == []


def test_a_message_that_is_plain_text_has_no_calls() -> None:
    assert anthropic.parse({"role": "assistant", "content": "Hello"}) == []
    assert anthropic.text({"role": "assistant", "content": "Hello"}) == "Hello"


@pytest.mark.parametrize("given", [[1], 7, "{}"])
def test_an_input_that_is_no_object_is_kept_for_that_call_to_be_rejected(given: object) -> None:
    first, second = anthropic.parse([block(input=given), block()])
    assert first.arguments in (b"[1]", b"7", b"{}")
    assert second.arguments == b'{"city":"Oslo"}'


def test_arguments_that_repeat_a_key_do_not_lose_the_other_calls() -> None:
    twice = (
        '{"type": "tool_use", "id": "1", "name": "a", "input": {"city": "Oslo", "city": "Rome"}}'
    )
    once = '{"type": "tool_use", "id": "2", "name": "b", "input": {}}'
    first, second = anthropic.parse(f"[{twice}, {once}]")
    assert first.arguments == b'{"city":"Oslo","city":"Rome"}'
    assert second.tool == "b"


def test_all_results_are_in_one_user_message() -> None:
    made = [
        outcome(Call("forecast", id="toolu_1"), value={"sky": "clear"}),
        outcome(Call("forecast", id="toolu_2"), error=OSError("down")),
    ]
    assert anthropic.render(made) == [
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "toolu_1", "content": '{"sky":"clear"}'},
                {
                    "type": "tool_result",
                    "tool_use_id": "toolu_2",
                    "content": "OSError: down",
                    "is_error": True,
                },
            ],
        }
    ]


def test_a_tool_has_an_input_schema() -> None:
    assert anthropic.describe([forecast]) == [
        {
            "name": "forecast",
            "description": "The weather of a city.",
            "input_schema": forecast.schema,
        }
    ]


def sdk_message(types: Any) -> Any:
    usage = {"input_tokens": 1, "output_tokens": 1}
    fields = {"id": "m", "type": "message", "role": "assistant", "model": "m", "usage": usage}
    text = {"type": "text", "text": "One moment."}
    return types.Message.model_validate({**fields, "content": [text, block(), block(id="toolu_2")]})


def test_the_sdks_message_and_blocks_are_read() -> None:
    message = sdk_message(pytest.importorskip("anthropic.types"))
    for part in (message, message.content, {"role": "assistant", "content": message.content}):
        calls = anthropic.parse(part)
        assert [(c.id, c.arguments) for c in calls] == [
            ("toolu_1", b'{"city":"Oslo"}'),
            ("toolu_2", b'{"city":"Oslo"}'),
        ]
        assert anthropic.text(part) == "One moment."
        assert anthropic.recognise(part) or part is message


def test_what_is_rendered_is_what_the_sdk_takes() -> None:
    types = pytest.importorskip("anthropic.types")
    from pydantic import TypeAdapter

    made = [outcome(c, value=1) for c in anthropic.parse([block(), block(id="toolu_2")])]
    for result in anthropic.render(made)[0]["content"]:
        assert TypeAdapter(types.ToolResultBlockParam).validate_python(result)
    assert TypeAdapter(list[types.ToolParam]).validate_python(anthropic.describe([forecast]))
