"""What is left out, masked, shown to the user's hook and disguised, in this order."""

from typing import Annotated, Any

import pytest
from pydantic import BaseModel, Field, SecretStr

from penstock import tool
from penstock._codec import encode
from penstock.speculation.notes import Ending, Notes, Step
from penstock.speculation.shapes import Shapes
from penstock.speculation.traces import TraceSession
from penstock.speculation.veil import Veil


class Card(BaseModel):
    owner: str
    number: SecretStr


@tool
async def pay(
    card: Card, code: Annotated[str, Field(json_schema_extra={"writeOnly": True})]
) -> str:
    return code


@tool
async def spare(pin: SecretStr | None = None, pins: list[SecretStr] | None = None) -> None: ...


@tool(effects="read")
async def look(id: str = "") -> str:
    return id


@tool(effects="read", speculate=False)
async def think(about: str) -> str:
    return about


TOOLS = {each.name: each for each in (pay, spare, look, think)}


def written(
    *calls: tuple[str, Any, Any], said: str = "", veil: Veil | None = None, **options: Any
) -> TraceSession:
    """Return what is written of a session with these calls, each (tool, arguments, result)."""
    steps = [
        Step(1.0, 0, [(name, encode(given))], endings=[Ending(encode(result), None, 1.0)])
        for name, given, result in calls
    ]
    notes = Notes("s-1", "acme:eu", "helper", 0.0, said=[(0.5, said)], steps=steps)
    notes.tools = {name: TOOLS[name] for name, _, _ in calls}
    return (veil or Veil(None, options.get("redact"))).session(notes)


def test_what_a_schema_calls_secret_is_left_out_at_any_depth() -> None:
    card = {"owner": "ana", "number": "4111-1111"}
    (call,) = written(("pay", {"card": card, "code": "abcd"}, "paid")).calls
    assert call.arguments == {"card": {"owner": "ana"}}


def test_optional_secrets_and_lists_of_them_are_secrets() -> None:
    (call,) = written(("spare", {"pin": "12345678", "pins": ["87654321"]}, None)).calls
    assert call.arguments == {}


@pytest.mark.parametrize("name", ["password", "api_key", "access_token", "Authorization"])
def test_names_that_sound_secret_are_left_out_of_results_too(name: str) -> None:
    (call,) = written(("look", {}, {"user": {name: "hidden", "name": "ana"}})).calls
    assert call.result == {"user": {"name": "ana"}}


def test_a_secret_is_masked_wherever_it_stands() -> None:
    given = {"card": {"owner": "ana", "number": "41111111"}, "code": "abcd"}
    result = {"said": "charged 41111111 (abcd)", "41111111": 1, "as_number": 41111111}
    session = written(("pay", given, result), ("look", {"id": "abcd"}, "abc"), said="it is abcd")
    assert session.calls[0].result == {"said": "charged *** (***)", "***": 1, "as_number": "***"}
    assert session.calls[1].arguments == {"id": "***"}
    assert session.calls[1].result == "abc"
    assert session.inputs == ((0, "it is ***"),)


def test_a_result_of_unknown_arguments_is_not_written() -> None:
    step = Step(1.0, -1, [("pay", None)], endings=[Ending(b'"abcd"', None, 1.0)])
    notes = Notes("s", None, None, 0.0, steps=[step], tools={"pay": pay})
    (call,) = Veil(None, None).session(notes).calls
    assert (call.arguments, call.cut, call.result, call.result_cut) == ({}, True, None, True)


def test_redact_never_sees_a_secret_and_shapes_come_after_it() -> None:
    seen: list[tuple[str, str, Any]] = []

    def redact(tool: str, path: str, value: Any) -> Any:
        seen.append((tool, path, value))
        return "gone" if value == "ana" else value

    veil = Veil(Shapes(b"key"), redact)
    given = {"card": {"owner": "ana", "number": "41111111"}, "code": "abcd"}
    (call,) = written(("pay", given, [1, None]), said="hi", veil=veil).calls
    assert call.arguments == {"card": {"owner": Shapes(b"key").text("gone")}}
    assert seen == [
        ("", "text", "hi"),
        ("pay", "args.card.owner", "ana"),
        ("pay", "result[0]", 1),
        ("pay", "result[1]", None),
    ]


def test_shapes_hide_who_it_was_and_keep_names_of_tools_and_fields() -> None:
    many = {f"key{letter}": 1 for letter in "abcdefghijklmnopq"}
    veil = Veil(Shapes(b"key"), None)
    result = {"name": "ana", "W12": {"status": "open"}, "many": many}
    session = written(("look", {"id": "W12"}, result), veil=veil)
    (call,) = session.calls
    assert (call.tool, [*call.arguments]) == ("look", ["id"])
    assert call.arguments["id"] in call.result
    assert {"name", "many"} <= set(call.result)
    assert not set(many) & set(call.result["many"])
    assert "acme" not in session.domain
    assert session.domain.endswith(":helper")
    assert session.id == session.task != "s-1"


def test_effects_are_those_of_a_trace() -> None:
    session = written(("pay", {}, 1), ("look", {}, 1), ("think", {}, 1))
    assert session.effects == {"pay": "write", "look": "read", "think": "generic"}
    assert session.family == "acme_eu"
