"""Events: facts about a batch, in order, each with a number that a watcher can come back to."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from penstock.calls import Outcome

__all__ = ["Event", "EventType"]

EventType = Literal["started", "progress", "ended", "batch_ended"]


@dataclass(frozen=True, slots=True)
class Event:
    """One fact about a batch.

    Attributes:
        seq: its number in the batch, from 1; `batch.events(after=event.seq)` goes on behind it.
        type: what happened.
        time: seconds on the monotonic clock.
        call: the id of the call; None for facts about the whole batch.
        index: the place of the call in its batch; None likewise.
        branch: the branch of the call, if it is in one.
        data: what the tool said with `progress`.
        outcome: what became of the call, when it has ended.
    """

    seq: int
    type: EventType
    time: float
    call: str | None = None
    index: int | None = None
    branch: str | None = None
    data: Mapping[str, object] | None = None
    outcome: Outcome | None = None

    @property
    def status(self) -> str | None:
        """The status of the outcome, if there is one."""
        return self.outcome.status if self.outcome else None
