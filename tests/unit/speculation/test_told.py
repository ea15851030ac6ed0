from typing import Any

from pydantic import SecretStr

from penstock import Tool, tool
from penstock._codec import encode
from penstock.speculation.told import MOST_SECRETS, Told


@tool
async def enter(user: str, pin: SecretStr, times: int = 1) -> None: ...


def told() -> Told:
    tools: dict[str, Tool[..., Any]] = {"enter": enter}
    return Told(tools.get)


def test_a_call_is_told_settled_and_without_its_secrets() -> None:
    known = told()
    given, whole = known.call("s", "enter", b'{"user":"eve","pin":"tango-77"}')
    assert (given, whole) == (encode({"user": "eve", "times": 1}), False)
    given, whole = known.call("s", "enter", b'{"user":"eve"}')
    assert (given, whole) == (encode({"user": "eve", "times": 1}), True)


def test_a_secret_that_a_session_had_is_masked_in_what_comes_later_there() -> None:
    known = told()
    assert known.text("s", "tango-77") == "tango-77"
    known.call("s", "enter", b'{"user":"eve","pin":"tango-77"}')
    assert known.text("s", "it was tango-77!") == "it was ***!"
    assert known.result("s", "", b'{"echo":"tango-77"}') == b'{"echo":"***"}'
    assert known.call("s", "other", b'{"a":"tango-77"}') == (b'{"a":"***"}', False)
    assert known.text("another", "tango-77") == "tango-77"
    known.forget("s")
    assert known.text("s", "tango-77") == "tango-77"


def test_secret_fields_of_results_go() -> None:
    assert told().result("s", "enter", b'{"pin":"1234","api_key":"k","b":1}') == b'{"b":1}'
    assert told().result("s", "unknown", b'{ "b" : 1 }') == b'{ "b" : 1 }'


def test_arguments_that_are_no_json_are_told_as_they_are() -> None:
    assert told().call("s", "enter", b"[") == (b"[", True)


def test_secrets_of_a_session_are_bounded() -> None:
    known = told()
    for number in range(2 * MOST_SECRETS):
        known.call("s", "enter", encode({"user": "e", "pin": f"pin-{number:05}"}))
    masked = [known.text("s", f"pin-{number:05}") == "***" for number in range(2 * MOST_SECRETS)]
    assert sum(masked) == MOST_SECRETS


def test_the_form_of_a_tool_is_that_of_its_schema() -> None:
    @tool(name="enter")
    async def other(user: str) -> None: ...

    assert told().form("enter").digest == told().form("enter").digest
    assert Told({"enter": other}.get).form("enter").digest != told().form("enter").digest
    assert told().form("unknown").digest == b""
