"""What events add up to: where each call of a batch is. Snapshots are the same, made by the log.

Whoever shows a batch folds its events into a `BatchView`: whatever was missed, the view is right
again with the next snapshot.
"""

from collections.abc import Iterable, Mapping
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
        if event.type == "stream.snapshot":
            self._take_snapshot(data)
        elif event.type == "batch.started":
            self.calls = {index: CallView() for index in range(data["calls"])}
        elif event.type == "batch.ended":
            self.ended = True
        elif event.type in ("branch.committed", "branch.cancelled"):
            self.branches[event.branch or ""] = event.type == "branch.committed"
        elif event.index is not None:
            _step(self.calls.setdefault(event.index, CallView()), event, data)
        self.seq = event.seq

    def _take_snapshot(self, data: Mapping[str, Any]) -> None:
        if data["part"] == 1:
            self.calls = {}
        self.branches, self.ended = dict(data["branches"]), data["ended"]
        for row in data["calls"]:
            view = CallView(row["state"], row["attempt"], row["status"], row["progress"])
            for part in row["output"]:
                _join(view.output, part)
            self.calls[row["index"]] = view


def fold(events: Iterable[Event]) -> BatchView:
    """Return what events add up to, from the first one or a snapshot on."""
    view = BatchView()
    for event in events:
        view.take(event)
    return view


def _step(view: CallView, event: Event, data: Mapping[str, Any]) -> None:
    if event.type == "call.progress":
        view.progress = data
    elif event.type == "call.output":
        _join(view.output, data)
    elif event.type in _STATES and not (
        event.type == "call.started" and view.state == "cancelling"
    ):
        view.state = _STATES[event.type]
    if event.type == "call.started":
        view.attempt = max(view.attempt, data["attempt"])
    if event.type == "call.ended":
        view.status = event.status


def _join(output: list[Any], data: Mapping[str, Any]) -> None:
    (part,) = data.values()
    if output and type(output[-1]) is type(part):
        output[-1] = (output[-1] + part)[-OUTPUT_BYTES:]
    else:
        output.append(part)
