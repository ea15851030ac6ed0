"""`Engine`: what people hold. Takes tools once and calls again and again."""

import asyncio
import contextlib
import os
import warnings
import weakref
from collections.abc import (
    AsyncIterator,
    Collection,
    Coroutine,
    Iterable,
    Mapping,
    Sequence,
)
from types import MappingProxyType, TracebackType
from typing import Any, Self, Unpack

import penstock.results as stores
from penstock._native import Batch as NativeBatch
from penstock._native import Breaker, Host
from penstock.calls import Call, Outcome
from penstock.engine import race, single
from penstock.engine.assembly import (
    Assembly,
    Settings,
    assemble,
    check,
    guess,
    join_sessions,
)
from penstock.engine.batch import Batch, finish, outcomes_of, unchanging
from penstock.engine.flights import number_of
from penstock.engine.hooks import SpeculationOption, Speculator
from penstock.engine.limiting import BatchBudget
from penstock.engine.options import (
    BatchOptions,
    NativeOptions,
    check_count,
    check_limits,
    check_optional,
    check_results,
    check_seconds,
    check_speculation,
    check_workers,
    to_native,
)
from penstock.engine.race import Accept, Plans, Race, Stagger, Track
from penstock.engine.reply import Crew, Reply, Streamed, open_reply, submitting
from penstock.engine.session import Face, Session, Sessions, current
from penstock.engine.statistics import Statistics, ToolCounts
from penstock.errors import ConfigError, EngineClosed, WrongThread
from penstock.limits import Budget, Limit, Limiter
from penstock.plan import Plan
from penstock.results import Results
from penstock.streams import EngineStream, Subscription
from penstock.tools import Toolset

Tools = Iterable[Any]

# Engines that were used, for the child of a fork.
_open: "weakref.WeakSet[Engine]" = weakref.WeakSet()


class Engine:
    """Runs the calls of agents in parallel: one outcome a call, inside every limit.

    An engine belongs to the event loop in which it is first used; a folder or keys for its `results` are
    opened then, too, and raise `ConfigError` or `MissingExtra` if they cannot be. Use it as `async with`, or await
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
    _parts: Assembly | None = None
    _loop: asyncio.AbstractEventLoop | None = None
    _sessions: Sessions | None = None
    _closed = False
    _entered = 0

    def __init__(
        self,
        tools: Tools,
        *,
        limits: Iterable[Limit | Budget] | Limiter = (),
        results: "Results | stores.ResultStore | None" = None,
        max_pending: int = 100_000,
        max_parallel: int | None = None,
        threads: int | None = None,
        processes: int | None = None,
        commands: int | None = None,
        memory_bytes: int | None = None,
        cpu_seconds: int | None = None,
        slice: float = 0.001,
        history: int = 65_536,
        speculation: SpeculationOption | None = None,
    ) -> None:
        """Make an engine; nothing starts before it is used.

        Args:
            tools: tools, functions, modules or toolsets.
            limits: rules on what may start, and budgets; or a `Limiter`, to share it with others.
            results: what large values may hold, in memory and on disk; by default 256 MiB and 4 GiB of
                the temporary folder. Or a `ResultStore`, to share it with others.
            max_pending: calls that the engine holds at once; a batch beyond it is refused.
            max_parallel: calls in flight at once; None for any number, 1 for one after the other.
            threads: threads for tools that are plain functions; None for one a processor and 4 more.
            processes: worker processes for tools with `host="process"`; None for one a processor.
            commands: external programs at once for tools with `host="command"`; None as threads.
            memory_bytes: what one worker process or program may have, from 64 MiB; None for any.
            cpu_seconds: of the processor for one call in a process, or one program; None for any.
            slice: seconds after which a turn of the engine lets the event loop go on, 0.0001 to 1.
            history: events that the log of one batch keeps; then it forgets the oldest.
            speculation: a `penstock.speculation.Speculation`: what may run in sessions before it is
                asked for; None for nothing.

        Raises:
            ConfigError: an option cannot have its value, or a limit names no tool of the engine.
            DuplicateTool: two tools have the same name.
        """
        self.tools = tools if isinstance(tools, Toolset) else Toolset(tools)
        self._settings = Settings(
            tools=self.tools,
            limits=check_limits(limits, self.tools),
            max_pending=check_count("max_pending", max_pending, most=2**30),
            max_parallel=check_optional("max_parallel", max_parallel),
            workers=check_workers(thread=threads, process=processes, command=commands),
            memory_bytes=check_optional("memory_bytes", memory_bytes, least=2**26, most=2**53),
            cpu_seconds=check_optional("cpu_seconds", cpu_seconds),
            slice=check_seconds("slice", slice, least=0.0001, most=1.0),
            history=check_count("history", history, most=2**24),
            results=check_results(results),
        )
        self._speculation = check_speculation(speculation)
        check(self.tools)
        self._bound: dict[str, single.Bound] = {}
        self._by_name: dict[str, single.Bound] = {}
        self._turnstile = asyncio.Lock()

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
        budget = self._budget_of(options)
        native = to_native(options, budget)
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
        calls = unchanging(calls)
        budget = self._budget_of(options)
        batch = Batch(self._start(calls, to_native(options, budget), watched=True), calls, budget)
        try:
            async for outcome in outcomes_of(batch):
                yield outcome
        finally:
            await batch.abandon("nobody reads the stream any more")

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
                - `tenant`: whom the work is charged to: tenants share the engine fairly, and each has
                  its own share of limits of scope `tenant:*`.
                - `agent`, `run`: for budgets of such scopes.
                - `budget`: a `Budget` of scope "batch": what the calls of this batch, and of batches
                  inside of them, may cost together.

                Batches that a tool submits inherit tenant, agent, run and budget.

        Raises:
            EngineFull: no room for so many calls; retry later.
            EngineClosed, ConfigError, BadPlan: misuse, before anything runs.
        """
        calls = unchanging(calls)
        budget = self._budget_of(options)
        native = self._start(calls, to_native(options, budget), watched=True)
        return Batch(native, calls, budget)

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
            parts = self._assembled
            number, mode = parts.numbers[name], parts.modes[name]
            self._bound[name] = single.bind(host, tool, number, mode)
        return self._bound[name]

    async def race(
        self,
        plans: Plans | None = None,
        *,
        accept: Accept | None = None,
        stagger: Stagger = 0.0,
        ways: Plans | None = None,
        **options: Unpack[BatchOptions],
    ) -> Race:
        """Run several plans for the same answer; the first good one wins, at most one writes.

        A plan stops before its first calls of tools that are neither `read` nor `idempotent`. The first
        that got there, or to its end, with good outcomes wins; of several at once, the first in order.
        The others are cancelled, and when all of their calls have ended, the winner goes on.

        Args:
            plans: plans or lists of calls, each not empty.
            accept: says whether a plan may win by its outcomes so far, in the order of its calls; raising
                says no. By default all must be ok.
            stagger: seconds between the starts of two plans, at most a day; or "p90", within which nine
                of ten times the first plan has been there.
            ways: the former name of `plans`.
            **options: those of `submit`; they hold for all plans together.

        Raises:
            ConfigError: no plan, an empty one, or an option that cannot be; the caller acts.
            EngineFull, EngineClosed, BadPlan: as for `run`.
        """
        course = race.course(plans, ways, accept, stagger, self._track)
        native = course.options(to_native(options, budget := self._budget_of(options)))
        won = await race.run(self._start(course.calls, native, watched=True), course)
        del budget  # lasted as long as the batch
        return won

    def session(
        self,
        id: str,
        *,
        tenant: str | None = None,
        principal: str | None = None,
        agent: str | None = None,
    ) -> Session:
        """Return the session of that id: one conversation of one agent, whose reads share their work.

        Args:
            id: of 1 to 256 characters; the same one until it is closed, or not used for half an hour.
            tenant: whom its calls are charged to; as for `submit`.
            agent: which agent it is; as for `submit`.
            principal: on whose behalf they are made: values are shared among sessions of one only.

        Raises:
            ConfigError: a name cannot be one, or the session is of another tenant, principal or agent.
            EngineClosed: the engine was closed.
        """
        if self._closed:
            raise EngineClosed("closed")
        return self._talks.get(id, tenant, principal, agent)

    def changed(self, names: Iterable[str], *, tenant: str | None = None) -> None:
        """Tell of changes that no tool of this engine made: what depends on them is read again.

        Args:
            names: of resources, as tools declare them: `["order:17"]`, `["order:*"]`, `["*"]` for
                everything. Values in them are written with `%`, `*` and `:` escaped by `%25`, `%2A` and
                `%3A`.
            tenant: whose resources; None for those of all tenants.
        """
        names = [names] if isinstance(names, str) else list(names)
        if not names or not all(names):
            raise ConfigError("names", names, 'names of resources, such as ["order:*"]')
        flights = self._assembled.services.flights
        if flights is not None:
            flights.changed(names, None if tenant is None else number_of(tenant))

    def reply(
        self, format: Streamed, *, early_writes: bool = False, **options: Unpack[BatchOptions]
    ) -> Reply:
        """Read a model's reply while it is written, and start its calls as they are complete.

        Tools that only read (`effects="read"`) start at once, all others when the reply has ended.

        Args:
            format: such as `formats.anthropic`.
            early_writes: start other tools at once, too. Only for replies that cannot be discarded.
            **options: those of `submit`, without `on_error` and `max_parallel`: the calls start one
                by one. `timeout` counts for each call from its start.

        Raises:
            ConfigError: nobody streams this format, or an option has a value that it cannot have.

        Example:
            async with engine.reply(formats.anthropic) as reply:
                async for chunk in stream:
                    reply.feed(chunk)
                outcomes = await reply.outcomes()
        """
        if self._closed:
            raise EngineClosed("closed")
        submit = submitting(self._start, to_native(options, self._budget_of(options)))
        crew = Crew(self.tools, self._assembled.preparing, submit)
        return open_reply(crew, format, options, early_writes=early_writes)

    def events(self, after: int = -1, *, types: Collection[str] | None = None) -> Subscription:
        """Watch everything that the engine does, without values: for dashboards and telemetry.

        The events of all batches have one order and numbers of their own. They are written while
        somebody watches; who comes back after nobody did gets a `stream.gap`. Close the subscription,
        as `async with`: a watched engine works for it. Another thread with an event loop may watch too.

        Args:
            after: the number of the last event that is known already; -1 for those to come.
            types: only events of these types; gaps always come.

        Raises:
            StreamPosition: there is no such event yet; the caller acts.
            ConfigError: no such type; the caller acts.
        """
        return EngineStream(self._host).watch(after, types)

    def statistics(self) -> Statistics:
        """Return how the engine is doing, counted since it was first used."""
        parts = self._assembled
        counts = parts.host.statistics()
        tools = {name: ToolCounts(**row) for name, row in counts.pop("tools").items()}
        used = {mode: counts["modes"][mode] > 0 for mode in parts.executors}
        executors = {
            mode: executor.statistics() for mode, executor in parts.executors.items() if used[mode]
        }
        return Statistics(
            **counts,
            host="task" if parts.why_tasks else "call",
            host_reason=parts.why_tasks,
            executors=executors,
            policies=parts.services.statistics(),
            preparations=parts.preparing.statistics(),
            results=parts.keeping.statistics(),
            tools=tools,
        )

    @property
    def limits(self) -> Limiter:
        """The limits of this engine, to read and to change at run time."""
        return self._assembled.limiting.limiter

    @property
    def results(self) -> "stores.ResultStore":
        """Where large values are, to read parts of them: `engine.results.chunks(outcome.ref)`."""
        return self._assembled.keeping.store

    @property
    def speculation(self) -> Speculator:
        """What guesses for the sessions: `statistics()` and `explain(session)` tell what it did.

        Raises:
            ConfigError: the engine was made without the option; the caller acts.
        """
        speculator = None if self._speculation is None else self._talks.speculator
        if speculator is None:
            reason = "this engine guesses nothing; make it with speculation=Speculation(...)"
            raise ConfigError("speculation", None, reason)
        return speculator

    @property
    def breakers(self) -> Mapping[str, Breaker]:
        """The breakers of its tools, by the name of the tool; of an endpoint, `tool@endpoint`."""
        return MappingProxyType(self._assembled.services.breakers)

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
        if self._parts is None:
            self._closed = True
            return
        host = self._parts.host
        if host.is_inside():
            self._refuse(host)
            host.close(cancel=not drain)
            return
        is_own = self._is_own_loop()
        self._refuse(host)
        try:
            if is_own:
                await self._parts.end_calls(grace, drain=drain)
        finally:
            # A closed loop takes no callbacks; nobody waits for them either.
            with contextlib.nullcontext() if is_own else contextlib.suppress(RuntimeError):
                host.give_up()
            await self._parts.close(is_own=is_own)

    def __del__(self) -> None:
        if self._parts is not None and not self._closed:
            warning = f"{self!r} was never closed: await its aclose()"
            self._closed = True
            self._parts.forget()
            warnings.warn(warning, ResourceWarning, stacklevel=2, source=self)

    def __repr__(self) -> str:
        state = "closed" if self._closed else "open"
        return f"<Engine: {len(self.tools)} tools, {state}>"

    @property
    def _host(self) -> Host:
        return self._assembled.host

    @property
    def _assembled(self) -> Assembly:
        if self._parts is None:
            if self._closed:
                raise EngineClosed("closed")
            self._loop = asyncio.get_running_loop()
            self._parts = assemble(self._settings, self._loop)
            _open.add(self)
        return self._parts

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
        if self._sessions is not None:
            self._sessions.close()

    def _budget_of(self, options: BatchOptions) -> BatchBudget | None:
        """The batch's own budget, which lasts as long as somebody holds what this returns."""
        budget = options.get("budget")
        return None if budget is None else BatchBudget(self.limits, budget)

    @property
    def _track(self) -> Track:
        return Track(self.tools, self._assembled.usual)

    @property
    def _talks(self) -> Sessions:
        """The sessions; made with the first."""
        if self._sessions is None:
            own, loop = self._assembled, asyncio.get_running_loop()
            flights = join_sessions(own, self.tools, loop)
            face = Face(self._start_in, self._budget_of, self._room_for, own.preparing, self._track)
            self._sessions = Sessions(face, flights, loop)
            if self._speculation is not None:
                guessing = guess(own, self.tools, flights, self._settings)
                self._sessions.speculator = self._speculation.build(guessing)
        return self._sessions

    def _start_in(
        self,
        calls: Sequence[Call] | Plan,
        options: NativeOptions,
        watched: bool,
        session: Session,
    ) -> NativeBatch:
        token = current.set(session)
        try:
            return self._start(calls, options, watched=watched, session=True)
        finally:
            current.reset(token)

    def _start(
        self,
        calls: Sequence[Call] | Plan,
        options: NativeOptions,
        *,
        watched: bool,
        session: bool = False,
    ) -> NativeBatch:
        if self._closed:
            raise EngineClosed("closed")
        known = calls.packed_edges if isinstance(calls, Plan) else None
        given = calls.calls if isinstance(calls, Plan) else calls
        host = self._host
        if not self._is_own_loop():
            raise EngineClosed("closed: its event loop was")
        return host.submit(given, edges=known, watched=watched, session=session, **options)

    @contextlib.asynccontextmanager
    async def _room_for(self, count: int) -> AsyncIterator[None]:
        """Wait until so many calls have room, in the order of those who wait: big batches, too."""
        host = self._host
        most = self._settings.max_pending
        if count > most:
            reason = f"max_pending of this engine is {most:,}: it never has room"
            raise ConfigError("calls", f"{count:,} calls", reason)
        async with self._turnstile:
            while host.pending + count > most and not self._closed:
                await host.room()
            yield


def _refuse_in_child() -> None:
    """After a fork the loop, its sockets and the threads of an engine are the parent's."""
    for engine in tuple(_open):
        engine._closed = True
        if engine._parts is not None:
            engine._parts.host.close(cancel=False)  # of `call` and `bind` too


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_refuse_in_child)
