"""Reads of sessions: who asks for what runs waits for it, who asks for what is known has it at once.

Ground rules:

- State: one native table for all sessions of an engine, which decides; the runs it knows, here, by its
  numbers; and the values that it holds. All on the loop's thread, and no await between a claim and what
  follows from it.
- A run is a batch of its own, inside of no call: those who wait for it come and go, and it is cancelled
  when the last of them has gone. Who goes last waits for its end, as everybody does who cancels.
- Whoever sees the end of a run first lands it: its value is held, if the table says so, or let go.
- A write tells the table when its code starts and when its end is seen, cancelled or not. If its code runs
  on after the call's end, what it changes is not held until that has ended, or somebody says that it was changed.
- A call made inside of a run that would wait for that same run does not: it runs by itself.
- Bound: runs are calls of the engine; values are bounded by the table, in number and in bytes.
"""

import asyncio
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import partial
from hashlib import blake2b
from typing import Any, Literal, Protocol

from penstock._native import Batch as NativeBatch
from penstock._native import Context, Cost, Host, Unheard, measure
from penstock._native import Flights as Table
from penstock.calls import Call, Outcome
from penstock.engine.attempts import leftover, runs_on
from penstock.engine.batch import finish, outlast
from penstock.engine.policies import canonical
from penstock.engine.prepare import Prepared
from penstock.engine.staging import Preparing
from penstock.errors import BudgetExceeded, CallCancelled, LimitDeadline, Overloaded
from penstock.tools import Tool

AnyTool = Tool[..., Any]

ONCE, SESSION, TENANT = range(3)
"""Whom a value may answer."""

ITS_OWN = (BudgetExceeded, CallCancelled, LimitDeadline, Overloaded)
"""What is refused to a call because of what it is, not because of what it asks for."""

_UNWANTED = "nobody waits for it any more"

Why = Literal["changed", "expired", "overtaken", "crowded", "closed"]


class Asker(Protocol):
    """Who asks: what a flight reads of a session."""

    @property
    def number(self) -> int:
        """In the table."""

    @property
    def tenant_number(self) -> int:
        """Of its tenant, for what is changed."""

    @property
    def shared_form(self) -> bytes:
        """Its tenant and principal: the same bytes for the same two only."""


@dataclass(frozen=True, slots=True)
class Role:
    """What flights know of a tool.

    Attributes:
        tool: as it was declared.
        number: in the host, of its ordinary calls.
        keep: whom its values may answer.
    """

    tool: AnyTool
    number: int
    keep: int


class Listener(Protocol):
    """Hears what becomes of a guess. Each method returns at once and raises nothing."""

    def began(self) -> None:
        """Its code starts."""

    def claimed(self) -> None:
        """A call asked for it, and waits for its end or has its value."""

    def ended(self, outcome: Outcome) -> None:
        """Its run is over."""

    def dropped(self, why: Why) -> None:
        """It answers nobody any more; a run that is not over is being cancelled."""


@dataclass(frozen=True, slots=True)
class Guessed:
    """What a run has besides that began as a guess.

    Attributes:
        listener: hears what becomes of it.
        number: in the host, of the tool that it runs without policies.
        cost: of this run; None for what the tool declares.
        unheard: what it tells until somebody asks for it.
    """

    listener: Listener
    number: int
    cost: Cost | None
    unheard: Unheard = field(default_factory=Unheard)


@dataclass(slots=True, eq=False)
class Flight:
    """One run that calls wait for, or will.

    Attributes:
        id: in the table.
        batch: the run; None until it is submitted.
        began: when, in seconds on the loop's clock.
        seconds: how long it took.
        outcome: what became of it, once somebody has seen that.
        awaits: flights that calls made inside of this run wait for.
        guess: None for what somebody asked for from the start.
    """

    id: int
    began: float
    batch: NativeBatch | None = None
    seconds: float = 0.0
    outcome: Outcome | None = None
    awaits: list["Flight"] = field(default_factory=list)
    guess: Guessed | None = None

    def would_wait_for(self, outer: "tuple[Flight, ...]") -> bool:
        """Return whether the end of this run needs the end of one of `outer`."""
        return self in outer or any(inner.would_wait_for(outer) for inner in self.awaits)


# The flights whose runs the running code is inside of, the outermost first.
inside: ContextVar[tuple[Flight, ...]] = ContextVar("inside", default=())


def role_of(tool: AnyTool, number: int) -> Role:
    """Return what flights know of a tool with that number in the host."""
    keep = {"session": SESSION, "tenant": TENANT}.get(str(tool.cache), ONCE)
    return Role(tool, number, keep)


def number_of(name: str | None) -> int:
    """Return a tenant as a number. Two that collide end each other's values: harmless."""
    return int.from_bytes(blake2b((name or "").encode(), digest_size=8).digest())


class Flights:
    """The flights of one engine. See the ground rules."""

    def __init__(self, host: Host, clock: Callable[[], float], preparing: Preparing) -> None:
        """Make an empty table.

        Args:
            host: runs what has to be run.
            clock: seconds, the loop's.
            preparing: has what was prepared for writes that were guessed.
        """
        self.table = Table()
        self.clock = clock
        self.preparing = preparing
        self._host = host
        self._running: dict[int, Flight] = {}
        self._held: dict[int, Flight] = {}
        self.joined = 0
        self.cached = 0

    async def read(self, asker: Asker, role: Role, context: Context, arguments: Any) -> object:
        """Answer a read: from what is held, from a run that is under way, or from a new one."""
        form = form_of(asker, role, arguments)
        if form is None:
            return await self._alone(role, context, arguments)
        now = self.clock()
        what, number, guessed = self.table.claim(asker.number, role.number, form, role.keep, now)
        self.let_go()
        if what == "done":
            flight = self._take(number, role)
            assert flight.outcome is not None  # noqa: S101 - landed, or it would not be held
            if guessed and not self._deliver(flight, context):
                return await self._alone(role, context, arguments)
            self.cached += not guessed
            context.mark(0, not guessed, guessed, flight.seconds)
            return flight.outcome.value
        if what == "miss":
            new = self._fly(asker, role, context, arguments, form, now)
            if new is None:
                return await self._alone(role, context, arguments)
            outcome = await self._wait(new)
            context.mark(outcome.attempts, outcome.cached)
            return outcome.unwrap()
        return await self._join(self._running[number], asker, role, context, arguments, guessed)

    async def write(self, asker: Asker, role: Role, context: Context, arguments: Any) -> object:
        """Run a write, and end what is known of what it changes."""
        names = changes(role.tool, arguments)

        def starting() -> None:
            self.wrote(asker.number, asker.tenant_number, names)

        call = Call(role.tool.name, id=context.call_id)
        submit = partial(
            self._host.attempt, role.number, call, arguments, of=context, starting=starting
        )
        staged = self._claim_staged(asker, role.tool, arguments)
        left = list[NativeBatch]()  # with policies, a call ends although an attempt of it runs on
        token = leftover.set(left)
        try:
            batch = submit() if staged is None else staged.submit(submit)
        finally:
            leftover.reset(token)
        try:
            (outcome,) = await finish(batch)
        finally:
            if runs_on(batch):
                left.append(batch)
            self.wrote(asker.number, asker.tenant_number, names, left=left)
            if staged is not None:
                self.preparing.release(staged)
        if staged is None or not staged.was_committed:
            context.mark(outcome.attempts, outcome.cached)
        else:
            context.mark(outcome.attempts, outcome.cached, True, staged.saved)
        return outcome.unwrap()

    def _claim_staged(self, asker: Asker, tool: AnyTool, arguments: Any) -> Prepared | None:
        """What was guessed for a write, and is prepared."""
        if tool.commit is None:
            return None
        return self.preparing.claim(asker.number, tool.name, canonical(arguments))

    def wrote(
        self,
        session: int | None,
        tenant: int,
        names: tuple[str, ...] | None,
        *,
        left: Sequence[NativeBatch] = (),
    ) -> None:
        """Say that a write starts or ends.

        Args:
            session: its number; None outside of sessions.
            tenant: its number.
            names: of what it changes; None for anything.
            left: code of it that runs on: it ends with the last of that.
        """
        if left:
            self._lose(self.table.lose(session, tenant, names), left)
        else:
            self.table.write(session, tenant, names)
        self.preparing.changed(tenant, names, session)
        self.let_go()

    def _lose(self, number: int, left: Sequence[NativeBatch]) -> None:
        """Tell the table when the last code of a write that was given up has ended.

        `left` may grow: a call with policies says what it leaves when it ends itself.
        """
        followed = waits = 0

        def follow() -> None:
            nonlocal followed, waits
            while followed < len(left):
                waits += self._host.when_gone(left[followed], gone)
                followed += 1
            if not waits:
                self.table.found(number)
                self.let_go()

        def gone() -> None:
            nonlocal waits
            waits -= 1
            follow()

        follow()

    def changed(self, names: list[str], tenant: int | None) -> None:
        """Say that others changed something; of one tenant, or of all."""
        self.table.changed(names, tenant)
        self.preparing.changed(tenant, tuple(names))
        self.let_go()

    def forget(self, session: int) -> None:
        """End a session: what it knows, and what was prepared for it."""
        self.table.close(session)
        self.preparing.settle(session, "closed")
        self.let_go()

    def land(self, flight: Flight) -> Outcome:
        """Note the end of a run, once, and return what became of it."""
        if flight.outcome is not None or flight.batch is None:
            assert flight.outcome is not None  # noqa: S101 - a run without a batch has not ended
            return flight.outcome
        (outcome,) = flight.batch.result()
        flight.outcome, flight.batch = outcome, None
        flight.seconds = outcome.duration
        self._running.pop(flight.id, None)
        guess = flight.guess
        is_cut = guess is not None and not guess.unheard.is_whole
        if is_cut or not outcome.ok:
            self.table.fail(flight.id)
        elif self.table.land(flight.id, _bytes(outcome.value), self.clock()):
            self._held[flight.id] = flight
        if guess is not None:
            guess.listener.ended(outcome)
            if is_cut:
                guess.listener.dropped("crowded")
        self.let_go()
        return outcome

    def follow(self, flight: Flight) -> None:
        """Take up a run that is submitted."""
        self._running[flight.id] = flight

    def let_go(self) -> None:
        """Let go of what the table has dropped: values are forgotten, guesses that run cancelled."""
        for number, why, _guessed, done in self.table.dropped():
            known = self._held if done else self._running
            flight = known.pop(number, None)
            if flight is None:
                continue
            if flight.guess is not None:
                flight.guess.listener.dropped(why)
            if flight.batch is not None:
                flight.batch.cancel(f"the guess is of no use: {why}")

    def statistics(self) -> dict[str, int]:
        """Return counts: those of the table, and calls that were answered by others' runs."""
        return {**self.table.statistics(), "joined": self.joined, "cached": self.cached}

    def _take(self, number: int, role: Role) -> Flight:
        return self._held.pop(number) if role.keep == ONCE else self._held[number]

    def _fly(
        self, asker: Asker, role: Role, context: Context, arguments: Any, form: bytes, now: float
    ) -> Flight | None:
        """Start a run that others may join; None if the session is over."""
        tool = role.tool
        names = None if tool.resources_read is None else tool.resources_read(arguments)
        number = self.table.start(
            asker.number,
            role.number,
            form,
            role.keep,
            now,
            names=names,
            stable_for=tool.stable_for,
        )
        if number is None:
            return None
        flight = Flight(number, now)
        token = inside.set((*inside.get(), flight))
        try:
            flight.batch = self._host.fly(
                role.number, Call(tool.name, id=context.call_id), arguments, context
            )
        except BaseException:
            self.table.fail(number)
            raise
        finally:
            inside.reset(token)
        self.follow(flight)
        return flight

    async def _join(
        self,
        flight: Flight,
        asker: Asker,
        role: Role,
        context: Context,
        arguments: Any,
        guessed: bool,
    ) -> object:
        """Wait for a run of somebody else. What went wrong for that one alone is not this one's."""
        asked = self.clock()
        if flight.would_wait_for(inside.get()):
            self.table.leave(flight.id)
            return await self._alone(role, context, arguments)
        self.joined += not guessed
        guess = flight.guess
        if guessed and guess is not None and flight.batch is not None:
            self._host.promote(flight.batch, context)
            context.retell(guess.unheard)
            guess.listener.claimed()
        outcome = await self._wait(flight)
        if guess is not None and not outcome.ok:
            return await self.read(asker, role, context, arguments)
        is_charged = not guessed or guess is None or self._charge(guess, context)
        if not is_charged or isinstance(outcome.error, ITS_OWN):
            return await self._alone(role, context, arguments)
        saved = max(asked - (outcome.started or asked), 0.0)
        context.mark(0, outcome.cached, guessed, saved)
        return outcome.unwrap()

    def _deliver(self, flight: Flight, context: Context) -> bool:
        """Give a call what a guess has run; False if the call may not have it."""
        guess, outcome = flight.guess, flight.outcome
        if guess is None or outcome is None:
            return False
        if not self._charge(guess, context, taken=outcome.started):
            guess.listener.dropped("overtaken")
            return False
        context.retell(guess.unheard)
        guess.listener.claimed()
        return True

    def _charge(self, guess: Guessed, context: Context, taken: float | None = None) -> bool:
        """Charge a call what its guess did not pay, such as the budget of its batch."""
        return self._host.adopt(guess.number, context, guess.cost, taken)

    async def _wait(self, flight: Flight) -> Outcome:
        """Wait for a run, together with others; who goes last takes it along."""
        batch = flight.batch
        if batch is None:
            return self.land(flight)
        outer = inside.get()
        for run in outer:
            run.awaits.append(flight)
        try:
            await batch.wait()
        except asyncio.CancelledError:
            if self.table.leave(flight.id):
                batch.cancel(_UNWANTED)
                await outlast(batch)
                self.land(flight)
            raise
        finally:
            for run in outer:
                run.awaits.remove(flight)
        return self.land(flight)

    async def _alone(self, role: Role, context: Context, arguments: Any) -> object:
        """Run what cannot be joined."""
        call = Call(role.tool.name, id=context.call_id)
        batch = self._host.attempt(role.number, call, arguments, of=context)
        (outcome,) = await finish(batch)
        context.mark(outcome.attempts, outcome.cached)
        return outcome.unwrap()


def form_of(asker: Asker, role: Role, arguments: Any) -> bytes | None:
    """Return what is asked for as bytes, the same for the same only; None if that cannot be told."""
    form = canonical(arguments)
    if form is None or role.keep != TENANT:
        return form
    return asker.shared_form + form


def changes(tool: AnyTool, arguments: Any) -> tuple[str, ...] | None:
    """Return the resources that a call of a tool changes; None for anything."""
    return None if tool.resources_changed is None else tool.resources_changed(arguments)


def _bytes(value: object) -> int:
    _, resident = measure(value)
    return resident
