"""Guesses are seen by nobody who did not ask, and end cleanly whenever they are cut short.

Streams with guesses and without are equal: a read tells how far it is and gives parts of its value, at
random moments; a predictor guesses reads at random; writes end what was guessed. What watchers of each step
and of the whole engine see may differ in times and in what says that it was guessed, and in nothing else.
"""

import asyncio
from collections.abc import Sequence
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from penstock import Budget, Call, Engine, Limit, output, progress, sleep, tool
from penstock._codec import encode
from penstock.events import Event
from penstock.limits import Cost
from penstock.speculation import Speculation, SpeculationStatistics
from penstock.testing import VirtualLoop, every_cancel_point

ITEMS = "aab"
TOLD = ("text", "bytes", "item", "progress", "nothing")


class Script:
    """Guesses what it is told to, at each decision point the next of its rows."""

    def __init__(self, rows: Sequence[str]) -> None:
        """Make it with items, a row a decision point."""
        self._rows = list(rows)

    def observe(self, session: str, event: object, now_ns: int) -> None:
        """Learn nothing."""

    def predict(self, session: str, k: int = 8) -> Sequence[Any]:
        """Say the next row."""
        row = self._rows.pop(0) if self._rows and session != "warm" else ""
        return [Guess(encode({"item": item})) for item in dict.fromkeys(row)]


class Guess:
    """A read of an item, that is rather likely."""

    tool, p, late_p = "look", 0.9, 0.0

    def __init__(self, arguments: bytes) -> None:
        """Make it."""
        self.arguments = arguments


def store(tells: Sequence[tuple[str, float]]) -> list[Any]:
    """A store with a read that tells of itself, and a write."""
    versions = dict.fromkeys(ITEMS, 0)

    @tool(effects="read", reads=["item:{item}"])
    async def look(item: str) -> int:
        await sleep(0.1)
        for number, (what, seconds) in enumerate(tells):
            tell(what, number)
            await sleep(seconds)
        return versions[item]

    @tool(mutates=["item:{item}"])
    async def change(item: str) -> int:
        versions[item] += 1
        progress(versions[item])
        await sleep(0.1)
        return versions[item]

    return [look, change]


def tell(what: str, number: int) -> None:
    """Tell something."""
    if what == "text":
        output(f"{number} ")
    elif what == "bytes":
        output(bytes([number]))
    elif what == "item":
        output({"number": number})
    elif what == "progress":
        progress(number, 10, message="on the way")


def shown(event: Event) -> tuple[object, ...]:
    """An event without times, and without what says that it was guessed."""
    data = dict(event.data or {})
    for name in ("queued_ms", "speculative", "attempt"):
        data.pop(name, None)
    outcome = event.outcome
    end = None if outcome is None else (outcome.status, outcome.value)
    return (event.type, event.batch is None, event.index, event.tool, data, end)


async def watched(engine: Engine, seen: list[Event], until: asyncio.Event) -> None:
    """Keep what the watchers of an engine see."""
    async with engine.events() as events:
        async for event in events:
            seen.append(event)
            if until.is_set() and event.type == "batch.ended":
                return


STEP = st.tuples(
    st.sampled_from(["look", "look", "look", "change"]),
    st.sampled_from(ITEMS),
    st.sampled_from([0.0, 0.15, 0.5, 3.0]),
)
Played = tuple[list[list[Event]], list[Event], SpeculationStatistics]


def play(
    steps: Sequence[tuple[str, str, float]],
    tells: Sequence[tuple[str, float]],
    rows: Sequence[str],
    mode: Any,
) -> Played:
    """Play a story: what watchers of each step see, and those of the engine."""

    async def story() -> Played:
        speculation = Speculation(mode=mode, control=0.0, predictor=Script(rows), min_p=0.0)
        async with Engine(store(tells), speculation=speculation) as engine:
            warm = engine.session("warm")
            for _ in range(6):
                await asyncio.sleep(1.0)
                await warm.run([Call("look", {"item": "a"})])
            seen, until, by_step = list[Event](), asyncio.Event(), list[list[Event]]()
            watcher = asyncio.create_task(watched(engine, seen, until))
            await asyncio.sleep(0)
            session = engine.session("s")
            for number, (name, item, wait) in enumerate(steps):
                session.user("go on")
                await asyncio.sleep(wait)
                if number == len(steps) - 1:
                    until.set()
                batch = session.submit([Call(name, {"item": item})])
                by_step.append([event async for event in batch.events()])
                await batch
            await watcher
            await session.aclose()
            await asyncio.sleep(5.0)
            return by_step, seen, engine.speculation.statistics()

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(story())


@settings(max_examples=200)
@given(
    steps=st.lists(STEP, min_size=1, max_size=6),
    tells=st.lists(st.tuples(st.sampled_from(TOLD), st.sampled_from([0.0, 0.03, 0.4])), max_size=6),
    rows=st.lists(st.text("ab", max_size=2), min_size=1, max_size=14),
)
def test_streams_with_guesses_are_those_without(
    steps: Sequence[tuple[str, str, float]],
    tells: Sequence[tuple[str, float]],
    rows: Sequence[str],
) -> None:
    by_step, of_engine, _ = play(steps, tells, rows, "live")
    without, of_engine_without, counts = play(steps, tells, rows, "off")
    assert counts.launched == 0
    assert [[*map(shown, events)] for events in by_step] == [
        [*map(shown, step)] for step in without
    ]
    assert [*map(shown, of_engine)] == [*map(shown, of_engine_without)]


def test_the_law_above_is_about_guesses_that_told_something() -> None:
    tells = [("text", 0.03), ("progress", 0.4), ("item", 0.4)]
    steps = [("look", "a", 3.0), ("look", "a", 0.5)]
    by_step, _, counts = play(steps, tells, ["", "a", "", "a"], "live")
    assert (counts.promoted, counts.joined) == (2, 1)
    for events in by_step:
        told = [event for event in events if event.type in ("call.output", "call.progress")]
        (started,) = [event.time for event in events if event.type == "call.started"]
        early = [event.time < started for event in told]
        assert early == [bool((event.data or {}).get("speculative")) for event in told]
        assert early[0], "at its own time"
    assert not early[-1], "and goes on in the stream of who joined"


class Witness:
    """A store whose read can be cut short; counts what is inside."""

    def __init__(self) -> None:
        """Make it."""
        self.inside = 0
        self.entered = 0

    def tools(self) -> list[Any]:
        """A read and a write."""

        @tool(effects="read", price=1, concurrency=4, cost=Cost(input_tokens=5))
        async def look(item: str) -> str:
            self.inside += 1
            self.entered += 1
            try:
                progress(1)
                await sleep(1.0)
                return item
            finally:
                self.inside -= 1

        @tool
        async def change(item: str) -> None: ...

        return [look, change]


@pytest.mark.parametrize("wait", [0.0, 0.5, 3.0], ids=["queued", "running", "done"])
@pytest.mark.parametrize("then", ["join", "change", "close", "crowd"])
def test_cut_short_at_any_moment_a_guess_leaves_nothing_behind(wait: float, then: str) -> None:
    launched = []

    async def story() -> None:
        world = Witness()
        limits = [Limit.concurrency("tool:look", 20), Budget.tokens("tenant:*", 1_000)]
        speculation = Speculation(
            mode="live",
            control=0.0,
            predictor=Script(["", "", "ab"]),
            budget=100,
            min_p_priced=0.0,
            value_per_second=1_000_000,
            slot_share=1.0,
        )
        engine = Engine(world.tools(), limits=limits, speculation=speculation)
        try:
            await engine.run([Call("look", {"item": "w"})] * 5)
            session = engine.session("s", tenant="t")
            await asyncio.sleep(1.0)
            await session.run([Call("look", {"item": "w"})])
            session.user("go on")
            await asyncio.sleep(wait)
            if then == "join":
                await session.run([Call("look", {"item": "a"}), Call("look", {"item": "b"})])
            elif then == "change":
                await session.run([Call("change", {"item": "a"})])
            elif then == "crowd":
                await engine.run([Call("look", {"item": "x"})] * 4)
            await session.aclose()
            await asyncio.sleep(2.0)
        finally:
            await engine.aclose()
            check(engine, world)

    def check(engine: Engine, world: Witness) -> None:
        assert world.inside == 0
        for row in engine.limits.statistics().limits:
            assert row.used == row.spent, "nothing is held or reserved any more"
        if engine._sessions is None:
            return
        counts = engine.speculation.statistics()
        ends = (
            counts.promoted,
            counts.cancelled,
            counts.expired,
            counts.invalidated,
            counts.failed,
        )
        assert sum(ends) == counts.launched, "each launch has one end"
        launched.append(counts.launched)

    assert every_cancel_point(story) > 10
    assert max(launched) == 2
