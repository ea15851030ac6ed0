"""Events as bytes."""

import jsonschema
import pytest

import penstock
from penstock import Call, Engine, Event, tool
from penstock._codec import decode
from penstock.errors import UnknownTool
from penstock.events import SCHEMAS, from_json
from penstock.streams.encode import INLINE_BYTES, encode, error_record
from penstock.testing import outcome


def ended(**what: object) -> dict[str, object]:
    made = outcome(Call("web"), **what)  # type: ignore[arg-type]
    record = decode(Event(7, "call.ended", 1.5, "a", 0, outcome=made).encoded.json)
    assert isinstance(record, dict)
    return record["data"]


def test_a_small_value_is_inside() -> None:
    assert ended(value={"n": 1})["value"] == {"n": 1}


def test_a_large_value_is_a_reference() -> None:
    data = ended(value="x" * INLINE_BYTES)
    assert "value" not in data
    assert data["value_ref"] == {
        "href": None,
        "bytes": INLINE_BYTES + 2,
        "media_type": "application/json",
    }


def test_a_value_without_a_json_form_is_named() -> None:
    assert ended(value=object())["opaque"] == "object"


def test_an_error_says_its_code() -> None:
    assert error_record(UnknownTool("web"))["code"] == "unknown_tool"
    data = ended(error=ValueError("no"))
    assert data["error"] == {"code": "tool_failed", "message": "ValueError: no", "retryable": False}


def test_a_server_sent_event_has_the_number_as_its_id() -> None:
    made = encode(Event(9, "stream.end", 1.0, data={"reason": "shutdown"}))
    assert made.sse == b"id: 9\nevent: stream.end\ndata: " + made.json + b"\n\n"
    assert len(made) == len(made.json) + len(made.sse)


@pytest.mark.parametrize(
    ("kind", "given", "sent"),
    [
        (
            "call.output",
            {"bytes": b"\xff", "speculative": True},
            {"base64": "/w==", "speculative": True},
        ),
        (
            "call.output",
            {"text": "a", "speculative": True},
            {"text": "a", "speculative": True},
        ),
        ("call.output", {"bytes": b"\xff"}, {"base64": "/w=="}),
        ("call.output", {"items": [1, object]}, {"items": [1, {"opaque": "type"}]}),
        ("call.progress", {"done": object}, {"done": {"opaque": "type"}}),
        ("call.progress", {"done": 1}, {"done": 1}),
    ],
)
def test_what_a_tool_tells_always_has_a_form(kind: str, given: object, sent: object) -> None:
    event = Event(1, kind, 1.0, "a", 0, data=given)  # type: ignore[arg-type]
    assert decode(event.encoded.json)["data"] == sent


async def test_each_event_of_a_batch_fits_its_schema_and_comes_back() -> None:
    @tool(effects="read", retries=2)
    async def shaky() -> None:
        penstock.progress(1, 2, "half")
        penstock.output("text")
        raise ConnectionError("away")

    async with Engine([shaky], history=5) as engine:
        batch = engine.submit([Call("shaky", branch="b"), Call("nothing")])
        batch.branch("b").commit()
        seen = [event async for event in batch.events()]
        seen += [event async for event in batch.events(after=0)]
    assert {"call.retrying", "call.ended", "stream.snapshot"} <= {event.type for event in seen}
    for event in seen:
        record = decode(event.encoded.json)
        jsonschema.validate(record["data"], SCHEMAS[event.type])
        assert encode(from_json(event.encoded.json)).json == event.encoded.json


async def test_it_is_made_once_for_all_who_watch() -> None:
    @tool
    async def noop() -> None: ...

    async with Engine([noop]) as engine:
        batch = engine.submit([Call("noop")] * 300)
        await batch
        first = [event.encoded async for event in batch.events()]
        second = [event.encoded async for event in batch.events()]
    assert all(one is other for one, other in zip(first, second, strict=True))


async def test_it_is_made_once_also_for_who_read_the_event_before() -> None:
    @tool
    async def noop() -> None: ...

    async with Engine([noop]) as engine:
        batch = engine.submit([Call("noop")])
        await batch
        before = [event async for event in batch.events()]
        after = [event async for event in batch.events()]
        bare = [event async for event in batch.events(values=False)]
        made = [event.encoded for event in after]
        async for _ in batch.events():
            pass  # the log has heard of what was encoded
        assert all(one.encoded is other for one, other in zip(before, made, strict=True))
        assert [one.encoded is other for one, other in zip(bare, made, strict=True)] == [
            one.outcome is None for one in before
        ]
