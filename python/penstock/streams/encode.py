"""Events as bytes: made once for all who are sent them.

The value of a call is written into its last event if it is small, else a reference to it; a value
that has no JSON form is named by its type. Its outcome is untouched by either.
"""

import base64
from collections.abc import Mapping
from dataclasses import dataclass

from penstock._codec import embed
from penstock._codec import encode as to_json
from penstock.calls import Outcome
from penstock.errors import BadValue, PenstockError
from penstock.events import Event, to_record

INLINE_BYTES = 64 << 10
"""A value above this is not in the event itself."""

RESULTS = "penstock://results/"
"""What a value in the store is referred to by, with its id: `engine.results.find(id)`."""

JSON = "application/json"


@dataclass(frozen=True, slots=True)
class Encoded:
    """An event, encoded.

    Attributes:
        json: the event as one JSON object.
        sse: the same as a server-sent event, whose id is its number.
    """

    json: bytes
    sse: bytes

    def __len__(self) -> int:
        """How much memory the two take."""
        return len(self.json) + len(self.sse)


def encode(event: Event) -> Encoded:
    """Encode an event. `Event.encoded` asks once, and keeps the answer."""
    json = to_json(to_record(event, _data(event)))
    sse = b"id: %d\nevent: %s\ndata: %s\n\n" % (event.seq, event.type.encode(), json)
    return Encoded(json, sse)


def _data(event: Event) -> Mapping[str, object] | None:
    data = event.data
    if event.type == "call.ended":
        return _ended(event) if data is None else data
    if event.type == "call.output" and data is not None:
        return _output(data)
    if event.type == "stream.snapshot" and data is not None:
        return {**data, "calls": [_call(call) for call in data["calls"]]}
    return None if data is None else _shown(data)


def _shown(data: Mapping[str, object]) -> Mapping[str, object]:
    """What a tool tells may have no JSON form."""
    try:
        return {name: embed(to_json(value)) for name, value in data.items()}
    except BadValue:
        return {name: _plain(value) for name, value in data.items()}


def _plain(value: object) -> object:
    try:
        return embed(to_json(value))
    except BadValue:
        return {"opaque": type(value).__name__}


def _output(data: Mapping[str, object]) -> Mapping[str, object]:
    part, items = data.get("bytes"), data.get("items")
    if isinstance(part, bytes):
        shown: Mapping[str, object] = {"base64": base64.b64encode(part).decode()}
    elif isinstance(items, list):
        shown = {"items": [_plain(item) for item in items]}
    else:
        return data
    return {**shown, "speculative": True} if data.get("speculative") else shown


def _call(call: Mapping[str, object]) -> Mapping[str, object]:
    """One call of a snapshot."""
    told = dict(call)
    outcome = told.pop("outcome", None)
    progress = told["progress"]
    if isinstance(progress, Mapping):
        told["progress"] = _shown(progress)
    output = told["output"]
    if isinstance(output, list):
        told["output"] = [_output(part) for part in output]
    if isinstance(outcome, Outcome):
        told |= _given(outcome)
    return told


def _ended(event: Event) -> Mapping[str, object]:
    outcome = event.outcome
    if outcome is None:
        return {"status": event.status}
    flags = [
        name for name in ("detached", "late", "cached", "speculative") if getattr(outcome, name)
    ]
    return {
        "status": outcome.status,
        "attempts": outcome.attempts,
        "flags": flags,
        "timings": {
            "waited_ms": outcome.waited * 1e3,
            "ran_ms": outcome.duration * 1e3,
        },
        **_given(outcome),
    }


def _given(outcome: Outcome) -> dict[str, object]:
    """The value of an outcome, or its error."""
    if not outcome.ok:
        return {"error": error_record(outcome.error)}
    kept = outcome.ref
    if kept is not None:
        # It is not encoded for this: who wants it fetches it, and then it may be in parts.
        about = {"bytes": kept.size, "media_type": kept.media_type or JSON}
        return {"value_ref": {"href": RESULTS + kept.id, **about}}
    try:
        json = to_json(outcome.value)
    except BadValue:
        return {"opaque": type(outcome.value).__name__}
    if len(json) > INLINE_BYTES:
        return {"value_ref": {"href": None, "bytes": len(json), "media_type": JSON}}
    return {"value": embed(json)}


def error_record(error: BaseException | None) -> dict[str, object]:
    """Return an error as events tell it: what a program may act on, nothing internal."""
    if isinstance(error, PenstockError):
        return {
            "code": error.code,
            "message": error.for_model(),
            "retryable": error.retryable,
        }
    name = type(error).__name__
    text = str(error) if error is not None else ""
    return {"code": "tool_failed", "message": f"{name}: {text}"[:1_000], "retryable": False}
