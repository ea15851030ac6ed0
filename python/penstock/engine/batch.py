"""`Batch`: the handle of calls that were submitted together, and `Branch`, a named part of them.

The batch runs whether or not anybody awaits, watches or keeps the handle. Its log is replayed from
any position to any number of watchers, who read it at their own pace and never slow it down.
"""

import asyncio
from collections.abc import AsyncIterator, Generator, Sequence
from typing import Any

from penstock._native import Batch as NativeBatch
from penstock.calls import Call, Outcome
from penstock.engine.limiting import BatchBudget
from penstock.errors import ConfigError
from penstock.events import Event
from penstock.limits import LimitStatistics

# Entries of the log that a watcher takes at once: bounds its memory, not what it gets.
_PAGE = 256


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

    async def events(self, after: int = 0) -> AsyncIterator[Event]:
        """Iterate over what happens to the calls, until the batch has ended.

        Args:
            after: the number of the last event that is known already; 0 for all of them, -1 for those
                to come.

        Raises:
            ConfigError: there is no such event yet; the caller acts.
        """
        position = self._position(after)
        while True:
            rows = self._native.read(position, _PAGE)
            for row in rows:
                yield self._event(*row)
            position += len(rows)
            if not rows:
                if self._native.done and position == len(self._native):
                    return
                await self._native.grown(position)

    async def _wait(self) -> list[Outcome]:
        await self._native.wait()
        return list(self._native.result())  # each waiter's own: several may await one batch

    def _position(self, after: int) -> int:
        newest = len(self._native)
        if after == -1:
            return newest
        if type(after) is not int or not 0 <= after <= newest:
            raise ConfigError("after", after, f"-1, or the number of an event: 0 to {newest}")
        return after

    def _event(
        self,
        seq: int,
        type: Any,
        time: float,
        index: int | None,
        data: dict[str, object] | None,
        outcome: Outcome | None,
    ) -> Event:
        if index is None:
            return Event(seq, type, time)
        call = self._calls[index]
        name = call.id if call.id is not None else f"call-{index}"
        return Event(seq, type, time, name, index, call.branch, data, outcome)


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
        await _outlast(batch)
        raise
    return batch.result()


async def _outlast(batch: NativeBatch) -> None:
    while not batch.done:
        try:
            await batch.wait()
        except asyncio.CancelledError:
            continue  # the first one is raised when the batch has ended
