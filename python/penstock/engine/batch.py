"""`Batch`: the handle of calls that were submitted together, and `Branch`, a named part of them.

The batch runs whether or not anybody awaits, watches or keeps the handle. Its log is replayed from
any position to any number of watchers, who read it at their own pace and never slow it down.
"""

import asyncio
from collections.abc import AsyncIterator, Collection, Generator, Sequence
from typing import Any

from penstock._native import Batch as NativeBatch
from penstock.calls import Call, Outcome
from penstock.engine.limiting import BatchBudget
from penstock.errors import ConfigError
from penstock.limits import LimitStatistics
from penstock.plan import Plan
from penstock.streams import Stream, Subscription


class Batch:
    """Calls that were submitted together: to await, to watch, to cancel. Made by `Engine.submit`.

    `await batch` answers one outcome a call, in the order of the calls. Cancelling the one who awaits
    does not cancel the batch: it was submitted to run by itself.
    """

    def __init__(
        self, native: NativeBatch, calls: Sequence[Call], budget: BatchBudget | None = None
    ) -> None:
        # Made by the engine. A budget of its own lasts as long as this.
        self._native = native
        self._budget = budget
        # A copy: the caller's list may change, the batch does not.
        self._calls = tuple(calls)
        self._stream = Stream(native, self._calls)

    def __await__(self) -> Generator[Any, None, list[Outcome]]:
        """Wait for the end of every call."""
        return self._wait().__await__()

    def __len__(self) -> int:
        return len(self._calls)

    def __repr__(self) -> str:
        ended = sum(outcome is not None for outcome in self.outcomes)
        return f"<Batch: {ended} of {len(self)} calls ended>"

    @property
    def calls(self) -> Sequence[Call]:
        """The calls, in the order of the outcomes."""
        return self._calls

    @property
    def done(self) -> bool:
        """Whether every call has its outcome."""
        return self._native.done

    @property
    def outcomes(self) -> list[Outcome | None]:
        """The outcomes so far, in the order of the calls; None for a call that has not ended."""
        return self._native.outcomes

    @property
    def branches(self) -> list[str]:
        """The names of the branches."""
        return self._native.branches

    @property
    def budget(self) -> LimitStatistics | None:
        """What was spent and is reserved of the batch's own budget; None if it has none."""
        return None if self._budget is None else self._budget.statistics()

    def branch(self, name: str) -> "Branch":
        """Return the named part of the batch.

        Raises:
            ConfigError: no call of the batch is in such a branch; the caller acts.
        """
        if name not in self.branches:
            raise ConfigError("branch", name, f"the batch has these branches: {self.branches}")
        return Branch(self._native, name)

    def cancel(self, reason: str = "") -> int:
        """Ask every call that has not ended to end.

        Args:
            reason: why; the errors of the outcomes say "caller" and this.

        Returns:
            How many calls were not asked before.
        """
        return self._native.cancel(reason)

    def cancel_call(self, index: int) -> bool:
        """Ask one call to end; False if it has ended or was asked before."""
        if type(index) is not int or not 0 <= index < len(self):
            raise ConfigError("index", index, f"the place of a call: 0 to {len(self) - 1}")
        return self._native.cancel_call(index)

    def events(
        self,
        after: int = 0,
        *,
        types: Collection[str] | None = None,
        calls: Collection[str | int] | None = None,
        branch: str | None = None,
        values: bool = True,
    ) -> Subscription:
        """Watch what happens to the calls, until the batch has ended: `async for event in ...`.

        Any number may watch, from any position and at any pace; nobody waits for them. Who falls
        behind what the log keeps gets a `stream.gap` that names the numbers, then `stream.snapshot`
        events that stand for all up to there. The events can be read for a minute after the end.
        In another thread with an event loop, what this raises comes with the first event.

        Args:
            after: the number of the last event that is known already; 0 for all of them, -1 for those
                to come.
            types: only events of these types; gaps and snapshots always come.
            calls: only these calls, by id or place; events about the whole batch come too.
            branch: only calls of this branch; likewise.
            values: whether events carry outcomes.

        Raises:
            StreamPosition: there is no such event yet; the caller acts.
            StreamExpired: the batch ended too long ago; the caller acts.
            ConfigError: no such type, call or branch; the caller acts.
        """
        return self._stream.watch(after, types, calls, branch, values)

    async def abandon(self, reason: str) -> None:
        """Cancel what has not ended, and wait for its clean-up.

        Args:
            reason: why.
        """
        if not self._native.done:
            self._native.cancel(reason)
            await finish(self._native)

    async def _wait(self) -> list[Outcome]:
        await self._native.wait()
        return list(self._native.result())  # each waiter's own: several may await one batch


class Branch:
    """A named group of calls inside a batch, to cancel or to keep as one."""

    def __init__(self, native: NativeBatch, name: str) -> None:
        # Made by `Batch.branch`.
        self._native = native
        self.name = name

    def cancel(self, reason: str = "") -> int:
        """Ask the calls of the branch to end; returns how many were not asked before.

        Args:
            reason: why; the errors of the outcomes say "branch" and this.
        """
        return self._native.cancel_branch(self.name, reason)

    def commit(self) -> bool:
        """Keep this branch: every branch that was not committed is cancelled.

        From then on cancelling the branch does nothing; cancelling the batch still does.

        Returns:
            False if the branch was cancelled before, or the batch has ended.
        """
        return self._native.commit_branch(self.name)


async def finish(batch: NativeBatch) -> list[Outcome]:
    """Wait for a batch that belongs to the one who waits: who is cancelled, cancels it.

    The batch is then waited for, which its calls' grace bounds; cancellations that come meanwhile
    change nothing.
    """
    try:
        await batch.wait()
    except asyncio.CancelledError:
        batch.cancel("the one who awaited it was cancelled")
        await outlast(batch)
        raise
    return batch.result()


async def outcomes_of(batch: Batch) -> AsyncIterator[Outcome]:
    """Outcomes as they come. The batch has them all: who reads slowly has no gap."""
    seen = [False] * len(batch)
    async for event in batch.events(types=("call.ended",)):
        if event.type == "stream.snapshot":
            for index, outcome in enumerate(batch.outcomes):
                if outcome is not None and not seen[index]:
                    seen[index] = True
                    yield outcome
        elif event.outcome is not None and event.index is not None and not seen[event.index]:
            seen[event.index] = True
            yield event.outcome


def unchanging(calls: Sequence[Call] | Plan) -> Sequence[Call] | Plan:
    """One copy of a list, for the host and the handle alike: the caller's may change meanwhile."""
    return tuple(calls) if isinstance(calls, list) else calls


async def outlast(batch: NativeBatch) -> None:
    """Wait for a batch, whoever is cancelled meanwhile."""
    while not batch.done:
        try:
            await batch.wait()
        except asyncio.CancelledError:
            continue  # the first one is raised when the batch has ended
