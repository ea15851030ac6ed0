"""Events: facts about calls, batches and engines, in order, each with a number to come back to.

An `Event` is native, and made once for all who watch. This file says which types there are, what the
`data` of each looks like, and how an event is written as JSON and read again.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final, Literal, get_args

from penstock._codec import decode
from penstock._native import Event

__all__ = [
    "CONTROL",
    "EVENT_VERSION",
    "RECORDED",
    "SCHEMAS",
    "Event",
    "EventType",
    "from_json",
    "from_record",
    "to_record",
]

EVENT_VERSION: Final = 1
"""Of the JSON form. Fields are added without a new one; readers pass over those they do not know."""

RecordedType = Literal[
    "batch.started",
    "call.parked",
    "call.started",
    "call.progress",
    "call.output",
    "call.retrying",
    "call.hedged",
    "call.cancelling",
    "call.ended",
    "call.released",
    "branch.committed",
    "branch.cancelled",
    "budget.warning",
    "batch.ended",
]

ControlType = Literal[
    "stream.gap",
    "stream.snapshot",
    "stream.handover",
    "stream.end",
]

EventType = Literal[RecordedType, ControlType]

RECORDED: Final[tuple[RecordedType, ...]] = get_args(RecordedType)
"""What a log records, in the order of the core's kinds."""

CONTROL: Final[tuple[ControlType, ...]] = get_args(ControlType)
"""What a stream says of itself: to one watcher, without a number of its own. `seq` is where the
watcher is afterwards."""


def _object(*required: str, **properties: object) -> Mapping[str, object]:
    return {"type": "object", "properties": properties, "required": list(required)}


_COUNT = {"type": "integer", "minimum": 0}
_SEQ = {"type": "integer", "minimum": 0}
_TEXT = {"type": "string"}
_TEXT_OR_NULL = {"type": ["string", "null"]}
_MS = {"type": "number", "minimum": 0}
_STATUS = {"enum": ["ok", "failed", "rejected", "skipped", "cancelled", "timeout"]}
_ERROR = _object(
    "code", "message", "retryable", code=_TEXT, message=_TEXT, retryable={"type": "boolean"}
)
_VALUE_REF = _object(
    "href", "bytes", "media_type", href=_TEXT_OR_NULL, bytes=_COUNT, media_type=_TEXT
)
_GUESSED = {"type": "boolean"}
_OUTPUT = _object(text=_TEXT, base64=_TEXT, items={"type": "array"}, speculative=_GUESSED)
_PROGRESS = _object(done={}, total={}, message={}, speculative=_GUESSED)
_CALL = _object(
    "call",
    "index",
    "state",
    call=_TEXT,
    index=_COUNT,
    tool=_TEXT,
    branch=_TEXT_OR_NULL,
    state={"enum": ["waiting", "parked", "running", "retrying", "cancelling", "ended"]},
    attempt=_COUNT,
    status={"anyOf": [_STATUS, {"type": "null"}]},
    progress={"anyOf": [_PROGRESS, {"type": "null"}]},
    output={"type": "array", "items": _OUTPUT},
    value={},
    value_ref=_VALUE_REF,
    opaque=_TEXT,
    error=_ERROR,
)

SCHEMAS: Final[Mapping[str, Mapping[str, object]]] = MappingProxyType(
    {
        "batch.started": _object("calls", calls=_COUNT),
        "call.parked": _object("gate", gate=_TEXT, retry_at={"type": ["number", "null"]}),
        "call.started": _object("attempt", "queued_ms", attempt=_COUNT, queued_ms=_MS),
        "call.progress": _PROGRESS,
        "call.output": _OUTPUT,
        "call.retrying": _object(
            "attempt", "wait_ms", "error", attempt=_COUNT, wait_ms=_MS, error=_ERROR
        ),
        "call.hedged": _object("attempt", attempt=_COUNT),
        "call.cancelling": _object(),
        "call.ended": _object(
            "status",
            status=_STATUS,
            attempts=_COUNT,
            flags={"type": "array", "items": _TEXT},
            timings=_object("waited_ms", "ran_ms", waited_ms=_MS, ran_ms=_MS),
            value={},
            value_ref=_VALUE_REF,
            opaque=_TEXT,
            error=_ERROR,
        ),
        "call.released": _object(),
        "branch.committed": _object(),
        "branch.cancelled": _object(),
        "budget.warning": _object(
            "budget", "share", budget=_TEXT, scope=_TEXT, share={"type": "number"}
        ),
        "batch.ended": _object("counts", counts={"type": "object", "additionalProperties": _COUNT}),
        "stream.gap": {
            "type": "object",
            "properties": {"from": _SEQ, "to": _SEQ},
            "required": ["from", "to"],
        },
        "stream.snapshot": _object(
            "part",
            "parts",
            "ended",
            "calls",
            part=_COUNT,
            parts=_COUNT,
            ended={"type": "boolean"},
            branches={"type": "object", "additionalProperties": {"type": "boolean"}},
            calls={"type": "array", "items": _CALL},
        ),
        "stream.handover": _object(),
        "stream.end": _object("reason", reason=_TEXT),
    }
)
"""By type, the JSON Schema of `data` as JSON. Unknown types and fields are to be passed over."""

_FIELDS = ("call", "index", "tool", "branch")


def to_record(event: Event, data: Mapping[str, object] | None) -> dict[str, object]:
    """Return an event as what is written as JSON.

    Args:
        event: the event.
        data: what its `data` is written as.
    """
    record: dict[str, object] = {
        "v": EVENT_VERSION,
        "seq": event.seq,
        "type": event.type,
        "time": event.time,
    }
    for name in _FIELDS:
        value = getattr(event, name)
        if value is not None:
            record[name] = value
    if event.batch is not None:
        record["batch"] = str(event.batch)  # 64 bits: as a number, JavaScript would round it
    record["data"] = {} if data is None else data
    return record


def from_record(record: Mapping[str, Any]) -> Event:
    """Return the event of a record; see `from_json`."""
    try:
        data = record["data"]
        fields = {name: record.get(name) for name in _FIELDS}
        batch = record.get("batch")
        ended = record["type"] == "call.ended"
        return Event(
            record["seq"],
            record["type"],
            record["time"],
            data=data or None,
            status=data["status"] if ended else None,
            batch=None if batch is None else int(batch),
            **fields,
        )
    except (KeyError, TypeError, AttributeError, ValueError, OverflowError) as error:
        raise ValueError(f"no event: {error!r}") from error


def from_json(json: bytes | str) -> Event:
    """Return the event that was written as JSON.

    What a call has given is in its `data` then: a value that came as JSON has no `Outcome`.

    Raises:
        ValueError: it is no event; the caller acts.
    """
    record = decode(json)
    if not isinstance(record, dict):
        raise ValueError("no event: it is not a JSON object")
    return from_record(record)
