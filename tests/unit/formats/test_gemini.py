"""Gemini: both spellings, candidates that were stopped, and the SDK's own types."""

from typing import Any

import pytest

from penstock.calls import Call
from penstock.errors import BadReply
from penstock.formats import gemini
from penstock.testing import outcome
from penstock.tools import tool


def part(**fields: object) -> dict[str, Any]:
    return {"functionCall": {"name": "forecast", "args": {"city": "Oslo"}, **fields}}


def response(*parts: object) -> dict[str, Any]:
    return {"candidates": [{"content": {"role": "model", "parts": list(parts)}}]}


@tool
async def forecast(city: str) -> str:
    """The weather of a city."""
    return city


@pytest.mark.parametrize(
    ("reply", "path"),
    [
        ({}, ""),
        ({"candidates": 7}, "candidates"),
        ({"candidates": [7]}, "candidates[0]"),
        ({"candidates": [{"content": 7}]}, "candidates[0].content"),
        ({"candidates": [{"content": {"parts": 7}}]}, "candidates[0].content.parts"),
        (response(part(), 7), "candidates[0].content.parts[1]"),
        (response({"functionCall": 7}), "candidates[0].content.parts[0].functionCall"),
        (response(part(name=None)), "candidates[0].content.parts[0].functionCall.name"),
        ({"parts": [{"function_call": {}}]}, "parts[0].function_call.name"),
        ({"content": {"parts": 7}}, "content.parts"),
        ([part(id=7)], "[0].functionCall.id"),
    ],
)
def test_a_fault_is_named_with_its_path(reply: object, path: str) -> None:
    with pytest.raises(BadReply) as caught:
        gemini.parse(reply)
    assert caught.value.path == path


def test_an_error_of_the_provider_is_said() -> None:
    error = {"code": 429, "message": "Quota exceeded", "status": "RESOURCE_EXHAUSTED"}
    with pytest.raises(BadReply, match="answered with an error: 'Quota exceeded'"):
        gemini.parse({"error": error})


@pytest.mark.parametrize(
    "candidate", [{}, {"content": {}}, {"content": None}, {"content": {"parts": None}}]
)
def test_a_candidate_that_was_stopped_has_no_calls(candidate: object) -> None:
    assert gemini.parse({"candidates": [candidate]}) == []


def test_other_parts_are_passed_over() -> None:
    others = [{"text": "Hi"}, {"executableCode": {"code": "1"}}, {"toolCall": {"id": "1"}}]
    assert gemini.parse(response(*others)) == []


def test_all_responses_are_in_one_content() -> None:
    made = [
        outcome(Call("forecast", id="a1"), value={"sky": "clear", "error": None}),
        outcome(Call("forecast"), value="Sunny."),
        outcome(Call("forecast", id="a3"), error=OSError("down")),
    ]
    first = {"output": {"sky": "clear", "error": None}}
    assert gemini.render(made) == [
        {
            "role": "user",
            "parts": [
                {"functionResponse": {"id": "a1", "name": "forecast", "response": first}},
                {"functionResponse": {"name": "forecast", "response": {"output": "Sunny."}}},
                {
                    "functionResponse": {
                        "id": "a3",
                        "name": "forecast",
                        "response": {"error": "OSError: down"},
                    }
                },
            ],
        }
    ]


def test_all_tools_are_declared_in_one_entry() -> None:
    declared = {
        "name": "forecast",
        "description": "The weather of a city.",
        "parametersJsonSchema": forecast.schema,
    }
    assert gemini.describe([forecast, forecast]) == [{"functionDeclarations": [declared] * 2}]


def test_the_sdks_response_and_its_parts_are_read() -> None:
    types = pytest.importorskip("google.genai.types")
    signed = {**part(id="a1"), "thoughtSignature": "Q2hlY2s="}
    reply = types.GenerateContentResponse.model_validate(response({"text": "Hi."}, signed, part()))
    content = reply.candidates[0].content
    for given in (reply, reply.candidates[0], content, content.parts):
        calls = gemini.parse(given)
        assert [(c.id, c.arguments) for c in calls] == [
            ("a1", b'{"city":"Oslo"}'),
            (None, b'{"city":"Oslo"}'),
        ]
        assert gemini.text(given) == "Hi."


def test_what_is_rendered_is_what_the_sdk_takes() -> None:
    types = pytest.importorskip("google.genai.types")
    made = [outcome(c, value=[1]) for c in gemini.parse([part(id="a1"), part()])]
    content = types.Content.model_validate(gemini.render(made)[0])
    assert [p.function_response.id for p in content.parts] == ["a1", None]
    entry = types.Tool.model_validate(gemini.describe([forecast])[0])
    assert entry.function_declarations[0].parameters_json_schema == forecast.schema
