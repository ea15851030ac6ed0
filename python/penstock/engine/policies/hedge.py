"""Hedge: when an attempt takes unusually long, start another; the first good answer wins.

Ground rules:

- State: for each tool of an engine a purse (`extra` a call, at most 20) and the learned delay, read
  anew every three seconds. The service's allowance is shared with retries. A hedge takes 1 of both.
- The first good answer wins. An error that may pass starts the next attempt at once, unless the
  service said when to come again; any other error is the answer. If all have failed, so has the call,
  with the last error.
- No hedge starts while it would only add load: calls of the tool wait longer than the delay, an
  adaptive limit is full, the breaker is not closed, or times vary so little that another attempt is
  no faster.
- Each attempt is a task of this call. When the call ends, however it ends, the others have been
  cancelled and awaited: their permits are settled by then. A cancel that comes meanwhile waits, too.
- Bound: `max_attempts` of one call; `extra` of the calls, and one, over any time.
"""

import asyncio
import math
from dataclasses import dataclass, field
from typing import Any

from penstock.engine.policies._allowance import allowance_of, earn
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
from penstock.tools import settings

MOST_SAVED = 20.0
"""Hedges: a quiet hour must not pay for a burst of them."""

SECONDS_LEARNED = 3.0

_LEAST_SPREAD = 2.0  # p99 to p50; below, the first attempt is as fast as another would be

Task = asyncio.Task[Any]


@dataclass(slots=True)
class Purse:
    """What one tool may spend on hedges. The first is free, so that a single call may have one."""

    extra: float
    left: float = 1.0

    def earn(self) -> None:
        """Count a call."""
        self.left = min(self.left + self.extra, MOST_SAVED)


@dataclass(slots=True)
class Delay:
    """After how many seconds another attempt starts: given, or learned."""

    tool: str
    hedge: settings.Hedge
    services: Services
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
        usual, rare, seconds = (
            self.services.quantile(self.tool, share) for share in (0.5, 0.99, 1 - self.hedge.extra)
        )
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
    delay: Delay

    async def run(self, info: CallInfo, arguments: Arguments) -> object:
        earn(info, self.allowance)
        self.purse.earn()
        delay = self.delay.seconds()
        if math.isinf(delay):
            return await self.inner(info, arguments)
        race = _Race(self, info, arguments, delay, self.hedge.max_attempts)
        try:
            return await race.decide()
        finally:
            await race.end()

    def is_allowed(self, info: CallInfo, delay: float) -> bool:
        """Whether one more attempt may start; it is paid for then."""
        load = self.services.load(self.tool.name)
        if load.full or load.drain_time > delay:
            return False
        if self.tool.breaker and not self.services.breaker(self.tool).is_closed:
            return False
        if self.purse.left < 1 or not self.allowance.try_spend():
            self.services.notify(info, "hedges_denied")
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

    async def decide(self) -> object:
        first = self.start(self.info)
        while True:
            patience = self.delay if self.left else None
            await asyncio.wait(self.running, timeout=patience, return_when="FIRST_COMPLETED")
            ended = [task for task in self.running if task.done()]
            if not ended:
                self.start_another()
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

    def start_another(self) -> None:
        if not self.left:
            return
        if not self.layer.is_allowed(self.info, self.delay):
            self.left = 0
            return
        info = self.info.another(hedge=True)
        self.layer.services.notify(info, "hedged")
        self.start(info)

    def start(self, info: CallInfo) -> Task:
        self.left -= 1
        task = asyncio.create_task(self.layer.inner(info, self.arguments))
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
    allowance = allowance_of(tool, services)
    delay = Delay(tool.name, hedge, services)
    return _Hedging(tool, hedge, inner, allowance, services, Purse(hedge.extra), delay).run


POLICY = Policy(
    name="hedge", slot=Slot.HEDGE, build=build, option="hedge", effects=("read", "idempotent")
)
