"""`Engine`: what people hold. Takes tools once and calls again and again."""

import asyncio
import contextlib
import os
import warnings
import weakref
from collections.abc import AsyncIterator, Coroutine, Iterable, Iterator, Sequence
from types import TracebackType
from typing import Any, Self, Unpack

from penstock._native import Batch as NativeBatch
from penstock._native import Host
from penstock.calls import Call, Outcome
from penstock.engine import loop as loops
from penstock.engine import race, single
from penstock.engine.batch import Batch, finish
from penstock.engine.executors.thread import JOBS_PER_WORKER, ThreadExecutor
from penstock.engine.options import (
    BatchOptions,
    NativeOptions,
    check_count,
    check_seconds,
    to_native,
)
from penstock.engine.race import Race
from penstock.engine.statistics import Statistics, ToolCounts
from penstock.errors import ConfigError, EngineClosed, UnknownTool, WrongThread
from penstock.limits import Limit
from penstock.plan import Plan, edges
from penstock.tools import Tool, Toolset

AnyTool = Tool[..., Any]
Tools = Iterable[Any]

# The gate of all thread tools: jobs beyond it wait in their lanes, where priorities count.
_THREADS = "threads of this engine"

# Engines that were used, for the child of a fork.
_open: "weakref.WeakSet[Engine]" = weakref.WeakSet()


class Engine:
    """Runs the calls of agents in parallel: one outcome a call, inside every limit.

    An engine belongs to the event loop in which it is first used. Use it as `async with`, or await
    `aclose()`.

    Example:
        >>> import penstock
        >>> from penstock import Call, Engine, tool
        >>> @tool(effects="read")
        ... async def double(number: int) -> int:
        ...     return 2 * number
        >>> async def main():
        ...     async with Engine([double]) as engine:
        ...         return await engine.run([Call("double", {"number": 21})])
        >>> [outcome.value for outcome in penstock.run(main())]
        [42]
    """

    # Of the class: an engine that could not be made can still be forgotten.
    _native: Host | None = None
    _loop: asyncio.AbstractEventLoop | None = None
    _closed = False
    _entered = 0

    def __init__(
        self,
        tools: Tools,
        *,
        limits: Iterable[Limit] = (),
        max_pending: int = 100_000,
        max_parallel: int | None = None,
        threads: int | None = None,
        slice: float = 0.001,
    ) -> None:
        """Make an engine; nothing starts before it is used.

        Args:
            tools: tools, functions, modules or toolsets.
            limits: bounds on tools and services.
            max_pending: calls that the engine holds at once; a batch beyond it is refused.
            max_parallel: calls in flight at once; None for any number, 1 for one after the other.
            threads: threads for tools that are plain functions; None for one a processor and 4 more.
            slice: seconds after which a turn of the engine lets the event loop go on, 0.0001 to 1.

        Raises:
            ConfigError: an option cannot have its value, or a limit names no tool of the engine.
            DuplicateTool: two tools have the same name.
        """
        self.tools = tools if isinstance(tools, Toolset) else Toolset(tools)
        self._limits = tuple(limits)
        self._max_pending = check_count("max_pending", max_pending, most=2**30)
        self._max_parallel = max_parallel
        if max_parallel is not None:
            check_count("max_parallel", max_parallel)
        if threads is not None:
            check_count("threads", threads, most=1_024)
        self._slice = check_seconds("slice", slice, least=0.0001, most=1.0)
        self._threads = ThreadExecutor(threads)
        self._bound: dict[str, single.Bound] = {}
        self._by_name: dict[str, single.Bound] = {}
        self._modes: dict[str, str] = {}
        self._numbers: dict[str, int] = {}
        self._why_tasks: str | None = None
        self._turnstile = asyncio.Lock()
        self._check_limits()

    async def __aenter__(self) -> Self:
        if self._closed:
            raise EngineClosed("closed")
        self._host  # noqa: B018 - bound to the loop now
        self._entered += 1
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._entered -= 1
        if not self._entered:  # the outermost of nested blocks closes
            await self.aclose(drain=kind is None)

    async def run(
        self,
        calls: Sequence[Call] | Plan,
        *,
        wait: bool = False,
        **options: Unpack[BatchOptions],
    ) -> list[Outcome]:
        """Run calls and wait for all of them. A tool that fails raises nothing here.

        Cancelling the one who awaits cancels the batch and waits for its clean-up.

        Args:
            calls: a model's calls, or a plan.
            wait: when the engine is full, wait for room instead of raising.
            **options: those of `submit`.

        Returns:
            One outcome a call, in the order of the calls.

        Raises:
            EngineFull: no room for so many calls, and `wait` is false; retry later.
            EngineClosed, ConfigError, BadPlan: misuse, before anything runs.
        """
        native = to_native(options)
        if not wait:
            return await finish(self._start(calls, native, watched=False))
        async with self._room_for(len(calls)):
            batch = self._start(calls, native, watched=False)
        return await finish(batch)

    async def stream(
        self,
        calls: Sequence[Call] | Plan,
        **options: Unpack[BatchOptions],
    ) -> AsyncIterator[Outcome]:
        """Iterate over the outcomes as the calls end. Leaving the iteration cancels the rest.

        Args:
            calls: a model's calls, or a plan.
            **options: those of `submit`.
        """
        calls = _unchanging(calls)
        native = self._start(calls, to_native(options), watched=True)
        batch = Batch(native, calls)
        try:
            async for event in batch.events():
                if event.outcome is not None:
                    yield event.outcome
        finally:
            if not native.done:
                native.cancel("nobody reads the stream any more")
                await finish(native)

    def submit(self, calls: Sequence[Call] | Plan, **options: Unpack[BatchOptions]) -> Batch:
        """Start calls and return their handle at once.

        Args:
            calls: a model's calls, or a plan.
            **options: all optional:

                - `timeout`: seconds for the whole batch; calls that have not ended then are
                  cancelled and have the status "timeout".
                - `on_error`: "continue" (the default), or "fail_fast": when a call fails, is
                  rejected or times out, cancel what has not ended.
                - `max_parallel`: calls of this batch in flight at once; None for any number.
                - `priority`: of calls that have none of their own, 0 (first) to 7 (last).
                - `tenant`: whom the work is charged to: tenants share the engine fairly.

        Raises:
            EngineFull: no room for so many calls; retry later.
            EngineClosed, ConfigError, BadPlan: misuse, before anything runs.
        """
        calls = _unchanging(calls)
        return Batch(self._start(calls, to_native(options), watched=True), calls)

    def call(self, name: str, /, **arguments: Any) -> Coroutine[Any, Any, Any]:
        """Run one call in the caller's own task: its value, or raises what the tool raised.

        Args:
            name: the tool.
            **arguments: passed as they are; they come from code, not from a model.

        Raises:
            UnknownTool: with the nearest names.
            CallTimeout: the tool's timeout has passed.
            EngineClosed: the engine was closed.
        """
        bound = self._by_name.get(name)
        if bound is None:
            bound = self._by_name[name] = single.by_name(self.tools[name], self.bind(name))
        return bound(**arguments)

    def bind(self, name: str) -> single.Bound:
        """Return a coroutine function with a tool's signature: `call` without the look-up.

        Raises:
            UnknownTool: with the nearest names.
        """
        host = self._host
        if name not in self._bound:
            tool = self.tools[name]
            number = self._numbers[name]
            self._bound[name] = single.bind(host, tool, number, self._modes[name])
        return self._bound[name]

    async def race(
        self, ways: Sequence[Sequence[Call] | Plan], **options: Unpack[BatchOptions]
    ) -> Race:
        """Run several ways to the same answer; the first whose calls are all ok wins.

        The calls of the others are cancelled, and waited for.

        Args:
            ways: plans or lists of calls, each not empty.
            **options: those of `submit`; they hold for all ways together.

        Raises:
            ConfigError: no way, or an empty one; the caller acts.
        """
        ways = [list(way) if isinstance(way, Iterator) else way for way in ways]
        if not ways or not all(ways):
            raise ConfigError("ways", ways, "at least one plan or list of calls, none empty")
        calls, places = race.branches(ways)
        batch = self._start(calls, to_native(options), watched=True)
        try:
            winner = await race.decide(batch, places)
        except asyncio.CancelledError:
            batch.cancel("the one who awaited it was cancelled")
            await finish(batch)
            raise
        outcomes = await finish(batch)
        by_way = [[outcomes[at] for at in place] for place in places]
        won = by_way[winner] if winner is not None else []
        losers = {number: way for number, way in enumerate(by_way) if number != winner}
        return Race(winner, won, losers)

    def statistics(self) -> Statistics:
        """Return how the engine is doing, counted since it was first used."""
        host = self._host
        counts = host.statistics()
        tools = {name: ToolCounts(**row) for name, row in counts.pop("tools").items()}
        used = counts["modes"]["thread"] > 0
        return Statistics(
            **counts,
            host="task" if self._why_tasks else "call",
            host_reason=self._why_tasks,
            threads=self._threads.statistics() if used else None,
            tools=tools,
        )

    async def aclose(self, grace: float = 5.0, *, drain: bool = False) -> None:
        """Refuse new work, end what runs, stop the threads. Safe to await again, at any moment.

        Who is cancelled while awaiting this gives up at once. A tool of this engine that awaits it
        only asks for the end, without waiting: it would wait for itself.

        Args:
            grace: seconds for everything to end. What ignores its cancellation that long is given
                up: coroutines are closed, the outcomes of threads are detached.
            drain: let what was submitted end by itself first, however long that takes.

        Raises:
            WrongThread: this is not the event loop of the engine; the caller acts.
        """
        check_seconds("grace", grace, least=0.0, most=86_400.0)
        host = self._native
        if host is None:
            self._closed = True
            return
        if host.is_inside():
            self._refuse(host)
            host.close(cancel=not drain)
            return
        is_own = self._is_own_loop()
        self._refuse(host)
        try:
            if is_own:
                await self._end_all(host, grace, drain=drain)
        finally:
            # A closed loop takes no callbacks; nobody waits for them either.
            with contextlib.nullcontext() if is_own else contextlib.suppress(RuntimeError):
                host.give_up()
            self._threads.close()

    def __del__(self) -> None:
        if self._native is not None and not self._closed:
            warning = f"{self!r} was never closed: await its aclose()"
            self._closed = True
            self._threads.forget()
            warnings.warn(warning, ResourceWarning, stacklevel=2, source=self)

    def __repr__(self) -> str:
        state = "closed" if self._closed else "open"
        return f"<Engine: {len(self.tools)} tools, {state}>"

    @property
    def _host(self) -> Host:
        if self._native is None:
            if self._closed:
                raise EngineClosed("closed")
            self._loop = asyncio.get_running_loop()
            self._native = self._make_host(self._loop)
            _open.add(self)
        return self._native

    def _is_own_loop(self) -> bool:
        """Whether the engine's loop is the one that runs; False if it can run no more.

        Raises:
            WrongThread: it is neither.
        """
        if asyncio.get_running_loop() is self._loop:
            return True
        if self._loop is not None and self._loop.is_closed():
            return False
        raise WrongThread("An engine of another event loop")

    def _refuse(self, host: Host) -> None:
        host.close(cancel=False)  # raises in a wrong thread, before anything has changed
        self._closed = True

    async def _end_all(self, host: Host, grace: float, *, drain: bool) -> None:
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

    def _make_host(self, loop: asyncio.AbstractEventLoop) -> Host:
        host = Host(
            loop,
            max_pending=self._max_pending,
            max_parallel=self._max_parallel,
            slice=self._slice,
            virtual_time=loops.has_virtual_time(loop),
            edges=edges,
            start_job=self._threads.start,
            job_stuck=self._threads.replace_stuck,
            unknown=self._unknown,
        )
        self._why_tasks = loops.why_not_hosted(loop) or host.probe()
        limits = {(limit.kind, limit.name): limit.concurrent for limit in self._limits}
        host.add_service(_THREADS, JOBS_PER_WORKER * self._threads.workers)
        for (kind, name), concurrent in limits.items():
            if kind == "service":
                host.add_service(name, concurrent)
        for tool in self.tools:
            mode = "task" if self._why_tasks and tool.host == "call" else tool.host
            self._modes[tool.name] = mode
            self._numbers[tool.name] = host.add_tool(
                tool,
                mode,
                self._service(tool, mode),
                limits.get(("tool", tool.name), tool.concurrency),
            )
        return host

    def _service(self, tool: AnyTool, mode: str) -> str | None:
        limited = any(
            limit.kind == "service" and limit.name == tool.service for limit in self._limits
        )
        if limited:
            return tool.service
        return _THREADS if mode == "thread" else None

    def _check_limits(self) -> None:
        services = {tool.service for tool in self.tools}
        scopes = [(limit.kind, limit.name) for limit in self._limits]
        for limit in self._limits:
            if scopes.count((limit.kind, limit.name)) > 1:
                scope = f"{limit.kind}:{limit.name}"
                raise ConfigError("limits", scope, "more than one limit bounds it; give one")
            known = services if limit.kind == "service" else set(self.tools.names)
            if limit.name not in known:
                scope = f"{limit.kind}:{limit.name}"
                raise ConfigError(
                    "limits", scope, f"no tool of this engine is in that {limit.kind}"
                )

    def _start(
        self, calls: Sequence[Call] | Plan, options: NativeOptions, *, watched: bool
    ) -> NativeBatch:
        if self._closed:
            raise EngineClosed("closed")
        known = calls.packed_edges if isinstance(calls, Plan) else None
        given = calls.calls if isinstance(calls, Plan) else calls
        host = self._host
        if not self._is_own_loop():
            raise EngineClosed("closed: its event loop was")
        return host.submit(given, edges=known, watched=watched, **options)

    def _unknown(self, name: str) -> UnknownTool:
        return UnknownTool(name, self.tools.near(name))

    @contextlib.asynccontextmanager
    async def _room_for(self, count: int) -> AsyncIterator[None]:
        """Wait until so many calls have room, in the order of those who wait: big batches, too."""
        host = self._host
        if count > self._max_pending:
            reason = f"max_pending of this engine is {self._max_pending:,}: it never has room"
            raise ConfigError("calls", f"{count:,} calls", reason)
        async with self._turnstile:
            while host.pending + count > self._max_pending and not self._closed:
                await host.room()
            yield


def _unchanging(calls: Sequence[Call] | Plan) -> Sequence[Call] | Plan:
    """One copy of a list, for the host and the handle alike: the caller's may change meanwhile."""
    return tuple(calls) if isinstance(calls, list) else calls


def _refuse_in_child() -> None:
    """After a fork the loop, its sockets and the threads of an engine are the parent's."""
    for engine in tuple(_open):
        engine._closed = True
        if engine._native is not None:
            engine._native.close(cancel=False)  # of `call` and `bind` too


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_refuse_in_child)
