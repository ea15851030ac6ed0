"""Chat Completions: faults with their path, odd servers, and the SDK's own types."""

import json
from typing import Any

import pytest

from penstock.calls import Call
from penstock.errors import BadReply
from penstock.formats import openai_chat
from penstock.testing import outcome
from penstock.tools import tool


def completion(*calls: object) -> dict[str, Any]:
    message = {"role": "assistant", "content": None, "tool_calls": list(calls)}
    return {"choices": [{"index": 0, "message": message, "finish_reason": "tool_calls"}]}


def call(name: object = "forecast", given: object = "{}", **fields: object) -> dict[str, Any]:
    function = {"name": name, "arguments": given}
    return {"id": "call_1", "type": "function", "function": function, **fields}


@tool
async def forecast(city: str) -> str:
    """The weather of a city."""
    return city


@pytest.mark.parametrize(
    ("reply", "path"),
    [
        ({}, ""),
        ({"choices": None}, "choices"),
        ({"choices": {}}, "choices"),
        ({"choices": [7]}, "choices[0]"),
        ({"choices": [{}]}, "choices[0]"),
        ({"choices": [{"message": None}]}, "choices[0].message"),
        ({"choices": [{"delta": {}}]}, "choices[0].delta"),
        ({"choices": [{"message": {"tool_calls": 7}}]}, "choices[0].message.tool_calls"),
        (completion(call(), 7), "choices[0].message.tool_calls[1]"),
        (completion({"id": "1"}), "choices[0].message.tool_calls[0].function"),
        (completion(call(name=None)), "choices[0].message.tool_calls[0].function.name"),
        (completion(call(id=7)), "choices[0].message.tool_calls[0].id"),
        (completion({"type": "custom"}), "choices[0].message.tool_calls[0].custom"),
        ({"role": "assistant", "function_call": {"name": 7}}, "function_call.name"),
        ({"message": {"tool_calls": [{}]}}, "message.tool_calls[0].function"),
        ([call(), {"function": 7}], "[1].function"),
    ],
)
def test_a_fault_is_named_with_its_path(reply: object, path: str) -> None:
    with pytest.raises(BadReply) as caught:
        openai_chat.parse(reply)
    assert caught.value.path == path


def test_a_custom_call_without_text_is_a_fault() -> None:
    custom = {"type": "custom", "custom": {"name": "run", "input": None}}
    with pytest.raises(BadReply, match=r"tool_calls\[0\].custom.input: must be text, not null"):
        openai_chat.parse(completion(custom))


def test_an_error_of_the_provider_is_said() -> None:
    with pytest.raises(BadReply, match="answered with an error: 'Rate limit reached'"):
        openai_chat.parse({"error": {"message": "Rate limit reached", "type": "requests"}})


def test_no_choices_are_no_calls() -> None:
    assert openai_chat.parse({"choices": []}) == []


def test_an_empty_list_of_calls_does_not_hide_the_legacy_call() -> None:
    reply = {"role": "assistant", "tool_calls": [], "function_call": {"name": "a"}}
    assert [c.tool for c in openai_chat.parse(reply)] == ["a"]


def test_arguments_that_are_an_object_are_taken() -> None:
    (parsed,) = openai_chat.parse(completion(call(given={"city": "Oslo"})))
    assert parsed.arguments == b'{"city":"Oslo"}'


def test_a_missing_id_stays_missing_and_an_empty_one_empty() -> None:
    parsed = openai_chat.parse([call(id=None), call(id="")])
    assert [c.id for c in parsed] == [None, ""]


def test_a_name_and_an_id_with_lone_surrogates_can_be_sent_back() -> None:
    (parsed,) = openai_chat.parse([call(name="a\ud800", id="b\ud800")])
    assert (parsed.tool, parsed.id) == ("a\ufffd", "b\ufffd")


def test_a_type_that_is_missing_is_a_function() -> None:
    (parsed,) = openai_chat.parse([{"id": "1", "function": {"name": "a", "arguments": "{}"}}])
    assert parsed.tool == "a"


def test_each_outcome_is_a_tool_message() -> None:
    made = [
        outcome(Call("forecast", id="call_1"), value={"sky": "clear"}),
        outcome(Call("forecast", id="call_2"), error=OSError("down")),
    ]
    assert openai_chat.render(made) == [
        {"role": "tool", "tool_call_id": "call_1", "content": '{"sky":"clear"}'},
        {"role": "tool", "tool_call_id": "call_2", "content": "OSError: down"},
    ]


def test_a_call_without_an_id_is_answered_by_a_function_message() -> None:
    reply = {"role": "assistant", "function_call": {"name": "forecast", "arguments": "{}"}}
    made = [outcome(c, value="Sunny.") for c in openai_chat.parse(reply)]
    assert openai_chat.render(made) == [
        {"role": "function", "name": "forecast", "content": "Sunny."}
    ]


def test_a_tool_is_a_function_with_parameters() -> None:
    assert openai_chat.describe([forecast]) == [
        {
            "type": "function",
            "function": {
                "name": "forecast",
                "description": "The weather of a city.",
                "parameters": forecast.schema,
            },
        }
    ]


def test_text_in_parts_is_joined() -> None:
    content = [{"type": "text", "text": "One."}, {"type": "refusal", "refusal": "No."}]
    assert openai_chat.text({"role": "assistant", "content": content}) == "One.\nNo."


def test_the_sdks_completion_and_message_are_read() -> None:
    chat = pytest.importorskip("openai.types.chat")
    fields = {"id": "c", "object": "chat.completion", "created": 1, "model": "m"}
    reply = chat.ChatCompletion.model_validate({**completion(call(), call(id="call_2")), **fields})
    for part in (reply, reply.choices[0].message, reply.choices[0].message.tool_calls):
        assert [(c.tool, c.id) for c in openai_chat.parse(part)] == [
            ("forecast", "call_1"),
            ("forecast", "call_2"),
        ]


def test_what_is_rendered_is_what_the_sdk_takes() -> None:
    chat = pytest.importorskip("openai.types.chat")
    from pydantic import TypeAdapter

    messages = TypeAdapter(list[chat.ChatCompletionMessageParam])
    calls = [Call("a", id="1"), Call("b")]
    rendered = openai_chat.render([outcome(c, value=1) for c in calls])
    assert messages.validate_python(rendered) == rendered
    tools = TypeAdapter(list[chat.ChatCompletionToolParam])
    assert json.dumps(tools.validate_python(openai_chat.describe([forecast])))
