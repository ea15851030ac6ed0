"""The wire format of events, version 1: what was written once is read for ever, byte by byte."""

import json
from pathlib import Path
from typing import Any, get_args

import jsonschema
import pytest

from penstock import Call, Event, Outcome
from penstock.errors import BudgetExceeded
from penstock.events import EVENT_VERSION, SCHEMAS, EventType, from_json
from penstock.streams.encode import encode
from penstock.testing import outcome

GOLDEN = Path(__file__).parents[1] / "data" / "events" / "v1.jsonl"
LINES = GOLDEN.read_bytes().splitlines()
CALL = {"call": "a", "index": 0, "tool": "search", "branch": "left", "batch": 4_294_967_296}
BATCH = {"batch": 4_294_967_296}
ERROR = {"code": "tool_failed", "message": "ConnectionError: away", "retryable": False}
ROW = {"call": "a", "index": 0, "tool": "search", "branch": None, "state": "running"} | {
    "attempt": 1,
    "status": None,
    "progress": {"done": 1},
    "output": [{"text": "t"}],
}


def made(seq: int, kind: str, data: object = None, **fields: Any) -> Event:
    return Event(seq, kind, 12.5, data=data, **fields)  # type: ignore[arg-type]


def spent() -> BudgetExceeded:
    return BudgetExceeded("purse", "run:7", None, 5, None, "microusd")


def ended(**came_of_it: Any) -> Outcome:
    times = {"submitted": 1.0, "started": 2.0, "ended": 4.5}
    return outcome(Call("search", id="a"), **times, **came_of_it)


WRITTEN = [
    made(1, "batch.started", {"calls": 2}, **BATCH),
    made(2, "call.parked", {"gate": "rate tool:search", "retry_at": 13.5}, **CALL),
    made(3, "call.parked", {"gate": "one at once", "retry_at": None}, **CALL),
    made(4, "call.started", {"attempt": 1, "queued_ms": 0.25}, **CALL),
    made(5, "call.progress", {"done": 1, "total": 2, "message": "half"}, **CALL),
    made(6, "call.output", {"text": "ä"}, **CALL),
    made(7, "call.output", {"bytes": b"\xff\x00"}, **CALL),
    made(8, "call.output", {"items": [{"n": 1}, 2]}, **CALL),
    made(9, "call.retrying", {"attempt": 1, "wait_ms": 80.5, "error": ERROR}, **CALL),
    made(10, "call.hedged", {"attempt": 2}, **CALL),
    made(11, "call.cancelling", **CALL),
    made(12, "call.ended", outcome=ended(value="value"), **CALL),
    made(13, "call.ended", outcome=ended(value="x" * 65_536), **CALL),
    made(14, "call.ended", outcome=ended(value=object()), **CALL),
    made(15, "call.ended", outcome=ended(error=spent()), **CALL),
    made(16, "call.ended", status="ok", **CALL),
    made(17, "call.released", **CALL),
    made(18, "branch.committed", branch="left", **BATCH),
    made(19, "branch.cancelled", branch="right", **BATCH),
    made(20, "budget.warning", {"budget": "purse", "scope": "run:7", "share": 0.8}, **BATCH),
    made(21, "batch.ended", {"counts": {"ok": 1, "failed": 1}}, **BATCH),
    made(21, "stream.gap", {"from": 1, "to": 21}),
    made(
        21,
        "stream.snapshot",
        {"part": 1, "parts": 1, "ended": False, "branches": {"left": True}, "calls": [ROW]},
    ),
    made(21, "stream.handover"),
    made(21, "stream.end", {"reason": "owner-lost"}),
]


@pytest.mark.parametrize(
    ("event", "line"),
    list(zip(WRITTEN, LINES, strict=True)),
    ids=lambda it: getattr(it, "type", ""),
)
def test_it_is_written_as_ever(event: Event, line: bytes) -> None:
    assert event.encoded.json == line


@pytest.mark.parametrize("line", LINES)
def test_what_was_written_is_read_and_fits_its_schema(line: bytes) -> None:
    event, record = from_json(line), json.loads(line)
    assert (record["v"], event.seq, event.type) == (EVENT_VERSION, record["seq"], record["type"])
    jsonschema.validate(record["data"], SCHEMAS[event.type])
    assert encode(event).json == line


def test_each_type_is_there() -> None:
    types = {json.loads(line)["type"] for line in LINES}
    assert types == set(get_args(EventType)) == set(SCHEMAS)


def test_what_a_later_writer_adds_is_passed_over() -> None:
    record = {**json.loads(LINES[0]), "type": "call.invented", "colour": "red"}
    event = from_json(json.dumps(record))
    assert (event.type, event.seq) == ("call.invented", 1)
