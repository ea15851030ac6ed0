"""Playing a turn: the four ways in which the demo runs a model's calls."""

import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, TypedDict
from urllib.parse import urlsplit

from penstock._codec import decode
from penstock.calls import Call, Outcome
from penstock.cli.demo.limits import run_name
from penstock.cli.demo.turns import Counts, Turn
from penstock.engine import Engine
from penstock.plan import Plan

Watch = Callable[[Outcome], None]
"""Told of each outcome, as soon as there is one."""

_ARCHIVE = "archive"


class Options(TypedDict, total=False):
    """What the demo says of a batch."""

    max_parallel: int | None
    run: str


@dataclass(frozen=True, slots=True)
class Played:
    """How a turn went.

    Attributes:
        turn: which one.
        outcomes: one a call.
        started: when the calls were submitted, in seconds on the clock of the outcomes.
        seconds: from then until all outcomes were there.
        expected: outcomes by status, as they should be.
    """

    turn: Turn
    outcomes: Sequence[Outcome]
    started: float
    seconds: float
    expected: Counts

    @property
    def counts(self) -> Counts:
        """Outcomes by status, as they are."""
        return Counter(outcome.status for outcome in self.outcomes)

    @property
    def as_expected(self) -> bool:
        """Whether what happened is what the recording says."""
        return self.counts == self.expected


async def play(engine: Engine, turn: Turn, watch: Watch, *, in_turn: bool = False) -> Played:
    """Run the calls of a turn.

    Args:
        engine: with the tools of the demo.
        turn: what to run.
        watch: told of the outcomes.
        in_turn: one call after the other instead of all at once.
    """
    calls = turn.calls()
    started = time.monotonic()
    outcomes = await WAYS[turn.play](engine, calls, _options(in_turn), watch)
    seconds = time.monotonic() - started
    expected = turn.expected_in_turn if in_turn and turn.expected_in_turn else turn.expected
    return Played(turn, outcomes, started, seconds, expected)


def _options(in_turn: bool) -> Options:
    return {"max_parallel": 1 if in_turn else None, "run": run_name(in_turn=in_turn)}


async def _together(
    engine: Engine, calls: Sequence[Call], options: Options, watch: Watch
) -> list[Outcome]:
    """All calls at once."""
    batch = engine.submit(calls, **options)
    async for event in batch.events():
        if event.outcome is not None:
            watch(event.outcome)
    return await batch


async def _plan(
    engine: Engine, calls: Sequence[Call], options: Options, watch: Watch
) -> list[Outcome]:
    """Each call as soon as the values that it needs are there."""
    return await _together(engine, Plan.from_calls(calls), options, watch)


async def _race(
    engine: Engine, calls: Sequence[Call], options: Options, watch: Watch
) -> list[Outcome]:
    """The calls to one host are one way to the answer; the first way whose calls are all ok wins."""
    ways = [list(way) for _, way in groupby(calls, _host)]
    race = await engine.race(ways, **options)
    by_way = dict(race.losers)
    if race.winner is not None:
        by_way[race.winner] = race.outcomes
    outcomes = [outcome for number in sorted(by_way) for outcome in by_way[number]]
    for outcome in outcomes:
        watch(outcome)
    return outcomes


def _host(call: Call) -> str:
    arguments: Any = decode(call.arguments) if isinstance(call.arguments, bytes) else {}
    return urlsplit(str(arguments.get("url"))).netloc


async def _branches(
    engine: Engine, calls: Sequence[Call], options: Options, watch: Watch
) -> list[Outcome]:
    """The calls to the archive are a branch, cancelled when all other calls have gone well."""
    named = [
        call.replace(branch=_ARCHIVE, prefix="") if call.tool == "fetch_archived" else call
        for call in calls
    ]
    wanted = sum(call.branch is None for call in named)
    batch = engine.submit(named, **options)
    async for event in batch.events():
        if event.outcome is None:
            continue
        watch(event.outcome)
        wanted -= event.branch is None and event.outcome.ok
        if not wanted:
            batch.branch(_ARCHIVE).cancel("the current pages had it")
    return await batch


WAYS: Mapping[str, Callable[[Engine, Sequence[Call], Options, Watch], Awaitable[list[Outcome]]]] = {
    "together": _together,
    "plan": _plan,
    "race": _race,
    "branches": _branches,
}
