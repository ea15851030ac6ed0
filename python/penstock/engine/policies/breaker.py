"""Breaker: stop calling a tool that keeps failing; try again a little, then more.

The decisions are the core's (`rust/core/src/breaker.rs`). This layer asks, and tells how calls ended.

Ground rules:

- A call asks twice: when it comes, where it takes no place, and when its limits are paid, right
  before the tool's code, where it takes a ticket. So a probe starts when it runs, not while it waits,
  and what waited for a limit while the breaker opened is stopped, its permit given back.
- A ticket ends once: recorded, or cancelled when the call was. Without a ticket there is no record:
  the tool was never asked.
- Open: `fail` raises `BreakerOpen` at once. `park` waits for the time when the breaker may admit, or
  for a change that an end of another call brought; who would wait beyond its deadline fails now.
- Bound: parked calls are calls of the engine, which bounds those.
"""

import asyncio
from dataclasses import dataclass, field

from penstock.engine.policies._failures import never_reached, status
from penstock.engine.policies._protocol import (
    Arguments,
    CallInfo,
    Circuit,
    Ending,
    Policy,
    Run,
    Services,
    Slot,
    ToolView,
)
from penstock.errors import BreakerOpen, CallTimeout, PenstockError
from penstock.tools import settings

PROBE_SECONDS = 10.0
"""What a probe has if its tool has no timeout."""

SHORTEST_PAUSE = 0.001
"""Seconds; event loops tick in milliseconds, and spin on less."""

_BY_STATUS: dict[int, Ending] = {401: "misconfigured", 403: "misconfigured", 429: "ignored"}


def ending_of(error: Exception) -> Ending:
    """Return what the error of a call says about the service.

    An answer that blames the call (most of 4xx, or an error with `retryable = False`) is an answer.
    What Penstock itself refused was never asked. Everything else is a failure.
    """
    if isinstance(error, PenstockError) and not isinstance(error, CallTimeout):
        return "ignored"
    answered = status(error)
    if answered is not None:
        return _BY_STATUS.get(answered, "fail" if answered >= 500 else "ok")
    if never_reached(error):
        return "connect"
    return "ok" if getattr(error, "retryable", None) is False else "fail"


@dataclass(frozen=True, slots=True)
class _Breaking:
    """The layer of one tool, or of one of its endpoints."""

    tool: str
    breaker: settings.Breaker
    probe_seconds: float
    inner: Run
    circuit: Circuit
    services: Services
    parked: list[asyncio.Future[None]] = field(default_factory=list)

    async def run(self, info: CallInfo, arguments: Arguments) -> object:
        while True:
            await self.pass_gate(info)
            attempt = _Attempt(self, info)
            try:
                value = await self.inner(info.with_hook(attempt.start), arguments)
            except Exception as error:
                attempt.end(ending_of(error))
                if error is not attempt.refusal or self.refuses(info, attempt.retry_at):
                    raise
            except BaseException:
                attempt.cancel()
                raise
            else:
                attempt.end("ok")
                return value
            await self.park(attempt.retry_at)

    async def pass_gate(self, info: CallInfo) -> None:
        while (retry_at := self.circuit.check(self.services.clock())) is not None:
            if self.refuses(info, retry_at):
                self.services.notify(info, "breaker_refused")
                raise self.open_until(retry_at)
            await self.park(retry_at)

    def refuses(self, info: CallInfo, retry_at: float) -> bool:
        """Whether a call that may not run before `retry_at` fails now."""
        in_vain = info.deadline is not None and retry_at >= info.deadline
        return in_vain or self.breaker.on_open == "fail"

    async def park(self, until: float) -> None:
        change = asyncio.get_running_loop().create_future()
        self.parked.append(change)
        seconds = until - self.services.clock()
        try:
            await asyncio.wait([change], timeout=max(seconds, SHORTEST_PAUSE))
        finally:
            change.cancel()
            self.parked.remove(change)

    def wake_parked(self) -> None:
        for change in self.parked:
            if not change.done():
                change.set_result(None)

    def open_until(self, retry_at: float) -> BreakerOpen:
        return BreakerOpen(self.tool, max(retry_at - self.services.clock(), 0.0))


@dataclass(slots=True)
class _Attempt:
    """One call that was let in, from its start on."""

    layer: _Breaking
    info: CallInfo
    ticket: object = None
    started: float = 0.0
    retry_at: float = 0.0
    refusal: BreakerOpen | None = None

    def start(self) -> None:
        """Called when the limits are paid."""
        self.started = now = self.layer.services.clock()
        deadline = now + self.layer.probe_seconds
        if self.info.deadline is not None:
            deadline = min(deadline, self.info.deadline)
        self.ticket, self.retry_at = self.layer.circuit.admit(now, deadline)
        if self.ticket is None:
            self.refusal = self.layer.open_until(self.retry_at)
            self.layer.services.notify(self.info, "breaker_refused")
            raise self.refusal

    def end(self, ending: Ending) -> None:
        if self.ticket is None:
            return
        layer, now = self.layer, self.layer.services.clock()
        slow_after = layer.breaker.slow_after
        if ending == "ok" and slow_after is not None and now - self.started > slow_after:
            ending = "slow"
        if layer.circuit.record(self.ticket, ending, now, layer.services.random()):
            layer.services.notify(self.info, "breaker_changed")
            layer.wake_parked()

    def cancel(self) -> None:
        if self.ticket is not None:
            self.layer.circuit.cancel(self.ticket, self.layer.services.clock())
            self.layer.wake_parked()  # the place of a probe may be free


def build(tool: ToolView, inner: Run, services: Services) -> Run:
    """Return the layer for one tool; its endpoints have a breaker each."""
    endpoints = tool.hedge.endpoints if tool.hedge else None
    if not endpoints:
        return _breaking(tool, inner, services, None).run
    layers = {name: _breaking(tool, inner, services, name) for name in endpoints}

    async def run(info: CallInfo, arguments: Arguments) -> object:
        # `hedge` is further out, and has chosen one.
        return await layers[info.endpoint or endpoints[0]].run(info, arguments)

    return run


def _breaking(tool: ToolView, inner: Run, services: Services, endpoint: str | None) -> _Breaking:
    breaker = tool.breaker or settings.Breaker()
    seconds = tool.timeout or PROBE_SECONDS
    circuit = services.breaker(tool, endpoint)
    return _Breaking(tool.name, breaker, seconds, inner, circuit, services)


POLICY = Policy(name="breaker", slot=Slot.BREAKER, build=build, option="breaker")
