"""The promises of sessions and of guesses, over random stories in virtual time.

A store has two items, whose values are numbers that only writes raise. Sessions of two tenants read and
write them, wait, cancel, and are told of changes; a predictor guesses at random. What a read answers is
never older than the writes that had ended when it was asked for: a serial oracle knows them. Guesses run no
write, waste no more than their budget, and leave nothing behind; but for times and for what says that it
was guessed, nobody sees them.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import hypothesis.strategies as st
from hypothesis import given, settings

from penstock import Call, Engine, Limit, sleep, tool
from penstock._codec import encode
from penstock.calls import Outcome
from penstock.engine import Batch
from penstock.speculation import Speculation, SpeculationStatistics
from penstock.testing import VirtualLoop

ITEMS = ("a", "b")
READS = ("once", "kept", "shared", "vague")
WRITES = ("change", "anything")
WAITS = (0.0, 0.1, 0.6, 3.0)


@dataclass(frozen=True)
class Guessed:
    """A candidate."""

    tool: str
    arguments: bytes
    p: float = 0.9
    late_p: float = 0.0


class Wild:
    """Guesses what it is told, right or wrong, writes too."""

    def __init__(self, guesses: Sequence[tuple[str, str]]) -> None:
        """Make it with tools and items."""
        self._guesses = guesses
        self._at = 0

    def observe(self, session: str, event: object, now_ns: int) -> None:
        """Learn nothing."""

    def predict(self, session: str, k: int = 8) -> Sequence[Guessed]:
        """Say the next three."""
        if not self._guesses:
            return ()
        chosen = [self._guesses[(self._at + n) % len(self._guesses)] for n in range(3)]
        self._at += 3
        return [Guessed(name, encode({"item": item})) for name, item in chosen]


@dataclass
class World:
    """The store, and what really ran."""

    seconds: dict[str, float]
    versions: dict[str, int] = field(default_factory=lambda: dict.fromkeys(ITEMS, 0))
    ended: dict[str, int] = field(default_factory=lambda: dict.fromkeys(ITEMS, 0))
    writes: int = 0
    reads: int = 0

    def tools(self) -> list[Any]:
        """Tools that read and write the store."""

        async def read(item: str) -> int:
            self.reads += 1
            await sleep(self.seconds["reading"])
            value = self.versions[item]
            await sleep(self.seconds["answering"])
            return value

        async def write(item: str) -> int:
            self.writes += 1
            applied = self.ended[item]
            try:
                await sleep(self.seconds["before"])
                self.versions[item] += 1
                applied = self.versions[item]
                await sleep(self.seconds["after"])
                return applied
            finally:  # also when it was cancelled: it happened
                self.ended[item] = max(self.ended[item], applied)

        @tool(effects="read", reads=["item:{item}"])
        async def once(item: str) -> int:
            return await read(item)

        @tool(effects="read", reads=["item:*"], cache="session")
        async def kept(item: str) -> int:
            return await read(item)

        @tool(effects="read", reads=["item:{item}"], cache="tenant", stable_for=50.0)
        async def shared(item: str) -> int:
            return await read(item)

        @tool(effects="read", cache="session")
        async def vague(item: str) -> int:
            return await read(item)

        @tool(mutates=["item:{item}"])
        async def change(item: str) -> int:
            return await write(item)

        @tool
        async def anything(item: str) -> int:
            return await write(item)

        return [once, kept, shared, vague, change, anything]


@dataclass
class Story:
    """One run: what was asked for, and when."""

    world: World
    asked: list[tuple[Batch, list[Call], list[int]]] = field(default_factory=list)
    asked_writes: int = 0
    asked_calls: int = 0


# One item more often than the other: stories in which nothing meets tell nothing.
CALL = st.tuples(st.sampled_from(READS + WRITES), st.sampled_from("aaab"))
STEP = st.one_of(
    st.tuples(st.just("ask"), st.lists(CALL, min_size=1, max_size=3), st.sampled_from(WAITS)),
    st.tuples(st.just("ask"), st.lists(CALL, min_size=1, max_size=3), st.sampled_from(WAITS)),
    st.tuples(st.just("say"), st.just([]), st.sampled_from(WAITS)),
    st.tuples(st.just("cancel"), st.just([]), st.sampled_from(WAITS)),
)
SECONDS = st.fixed_dictionaries(
    {
        "before": st.sampled_from([0.0, 0.3, 1.0]),
        "after": st.sampled_from([0.0, 0.3, 1.0]),
        "reading": st.sampled_from([0.0, 0.3, 1.0]),
        "answering": st.sampled_from([0.0, 0.3, 1.0]),
    }
)
GUESSES = st.lists(CALL, max_size=9)


def run(
    steps: Sequence[Any],
    seconds: dict[str, float],
    guesses: Sequence[tuple[str, str]],
    *,
    mode: str = "live",
    serial: bool = False,
) -> tuple[Story, list[Outcome], SpeculationStatistics]:
    """Play a story; `serial` waits for each step before the next one."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(play(steps, seconds, guesses, mode=mode, serial=serial))


async def play(
    steps: Sequence[Any],
    seconds: dict[str, float],
    guesses: Sequence[tuple[str, str]],
    *,
    mode: str,
    serial: bool,
) -> tuple[Story, list[Outcome], SpeculationStatistics]:
    story = Story(World(seconds))
    options: Any = {"mode": mode, "control": 0.0, "predictor": Wild(guesses), "min_p": 0.0}
    limits = [Limit.concurrency("tool:once", 3)]
    async with Engine(
        story.world.tools(), limits=limits, speculation=Speculation(**options)
    ) as engine:
        for number in range(6):  # so that it is known how long a read takes
            warm = engine.session("warm")
            await asyncio.sleep(1.0)
            calls = [Call(name, {"item": ITEMS[number % 2]}) for name in READS]
            story.asked_calls += len(calls)
            await warm.run(calls)
        session = engine.session("s")
        for verb, rows, wait in steps:
            if verb == "ask":
                ask(story, session, rows)
            elif verb == "say":
                session.user("go on")
            elif story.asked:
                story.asked[-1][0].cancel("changed my mind")
            if serial and story.asked:
                await story.asked[-1][0]
            await asyncio.sleep(wait)
        outcomes = [outcome for batch, _, _ in story.asked for outcome in await batch]
        await session.aclose()
        await warm.aclose()
        await asyncio.sleep(5.0)
        assert engine.statistics().in_flight == 0, "nothing runs that nobody waits for"
        assert engine.limits.statistics().limits[0].used == 0, "limits are at rest"
        counts = engine.speculation.statistics()
    return story, outcomes, counts


def ask(story: Story, session: Any, rows: Sequence[tuple[str, str]]) -> None:
    calls = [Call(name, {"item": item}) for name, item in rows]
    # What writes that had ended had written when they were asked for: no answer may be older.
    known = [story.world.ended[item] for _, item in rows]
    story.asked_writes += sum(name in WRITES for name, _ in rows)
    story.asked_calls += len(calls)
    story.asked.append((session.submit(calls), calls, known))


@settings(max_examples=300)
@given(steps=st.lists(STEP, min_size=4, max_size=16), seconds=SECONDS, guesses=GUESSES)
def test_an_answer_is_never_older_than_the_writes_before_it(
    steps: Sequence[Any], seconds: dict[str, float], guesses: Sequence[tuple[str, str]]
) -> None:
    story, outcomes, _ = run(steps, seconds, guesses)
    known = [version for _, _, versions in story.asked for version in versions]
    for outcome, least in zip(outcomes, known, strict=True):
        if outcome.ok:
            assert outcome.value >= least, outcome


@given(steps=st.lists(STEP, max_size=12), seconds=SECONDS, guesses=GUESSES)
def test_each_call_has_one_outcome_and_nothing_is_left(
    steps: Sequence[Any], seconds: dict[str, float], guesses: Sequence[tuple[str, str]]
) -> None:
    story, outcomes, counts = run(steps, seconds, guesses)
    assert len(outcomes) == sum(len(calls) for _, calls, _ in story.asked)
    ends = counts.promoted + counts.cancelled + counts.expired + counts.invalidated + counts.failed
    assert ends == counts.launched, "each launch has exactly one end"


@given(steps=st.lists(STEP, max_size=12), seconds=SECONDS, guesses=GUESSES)
def test_no_write_runs_that_nobody_asked_for(
    steps: Sequence[Any], seconds: dict[str, float], guesses: Sequence[tuple[str, str]]
) -> None:
    story, _, _ = run(steps, seconds, guesses)
    assert story.world.writes <= story.asked_writes


@given(steps=st.lists(STEP, max_size=12), seconds=SECONDS, guesses=GUESSES)
def test_waste_is_bounded(
    steps: Sequence[Any], seconds: dict[str, float], guesses: Sequence[tuple[str, str]]
) -> None:
    story, _, counts = run(steps, seconds, guesses)
    assert counts.launched - counts.promoted <= 5 + 0.3 * story.asked_calls


@given(
    steps=st.lists(STEP.filter(lambda step: step[0] != "cancel"), max_size=10),
    seconds=SECONDS,
    guesses=GUESSES,
)
def test_but_for_times_nobody_sees_a_guess(
    steps: Sequence[Any], seconds: dict[str, float], guesses: Sequence[tuple[str, str]]
) -> None:
    alone = [step if step[0] != "ask" else ("ask", step[1][:1], step[2]) for step in steps]
    _, with_them, _ = run(alone, seconds, guesses, serial=True)
    _, without, counts = run(alone, seconds, guesses, mode="off", serial=True)
    assert counts.launched == 0
    shown = [(outcome.tool, outcome.status, outcome.value) for outcome in with_them]
    assert shown == [(outcome.tool, outcome.status, outcome.value) for outcome in without]
    assert not any(outcome.speculative for outcome in without)
