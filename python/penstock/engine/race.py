"""`race`: several plans for the same answer at once; the first good one wins, the others stop.

Ground rules:

- All branches are one batch, a branch a plan. A branch stops before its writes, the calls of tools that
  are neither `read` nor `idempotent`: those are held, and what waits for them waits too. A branch
  whose other calls have all ended is *there*.
- Of those that are there, the first in order with good outcomes wins. It is committed, the others are
  cancelled, and only when the last call of a loser has ended are the winner's writes released. So
  at most one branch ever writes.
- A branch that is there and not good is cancelled: nobody releases its writes.
- A branch that starts later is held at its first calls. Nobody is there before its start.
- Whoever is cancelled, or whose `accept` raises what is no `Exception`, cancels the batch and waits for
  its clean-up.
- Bound: one batch, so `max_pending` and the options of `submit`; no task, one timer.
"""

import asyncio
import inspect
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal, cast

from penstock._native import Batch as NativeBatch
from penstock.calls import Call, Outcome
from penstock.engine.batch import outlast
from penstock.engine.options import NativeOptions, check_seconds
from penstock.errors import ConfigError
from penstock.events import RECORDED
from penstock.plan import Plan, edges
from penstock.tools import Toolset

Plans = Sequence[Sequence[Call] | Plan]
"""What races: plans, or lists of calls."""

Accept = Callable[[list[Outcome]], object]
"""Says by the outcomes of a branch, up to its writes, whether it may win."""

Stagger = float | Literal["p90"]
"""Seconds between the starts of two branches."""

REPEATABLE = ("read", "idempotent")

LONGEST_STAGGER = 86_400.0

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


@dataclass(frozen=True, slots=True)
class Track:
    """What a race asks of its engine.

    Attributes:
        tools: what they do to the world.
        usual: the seconds within which nine of ten calls of a tool end; None if nobody knows.
    """

    tools: Toolset
    usual: Callable[[str], float | None]


@dataclass(slots=True)
class Branch:
    """One plan of a race; all numbers are places in the batch.

    Attributes:
        number: counts from 0, in the order of the plans.
        places: of its calls.
        before: of those up to its writes, in order.
        writes: what is held until it has won.
        starting: what is held until it starts.
        left: of `before`, those that nobody has seen the end of.
        is_open: it may still win.
    """

    number: int
    places: range
    before: list[int]
    writes: list[int]
    starting: list[int] = field(default_factory=list)
    left: list[int] = field(init=False)
    is_open: bool = True

    def __post_init__(self) -> None:
        self.left = self.before.copy()


@dataclass(frozen=True, slots=True)
class Course:
    """The calls of all branches, and how they run.

    Attributes:
        calls: of all plans, each in the branch of its plan.
        branches: in the order of the plans.
        accept: what was given.
        stagger: seconds between two starts.
    """

    calls: list[Call]
    branches: list[Branch]
    accept: Accept | None
    stagger: float

    def options(self, options: NativeOptions) -> NativeOptions:
        """Return the options of a batch, with what is held."""
        held = [at for branch in self.branches for at in (*branch.writes, *branch.starting)]
        return {**options, "held": held} if held else options


def course(
    plans: Plans | None, ways: Plans | None, accept: object, stagger: object, track: Track
) -> Course:
    """Return the course of a race that can be run.

    Args:
        plans: what races.
        ways: the same by its former name.
        accept: None, or a function.
        stagger: seconds, or "p90".
        track: of the engine.

    Raises:
        ConfigError: no plan, an empty one, or an option that cannot be; the caller acts.
        BadPlan: calls that wait for what is not there; the caller acts.
    """
    given = _read(plans, ways)
    _check_accept(accept)
    edges_of = [_edges(plan) for plan in given]
    calls, places = branches(given)
    lanes = [
        _branch(number, plan, joined, places[number].start, track)
        for number, (plan, joined) in enumerate(zip(given, edges_of, strict=True))
    ]
    seconds = _seconds(stagger, [given[0][at] for at in lanes[0].before], track)
    if seconds:
        for branch, joined in zip(lanes[1:], edges_of[1:], strict=True):
            start = branch.places.start
            waiting = {start + child for _, child in joined}.union(branch.writes)
            branch.starting = [at for at in branch.places if at not in waiting]
    return Course(calls, lanes, cast("Accept | None", accept), seconds)


def branches(plans: Plans) -> tuple[list[Call], list[range]]:
    """Return the calls of all plans with a branch each, and where each plan's calls are."""
    calls: list[Call] = []
    places = []
    for number, plan in enumerate(plans):
        places.append(range(len(calls), len(calls) + len(plan)))
        calls.extend(_in_branch(call, number) for call in plan)
    return calls, places


def _in_branch(call: Call, number: int) -> Call:
    """A copy of a call in the branch of its plan: ids of different plans must not meet.

    The outcome of the copy is the outcome of the call, with its own id.
    """
    return call.replace(branch=str(number), prefix=f"{number}/")


async def run(batch: NativeBatch, race: Course) -> Race:
    """Wait for a race that was started. Who is cancelled cancels it, and waits for its clean-up."""
    try:
        winner = await _Referee(batch, race).decide()
        await batch.wait()
    except asyncio.CancelledError:
        batch.cancel("the one who awaited it was cancelled")
        await outlast(batch)
        raise
    except BaseException:
        batch.cancel("its race was given up")
        await outlast(batch)
        raise
    outcomes = batch.result()
    by_branch = [[outcomes[at] for at in branch.places] for branch in race.branches]
    won = by_branch[winner] if winner is not None else []
    return Race(winner, won, {at: of for at, of in enumerate(by_branch) if at != winner})


class _Referee:
    """Starts the branches of a race that runs, finds the winner, and lets it go on."""

    def __init__(self, batch: NativeBatch, race: Course) -> None:
        self._batch = batch
        self._race = race
        self._position = 0
        self._loop = asyncio.get_running_loop()
        self._began = self._loop.time()
        self._started = 1 if race.stagger else len(race.branches)

    async def decide(self) -> int | None:
        """Return the winner when its writes may run, or None when every branch has failed."""
        while True:
            self._start_due()
            winner = self._judge()
            if winner is not None:
                await self._leave_behind(winner)
                return winner.number
            if not await self._look(self._until_next()):
                return None

    async def _leave_behind(self, winner: Branch) -> None:
        """Cancel the losers; when all of their calls have ended, let the winner write."""
        self._batch.commit_branch(str(winner.number))
        if not winner.writes:
            return
        losers = [
            at for branch in self._race.branches if branch is not winner for at in branch.places
        ]
        while _drop_ended(losers, self._batch.outcomes):
            if not await self._look(None):
                return
        self._batch.release(winner.writes)

    def _judge(self) -> Branch | None:
        """Return the first branch that is there and good; those that are not good are over."""
        outcomes = self._batch.outcomes
        for branch in self._race.branches[: self._started]:
            if not branch.is_open or _drop_ended(branch.left, outcomes):
                continue
            branch.is_open = False
            if self._is_good([cast("Outcome", outcomes[at]) for at in branch.before]):
                return branch
            if branch.writes:
                self._batch.cancel_branch(str(branch.number), "its outcomes were not good")
        return None

    def _is_good(self, outcomes: list[Outcome]) -> bool:
        accept = self._race.accept
        if accept is None:
            return all(outcome.ok for outcome in outcomes)
        try:
            return bool(accept(outcomes))
        except Exception:  # noqa: BLE001 - whoever cannot say that it is good says that it is not
            return False

    def _start_due(self) -> None:
        while self._started < len(self._race.branches) and self._until_next() == 0:
            self._batch.release(self._race.branches[self._started].starting)
            self._started += 1

    def _until_next(self) -> float | None:
        """Seconds until the next branch starts; None if all have."""
        if self._started == len(self._race.branches):
            return None
        due = self._began + self._started * self._race.stagger
        return max(0.0, due - self._loop.time())

    async def _look(self, patience: float | None) -> bool:
        """Wait for more ends, but no longer than that; false if nothing can come any more."""
        look, self._position, _events = self._batch.read(self._position, _PAGE, _ENDS)
        if look == "end":
            return False
        if look == "nothing":
            grown = self._batch.grown(self._position)
            try:
                await asyncio.wait([grown], timeout=patience)
            finally:
                grown.cancel()
        return True


def _drop_ended(places: list[int], outcomes: Sequence[Outcome | None]) -> bool:
    """Forget those at the end of the list that have ended; return whether any is left."""
    while places and outcomes[places[-1]] is not None:
        places.pop()
    return bool(places)


def _read(plans: object, ways: object) -> list[Sequence[Call]]:
    field, given = ("plans", plans) if ways is None else ("ways", ways)
    if plans is not None and ways is not None:
        raise ConfigError("ways", ways, "the former name of `plans`; give one of the two")
    if given is None or isinstance(given, str | bytes) or not isinstance(given, Iterable):
        raise ConfigError(field, given, "at least one plan or list of calls, none empty")
    found = list[Sequence[Call]]()
    for number, plan in enumerate(given):
        if isinstance(plan, str | bytes | Call) or not isinstance(plan, Iterable):
            raise ConfigError(f"{field}[{number}]", plan, "a plan or a list of calls")
        found.append(plan if isinstance(plan, Plan) else list(plan))
    if not found or not all(found):
        raise ConfigError(field, given, "at least one plan or list of calls, none empty")
    return found


def _check_accept(accept: object) -> None:
    if accept is None or (callable(accept) and not inspect.iscoroutinefunction(accept)):
        return
    reason = "a plain function of a branch's outcomes that returns whether it may win, or None"
    raise ConfigError("accept", accept, reason)


def _edges(plan: Sequence[Call]) -> Sequence[tuple[int, int]]:
    if isinstance(plan, Plan):
        return plan.edges
    for index, call in enumerate[object](plan):
        if not isinstance(call, Call):
            reason = "must be a Call, such as Call('search'); penstock.formats parses a reply"
            raise ConfigError(f"calls[{index}]", call, reason)
    return edges(plan)


def _branch(
    number: int, plan: Sequence[Call], joined: Sequence[tuple[int, int]], start: int, track: Track
) -> Branch:
    writes = [at for at, call in enumerate(plan) if not _is_repeatable(call, track.tools)]
    behind = _below(writes, joined)
    places = range(start, start + len(plan))
    before = [at for at in places if at - start not in behind]
    return Branch(number, places, before, [start + at for at in writes])


def _is_repeatable(call: Call, tools: Toolset) -> bool:
    """Whether a loser may have run it. A tool that is not there does nothing: its calls are rejected."""
    return call.tool not in tools or tools[call.tool].effects in REPEATABLE


def _below(writes: Iterable[int], joined: Sequence[tuple[int, int]]) -> set[int]:
    """The writes, and all that waits for them."""
    children: dict[int, list[int]] = {}
    for parent, child in joined:
        children.setdefault(parent, []).append(child)
    found, work = set[int](), list(writes)
    while work:
        at = work.pop()
        if at not in found:
            found.add(at)
            work.extend(children.get(at, ()))
    return found


def _seconds(stagger: object, before: Sequence[Call], track: Track) -> float:
    """The stagger in seconds; "p90" is what these calls, the first plan's up to its writes, take."""
    if stagger != "p90":
        if isinstance(stagger, str):
            raise ConfigError("stagger", stagger, 'seconds between two starts, or "p90"')
        return check_seconds("stagger", stagger, least=0.0, most=LONGEST_STAGGER)
    names = dict.fromkeys(call.tool for call in before)
    usual = {name: track.usual(name) or 0.0 for name in names if name in track.tools}
    explained = Plan.from_calls(before).explain({**dict.fromkeys(names, 0.0), **usual})
    longest = max((step.starts + step.seconds for step in explained.steps), default=0.0)
    return min(longest, LONGEST_STAGGER)
