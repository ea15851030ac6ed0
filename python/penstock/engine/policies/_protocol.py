"""What a policy is: a coroutine function around another one, built once for each tool that uses it.

A layer is called with `(info, arguments)` and calls the next inner one with the same, once, often or
not at all. The innermost one is an *attempt*: it passes the gates and limits of the scheduler, runs
the tool where it runs, and raises what the tool raised, or why it did not run.

Time, chance and what is shared between calls come from `Services`, never from a module: so a policy
is tested in virtual time, with plain fakes.
"""

from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field, replace
from enum import IntEnum
from typing import Any, Literal, Protocol, Self

from penstock.errors import ConfigError
from penstock.tools import Effects, Host, settings

Arguments = Any
"""What a call is about: the validated values, handed from layer to layer as they are."""

Run = Callable[["CallInfo", Arguments], Coroutine[Any, Any, Any]]
"""A layer, or the attempt that all of them are around."""


class Slot(IntEnum):
    """Where a layer is, from the outermost to the innermost; two in one slot go by their names.

    Limits and the timeout of one attempt are inside of all: they belong to the attempt.
    """

    OUTER = 0
    CACHE = 1
    COALESCE = 2
    SHED = 3
    TIMEOUT = 4
    RETRY = 5
    HEDGE = 6
    BREAKER = 7
    INNER = 8


@dataclass(slots=True)
class Tally:
    """What all attempts of one call write together; the outcome is made of it.

    Attributes:
        attempts: made so far; attempts are numbered by it.
        started: of those, the ones that got as far as the tool's code.
        cached: whether the value is another call's.
        earned: whether the call has paid into the allowance of its service.
        left: attempts whose code was left running, for it did not stop when it was asked to; for `Services`.
    """

    attempts: int = 1
    started: int = 0
    cached: bool = False
    earned: bool = False
    left: list[Any] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class CallInfo:
    """Which call a layer runs for; an attempt after the first has its own, with the same tally.

    Attributes:
        tool: the name of the tool.
        service: the service of the tool, if it has one.
        tenant: whom the call is charged to, if anybody.
        deadline: seconds on `Services.clock` by which the call must have ended; None for never.
        idempotency_key: the same for all attempts of the call.
        attempt: the number of the attempt, from 1.
        hedge: whether another attempt of the call is in flight: this one yields to others.
        endpoint: which endpoint of the tool the attempt asks; None if nobody has chosen one.
        hooks: called when the limits are paid, right before the tool's code; see `starting`.
        tally: what the attempts of the call share.
    """

    tool: str
    service: str | None = None
    tenant: str | None = None
    deadline: float | None = None
    idempotency_key: str = ""
    attempt: int = 1
    hedge: bool = False
    endpoint: str | None = None
    hooks: tuple[Callable[[], None], ...] = ()
    tally: Tally = field(default_factory=Tally)

    def another(self, *, hedge: bool = False) -> Self:
        """Return what the next attempt of this call is run with."""
        self.tally.attempts += 1
        return replace(self, attempt=self.tally.attempts, hedge=hedge)

    def until(self, deadline: float) -> Self:
        """Return the same with a deadline that is not later than `deadline`."""
        if self.deadline is not None and self.deadline <= deadline:
            return self
        return replace(self, deadline=deadline)

    def with_hook(self, hook: Callable[[], None]) -> Self:
        """Return the same with `hook` called last before the tool's code starts."""
        return replace(self, hooks=(*self.hooks, hook))

    def starting(self) -> None:
        """Called by the attempt between the grant of its limits and the tool's first step.

        Raises:
            Exception: a hook refuses. The attempt gives its permit back and raises the same.
        """
        for hook in self.hooks:
            hook()
        self.tally.started += 1

    def mark_cached(self) -> None:
        """Say that the value is another call's: the flag `cached` of the outcome."""
        self.tally.cached = True


@dataclass(frozen=True, slots=True)
class Load:
    """How much of a tool waits.

    Attributes:
        tool: its name.
        waiting: calls that have not started.
        drain_time: seconds until they have, at today's rate; 0 if nothing waits.
        full: whether slots that the tool needs, fixed or adaptive, are at their brim.
        payable_in: seconds until its other limits would let one more call start, if nobody waited.
    """

    tool: str
    waiting: int = 0
    drain_time: float = 0.0
    full: bool = False
    payable_in: float = 0.0


class Allowance(Protocol):
    """What the attempts beyond the first are paid from, for one service."""

    def first_attempt(self) -> None:
        """Earn: a call was sent for the first time."""

    def try_spend(self) -> bool:
        """Pay for one more attempt; False if too little is left."""


Ending = Literal["ok", "slow", "fail", "connect", "ignored", "misconfigured"]
"""How a call ended, for its breaker."""


class Circuit(Protocol):
    """One breaker: it decides, and knows no clock. Times are seconds on `Services.clock`."""

    @property
    def is_closed(self) -> bool:
        """Whether every call is admitted."""

    def check(self, now: float) -> float | None:
        """Return None if a call would be admitted now, else when to ask again."""

    def admit(self, now: float, deadline: float) -> tuple[object | None, float]:
        """Admit a call that starts now: a ticket, or None and when to ask again.

        Args:
            now: the time.
            deadline: when the call counts as failed, if it is a probe and nothing was heard of it.
        """

    def record(self, ticket: Any, ending: Ending, now: float, random: float) -> bool:
        """Count an end, each ticket once; true if whoever waits should ask again."""

    def cancel(self, ticket: Any, now: float) -> None:
        """Count nothing: the call was cancelled."""


class ToolView(Protocol):
    """What a policy reads of a tool when it is registered. `Tool` is one."""

    @property
    def name(self) -> str: ...
    @property
    def effects(self) -> Effects: ...
    @property
    def service(self) -> str | None: ...
    @property
    def timeout(self) -> float | None: ...
    @property
    def tags(self) -> frozenset[str]: ...
    @property
    def retries(self) -> settings.Retry | None: ...
    @property
    def hedge(self) -> settings.Hedge | None: ...
    @property
    def cache(self) -> settings.Cache | settings.Sharing | None: ...
    @property
    def coalesce(self) -> bool: ...
    @property
    def breaker(self) -> settings.Breaker | None: ...
    @property
    def shed(self) -> settings.Shed | None: ...
    @property
    def host(self) -> Host: ...
    @property
    def mutates(self) -> tuple[str, ...] | None: ...
    @property
    def resources_changed(self) -> Callable[[Any], tuple[str, ...] | None] | None: ...


class Services(Protocol):
    """What the engine gives to its policies."""

    def clock(self) -> float:
        """Return seconds on a clock that never goes back; in tests, of the virtual loop."""

    def sleep(self, seconds: float) -> Coroutine[Any, Any, None]:
        """Sleep on the engine's timer."""

    def random(self) -> float:
        """Return a number from 0 to 1, 1 excluded."""

    def allowance(self, service: str) -> Allowance:
        """Return the allowance of a service; `tool:NAME` for a tool without one."""

    def breaker(self, tool: ToolView, endpoint: str | None = None) -> Circuit:
        """Return the breaker of a tool that has one, or of one of its endpoints; the same each time."""

    def load(self, tool: str, tenant: str | None = None) -> Load:
        """Return how much of a tool waits now, and whether its limits let a tenant start a call."""

    def quantile(self, tool: str, share: float) -> float | None:
        """Return the seconds within which this share of attempts would end well; None before 50 did.

        An attempt that was stopped, or failed, says only that it takes longer than so far.
        """

    def wrote(self, info: CallInfo, names: tuple[str, ...] | None) -> None:
        """Say that a write starts, or ends. It is heard when the code ends of what its tally has left.

        Args:
            info: the call.
            names: of the resources that it changes; None for anything.
        """

    def notify(self, info: CallInfo, what: str, /, **details: object) -> None:
        """Count, and tell whoever watches, that something happened. Never raises.

        | what | details |
        |---|---|
        | `cache_hit`, `cache_miss`; `cache_unkeyed`, `cache_unkept` (no key, no known size) | |
        | `coalesced`, `coalesce_unkeyed` | |
        | `shed` | `waiting` |
        | `retrying`, `retries_denied` (by the allowance) | `wait`, `error` of the first |
        | `hedged`, `hedge_won`, `hedges_denied` (by the allowance or the tool's own bound) | |
        | `breaker_refused`, `breaker_changed` (by this call's end: its state, or its probes) | |
        """


Build = Callable[[ToolView, Run, Services], Run]


@dataclass(frozen=True, slots=True)
class Policy:
    """A behaviour around calls: the `POLICY` of each file here and of each entry point.

    Attributes:
        name: the name of the file.
        slot: how far out it is.
        build: returns the layer around an inner one, for one tool. Called once, at registration, and
            may raise `ConfigError`. The state of the layer is what `build` keeps.
        option: the option of `@tool` that asks for it.
        applies: says for which tools it is built; by default those that set `option`.
        effects: of the tools it may be built for, None for any. A policy that runs a call twice or
            answers it with another's value must name those that allow it.
    """

    name: str
    slot: Slot
    build: Build
    option: str | None = None
    applies: Callable[[ToolView], bool] | None = None
    effects: tuple[Effects, ...] | None = None

    def is_used_by(self, tool: ToolView) -> bool:
        """Return whether calls of `tool` pass this policy.

        Raises:
            ConfigError: they would, and the effects of the tool forbid it; its author acts.
        """
        used = self.applies(tool) if self.applies else bool(getattr(tool, self.option or "", None))
        if used and self.effects is not None and tool.effects not in self.effects:
            allowed = " or ".join(map(repr, self.effects))
            reason = f"tool {tool.name!r} uses the policy {self.name!r}, which needs {allowed}"
            raise ConfigError("effects", tool.effects, reason)
        return used
