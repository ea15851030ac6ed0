"""Putting an engine together: its tools, limits, policies and executors become a host of one loop.

Order matters: executors and limits are there before the first tool, a tool's attempts before the
tool itself. Nothing here runs a call.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import penstock.results as stores
from penstock._native import Cost, Host
from penstock.engine import executors
from penstock.engine import loop as loops
from penstock.engine.attempts import attempts, layers
from penstock.engine.executors import Executor, ExecutorOptions
from penstock.engine.flights import Flights, role_of
from penstock.engine.guessing import Guessing
from penstock.engine.keeping import Keeping, open_early
from penstock.engine.limiting import Limiting, may_apply
from penstock.engine.policies import is_layered
from penstock.engine.prepare import in_halves
from penstock.engine.services import FEWEST_ATTEMPTS, EngineServices
from penstock.engine.session import in_session
from penstock.engine.staging import Preparing
from penstock.engine.waiting import Waiting
from penstock.errors import UnknownTool
from penstock.limits import Budget, Limit, Limiter
from penstock.plan import edges
from penstock.results import Results
from penstock.tools import Tool, Toolset

AnyTool = Tool[..., Any]

JOBS_PER_WORKER = 4
"""Jobs that an executor's gate lets in for each worker: the others wait in their lanes, where
priorities count."""

ON_THE_LOOP = ("call", "task", "inline")
"""Host modes that need no executor."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What an engine was made with, checked.

    Attributes:
        tools: the tools.
        limits: the rules of this engine, or a limiter that others use too.
        max_pending: calls that the engine holds at once.
        max_parallel: calls in flight at once; None for any number.
        workers: by host mode, workers of its executor; None for what suits the machine.
        memory_bytes: what one worker process or program may have; None for any.
        cpu_seconds: of the processor for one call there; None for any.
        slice: seconds after which a turn lets the event loop go on.
        history: events that the log of one batch keeps.
        results: what large values may hold, or a store that others use too.
    """

    tools: Toolset
    limits: tuple[Limit | Budget, ...] | Limiter
    max_pending: int
    max_parallel: int | None
    workers: Mapping[str, int | None]
    memory_bytes: int | None
    cpu_seconds: int | None
    slice: float
    history: int = 65_536
    results: "Results | stores.ResultStore | None" = None


@dataclass(slots=True)
class Assembly:
    """An engine's inner parts.

    Attributes:
        host: the native half.
        services: what its policies share.
        limiting: what it does for its limits.
        waiting: attempts that wait for their turn.
        keeping: what it does for large results; there once all tools are.
        preparing: runs what tools do before their calls; there once all tools are.
        why_tasks: why `async def` tools run in tasks of asyncio's own; None if they do not.
        executors: by host mode.
        numbers: of the tools in the host, by name.
        attempts: of what runs a tool without its policies, by name.
        modes: that the tools run in, by name; "layers" for those with policies.
    """

    host: Host
    services: EngineServices
    limiting: Limiting
    waiting: Waiting
    why_tasks: str | None
    executors: dict[str, Executor] = field(default_factory=dict)
    numbers: dict[str, int] = field(default_factory=dict)
    attempts: dict[str, int] = field(default_factory=dict)
    modes: dict[str, str] = field(default_factory=dict)
    keeping: Keeping = field(init=False)
    preparing: Preparing = field(init=False)

    def usual(self, name: str) -> float | None:
        """Return the seconds within which nine of ten runs of a tool end; None before 50 of them."""
        return self.host.quantile(self.attempts[name], 0.9, FEWEST_ATTEMPTS)

    async def end_calls(self, grace: float, *, drain: bool) -> None:
        """Ask all calls to end, after they have ended by themselves if `drain`; wait for so long."""
        host = self.host
        try:
            while drain and host.unanswered:
                await host.room()
        finally:
            host.close(cancel=True)
        try:
            async with asyncio.timeout(grace):
                while host.unanswered:
                    await host.room()
        except TimeoutError:
            pass  # what is left, and what ignored its cancellation before, is given up

    async def close(self, *, is_own: bool) -> None:
        """Stop the executors, and wait for what needs turns of the loop, if it can have some."""
        self.limiting.close()
        if not is_own:
            self.forget()
            return
        await self.preparing.aclose()
        await self.keeping.aclose()
        for executor in self.executors.values():
            executor.close()
        for executor in self.executors.values():
            await executor.wait_closed()

    def forget(self) -> None:
        """The same from a finalizer."""
        self.keeping.forget()
        for executor in self.executors.values():
            executor.forget()


def check(tools: Iterable[AnyTool]) -> None:
    """Raise `ConfigError` for a tool that its executor or one of its policies cannot run."""
    for tool in tools:
        executors.serving(tool.host).check(tool)
        is_layered(tool)


def assemble(settings: Settings, loop: asyncio.AbstractEventLoop) -> Assembly:
    """Return the parts of an engine on its event loop.

    Raises:
        ConfigError: the folder of its results cannot be used; the operator acts.
        MissingExtra: its results have keys and there is no cipher; the operator installs it.
    """
    virtual = loops.has_virtual_time(loop)
    waiting = Waiting()
    services = EngineServices(loop.time if virtual else None, waiting)
    opened = open_early(settings.results, services.clock)
    host = Host(
        loop,
        max_pending=settings.max_pending,
        max_parallel=settings.max_parallel,
        slice=settings.slice,
        history=settings.history,
        virtual_time=virtual,
        edges=edges,
        unknown=lambda name: UnknownTool(name, settings.tools.near(name)),
    )
    why_tasks = loops.why_not_hosted(loop) or host.probe()
    limits = settings.limits
    limiter = limits if isinstance(limits, Limiter) else Limiter(limits)
    limiting = Limiting(limiter, host, loop)
    parts = Assembly(host, services, limiting, waiting, why_tasks)
    for tool in settings.tools:
        mode = "task" if why_tasks and tool.host == "call" else tool.host
        parts.modes[tool.name] = mode
        _add_executor(parts, settings, mode)
        _add_tool(parts, in_halves(tool), mode)
    own = "task" if why_tasks else "call"
    parts.preparing = Preparing(host, settings.tools, own, loop.time)
    parts.keeping = Keeping(settings.results, host, settings.tools, services.clock, opened)
    return parts


def join_sessions(
    parts: Assembly, tools: Iterable[AnyTool], loop: asyncio.AbstractEventLoop
) -> Flights:
    """Add what calls of sessions are instead of ordinary ones; each ends in one of those, or in none."""
    flights = parts.services.flights = Flights(parts.host, loop.time, parts.preparing)
    mode = "task" if parts.why_tasks else "call"
    for tool in tools:
        role = role_of(tool, parts.numbers[tool.name])
        parts.host.add_tool(tool, mode, layers=in_session(flights, role), session=True)
    return flights


def guess(parts: Assembly, tools: Toolset, flights: Flights, settings: Settings) -> Guessing:
    """Return what a speculator may do in this engine."""
    services = parts.services
    return Guessing(
        flights,
        parts.host,
        tools,
        ordinary=parts.numbers,
        attempts=parts.attempts,
        is_closed=lambda name: name not in services.breakers or services.breakers[name].is_closed,
        most=min(1_000, settings.max_pending // 10),
    )


def _add_executor(parts: Assembly, settings: Settings, mode: str) -> None:
    if mode in ON_THE_LOOP or mode in parts.executors:
        return
    make = executors.serving(mode).make
    if make is None:
        return
    tools = [tool for tool in settings.tools if tool.host == mode]
    options = ExecutorOptions(
        tools=tools,
        workers=settings.workers.get(mode),
        memory_bytes=settings.memory_bytes,
        cpu_seconds=settings.cpu_seconds,
    )
    executor = make(options)
    parts.executors[mode] = executor
    parts.host.add_executor(mode, executor.start, executor.cancel)
    parts.host.add_gate(_gate(mode), JOBS_PER_WORKER * executor.workers)


def _gate(mode: str) -> str:
    return f"the {mode} executor"


def _add_tool(parts: Assembly, tool: AnyTool, mode: str) -> None:
    host, rules = parts.host, parts.limiting.limiter.limits
    add: Callable[..., int] = host.add_tool
    bounds = {
        "gate": _gate(mode) if mode in parts.executors else None,
        "concurrency": tool.concurrency,
        "cost": tool.cost if isinstance(tool.cost, Cost) else None,
        "limited": may_apply(rules, tool),
        "tracked": may_apply(rules, tool, shape="slots"),
    }
    has_price = tool.cost is not None and not isinstance(tool.cost, Cost)
    if not is_layered(tool) and not has_price:
        number = add(tool, mode, **bounds)
        parts.numbers[tool.name] = parts.attempts[tool.name] = number
        return
    number = parts.attempts[tool.name] = add(tool, mode, hidden=True, **bounds)
    room = parts.limiting.room_of(tool) if bounds["limited"] else None
    parts.services.measure(host, tool.name, number, tool.concurrency, room)
    attempt = attempts(host, tool, number, mode, parts.waiting)
    outer = "task" if parts.why_tasks else "call"
    run = layers(tool, attempt, parts.services)
    parts.numbers[tool.name] = add(tool, outer, layers=run, attempts=number)
    parts.modes[tool.name] = "layers"
