"""What events add up to."""

from penstock.events import Event
from penstock.streams import fold
from penstock.streams.fold import OUTPUT_BYTES


def event(seq: int, kind: str, **data: object) -> Event:
    ended = kind == "call.ended"
    return Event(seq, kind, 0.0, "a", 0, data=data, status="failed" if ended else None)


def test_a_call_goes_through_its_states() -> None:
    events = [
        event(1, "call.parked", gate="x"),
        event(2, "call.started", attempt=1),
        event(3, "call.retrying", attempt=1),
        event(4, "call.started", attempt=2),
        event(5, "call.cancelling"),
        event(6, "call.ended"),
    ]
    states = [fold(events[: at + 1]).calls[0].state for at in range(len(events))]
    assert states == ["parked", "running", "retrying", "running", "cancelling", "ended"]
    last = fold(events).calls[0]
    assert (last.attempt, last.status) == (2, "failed")


def test_output_of_one_kind_is_joined_and_its_tail_kept() -> None:
    parts = [event(1, "call.output", text="a" * OUTPUT_BYTES), event(2, "call.output", text="b")]
    (text,) = fold(parts).calls[0].output
    assert (len(text), text[-1]) == (OUTPUT_BYTES, "b")
    mixed = [event(1, "call.output", text="a"), event(2, "call.output", items=[1])]
    assert fold(mixed).calls[0].output == ["a", [1]]


def test_what_a_guess_told_is_joined_with_what_its_call_tells() -> None:
    parts = [event(1, "call.output", text="a", speculative=True), event(2, "call.output", text="b")]
    assert fold(parts).calls[0].output == ["ab"]


def test_a_snapshot_replaces_what_was_known() -> None:
    row = {"index": 1, "state": "running", "attempt": 1, "status": None, "progress": None}
    data = {"part": 1, "parts": 1, "ended": False, "branches": {"b": True}}
    snapshot = Event(9, "stream.snapshot", 0.0, data={**data, "calls": [{**row, "output": []}]})
    view = fold([event(1, "call.started", attempt=1), snapshot])
    assert (view.seq, list(view.calls), view.branches) == (9, [1], {"b": True})


def test_branches_and_the_end_are_seen() -> None:
    committed = Event(1, "branch.committed", 0.0, branch="b")
    view = fold([committed, Event(2, "batch.ended", 0.0, data={"counts": {}})])
    assert (view.branches, view.ended) == ({"b": True}, True)
