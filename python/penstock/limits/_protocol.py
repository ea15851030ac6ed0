"""What a shared backend answers: leases on limits, and blocks. No backend decides who is next."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

SharedShape = Literal["rate", "window", "calendar", "slots", "budget"]


@dataclass(frozen=True, slots=True)
class Ask:
    """What one instance asks of one shared limit. Amounts are in the limit's unit, times in seconds.

    Attributes:
        id: of the limit: its encoded scope, unit and shape, without its numbers.
        shape: which script answers; also part of the id.
        revision: of the numbers below; the highest of all instances wins, on equal ones the stricter.
        rate: units that come back in `period`: a budget's or a calendar's amount, slots in all.
        period: of the rate, or until the calendar's next boundary; 0.0 for slots and endless budgets.
        capacity: the most that may be out at once.
        instance: who asks; a new one for each start of a process.
        want: units that would be used soon.
        need: units without which nothing can start; 0 if there are no waiters.
        give: unspent units of leases that have not lapsed, handed back; below 0 a debt: what the
            instance admitted without a lease while the backend was away or had lost its data.
        fresh: whether the backend need not know the limit any more, for the last ask of this instance
            is older than what it keeps. If it does not know a limit of an ask that is not fresh,
            its data were lost: the limit starts with nothing left, not full.
    """

    id: str
    shape: SharedShape
    revision: int
    rate: int
    period: float
    capacity: int
    instance: str
    want: int
    need: int = 0
    give: int = 0
    fresh: bool = True


@dataclass(frozen=True, slots=True)
class Reply:
    """What the backend answers to one `Ask`.

    Attributes:
        granted: units; they lapse a time to live after the ask was *sent*.
        starts_in: seconds until the granted units may be used: above 0 for an advance, and with
            nothing granted the wait until it pays to ask again.
        left: units that the backend has left.
        instances: how many asked lately.
        revision: the one that counts; higher than the asked one if another instance knows better.
        blocked_for: seconds during which nobody may start; 0.0 for no block.
        window_ends_in: seconds until a calendar window or a budget's ends; None without one.
    """

    granted: int
    starts_in: float
    left: int
    instances: int
    revision: int
    blocked_for: float = 0.0
    window_ends_in: float | None = None


@dataclass(frozen=True, slots=True)
class Block:
    """Somewhere a provider said stop.

    Attributes:
        id: of the limit, as in `Ask`.
        seconds: from now.
    """

    id: str
    seconds: float


class QuotaBackend(Protocol):
    """Where instances share their limits. A slow or missing backend raises; the driver goes on alone."""

    async def lease(self, asks: Sequence[Ask]) -> Sequence[Reply]:
        """Answer all asks in one round trip, in their order."""
        ...

    async def block(self, id: str, seconds: float) -> None:
        """Stop a limit everywhere for some seconds from now; a block is never shortened."""
        ...

    def blocks(self) -> AsyncIterator[Block]:
        """Tell the blocks of other instances as they come, until closed."""
        ...

    async def aclose(self) -> None:
        """Give back the connections; ends `blocks`."""
        ...
