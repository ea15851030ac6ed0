"""Watching from another event loop, in another thread: one `Relay` for all its watchers of a log.

Ground rules:

- State: a log belongs to its owner's thread, so it is read there. A watcher asks for the page behind
  its cursor; the relay carries questions there and answers back, each way by one
  `call_soon_threadsafe` for all that came together. Two deques and two flags are what both threads
  touch: who takes clears the flag first, so nothing is left lying.
- Order: that of the log. A watcher has at most one question on its way.
- Sharing: who asks for the same page waits for the same answer. A question that has no answer yet
  stays with the owner until the log grows; then all of them are answered together.
- Cancellation: at any wait; the answer then finds nobody, and asking again joins the question that is
  still out. Bound: one question for each place in the log at which somebody has waited.
- The end: when the owner's loop is closed, no answer will come. A loop does not say so, thus who waits
  looks once a second.
"""

import asyncio
import contextlib
import threading
import weakref
from asyncio import AbstractEventLoop, Future
from collections import deque
from collections.abc import AsyncGenerator, Callable, Hashable, Sequence
from contextlib import aclosing
from functools import partial
from typing import NamedTuple, Protocol

from penstock.errors import StreamExpired, WrongThread
from penstock.events import Event
from penstock.streams._protocol import Look, StreamLog
from penstock.streams.watch import NOTHING, PAGE, Subscription, Wanted

LOOK_SECONDS = 1.0
"""How long after the end of the owner's loop its watchers elsewhere hear of it, at the latest."""


class Page(NamedTuple):
    """What follows a cursor.

    Attributes:
        look: as the log says; of a gap, `events` is the snapshot.
        position: the cursor behind it.
        events: in order.
        newest: the number of the log's newest event.
    """

    look: Look
    position: int
    events: Sequence[Event]
    newest: int


Answer = Page | Exception
Question = Callable[[], Page | None]
"""Asked on the owner's loop; None: not yet."""


class Source(Protocol):
    """A log, as it is read on its owner's loop."""

    @property
    def log(self) -> StreamLog:
        """What is read."""

    def catch_up(self, *, values: bool) -> tuple[int, Sequence[Event]]:
        """Return a number, and the events that stand for everything up to there."""


class Owned(Protocol):
    """What belongs to the thread of an event loop."""

    @property
    def event_loop(self) -> AbstractEventLoop:
        """That loop."""


class Relay:
    """Between one log and all who watch it from one other loop."""

    def __init__(self, owned: Owned, source: Source, here: AbstractEventLoop) -> None:
        """Connect two loops.

        Args:
            owned: whose log it is.
            source: the log; only touched on its own loop.
            here: the loop of those who watch.
        """
        self.owned = owned
        self.source = source
        self.here = here
        self.owner = owned.event_loop
        # Of the watchers' thread.
        self._waiting: dict[Hashable, set[Future[Answer]]] = {}
        self._look: asyncio.TimerHandle | None = None
        self._newest = 0
        # Of both.
        self._asked: deque[tuple[Hashable, Question]] = deque()
        self._is_asked = False
        self._answered: deque[tuple[Hashable, Answer]] = deque()
        self._is_answered = False
        # Of the owner's thread.
        self._pending: list[tuple[Hashable, Question]] = []
        self._growing: Future[None] | None = None

    def __len__(self) -> int:
        """The number of the newest event, as far as it is known here."""
        return self._newest

    # On the loop of those who watch.

    async def page(self, after: int, wanted: Wanted) -> Page:
        """Wait for what follows an event.

        Raises:
            StreamExpired: the log is gone, or the loop that it belongs to; the caller acts.
        """
        key = (after, wanted)
        future = self.ask(key, partial(self._read, after, wanted))
        try:
            answer = await future
        except asyncio.CancelledError:
            self._waiting.get(key, set()).discard(future)
            raise
        if isinstance(answer, Exception):
            raise answer
        return answer

    def ask(self, key: Hashable, question: Question) -> Future[Answer]:
        """Return a future of this caller's own for the answer to a question.

        Args:
            key: those who ask with the same get the same answer.
            question: what the owner's loop calls, again whenever the log has grown.
        """
        future: Future[Answer] = self.here.create_future()
        known = self._waiting.get(key)
        if known is not None:
            known.add(future)
            return future
        self._waiting[key] = {future}
        self._asked.append((key, question))
        if self._look is None:
            self._look = self.here.call_later(LOOK_SECONDS, self._look_at_owner)
        if not self._is_asked:
            self._is_asked = True
            try:
                self.owner.call_soon_threadsafe(self._serve)
            except RuntimeError:  # it is closed
                self.here.call_soon(self._give_up)
        return future

    def _hear(self) -> None:
        self._is_answered = False
        while self._answered:
            key, answer = self._answered.popleft()
            if isinstance(answer, Page):
                self._newest = max(self._newest, answer.newest)
            self._deliver(key, answer)

    def _deliver(self, key: Hashable, answer: Answer) -> None:
        for future in self._waiting.pop(key, ()):
            if not future.done():
                future.set_result(answer)

    def _look_at_owner(self) -> None:
        self._look = None
        if self.owner.is_closed():
            self._give_up()
        elif self._waiting:
            self._look = self.here.call_later(LOOK_SECONDS, self._look_at_owner)

    def _give_up(self) -> None:
        self._is_asked = False
        self._asked.clear()
        self._hear()  # what was said before
        for key in tuple(self._waiting):
            self._deliver(key, StreamExpired("the event loop of its engine is closed"))

    # On the owner's loop.

    def _serve(self) -> None:
        self._is_asked = False
        while self._asked:
            self._answer(*self._asked.popleft())
        self._send()

    def _serve_pending(self, _grown: object) -> None:
        self._growing = None
        pending, self._pending = self._pending, []
        for key, question in pending:
            self._answer(key, question)
        self._send()

    def _answer(self, key: Hashable, question: Question) -> None:
        try:
            answer = question()
        except Exception as error:  # noqa: BLE001 - raised where somebody waits for it
            self._answered.append((key, error))
            return
        if answer is None:
            self._pending.append((key, question))
        else:
            self._answered.append((key, answer))

    def _send(self) -> None:
        if self._pending and self._growing is None:
            self._growing = self.source.log.grown(len(self.source.log))
            self._growing.add_done_callback(self._serve_pending)
        if self._answered and not self._is_answered:
            self._is_answered = True
            try:
                self.here.call_soon_threadsafe(self._hear)
            except RuntimeError:  # it is closed: nobody waits there any more
                self._pending.clear()

    def _read(self, after: int, wanted: Wanted) -> Page | None:
        log = self.source.log
        look, position, events = log.read(after, PAGE, *wanted)
        if look == "nothing":
            return None
        if look == "gap":
            position, snapshot = self.source.catch_up(values=wanted[2])
            return Page(look, position, snapshot, len(log))
        return Page(look, position, events, len(log))


class DistantSubscription(Subscription):
    """A watcher on another event loop than that of the engine."""

    __slots__ = ("_begun", "_relay")

    def __init__(self, relay: Relay, begin: Callable[[], int], wanted: Wanted) -> None:
        # `begin` answers the first position; on the owner's loop, and soon: "from now" is now.
        kinds, calls, values = wanted
        catch_up = partial(relay.source.catch_up, values=values)
        super().__init__(relay, 0, catch_up, kinds=kinds, calls=calls, values=values)
        self._relay = relay
        self._begun: Future[Answer] | None = relay.ask(object(), partial(_first, relay, begin))

    async def _follow(self) -> AsyncGenerator[Event]:
        await self._begin()
        while not self._closed:
            before = self._position = self.position
            self._left = NOTHING
            look, position, events, _newest = await self._relay.page(before, self._wanted)
            if look == "end" or self._closed:
                return
            if look == "gap":
                async with aclosing(self._pass_over(position, events)) as passed:
                    async for event in passed:
                        yield event
                continue
            self._page, self._left, self._position = events, iter(events), position
            for event in self._left:
                yield event
            self._page = ()

    async def _begin(self) -> None:
        if self._begun is None:
            return
        await asyncio.wait((self._begun,))  # who is cancelled here begins there nevertheless
        answer, self._begun = self._begun.result(), None
        if isinstance(answer, Exception):
            raise answer
        self._position = answer.position


def _first(relay: Relay, begin: Callable[[], int]) -> Page:
    position = begin()
    return Page("nothing", position, (), len(relay.source.log))


_relays: "weakref.WeakValueDictionary[tuple[int, int], Relay]" = weakref.WeakValueDictionary()
_guard = threading.Lock()


def relay_of(owned: Owned, source: Source) -> Relay:
    """Return the relay between a log and the running loop; it lasts as long as its watchers.

    Args:
        owned: whose log it is: a native batch or host.
        source: how it is read, if there is no relay yet.

    Raises:
        WrongThread: no loop runs in this thread; the caller acts.
    """
    try:
        here = asyncio.get_running_loop()
    except RuntimeError:
        raise WrongThread("The log of an engine, where no event loop runs,") from None
    with _guard:
        # The ids are theirs as long as there is a relay, which holds both.
        key = (id(owned), id(here))
        relay = _relays.get(key)
        if relay is None:
            relay = _relays[key] = Relay(owned, source, here)
    return relay


def call_there(relay: Relay, function: Callable[[], object]) -> None:
    """Call a function on the owner's loop, if that is still open; from any thread."""
    with contextlib.suppress(RuntimeError):
        relay.owner.call_soon_threadsafe(function)
