"""`Session`: one conversation of one agent, and `Sessions`, those of an engine.

Ground rules:

- State: a session has a number in the engine's flights while it is remembered. Whoever asks for its id
  gets the same object. After `idle` seconds without use, which is looked at when any session is used, or as the
  one unused longest when there are too many, it loses its memory: what it knew is forgotten, and it goes on
  with nothing when it is used again.
  One that was closed is over; the same id then begins another one.
- Calls of a session are batches of the engine like all others. Which session they are of, the code that
  stands between them and their tools reads from its context.
- Cancellation: as for the engine's own verbs. Closing a session cancels no call that was asked for.
"""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import AbstractAsyncContextManager
from contextvars import Context as Surroundings
from contextvars import ContextVar, copy_context
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self, Unpack

from penstock._native import Batch as NativeBatch
from penstock._native import Context
from penstock.calls import Call, Outcome
from penstock.engine import race
from penstock.engine.batch import Batch, finish, outcomes_of, unchanging
from penstock.engine.fences import fence
from penstock.engine.flights import Flights, Role, number_of
from penstock.engine.hooks import Speculator
from penstock.engine.limiting import BatchBudget
from penstock.engine.options import BatchOptions, NativeOptions, to_native
from penstock.engine.race import Accept, Plans, Race, Stagger, Track
from penstock.engine.reply import Crew, Reply, Streamed, open_reply, submitting
from penstock.engine.staging import Preparing
from penstock.errors import ConfigError, InternalError, SessionClosed
from penstock.plan import Plan

IDLE = 1_800.0
"""Seconds without use after which a session is forgotten."""

MOST = 10_000
"""Sessions of one engine that are remembered."""

current: ContextVar["Session | None"] = ContextVar("current", default=None)
"""The session whose calls the running code is inside of."""


@dataclass(frozen=True, slots=True)
class Face:
    """What sessions need of their engine.

    Attributes:
        start: submits calls, of a session.
        budget_of: makes the batch's own budget.
        room_for: waits for room for so many calls.
        preparing: runs what tools do before their calls.
        track: what races ask, the tools of the engine too.
    """

    start: "Callable[[Sequence[Call] | Plan, NativeOptions, bool, Session], NativeBatch]"
    budget_of: Callable[[BatchOptions], BatchBudget | None]
    room_for: Callable[[int], AbstractAsyncContextManager[None]]
    preparing: Preparing
    track: Track


class Session:
    """One conversation of one agent: its reads share runs and values. Made by `Engine.session`.

    An equal read that runs is joined. A value that was read answers again where the tool says so
    (`cache="session"` or `"tenant"`), until something that it depends on was changed.

    Example:
        session = engine.session("conv-42", tenant="acme")
        session.user("Where is my order?")
        outcomes = await session.run(calls)
    """

    def __init__(
        self,
        sessions: "Sessions",
        id: str,
        tenant: str | None,
        principal: str | None,
        agent: str | None,
    ) -> None:
        # Made by the engine.
        self.id = id
        self.tenant = tenant
        self.principal = principal
        self.agent = agent
        self.tenant_number = number_of(tenant)
        self.shared_form = _shared(tenant, principal)
        self.number = 0
        self.used = 0.0
        self.surroundings: Surroundings = copy_context()
        """The context of its last step, for what runs on its behalf."""
        self.untold: list[NativeBatch] = []
        """Steps that have ended, and whose speculator has not heard of that."""
        self._sessions = sessions
        self._closed = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()

    def __repr__(self) -> str:
        return f"<Session {self.id!r}: {'closed' if self._closed else 'open'}>"

    async def run(
        self, calls: Sequence[Call] | Plan, *, wait: bool = False, **options: Unpack[BatchOptions]
    ) -> list[Outcome]:
        """Run a step of the conversation and wait for it: see `Engine.run`.

        A call waits for the earlier writes that change what it reads or changes, where both say so
        (`reads=`, `mutates=`), whatever became of them. A plan orders its calls itself.

        Args:
            calls: a model's calls, or a plan.
            wait: when the engine is full, wait for room instead of raising.
            **options: those of `Engine.submit`, without `tenant` and `agent`, which the session has.

        Returns:
            One outcome a call, in the order of the calls. `cached` and `speculative` say which were
            answered by another run, `saved_seconds` what that spared.

        Raises:
            SessionClosed: it was closed; the caller acts.
            EngineFull, EngineClosed, ConfigError, BadPlan: as for `Engine.run`.
        """
        native, budget = self._native(options)
        if not wait:
            batch = self._start(calls, native, watched=False)
        else:
            async with self._sessions.face.room_for(len(calls)):
                batch = self._start(calls, native, watched=False)
        outcomes = await finish(batch)
        del budget  # lasted as long as the batch
        return outcomes

    def submit(self, calls: Sequence[Call] | Plan, **options: Unpack[BatchOptions]) -> Batch:
        """Start a step and return its handle at once: see `Engine.submit`."""
        calls = unchanging(calls)
        native, budget = self._native(options)
        return Batch(self._start(calls, native, watched=True), calls, budget)

    async def stream(
        self, calls: Sequence[Call] | Plan, **options: Unpack[BatchOptions]
    ) -> AsyncIterator[Outcome]:
        """Iterate over the outcomes of a step as its calls end: see `Engine.stream`."""
        batch = self.submit(calls, **options)
        try:
            async for outcome in outcomes_of(batch):
                yield outcome
        finally:
            await batch.abandon("nobody reads the stream any more")

    async def race(
        self,
        plans: Plans | None = None,
        *,
        accept: Accept | None = None,
        stagger: Stagger = 0.0,
        ways: Plans | None = None,
        **options: Unpack[BatchOptions],
    ) -> Race:
        """Run several plans for the same answer; the first good one wins: see `Engine.race`."""
        course = race.course(plans, ways, accept, stagger, self._sessions.face.track)
        native, budget = self._native(options)
        batch = self._start(course.calls, course.options(native), watched=True, fenced=False)
        won = await race.run(batch, course)
        del budget  # lasted as long as the batch
        return won

    def reply(
        self,
        format: Streamed,
        *,
        early_writes: bool | None = None,
        **options: Unpack[BatchOptions],
    ) -> Reply:
        """Read a model's reply while it is written, as one step of the conversation.

        See `Engine.reply`. Reads that start early join runs and guesses of the session, like all others.

        Args:
            format: such as `formats.anthropic`.
            early_writes: start other tools at once, too. Only for replies that cannot be discarded. None
                for what the engine's `Speculation` says; without one, False.
            **options: those of `Engine.reply`, without `tenant` and `agent`, which the session has.
        """
        speculator = self._touch()
        self.surroundings = copy_context()
        native, _ = self._native(options)  # which holds the batch's own budget
        step = None if speculator is None else _Step(self, speculator)
        if early_writes is None:
            early_writes = speculator is not None and speculator.early_writes

        face = self._sessions.face

        def start(calls: list[Call], native: NativeOptions, *, watched: bool) -> NativeBatch:
            self._touch()
            return face.start(calls, native, watched, self)

        crew = Crew(face.track.tools, face.preparing, submitting(start, native), self)
        reply = open_reply(crew, format, options, early_writes=early_writes, step=step)
        if speculator is not None:
            reply.listener = speculator.speaking(self)
        return reply

    def user(self, text: str) -> None:
        """Say what the user said: the model generates next.

        Args:
            text: as the model gets it. It is used to guess arguments, and kept in memory only.
        """
        if not isinstance(text, str):
            raise ConfigError("text", text, "what the user said, as text")
        speculator = self._touch()
        if speculator is not None:
            speculator.user(self, text)

    def answered(self) -> None:
        """Say that the model answered in words: no call comes before the user speaks again."""
        speculator = self._touch()
        if speculator is not None:
            speculator.answered(self)

    async def aclose(self) -> None:
        """End the session: what it knew is forgotten. Safe to repeat; calls that run go on."""
        if not self._closed:
            self._closed = True
            self._sessions.forget(self)

    @property
    def closed(self) -> bool:
        """Whether it was closed."""
        return self._closed

    def _native(self, options: BatchOptions) -> tuple[NativeOptions, BatchBudget | None]:
        for field in ("tenant", "agent"):
            if field in options:
                reason = "no option of a call of a session: give it to `engine.session`"
                raise ConfigError(field, options[field], reason)
        budget = self._sessions.face.budget_of(options)
        own: BatchOptions = {**options, "tenant": self.tenant, "agent": self.agent}
        return to_native(own, budget), budget

    def _start(
        self,
        calls: Sequence[Call] | Plan,
        options: NativeOptions,
        *,
        watched: bool,
        fenced: bool = True,
    ) -> NativeBatch:
        speculator = self._touch()
        face = self._sessions.face
        # A race has branches: what of it is held, it releases itself.
        step = fence(calls, face.track.tools) if fenced else None
        if step is not None:
            options, watched = {**options, "held": step.held}, True
        if speculator is not None:
            self.surroundings = copy_context()
            speculator.asked(self, tuple(calls))
        batch = face.start(calls, options, watched, self)
        if step is not None:
            step.follow(batch)
        if speculator is not None:
            self._sessions.tell(self, speculator, batch)
        return batch

    def _touch(self) -> Speculator | None:
        if self._closed:
            raise SessionClosed(self.id)
        return self._sessions.touch(self)


@dataclass(frozen=True, slots=True)
class _Step:
    """Tells the speculator of a streamed reply's calls, once all of them are known."""

    session: Session
    speculator: Speculator

    def asked(self, calls: Sequence[Call]) -> None:
        self.speculator.asked(self.session, calls)

    def ended(self, outcomes: Sequence[Outcome]) -> None:
        if self.session.number:
            self.speculator.ended(self.session, outcomes)


class Sessions:
    """The sessions of one engine. See the ground rules."""

    def __init__(
        self,
        face: Face,
        flights: Flights,
        loop: asyncio.AbstractEventLoop,
        *,
        idle: float = IDLE,
        most: int = MOST,
    ) -> None:
        """Remember nobody yet.

        Args:
            face: of the engine.
            flights: what sessions know.
            loop: of the engine.
            idle: seconds without use after which a session is forgotten.
            most: sessions that are remembered.
        """
        self.face = face
        self.speculator: Speculator | None = None
        self._flights = flights
        self._loop = loop
        self._idle = idle
        self._most = most
        # In the order of their last use.
        self._known: OrderedDict[str, Session] = OrderedDict()

    def __len__(self) -> int:
        return len(self._known)

    def get(self, id: str, tenant: str | None, principal: str | None, agent: str | None) -> Session:
        """Return the session of that id; a new one if there is none.

        Raises:
            ConfigError: a name is not one, or the session is another tenant's; the caller acts.
        """
        _check("id", id)
        for field, name in (("tenant", tenant), ("principal", principal), ("agent", agent)):
            if name is not None:
                _check(field, name)
        self._forget_idle()
        known = self._known.get(id)
        if known is None:
            session = Session(self, id, tenant, principal, agent)
            self.touch(session)
            return session
        given = (tenant, principal, agent)
        if given != (known.tenant, known.principal, known.agent):
            has = f"tenant={known.tenant!r}, principal={known.principal!r}, agent={known.agent!r}"
            raise ConfigError("id", id, f"that session has {has}; another one needs another id")
        self.touch(known)
        return known

    def touch(self, session: Session) -> Speculator | None:
        """Note that a session is used now, and return who speculates for it."""
        self._forget_idle()
        known = self._known.setdefault(session.id, session)
        if known is not session:
            raise SessionClosed(session.id)  # forgotten, and its id is another one's by now
        session.used = self._loop.time()
        self._known.move_to_end(session.id)
        if not session.number:
            self._remember(session)
        return self.speculator

    def forget(self, session: Session) -> None:
        """Let a session's memory go."""
        if self._known.get(session.id) is session:
            del self._known[session.id]
        number, session.number = session.number, 0
        if number:
            if self.speculator is not None:
                # Who closes right behind a step would keep its end from being learned.
                for batch in session.untold:
                    self.speculator.ended(session, batch.result())
                session.untold.clear()
                self.speculator.closed(session)
            self._flights.forget(number)

    def tell(self, session: Session, speculator: Speculator, batch: NativeBatch) -> None:
        """Tell of a step when it has ended: behind those who wait for it."""

        def ended(_waited: asyncio.Future[None]) -> None:
            if session.number:
                session.untold.append(batch)
                self._loop.call_soon(tell)

        def tell() -> None:
            if batch in session.untold:
                session.untold.remove(batch)
                speculator.ended(session, batch.result())

        batch.wait().add_done_callback(ended)

    def close(self) -> None:
        """Forget all."""
        for session in list(self._known.values()):
            self.forget(session)
        if self.speculator is not None:
            self.speculator.close()

    def _remember(self, session: Session) -> None:
        shared = int.from_bytes(session.shared_form[-8:])
        session.number = self._flights.table.open(session.tenant_number, shared)
        while len(self._known) > self._most:
            self.forget(next(iter(self._known.values())))
        if self.speculator is not None:
            self.speculator.opened(session)

    def _forget_idle(self) -> None:
        """No timer: it would keep tests in virtual time from waiting for threads."""
        now = self._loop.time()
        while self._known:
            oldest = next(iter(self._known.values()))
            if oldest.used + self._idle > now:
                return
            self.forget(oldest)


def in_session(flights: Flights, role: Role) -> Callable[[Context, Any], Coroutine[Any, Any, Any]]:
    """Return what the host runs for a call of a session, instead of the tool."""
    act = flights.read if role.tool.effects == "read" else flights.write

    async def call(context: Context, arguments: Any) -> object:
        session = current.get()
        if session is None:
            raise InternalError("a call of a session without one")
        return await act(session, role, context, arguments)

    return call


def _check(field: str, value: object) -> None:
    if not isinstance(value, str) or not 1 <= len(value) <= 256:
        raise ConfigError(field, value, "a name of 1 to 256 characters")


def _shared(tenant: str | None, principal: str | None) -> bytes:
    """A tenant and a principal as bytes that no other two have; the last eight of them a hash."""
    written = repr((tenant, principal)).encode(errors="surrogatepass")
    return len(written).to_bytes(8) + written + number_of(repr((tenant, principal))).to_bytes(8)
