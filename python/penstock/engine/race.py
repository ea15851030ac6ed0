"""`race`: several ways to the same answer at once; the first good one wins, the others stop."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from penstock._native import Batch as NativeBatch
from penstock.calls import Call, Outcome
from penstock.engine.batch import finish
from penstock.errors import ConfigError
from penstock.events import RECORDED

# A race looks at what has ended, and skips what it may have missed: outcomes are never forgotten.
_ENDS = 1 << RECORDED.index("call.ended")
_PAGE = 1_024


@dataclass(frozen=True, slots=True)
class Race:
    """How a race went.

    Attributes:
        winner: which branch won, counted from 0; None if none was good.
        outcomes: the winner's outcomes in the order of its calls; empty without a winner.
        losers: the outcomes of the others by branch, those of the winner left out.
    """

    winner: int | None
    outcomes: list[Outcome]
    losers: dict[int, list[Outcome]]


def branches(ways: Sequence[Sequence[Call]]) -> tuple[list[Call], list[range]]:
    """Return the calls of all ways with a branch each, and where each way's calls are."""
    calls: list[Call] = []
    places = []
    for number, way in enumerate(ways):
        places.append(range(len(calls), len(calls) + len(way)))
        calls.extend(_in_branch(call, number) for call in way)
    return calls, places


def _in_branch(call: Call, number: int) -> Call:
    """A copy of a call in the branch of its way: ids of different ways must not meet.

    The outcome of the copy is the outcome of the call, with its own id.
    """
    return call.replace(branch=str(number), prefix=f"{number}/")


def branches_of(ways: Sequence[Sequence[Call]]) -> tuple[list[Call], list[range]]:
    """Return `branches(ways)` of ways that can be run.

    Raises:
        ConfigError: no way, or an empty one; the caller acts.
    """
    if not ways or not all(ways):
        raise ConfigError("ways", ways, "at least one plan or list of calls, none empty")
    return branches(ways)


async def run(batch: NativeBatch, places: Sequence[range]) -> Race:
    """Wait for a race that was started. Who is cancelled cancels it, and waits for its clean-up."""
    try:
        winner = await decide(batch, places)
    except asyncio.CancelledError:
        batch.cancel("the one who awaited it was cancelled")
        await finish(batch)
        raise
    outcomes = await finish(batch)
    by_way = [[outcomes[at] for at in place] for place in places]
    won = by_way[winner] if winner is not None else []
    losers = {number: way for number, way in enumerate(by_way) if number != winner}
    return Race(winner, won, losers)


async def decide(batch: NativeBatch, places: Sequence[range]) -> int | None:
    """Wait for the first way all of whose calls are ok, and cancel the others.

    Returns:
        The winner, or None when every way has failed.
    """
    position = 0
    while True:
        look, position, _events = batch.read(position, _PAGE, _ENDS)
        if look == "records":
            winner = _winner(batch.outcomes, places)
            if winner is not None:
                batch.commit_branch(str(winner))
                return winner
        elif look == "end":
            return None
        else:
            await batch.grown(position)


def _winner(outcomes: Sequence[Outcome | None], places: Sequence[range]) -> int | None:
    for number, place in enumerate(places):
        if all((outcome := outcomes[at]) is not None and outcome.ok for at in place):
            return number
    return None
