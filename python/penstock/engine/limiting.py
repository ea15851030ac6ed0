"""What an engine does for its limits besides asking them: batch budgets, midnight, warnings."""

import asyncio
import itertools
import weakref
from collections.abc import Callable, Iterable

from penstock._native import Host
from penstock.errors import ConfigError
from penstock.limits import Budget, Limit, Limiter, LimitStatistics, scope_parts
from penstock.tools import Tool

Room = Callable[[str | None], tuple[float, str | None] | None]
"""When a tenant's call could be paid, and which limit binds; None if nobody knows, as with slots."""

_batches = itertools.count(1)


def may_apply(
    rules: Iterable[Limit | Budget], tool: "Tool[..., object]", *, shape: str | None = None
) -> bool:
    """Return whether a limit may speak of some call of a tool, of whatever tenant.

    Args:
        rules: limits and budgets.
        tool: the tool.
        shape: only limits of this shape; None for all, and budgets.
    """
    return any(
        _speaks_of(rule, tool)
        for rule in rules
        if shape is None or (isinstance(rule, Limit) and rule.shape == shape)
    )


def check_scopes(rules: Iterable[Limit | Budget], tools: Iterable["Tool[..., object]"]) -> None:
    """Raise `ConfigError` for a limit that names a tool or a service that no tool has: a slip."""
    tools = tuple(tools)
    known: dict[str, set[str | None]] = {
        "tool": {tool.name for tool in tools},
        "service": {tool.service for tool in tools},
    }
    for rule in rules:
        for kind, name in scope_parts(rule.scope):
            if kind in known and name is not None and name not in known[kind]:
                reason = f"no tool of this engine has that {'name' if kind == 'tool' else kind}"
                raise ConfigError("limits", f"{kind}:{name}", reason)


def _speaks_of(rule: Limit | Budget, tool: "Tool[..., object]") -> bool:
    own = {"tool": tool.name, "service": tool.service}
    for kind, name in scope_parts(rule.scope):
        if kind == "model" or (kind == "service" and tool.service is None):
            return False
        if kind in own and name is not None and name != own[kind]:
            return False
    return True


def _speaks_of_batches(rules: Iterable[Limit | Budget]) -> bool:
    """Whether some rule counts for each batch, so that all batches need a name."""
    return any(rule.scope == "batch" or "batch:*" in rule.scope for rule in rules)


class Limiting:
    """The limits of one engine on its event loop.

    Ground rules: the host asks the limiter by itself. Here is what needs Python: a timer for the next
    midnight that a limit waits for, and the log of budgets that pass a share. All on the loop's thread.
    """

    def __init__(self, limiter: Limiter, host: Host, loop: asyncio.AbstractEventLoop) -> None:
        """Let the calls of a host pass the limits.

        Args:
            limiter: what decides; others may use it too.
            host: asks.
            loop: where the engine lives.
        """
        self.limiter = limiter
        self._loop = loop
        self._timer: asyncio.TimerHandle | None = None
        host.use_limiter(limiter.native, limiter.tell_warnings, _speaks_of_batches(limiter.limits))
        self._sleep_until_midnight()

    def room_of(self, tool: "Tool[..., object]") -> Room:
        """Return what says when the limits of a tool would let one more call of a tenant start."""
        limiter, name, service = self.limiter, tool.name, tool.service

        def room(tenant: str | None) -> tuple[float, str | None] | None:
            found = limiter.resolve(tenant=tenant, service=service, tool=name)
            return limiter.available_in(found) if found else (0.0, None)

        return room

    def close(self) -> None:
        """Forget the timer."""
        if self._timer is not None:
            self._timer.cancel()

    def _sleep_until_midnight(self) -> None:
        self._timer = None
        seconds = self.limiter.roll()
        if seconds is not None:
            again = weakref.WeakMethod(self._sleep_until_midnight)
            self._timer = self._loop.call_later(seconds, _call, again)


class BatchBudget:
    """The budget of one batch: a rule of the limiter for as long as somebody keeps this."""

    def __init__(self, limiter: Limiter, budget: object) -> None:
        """Give a batch a budget.

        Args:
            limiter: what decides.
            budget: of scope `batch`.

        Raises:
            ConfigError: the budget is another's; the caller acts.
        """
        if not isinstance(budget, Budget) or budget.scope != "batch":
            reason = 'a budget of scope "batch", such as Budget.money("batch", "0.50")'
            raise ConfigError("budget", budget, reason)
        self.label = f"{next(_batches)}"
        self.name = limiter.add_batch_budget(budget, self.label)
        self._limiter = limiter
        self._remove = weakref.finalize(self, limiter.retire, self.name)
        self._remove.atexit = False

    def statistics(self) -> LimitStatistics:
        """Return what was spent and is reserved of it."""
        rows = self._limiter.statistics().limits
        return next(row for row in rows if row.name == self.name)


def _call(method: "weakref.WeakMethod[Callable[[], None]]") -> None:
    bound = method()
    if bound is not None:
        bound()
