"""The order of a call's events, whatever limits, cancels and branches do to it."""

import asyncio
from itertools import groupby

from hypothesis import example, given
from hypothesis import strategies as st

import penstock
from penstock import Call, Engine, Event, Limit, tool
from penstock.streams import fold
from penstock.testing import VirtualLoop

BRANCHES = ("left", "right", None)

# Milliseconds that a call takes, and its branch.
CALLS = st.lists(st.tuples(st.integers(0, 120), st.sampled_from(BRANCHES)), min_size=1, max_size=12)
# When something is done, and what: to which call or branch.
DEEDS = st.lists(
    st.tuples(
        st.integers(0, 200), st.sampled_from(["call", "branch", "commit"]), st.integers(0, 11)
    ),
    max_size=6,
)


@tool
async def work(ms: int) -> int:
    penstock.progress(0, ms)
    await penstock.sleep(ms / 1_000)
    penstock.output("done")
    return ms


async def _story(
    calls: list[tuple[int, str | None]], deeds: list[tuple[int, str, int]], rate: int, slots: int
) -> list[Event]:
    limits = [
        Limit.rate("tool:work", rate, per=1, burst=1, name="rate"),
        Limit.concurrency("global", slots, name="slots"),
    ]
    async with Engine([work], limits=limits) as engine:
        batch = engine.submit([Call("work", {"ms": ms}, branch=name) for ms, name in calls])
        for after, deed, which in sorted(deeds):
            await asyncio.sleep(after / 1_000)
            if deed == "call":
                batch.cancel_call(which % len(calls))
            elif batch.branches:
                branch = batch.branch(batch.branches[which % len(batch.branches)])
                branch.cancel() if deed == "branch" else branch.commit()
        return [event async for event in batch.events()]


def _check_call(events: list[Event]) -> None:
    """Waits, then the start, then what it tells; at most once asked to end; the end, once."""
    kinds = [kind.removeprefix("call.") for kind, _ in groupby(e.type for e in events)]
    told = [kind for kind in kinds if kind in ("progress", "output", "cancelling")]
    expected = ["parked"] * ("parked" in kinds) + ["started"] * ("started" in kinds)
    assert kinds == [*expected, *told, "ended"]
    assert [e.type for e in events].count("call.ended") == 1
    assert [e.type for e in events].count("call.cancelling") <= 1
    assert not told or "started" in kinds
    for event in events:
        if event.type == "call.parked":
            assert event.data is not None
            assert event.data["gate"] in ("rate", "slots")
            assert (event.data["retry_at"] or event.time) >= event.time


def _check_branches(events: list[Event]) -> None:
    """Each branch is kept or given up at most once, and before the calls that this ends."""
    told = [event.branch for event in events if event.type.startswith("branch.")]
    assert len(told) == len(set(told))
    given_up = {event.branch: event.seq for event in events if event.type == "branch.cancelled"}
    for event in events:
        reason = str(event.outcome.error) if event.outcome is not None else ""
        if event.type == "call.ended" and ("race" in reason or "branch" in reason):
            assert given_up[event.branch] < event.seq


@given(CALLS, DEEDS, st.integers(1, 40), st.integers(1, 4))
@example([(0, "left"), (90, "right")], [(1, "commit", 0)], 40, 2)
def test_events_of_a_call_come_in_their_order(
    calls: list[tuple[int, str | None]], deeds: list[tuple[int, str, int]], rate: int, slots: int
) -> None:
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        events = runner.run(_story(calls, deeds, rate, slots))
    assert [event.seq for event in events] == list(range(1, len(events) + 1))
    assert (events[0].type, events[-1].type) == ("batch.started", "batch.ended")
    for index in range(len(calls)):
        _check_call([event for event in events if event.index == index])
    _check_branches(events)
    view = fold(events)
    assert view.ended
    assert {call.state for call in view.calls.values()} == {"ended"}
