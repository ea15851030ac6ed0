"""Three watchers of one batch."""

import asyncio

import penstock
from penstock import Batch, Call, Engine, Event, tool
from penstock.testing import every_cancel_point


@tool(effects="read")
async def index(pages: int) -> int:
    for page in range(pages):
        await penstock.sleep(1)
        penstock.progress(done=page + 1, total=pages)
    return pages


async def watch(batch: Batch, after: int = 0, *, most: int = 1_000) -> list[Event]:
    events = []
    async for event in batch.events(after=after):
        events.append(event)
        if len(events) == most:
            break
    return events


async def test_a_late_watcher_sees_all_of_it() -> None:
    """One watcher is there from the beginning.

    A second one leaves after three events, and comes back with the number of the last one that
    it saw: it misses nothing and sees nothing twice. A third one comes when everything is over,
    and is told the whole story.
    """
    async with Engine([index]) as engine:
        batch = engine.submit([Call("index", {"pages": 2}, id="a"), Call("index", {"pages": 3})])
        async with asyncio.TaskGroup() as group:
            first = group.create_task(watch(batch))
            before = await watch(batch, most=3)
            await asyncio.sleep(1.5)
            second = before + await watch(batch, after=before[-1].seq)
        third = await watch(batch)
    events = first.result()
    assert second == third == events
    assert [event.seq for event in events] == list(range(1, 12))
    assert [event.type for event in events if event.call == "a"] == [
        "call.started",
        "call.progress",
        "call.progress",
        "call.ended",
    ]
    assert events[-1].type == "batch.ended"
    assert {event.status for event in events if event.type == "call.ended"} == {"ok"}


def test_it_can_stop_anywhere() -> None:
    assert every_cancel_point(test_a_late_watcher_sees_all_of_it) > 3
