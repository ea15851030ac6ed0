"""What events add up to: where each call of a batch is. Snapshots are the same, made by the log.

Whoever shows a batch folds its events into a `BatchView`: whatever was missed, the view is right
again with the next snapshot.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from penstock.events import Event

OUTPUT_BYTES = 64 << 10
"""Of a call's output, the last so many characters are kept."""

_STATES = {
    "call.parked": "parked",
    "call.started": "running",
    "call.retrying": "retrying",
    "call.cancelling": "cancelling",
    "call.ended": "ended",
}


@dataclass(slots=True)
class CallView:
    """One call.

    Attributes:
        state: waiting, parked, running, retrying, cancelling or ended.
        attempt: the attempt that started last; 0 if none has.
        status: of its outcome, once it has ended.
        progress: what it told last.
        output: text and bytes of its output, joined where they are of one kind: the last 64 KiB.
    """

    state: str = "waiting"
    attempt: int = 0
    status: str | None = None
    progress: Mapping[str, object] | None = None
    output: list[Any] = field(default_factory=list)


@dataclass(slots=True)
class BatchView:
    """A batch as far as its events tell.

    Attributes:
        seq: the number of the newest event in it.
        calls: by their places.
        branches: whether a branch was kept, by name.
        ended: whether every call has its outcome.
    """

    seq: int = 0
    calls: dict[int, CallView] = field(default_factory=dict)
    branches: dict[str, bool] = field(default_factory=dict)
    ended: bool = False

    def take(self, event: Event) -> None:
        """Bring the view up to date with the next event."""
        data: Mapping[str, Any] = event.data or {}
        if event.index is not None:
            _step(self.calls.setdefault(event.index, CallView()), event, data)
        elif event.type in _OF_BATCH:
            _OF_BATCH[event.type](self, event, data)
        self.seq = event.seq


def _take_start(view: BatchView, _event: Event, data: Mapping[str, Any]) -> None:
    view.calls = {index: CallView() for index in range(data["calls"])}


def _take_branch(view: BatchView, event: Event, _data: Mapping[str, Any]) -> None:
    view.branches[event.branch or ""] = event.type == "branch.committed"


def _take_end(view: BatchView, _event: Event, _data: Mapping[str, Any]) -> None:
    view.ended = True


def _take_snapshot(view: BatchView, _event: Event, data: Mapping[str, Any]) -> None:
    if data["part"] == 1:
        view.calls = {}
    view.branches, view.ended = dict(data["branches"]), data["ended"]
    for row in data["calls"]:
        call = CallView(row["state"], row["attempt"], row["status"], row["progress"])
        for part in row["output"]:
            _join(call.output, part)
        view.calls[row["index"]] = call


_OF_BATCH: Mapping[str, Callable[[BatchView, Event, Mapping[str, Any]], None]] = {
    "batch.started": _take_start,
    "branch.committed": _take_branch,
    "branch.cancelled": _take_branch,
    "batch.ended": _take_end,
    "stream.snapshot": _take_snapshot,
}


def fold(events: Iterable[Event]) -> BatchView:
    """Return what events add up to, from the first one or a snapshot on."""
    view = BatchView()
    for event in events:
        view.take(event)
    return view


def _step(view: CallView, event: Event, data: Mapping[str, Any]) -> None:
    if event.type in _OF_CALL:
        _OF_CALL[event.type](view, event, data)
    # An attempt that begins after the call was asked to end changes nothing.
    if view.state != "cancelling" or event.type not in ("call.parked", "call.started"):
        view.state = _STATES.get(event.type, view.state)


def _take_attempt(view: CallView, _event: Event, data: Mapping[str, Any]) -> None:
    view.attempt = max(view.attempt, data["attempt"])


def _take_progress(view: CallView, _event: Event, data: Mapping[str, Any]) -> None:
    view.progress = data


def _take_output(view: CallView, _event: Event, data: Mapping[str, Any]) -> None:
    _join(view.output, data)


def _take_status(view: CallView, event: Event, _data: Mapping[str, Any]) -> None:
    view.status = event.status


_OF_CALL: Mapping[str, Callable[[CallView, Event, Mapping[str, Any]], None]] = {
    "call.started": _take_attempt,
    "call.progress": _take_progress,
    "call.output": _take_output,
    "call.ended": _take_status,
}


def _join(output: list[Any], data: Mapping[str, Any]) -> None:
    part = next(told for name, told in data.items() if name != "speculative")
    if output and type(output[-1]) is type(part):
        output[-1] = (output[-1] + part)[-OUTPUT_BYTES:]
    else:
        output.append(part)
