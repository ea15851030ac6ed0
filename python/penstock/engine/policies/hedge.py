"""Hedge: when an attempt takes unusually long, start another; the first good answer wins.

Ground rules:

- State: for each tool of an engine a purse and the learned delay, read anew every three seconds. The
  service's allowance is shared with retries. A hedge takes 1 of both.
- The purse earns `extra` a call. It keeps 20, or what the calls of the last moments have earned: a
  thousand calls that start together may have their fifty. A fifth of that is for those who have waited
  longer than the delay: most calls that are late by a little end by themselves.
- Delays are quantiles of attempts that ended well; of all others it is only known that they take longer.
- The first good answer wins. An error that may pass starts the next attempt at once, unless the
  service said when to come again; any other error is the answer. If all have failed, so has the call,
  with the last error.
- No hedge starts while it would only add load: it would wait longer than the delay for its turn or
  its limits, slots are at their brim, the breaker is not closed, or times vary so little that another
  attempt is no faster. Who is refused asks again half a delay later.
- With endpoints, each attempt asks one (`_endpoints.py`), and the delay is that of the first one's. Another attempt
  goes to one that the call has not asked, whose breaker is closed. An error that may pass starts it also while
  delays are unknown.
- Each attempt is a task of this call. When the call ends, however it ends, the others have been
  cancelled and awaited: their permits are settled by then. A cancel that comes meanwhile waits, too.
- Bound: `max_attempts` of one call; `extra` of the calls, and one, over any time.
"""

import asyncio
import math
from collections.abc import Iterable, Mapping
from contextvars import copy_context
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from penstock.engine.policies._allowance import allowance_of, earn
from penstock.engine.policies._endpoints import Endpoints, Times
from penstock.engine.policies._failures import may_pass, retry_after
from penstock.engine.policies._protocol import (
    Allowance,
    Arguments,
    CallInfo,
    Policy,
    Run,
    Services,
    Slot,
    ToolView,
)
from penstock.tools import chosen, settings

MOST_SAVED = 20.0
"""Hedges: a quiet hour must not pay for a burst of them."""

SECONDS_LEARNED = 3.0

_KEPT_BACK = 0.2  # of what was earned lately, for those who wait longest

_SPANS = 4.0  # delays; a call that was hedged twice has ended by then, or is no usual one

RARE = 0.995
"""Beyond p99: where one call in a hundred straggles, p99 is as often a usual call as not."""

_LEAST_SPREAD = 2.0  # rare to usual; below, the first attempt is as fast as another would be

Task = asyncio.Task[Any]


@dataclass(slots=True)
class Purse:
    """What one tool may spend on hedges. The first is free, so that a single call may have one."""

    extra: float
    left: float = 1.0
    calls: int = 0
    """Begun in this span of time, and in the one before."""
    calls_before: int = 0
    span_ends: float = -math.inf

    def earn(self, now: float, span: float) -> None:
        """Count a call that begins.

        Args:
            now: seconds.
            span: seconds for which what a call has earned is kept, however many begin with it.
        """
        if now >= self.span_ends:
            is_next = now < self.span_ends + span
            self.calls, self.calls_before = 0, self.calls if is_next else 0
            self.span_ends = now + span
        self.calls += 1
        self.left = min(self.left + self.extra, max(MOST_SAVED, self._earned))

    def can_pay(self, *, first: bool) -> bool:
        """Whether a hedge may start; `first`: as soon as its call was late."""
        kept = _KEPT_BACK * self._earned if first else 0.0
        return self.left - kept >= 1.0

    @property
    def _earned(self) -> float:
        """What the calls of the last moments have earned."""
        return self.extra * (self.calls + self.calls_before)


@dataclass(slots=True)
class Delay:
    """After how many seconds another attempt starts: given, or learned."""

    tool: str
    hedge: settings.Hedge
    services: Services
    times: Times | None = None
    """Of the endpoint that it is about; None for all attempts of the tool."""
    learned: float = math.inf
    good_until: float = -math.inf

    def seconds(self) -> float:
        """Return the seconds; infinite while too little is known, or a hedge is no use."""
        if self.hedge.after is not None:
            return self.hedge.after
        now = self.services.clock()
        if now >= self.good_until:
            self.learned = self._learn()
            self.good_until = now + SECONDS_LEARNED
        return self.learned

    def _learn(self) -> float:
        ask = (
            partial(self.services.quantile, self.tool)
            if self.times is None
            else self.times.quantile
        )
        usual, rare, seconds = (ask(share) for share in (0.5, RARE, 1 - self.hedge.extra))
        if usual is None or rare is None or seconds is None or rare < _LEAST_SPREAD * usual:
            return math.inf
        return max(seconds, self.hedge.floor)


@dataclass(frozen=True, slots=True)
class _Hedging:
    """The layer of one tool."""

    tool: ToolView
    hedge: settings.Hedge
    inner: Run
    allowance: Allowance
    services: Services
    purse: Purse
    delays: Mapping[str | None, Delay]
    endpoints: Endpoints | None

    async def run(self, info: CallInfo, arguments: Arguments) -> object:
        earn(info, self.allowance)
        first = None if self.endpoints is None else self.endpoints.first()
        delay = self.delays[first].seconds()
        is_known = not math.isinf(delay)
        span = max(SECONDS_LEARNED, _SPANS * delay if is_known else 0.0)
        self.purse.earn(self.services.clock(), span)
        if not is_known and first is None:
            return await self.inner(info, arguments)
        race = _Race(self, info, arguments, delay, self.hedge.max_attempts)
        try:
            return await race.decide(first)
        finally:
            await race.end()

    def is_useful(self, info: CallInfo, delay: float) -> bool:
        """Whether one more attempt could be faster, and not only add load."""
        load = self.services.load(self.tool.name, info.tenant)
        if load.full or max(load.drain_time, load.payable_in) > delay:
            return False
        if self.endpoints is not None or not self.tool.breaker:
            return True  # endpoints have breakers of their own, and are chosen by them
        return self.services.breaker(self.tool).is_closed

    async def ask(self, endpoint: str, info: CallInfo, arguments: Arguments) -> object:
        """Run one attempt at an endpoint, and note how long its code took."""
        assert self.endpoints is not None  # noqa: S101 - or nobody has chosen one
        clock, began, whole = self.services.clock, list[float](), False
        info = replace(info, endpoint=endpoint).with_hook(lambda: began.append(clock()))
        try:
            value = await self.inner(info, arguments)
            whole = True
        finally:
            if began:
                self.endpoints.times[endpoint].note(clock() - began[0], whole=whole)
        return value

    def pay(self, *, first: bool) -> bool:
        """Pay for one more attempt; false if too little is left."""
        if not self.purse.can_pay(first=first) or not self.allowance.try_spend():
            return False
        self.purse.left -= 1
        return True


@dataclass(slots=True)
class _Race:
    """The attempts of one call; `left` may still start."""

    layer: _Hedging
    info: CallInfo
    arguments: Arguments
    delay: float
    left: int
    running: list[Task] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    refused: bool = False

    async def decide(self, endpoint: str | None) -> object:
        first = self.start(self.info, endpoint)
        patience = self.delay
        while True:
            timeout = patience if self.left and not math.isinf(patience) else None
            await asyncio.wait(self.running, timeout=timeout, return_when="FIRST_COMPLETED")
            ended = [task for task in self.running if task.done()]
            if not ended:
                patience = self.delay if self.start_another() else self.delay / 2
            for task in ended:
                error = task.exception()
                if error is None and task is not first:
                    self.layer.services.notify(self.info, "hedge_won")
                if error is None or self.is_final(task, error):
                    return task.result()

    def is_final(self, task: Task, error: BaseException) -> bool:
        """Whether an error ends the call: it will not pass, or no other attempt is left."""
        if not isinstance(error, Exception) or not may_pass(error):
            return True
        self.running.remove(task)
        if retry_after(error) is not None:
            self.left = 0  # the service has said when to come again
        self.start_another()
        return not self.running

    def start_another(self) -> bool:
        """Start one more attempt if it may; who is refused may ask again."""
        if not self.left or not self.layer.is_useful(self.info, self.delay):
            return False
        endpoints, endpoint = self.layer.endpoints, None
        if endpoints is not None and (endpoint := endpoints.another(self.asked)) is None:
            return False
        is_first = self.info.tally.attempts == 1 and not self.refused
        if not self.layer.pay(first=is_first and bool(self.running)):
            if not self.refused:
                self.layer.services.notify(self.info, "hedges_denied")
            self.refused = True
            return False
        info = self.info.another(hedge=True)
        self.layer.services.notify(info, "hedged")
        self.start(info, endpoint)
        return True

    def start(self, info: CallInfo, endpoint: str | None) -> Task:
        self.left -= 1
        if endpoint is None:
            task = asyncio.create_task(self.layer.inner(info, self.arguments))
        else:
            self.asked.append(endpoint)
            around = copy_context()
            around.run(chosen.set, endpoint)
            asking = self.layer.ask(endpoint, info, self.arguments)
            task = asyncio.create_task(asking, context=around)
        self.running.append(task)
        return task

    async def end(self) -> None:
        """Cancel what still runs, and wait for its end."""
        cancel: asyncio.CancelledError | None = None
        for task in self.running:
            task.cancel("its call has ended")
        while left := [task for task in self.running if not task.done()]:
            try:
                await asyncio.wait(left)
            except asyncio.CancelledError as error:
                cancel = error
        for task in self.running:
            if not task.cancelled():
                task.exception()  # read, so that nobody complains that it was not
        if cancel is not None:
            raise cancel


def build(tool: ToolView, inner: Run, services: Services) -> Run:
    """Return the layer for one tool."""
    hedge = tool.hedge or settings.Hedge()
    endpoints = None
    if hedge.endpoints:
        endpoints = Endpoints(hedge.endpoints, lambda name: _is_closed(tool, services, name))
    places: Iterable[tuple[str | None, Times | None]] = [(None, None)]
    if endpoints is not None:
        places = endpoints.times.items()
    delays = {name: Delay(tool.name, hedge, services, times) for name, times in places}
    allowance, purse = allowance_of(tool, services), Purse(hedge.extra)
    return _Hedging(tool, hedge, inner, allowance, services, purse, delays, endpoints).run


def _is_closed(tool: ToolView, services: Services, endpoint: str) -> bool:
    return not tool.breaker or services.breaker(tool, endpoint).is_closed


POLICY = Policy(
    name="hedge", slot=Slot.HEDGE, build=build, option="hedge", effects=("read", "idempotent")
)
