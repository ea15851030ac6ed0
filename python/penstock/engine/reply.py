"""`Reply`: a model's reply that is still being written, and its calls, which run already.

Ground rules. A call starts when it is complete and nothing can be lost by it: a read at once, any other
when the reply has ended, or at once with `early_writes`. What closed in one piece is submitted as one
batch. A reply that broke off starts nothing more: reads that run go on, and what was complete and did
not start has a cancelled outcome; what was not complete was not called. Discarding cancels the reads,
because nobody will ask for them, and leaves the writes that have started alone, because they happened.
A server that goes on after the end of a call makes another call of it: then the read is cancelled and
the later call counts, so that the calls are those of the whole reply.

A call behind a fence (`fences.py`) is submitted when it would start, and held: it starts when the writes
before it have ended. Until then it has not started: it ends with a reply that breaks off or is dropped.

All state is changed by `feed`, `finish` and `discard`, which do not await. Who is cancelled in
`outcomes` cancels what runs, and waits for it, as `Engine.run` does.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from types import TracebackType
from typing import Any, Protocol, Self

from penstock._native import Batch as NativeBatch
from penstock.calls import Call, Outcome
from penstock.engine.batch import outlast
from penstock.engine.fences import Fences, follow
from penstock.engine.hooks import Listener
from penstock.engine.options import NativeOptions
from penstock.engine.prepare import Asker, Begun, Preparer
from penstock.errors import CallCancelled, ConfigError, EngineFull, ReplyClosed
from penstock.formats import ArgDelta, CallClosed, MessageEnd, Reader, ReplyEvent, ToolStart
from penstock.tools import Toolset

BROKEN = "broken"
_CUT = "the reply broke off before it had ended"


class Streamed(Protocol):
    """What `Engine.reply` reads with: a module of `penstock.formats`, or a `Format`."""

    @property
    def reader(self) -> Callable[[], Reader] | None:
        """Makes a reader of one reply; None if nobody streams this format."""


class Step(Protocol):
    """Hears of a reply's calls as one step of a conversation."""

    def asked(self, calls: Sequence[Call]) -> None:
        """The reply has ended, and these are its calls."""

    def ended(self, outcomes: Sequence[Outcome]) -> None:
        """All of them have ended, in their order."""


Submit = Callable[[list[Call], list[int], bool], NativeBatch]
"""Starts calls that are complete: which of them, by place, are held, and whether it is watched."""


class Start(Protocol):
    """Starts a batch."""

    def __call__(
        self, calls: list[Call], options: NativeOptions, /, *, watched: bool
    ) -> NativeBatch: ...


def submitting(start: Start, options: NativeOptions) -> Submit:
    """Return what starts calls with these options."""

    def submit(calls: list[Call], held: list[int], watched: bool) -> NativeBatch:
        return start(calls, {**options, "held": held}, watched=watched)

    return submit


@dataclass(frozen=True, slots=True)
class Crew:
    """What runs the calls of a reply.

    Attributes:
        tools: of the engine, for what their calls do to the world.
        preparer: runs what they do before.
        submit: starts calls that are complete.
        asker: the session, if the reply is one's.
    """

    tools: Toolset
    preparer: Preparer
    submit: Submit
    asker: Asker | None = None


@dataclass(frozen=True, slots=True)
class ReplyStatistics:
    """What starting early gained.

    Attributes:
        calls: calls that are complete.
        early: calls that started before the end of the reply.
        lead: seconds by which they did, added up; counted when the reply has ended.
    """

    calls: int
    early: int
    lead: float


@dataclass(slots=True)
class _Asked:
    """One call: where it runs, once it does."""

    index: int
    call: Call
    is_read: bool
    is_held: bool = False
    batch: NativeBatch | None = None
    place: int = 0
    started: float | None = None  # when, if before the end of the reply

    def cancel(self) -> None:
        if self.batch is not None:
            self.batch.cancel_call(self.place)


class Reply:
    """A reply that is fed piece by piece, while its calls run. Made by `Engine.reply`.

    Use it as `async with`: who leaves the block with an error discards the reply.
    """

    def __init__(
        self,
        crew: Crew,
        reader: Reader,
        *,
        early_writes: bool,
        step: Step | None = None,
    ) -> None:
        # Made by `open_reply`.
        tools = self._tools = crew.tools
        self._reader = reader
        self._submit = crew.submit
        self._early_writes = early_writes
        self._step = step
        self._asked: dict[int, _Asked] = {}
        self._batches: list[NativeBatch] = []
        self._begun = Begun(tools, crew.preparer, crew.asker)
        self._fences = Fences(tools) if tools.fencing else None
        self._discarded: str | None = None
        self._reason: str | None = None
        self._lead = 0.0
        self.listener: Listener | None = None
        """Hears what becomes certain; None for nobody."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if kind is None:
            self.finish()
            if self._reason == BROKEN:
                await self._begun.drop()
            return
        self.discard(f"{kind.__name__} was raised in its block")
        for batch in self._batches:
            if not self._has_writes(batch):
                await outlast(batch)
        await self._begun.drop()

    def feed(self, chunk: object) -> list[ReplyEvent]:
        """Read a piece and start what it completed; return what became certain, in order.

        Args:
            chunk: an object of the SDK's stream, a decoded dict, or one or more whole lines of the
                raw stream as str or bytes.

        Raises:
            BadReply: the piece cannot be read; the model's provider acts. Later pieces can be.
            ReplyClosed: the reply was discarded; the caller acts.
            EngineClosed: the engine was closed; the caller acts.
        """
        if self._discarded is not None:
            raise ReplyClosed(self._discarded)
        events = self._reader.feed(chunk)
        self._follow(events)
        if self.listener is not None and events:
            self.listener.heard(events)
        return events

    def finish(self, *, broken: bool = False) -> list[ReplyEvent]:
        """Say that no more pieces come, as `outcomes` and leaving the block do. Safe to repeat.

        Args:
            broken: whether the stream was cut.
        """
        events = self._reader.finish(broken=broken)
        self._follow(events)
        return events

    async def outcomes(self) -> list[Outcome]:
        """Wait for all calls. Ends the reply, and starts what has not started.

        Returns:
            One outcome for each of `calls`, in their order; after a discard, for each of `started`.
            In a reply that broke off, calls that had not started are cancelled.

        Raises:
            EngineFull: no room for the calls that did not start early; the caller retries.
            EngineClosed: the engine was closed; the caller acts.
        """
        self.finish()
        order = self._order()
        if self._reason != BROKEN and self._discarded is None:
            self._start([asked for asked in order if asked.batch is None], is_last=True)
        try:
            for batch in self._batches:
                await batch.wait()
        except asyncio.CancelledError:
            await self._abandon()
            raise
        await self._begun.drop()
        outcomes = [self._outcome(asked, place) for place, asked in enumerate(order)]
        if self._step is not None and self._discarded is None:
            self._step.ended(outcomes)
            self._step = None
        return outcomes

    def discard(self, reason: str) -> None:
        """Drop the reply: it will not be answered, as after a fallback, a guardrail or a retry.

        Reads that run are cancelled, and what has not started never does. Safe to repeat.

        Args:
            reason: why; later `feed`s raise it.
        """
        if self._discarded is not None:
            return
        self._discarded = f"it was discarded: {reason}"
        self._reason = self._reason or BROKEN
        self._reader.finish(broken=True)
        for asked in self._asked.values():
            if asked.is_read or asked.is_held:
                asked.cancel()

    @property
    def calls(self) -> list[Call]:
        """The calls that are complete so far, in the order in which the whole reply has them."""
        return self._reader.calls

    @property
    def started(self) -> list[Call]:
        """Those of them that started and are not reads: they happen, whatever becomes of the reply."""
        return [asked.call for asked in self._writes()]

    @property
    def ended(self) -> str | None:
        """Why the reply has ended, as the provider says, or "broken"; None while it goes on."""
        return self._reason

    def statistics(self) -> ReplyStatistics:
        """Return what starting early has gained so far."""
        early = sum(asked.started is not None for asked in self._asked.values())
        return ReplyStatistics(len(self._reader.order), early, self._lead)

    def _follow(self, events: list[ReplyEvent]) -> None:
        """Start what the events allow; the last of them may be the end."""
        news = [event for event in events if type(event) is not ArgDelta]
        if not news:  # as of most pieces
            return
        closed = [asked for event in news if (asked := self._note(event)) is not None]
        # The latest of a call counts, if it was told as complete more than once.
        closed = [it for it in closed if it.batch is None and self._asked[it.index] is it]
        # Apart: reads may have to be cancelled, and then are waited for.
        self._start([asked for asked in closed if asked.is_read])
        self._start([asked for asked in closed if not asked.is_read and self._may_write(asked)])
        for asked in closed:
            self._prepare(asked)
        if self._reason is not None:
            self._end()

    def _note(self, event: ReplyEvent) -> _Asked | None:
        """Take an event in; return the call that it completes."""
        self._begun.follow(event)
        if isinstance(event, CallClosed):
            return self._take(event)
        if isinstance(event, ToolStart) and self._fences is not None:
            self._fences.begin(event.index, event.name)
        elif isinstance(event, MessageEnd):
            self._reason = event.reason
        return None

    def _prepare(self, asked: _Asked) -> None:
        """Prepare a call that is complete, and has to wait for nothing but the end of the reply."""
        waits = asked.batch is None and self._reason is None and not self._may_be_blank(asked)
        if waits and not (self._fences is not None and self._fences.is_held(asked.index)):
            self._begun.stage(asked.index, asked.call)

    def _take(self, event: CallClosed) -> _Asked:
        known = self._asked.get(event.index)
        if known is not None and known.batch is not None:
            if not known.is_read and not known.is_held:
                return known  # it happened: its outcome is what is told
            known.cancel()  # the server went on with this call
        is_read = event.call.tool in self._tools and self._tools[event.call.tool].effects == "read"
        asked = self._asked[event.index] = _Asked(event.index, event.call, is_read)
        if is_read or not self._may_be_blank(asked):
            self._fence(asked)
        return asked

    def _fence(self, asked: _Asked) -> None:
        if self._fences is not None:
            self._release(self._fences.add(asked.index, asked.call))

    def _may_write(self, asked: _Asked) -> bool:
        return self._early_writes and self._reason is None and not self._may_be_blank(asked)

    def _may_be_blank(self, asked: _Asked) -> bool:
        """A call without arguments may have been taken for complete because the next one began."""
        return asked.call.arguments is None and self._reason is None

    def _end(self) -> None:
        now = asyncio.get_running_loop().time()
        begun = [asked.started for asked in self._asked.values()]
        self._lead = sum(now - started for started in begun if started is not None)
        if self._step is not None and self._discarded is None:
            self._step.asked(self.calls)
        for asked in [asked for asked in self._order() if asked.call.arguments is None]:
            if asked.batch is None:
                self._fence(asked)  # now that it is known to have none
        if self._reason != BROKEN and self._discarded is None:
            self._start([asked for asked in self._order() if asked.batch is None])
        for asked in self._asked.values() if self._reason == BROKEN else ():
            if asked.is_held:
                asked.cancel()

    def _start(self, calls: list[_Asked], *, is_last: bool = False) -> None:
        """Submit calls. Without room they start with `outcomes`, which may raise."""
        try:
            prepared = [(asked, self._begun.of(asked.index)) for asked in calls]
            self._start_together([asked for asked, known in prepared if known is None])
            for asked, known in prepared:
                if known is not None:
                    # Alone: a batch has one context, and what was prepared is in it.
                    known.submit(partial(self._start_together, [asked]))
        except EngineFull:
            if is_last:
                raise

    def _start_together(self, calls: list[_Asked]) -> None:
        if not calls:
            return
        held: list[int] = []
        watched = False
        if self._fences is not None:
            held = [at for at, asked in enumerate(calls) if self._fences.is_held(asked.index)]
            watched = any(asked.call.tool in self._tools.fencing for asked in calls)
        batch = self._submit([asked.call for asked in calls], held, watched)
        self._batches.append(batch)
        for place, asked in enumerate(calls):
            asked.batch, asked.place = batch, place
            asked.is_held = place in held
            self._note_start(asked)
        if watched:
            follow(batch, lambda place: self._release(self._end_of(calls[place].index)))

    def _note_start(self, asked: _Asked) -> None:
        if self._reason is None and not asked.is_held:
            asked.started = asyncio.get_running_loop().time()

    def _end_of(self, index: int) -> list[int]:
        return [] if self._fences is None else self._fences.end(index)

    def _release(self, indexes: list[int]) -> None:
        """Let calls start whose fences are gone; those that are not submitted will, in their time."""
        for asked in (self._asked[index] for index in indexes if index in self._asked):
            if asked.is_held and asked.batch is not None:
                asked.is_held = False
                asked.batch.release([asked.place])
                self._note_start(asked)

    def _order(self) -> list[_Asked]:
        if self._discarded is not None:
            return self._writes()
        return [self._asked[index] for index in self._reader.order]

    def _writes(self) -> list[_Asked]:
        begun = (it for it in self._asked.values() if it.batch is not None and not it.is_held)
        return [it for it in begun if not it.is_read]

    def _has_writes(self, batch: NativeBatch) -> bool:
        return any(asked.batch is batch for asked in self._writes())

    def _outcome(self, asked: _Asked, place: int) -> Outcome:
        if asked.batch is None:
            error = CallCancelled(asked.call.tool, _CUT)
            return Outcome.make(asked.call, error=error, status="cancelled", index=place)
        return asked.batch.result()[asked.place].moved(place)

    async def _abandon(self) -> None:
        for batch in self._batches:
            batch.cancel("the one who awaited it was cancelled")
        for batch in self._batches:
            await outlast(batch)
        await self._begun.drop()


def open_reply(
    crew: Crew,
    format: Streamed,
    options: Mapping[str, Any],
    *,
    early_writes: bool,
    step: Step | None = None,
) -> Reply:
    """Return a reply that is read with a format; see `Engine.reply`.

    Args:
        crew: what runs its calls.
        format: that somebody streams.
        options: of the batches, as they were given.
        early_writes: whether others than reads start at once, too.
        step: hears of its calls.

    Raises:
        ConfigError: nobody streams this format, or an option is none of a reply; the caller acts.
    """
    make = getattr(format, "reader", None)
    if make is None:
        raise ConfigError("format", format, "a format that providers stream, with a `reader`")
    for field, value in options.items():
        if field in ("on_error", "max_parallel"):
            raise ConfigError(field, value, "no option of a reply: its calls start one by one")
    # Misuse is told now, and not with the first call: a call refuses what a batch would.
    Call("any", timeout=options.get("timeout"), priority=options.get("priority"))
    return Reply(crew, make(), early_writes=early_writes, step=step)
