"""`Limiter`: limits without an engine. Permits, and an orderly wait for them.

The core decides everything; here are its owner on each event loop (`waiting.py`), the rules it was told
(`rules.py`) and the answers of providers (`headers.py`).
"""

import asyncio
import logging
import math
import random
import threading
import time
from asyncio import AbstractEventLoop, CancelledError, get_running_loop
from collections.abc import Callable, Iterable
from dataclasses import replace
from types import TracebackType
from typing import Protocol, Self

from penstock._native import Cost, LimitSet, Permit
from penstock._native import Limiter as NativeLimiter
from penstock.errors import (
    ConfigError,
    EngineClosed,
    LimitDeadline,
    LimitError,
    PenstockError,
)
from penstock.limits.budget import Budget
from penstock.limits.headers import TABLES, Feedback, Headers, HeaderTable, parse_headers
from penstock.limits.rules import Rules
from penstock.limits.spec import Limit
from penstock.limits.statistics import LimiterStatistics, LimitStatistics
from penstock.limits.waiting import Waiting

NORMAL_LANE = 4

logger = logging.getLogger("penstock.limits")


class TryTake(Protocol):
    """How `Limiter.try_take` is called."""

    def __call__(
        self,
        set: LimitSet,
        cost: Cost | int = 1,
        lane: int = NORMAL_LANE,
        speculative: bool = False,
    ) -> Permit | None:
        """Take now or not at all.

        Args:
            set: from `resolve`.
            cost: what the call will take; a number is calls.
            lane: 0 (first) to 7 (last), 8 and more never before those.
            speculative: pay from the small share that guesses have.

        Raises:
            LimitImpossible: no limit of this size ever pays; the operator acts.
        """


class Limiter:
    """A set of limits, for calls that something else than an engine makes.

    Any number of event loops, in any threads, may share one. Times are seconds of `time.monotonic()`,
    on a virtual loop those of the loop.

    Example:
        >>> import asyncio
        >>> async def ask():
        ...     async with Limiter([Limit.rate("tool:search", 100)]) as limiter:
        ...         async with limiter.permit(tool="search") as permit:
        ...             return permit.cost.requests
        >>> asyncio.run(ask())
        1
    """

    try_take: TryTake
    """Return a permit if every limit pays now and nobody who waits would be delayed, else None."""

    def __init__(
        self, limits: Iterable[Limit | Budget], *, clock: Callable[[], float] | None = None
    ) -> None:
        """Make a limiter of these rules.

        Args:
            limits: each with a name of its own.
            clock: monotonic seconds; the system's unless given, or the time of the virtual loop
                that this runs on.

        Raises:
            ConfigError: limits that cannot work together; the caller acts.
        """
        self._clock = clock or _virtual_time() or time.monotonic
        self._native = NativeLimiter(None if self._clock is time.monotonic else self._clock)
        # The native verb itself: a function around it would cost as much again.
        self.try_take = self._native.try_take
        self._rules = Rules(self._native, self._clock, _wall(self._clock))
        self._rules.add(limits)
        self._lock = threading.Lock()
        self._loops: dict[AbstractEventLoop, Waiting] = {}
        self._latest: Waiting | None = None
        self._is_closed = False
        self._header_errors = 0
        self._listeners: list[Callable[[str, str, float], object]] = []
        self._native.on_warnings(self.tell_warnings)

    @property
    def limits(self) -> tuple[Limit | Budget, ...]:
        """The rules as they are now."""
        return self._rules.told()

    def resolve(
        self,
        *,
        tenant: str | None = None,
        agent: str | None = None,
        service: str | None = None,
        tool: str | None = None,
        model: str | None = None,
        run: str | None = None,
        batch: str | None = None,
    ) -> LimitSet:
        """Return the limits that one kind of call must pass, looked up once for many calls.

        Args:
            tenant: who pays; None matches no limit that speaks of tenants. Likewise the others.
            agent: see `tenant`.
            service: see `tenant`.
            tool: see `tenant`.
            model: see `tenant`.
            run: see `tenant`.
            batch: see `tenant`.

        Returns:
            A handle, false if no limit applies. While it lives, so does what its limits count.

        Raises:
            ConfigError: more than 16 limits apply; the operator acts.
        """
        return self._native.resolve(tenant, agent, service, tool, model, run, batch)

    async def take(
        self,
        set: LimitSet,
        cost: Cost | int = 1,
        *,
        lane: int = NORMAL_LANE,
        deadline: float | None = None,
    ) -> Permit:
        """Return a permit as soon as every limit pays and its turn has come.

        A wait that is cancelled leaves every limit as it was.

        Args:
            set: from `resolve`.
            cost: what the call will take; a number is calls.
            lane: 0 (first) to 7 (last), 8 and more never before those.
            deadline: when waiting is no use any more, on the limiter's clock.

        Raises:
            LimitImpossible: no limit of this size ever pays; the operator acts.
            BudgetExceeded: the rest of a budget does not pay; the caller acts.
            LimitDeadline: its turn would come too late; the caller acts.
            LimitQueueFull: too many wait; the caller tries later.
            EngineClosed: the limiter was closed; the caller acts.
            ConfigError: what was given is no cost, lane or deadline; the caller acts.
        """
        if not self._is_closed:
            permit = self._native.try_take(set, cost, lane, first=True)
            if permit is not None:
                return permit
        loop = get_running_loop()
        here = self._latest
        if here is None or here.loop is not loop:
            here = self._on(loop)
        timeout = None if deadline is None else self._until(deadline)
        taken = self._native.take(set, cost, lane, here.owner, timeout)
        if type(taken) is Permit:
            return taken
        token, sooner = taken
        future = here.enter(token, sooner)
        try:
            if timeout is None:
                return await future
            async with asyncio.timeout(timeout):
                return await future
        except TimeoutError:
            here.leave(token, future)
            raise self._too_late(set, cost) from None
        except BaseException:
            here.leave(token, future)
            raise

    def permit(
        self,
        *,
        cost: Cost | int = 1,
        lane: int = NORMAL_LANE,
        deadline: float | None = None,
        tenant: str | None = None,
        service: str | None = None,
        tool: str | None = None,
        model: str | None = None,
    ) -> "PermitBlock":
        """Return a block that begins when a permit was taken, and ends it.

        A permit that the block did not end itself is settled as it was reserved, or cancelled when
        the block was.

        Args:
            cost: see `take`, as `lane` and `deadline`.
            lane: see `take`.
            deadline: see `take`.
            tenant: see `resolve`.
            service: see `resolve`.
            tool: see `resolve`.
            model: see `resolve`.

        Example:
            >>> import asyncio
            >>> limiter = Limiter([Limit.tokens("model:gpt-5", 10_000)])
            >>> async def ask():
            ...     async with limiter.permit(model="gpt-5", cost=Cost(input_tokens=900)) as permit:
            ...         return permit.settle(Cost(input_tokens=870))
            >>> asyncio.run(ask())
            True
        """
        set = self.resolve(tenant=tenant, service=service, tool=tool, model=model)
        return PermitBlock(self, set, cost, lane, deadline)

    def refusal(self, set: LimitSet, cost: Cost | int = 1) -> PenstockError | None:
        """Return why a call would not start now: the error of the limit that binds, or None."""
        return self._native.refusal(set, cost)

    def available_in(self, set: LimitSet, cost: Cost | int = 1) -> tuple[float, str | None] | None:
        """Return when a call could be paid if nobody waited.

        Returns:
            Seconds from now and the name of the limit that binds, None if none does. None alone:
            never, or nobody knows when, as with slots.
        """
        return self._native.available_in(set, cost)

    def fill(self, set: LimitSet) -> float:
        """Return how much of the tightest limit is used, 0.0 to 1.0."""
        return self._native.fill(set)

    def observe(
        self,
        set: LimitSet,
        *,
        status: int | None = None,
        headers: Headers | None = None,
        permit: Permit | None = None,
        tables: Iterable[HeaderTable] = TABLES,
    ) -> Feedback:
        """Learn from a provider's answer. Never raises for what a server sent.

        A 429 blocks the limits of the set for as long as it says; headers lower what is left.

        Args:
            set: the limits of the call.
            status: the HTTP status.
            headers: a mapping or pairs.
            permit: of the call, so that it is known when it was sent.
            tables: what this provider calls its headers.

        Returns:
            What was read.
        """
        feedback = parse_headers(status, headers, tables)
        self._header_errors += feedback.errors
        said = feedback.readings()
        jitter = random.random()  # noqa: S311 - spreads retries, hides nothing
        self._native.observe(permit or set, feedback.status, feedback.retry_after, said, jitter)
        return feedback

    def change(
        self,
        name: str,
        *,
        n: int | None = None,
        per: float | None = None,
        burst: int | None = None,
        revision: int | None = None,
    ) -> None:
        """Change the numbers of a limit. What was spent stays spent, and who waits keeps its place.

        Args:
            name: of the limit or budget.
            n: units, calls at once, or a budget's amount in millionths of a dollar or tokens.
            per: seconds.
            burst: units at once.
            revision: of shared limits that differ, the highest wins.

        Raises:
            ConfigError: there is no such limit, or it cannot be so; the caller acts.
        """
        self._rules.change(name, n, per, burst, revision)

    def block(self, name: str, seconds: float) -> None:
        """Let nobody pass a limit for some seconds from now; a block is never shortened.

        Raises:
            ConfigError: there is no such limit; the caller acts.
        """
        self._rules.block(name, seconds)

    def add_batch_budget(self, budget: Budget, batch: str) -> str:
        """Give one batch a budget, until `remove`.

        Args:
            budget: of scope `batch`.
            batch: what `resolve` is given for its calls.

        Returns:
            The name that its errors have.
        """
        name = f"{budget.name} {batch}"
        self._rules.add([replace(budget, name=name, scope=f"batch:{batch}")])
        return name

    def remove(self, name: str) -> None:
        """Forget a limit. Calls that hold or await it go on without it.

        Raises:
            ConfigError: there is no such limit; the caller acts.
        """
        self._rules.remove(name)

    def retire(self, name: str) -> None:
        """Have a limit that nobody needs any more forgotten soon; a destructor may call this."""
        self._rules.retire(name)

    def roll(self) -> float | None:
        """Begin the days and months that are due; return the seconds until the next, if any."""
        seconds = self._rules.roll()
        return None if seconds == math.inf else seconds

    def tell_warnings(self) -> None:
        """Log each budget that has passed one of its `warn` shares, and call who listens."""
        for name, scope, share in self._native.warnings():
            logger.warning("budget %r (%s) is spent to %.0f %%", name, scope, 100 * share)
            for listener in self._listeners:
                try:
                    listener(name, scope, share)
                except Exception:
                    logger.exception("a listener failed on a warning of budget %r", name)

    def on_warning(self, listener: Callable[[str, str, float], object]) -> None:
        """Call `listener(name, scope, share)` once a window for each share that a budget passes.

        What it raises is logged: calls go on.
        """
        self._listeners.append(listener)

    @property
    def native(self) -> NativeLimiter:
        """What an engine's host asks."""
        return self._native

    def statistics(self) -> LimiterStatistics:
        """Return the figures of each limit in each scope that was met."""
        self._rules.sweep()
        rows = tuple(LimitStatistics(**row) for row in self._native.statistics())
        return LimiterStatistics(rows, self._header_errors)

    async def aclose(self) -> None:
        """Refuse those who wait, with `EngineClosed`, and all who come. Permits may still be ended."""
        self._is_closed = True
        with self._lock:
            loops, self._loops, self._latest = self._loops, {}, None
        for waiting in loops.values():
            waiting.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exit: object) -> None:
        await self.aclose()

    def _until(self, deadline: float) -> float:
        """Return the seconds until a deadline."""
        if type(deadline) not in {int, float} or math.isnan(deadline):
            raise ConfigError("deadline", deadline, "seconds on the limiter's clock, or None")
        return max(0.0, deadline - self._clock())

    def _too_late(self, set: LimitSet, cost: Cost | int) -> LimitDeadline:
        """Return the error of a wait whose deadline has passed."""
        binding = self._native.refusal(set, cost)
        if isinstance(binding, LimitError):
            return LimitDeadline(binding.limit, binding.scope, binding.retry_after)
        return LimitDeadline(set.limits[0], "", None)  # it could be paid, and others were before it

    def _on(self, loop: AbstractEventLoop) -> Waiting:
        """Return the waits of an event loop."""
        found = self._loops.get(loop)
        self._latest = here = self._add_loop(loop) if found is None else found
        return here

    def _add_loop(self, loop: AbstractEventLoop) -> Waiting:
        if self._is_closed:
            raise EngineClosed("closed")
        if _is_virtual(loop) and self._clock is time.monotonic:
            reason = "is not the virtual loop's: make the limiter on it, or with clock=loop.time"
            raise ConfigError("clock", self._clock, reason)
        with self._lock:
            for other, waiting in list(self._loops.items()):
                if waiting.is_dead:
                    del self._loops[other]
                    waiting.close()
            waiting = self._loops[loop] = Waiting(self._native, loop, self._rules.roll)
        return waiting


class PermitBlock:
    """`async with` around a call: takes a permit, and ends it if the block has not."""

    __slots__ = ("_asked", "_limiter", "_permit")

    def __init__(
        self,
        limiter: Limiter,
        set: LimitSet,
        cost: Cost | int,
        lane: int,
        deadline: float | None,
    ) -> None:
        """Describe the permit; nothing is taken."""
        self._limiter = limiter
        self._asked = (set, cost, lane, deadline)
        self._permit: Permit | None = None

    async def __aenter__(self) -> Permit:
        set, cost, lane, deadline = self._asked
        self._permit = await self._limiter.take(set, cost, lane=lane, deadline=deadline)
        return self._permit

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._permit is None:
            return
        if isinstance(error, CancelledError):
            self._permit.cancel()
        else:
            self._permit.settle()


def _virtual_time() -> Callable[[], float] | None:
    """Return the clock of the running loop if that is virtual."""
    try:
        loop = get_running_loop()
    except RuntimeError:
        return None
    return loop.time if _is_virtual(loop) else None


def _is_virtual(loop: AbstractEventLoop) -> bool:
    """Whether time passes on this loop only when nothing else can happen."""
    return getattr(loop, "is_virtual", False)


def _wall(clock: Callable[[], float]) -> Callable[[], float]:
    """Return the wall clock; it passes as a clock that was given does."""
    if clock is time.monotonic:
        return time.time
    began, origin = time.time(), clock()
    return lambda: began + clock() - origin
