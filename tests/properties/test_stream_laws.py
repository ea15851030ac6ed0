"""Watchers of a stream, whatever happens to it: nothing is lost or doubled but what a gap names."""

import asyncio
from dataclasses import dataclass, field

from hypothesis import example, given
from hypothesis import strategies as st

import penstock
from penstock import Call, Engine, Event, tool
from penstock.events import from_json
from penstock.streams import BatchView, Stream, Subscription, fold
from penstock.testing import VirtualLoop

CALLS = 4

Step = tuple[str, int, int]

STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("progress"), st.integers(0, CALLS - 1), st.integers(0, 9)),
        st.tuples(st.just("output"), st.integers(0, CALLS - 1), st.integers(0, 5_000)),
        st.tuples(st.just("end"), st.integers(0, CALLS - 1), st.just(0)),
        st.tuples(st.just("pass"), st.just(0), st.integers(0, 120)),
        st.tuples(st.just("come"), st.integers(0, 100), st.just(0)),
        st.tuples(st.just("read"), st.integers(0, 5), st.integers(1, 40)),
        st.tuples(st.just("return"), st.integers(0, 5), st.just(0)),
    ),
    max_size=60,
)


@dataclass
class Watcher:
    """One who watches, and what they have seen."""

    after: int
    subscription: Subscription
    seen: list[Event] = field(default_factory=list)

    async def read(self, most: int) -> None:
        """Take what is there; never wait."""
        while most and self.subscription.lag:
            self.seen.append(await anext(self.subscription))
            most -= 1

    def check(self, newest: int) -> None:
        """Each number is seen once, or is inside of one gap, which a snapshot covers."""
        due = self.after + 1
        for event in self.seen:
            if event.type == "stream.gap":
                assert event.data is not None
                assert event.data["from"] == due <= event.data["to"] == event.seq
                due = event.seq + 1
            elif event.type == "stream.snapshot":
                assert event.seq == due - 1
            else:
                assert event.seq == due
                due += 1
        assert due == newest + 1


@tool
async def wait_for_orders(orders: int) -> str:
    del orders
    return await _Director.current.orders()


class _Director:
    """Tells running calls what to do."""

    current: "_Director"

    def __init__(self) -> None:
        self.contexts: list[asyncio.Queue[Step]] = []

    async def orders(self) -> str:
        queue: asyncio.Queue[Step] = asyncio.Queue()
        self.contexts.append(queue)
        while True:
            what, _call, amount = await queue.get()
            if what == "end":
                return "done"
            if what == "progress":
                penstock.progress(amount)
            else:
                penstock.output("x" * amount)


async def _story(steps: list[Step], history: int) -> None:
    director = _Director.current = _Director()
    async with Engine([wait_for_orders], history=history) as engine:
        batch = engine.submit([Call("wait_for_orders", {"orders": 0})] * CALLS)
        watchers = [Watcher(0, batch.events())]
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        for step in steps:
            await _take(step, director, watchers, batch)
        for queue in director.contexts:
            queue.put_nowait(("end", 0, 0))
        await batch
        newest = len(batch._native)
        for watcher in watchers:
            watcher.seen += await _rest(watcher)
            watcher.check(newest)
        _, snapshot = Stream(batch._native, batch.calls).snapshot()
        for watcher in watchers:
            if watcher.after == 0:
                assert _told(fold(watcher.seen)) == _told(fold(snapshot))
                assert fold(watcher.seen).ended
            as_sent = [from_json(event.encoded.json) for event in watcher.seen]
            assert _told(fold(as_sent)) == _told(fold(watcher.seen))


async def _take(
    step: Step, director: _Director, watchers: list[Watcher], batch: penstock.Batch
) -> None:
    what, which, amount = step
    if what in ("progress", "output", "end"):
        if which < len(director.contexts):
            director.contexts[which].put_nowait(step)
        await asyncio.sleep(0)
    elif what == "pass":
        await asyncio.sleep(amount / 1_000)
    elif what == "come":
        after = len(batch._native) * which // 100
        watchers.append(Watcher(after, batch.events(after=after)))
    elif what == "read":
        await watchers[which % len(watchers)].read(amount)
    else:
        await _come_back(watchers[which % len(watchers)], batch)


async def _come_back(watcher: Watcher, batch: penstock.Batch) -> None:
    """Leave, and come back with the number of the last event, as a browser does."""
    snapshot = watcher.seen and watcher.seen[-1].type == "stream.gap"
    if snapshot:  # what stands for the gap has not come yet
        watcher.seen.append(await anext(watcher.subscription))
    await watcher.subscription.aclose()
    watcher.subscription = batch.events(after=watcher.subscription.position)


async def _rest(watcher: Watcher) -> list[Event]:
    """What is left until the end, after the events of a snapshot that is being handed out."""
    seen = []
    while (event := await anext(watcher.subscription, None)) is not None:
        seen.append(event)
    return seen


def _told(view: BatchView) -> object:
    return view.seq, view.calls, view.branches, view.ended


@given(STEPS, st.integers(1, 12))
@example([("progress", 0, 1), ("pass", 0, 60), ("come", 0, 0), ("end", 0, 0), ("read", 1, 3)], 1)
def test_whoever_watches_sees_each_event_or_the_gap_that_names_it(
    steps: list[Step], history: int
) -> None:
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        runner.run(_story(steps, history))
