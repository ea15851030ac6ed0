"""`Preparing`: runs the preparations of an engine, keeps those that were guessed, undoes what is of no use.

Ground rules:

- State: the preparations that were guessed and that no call has claimed, by session, tool and arguments;
  the tasks that undo; the latest letters that nobody could deliver. All on the loop's thread.
- A guessed preparation has one end: a call with exactly its arguments claims it; or it is let go, because
  the step that it was guessed for is over, something that the call would change was changed, its session
  ended, or a minute has passed. What is let go, `abort` undoes.
- `abort` is tried three times, at most 30 seconds each. Then it is a dead letter: it is logged and
  kept in the statistics, and that tool is prepared no more, for whatever it stages stays.
- Cancellation: who undoes for nobody is a task of this; `aclose` waits for all of them.
- Bound: preparations are calls of the engine, guesses 64 a session; 100 dead letters.
"""

import asyncio
import inspect
import logging
from collections import Counter, deque
from collections.abc import Callable, Iterable
from contextvars import Context
from dataclasses import dataclass
from typing import Any, Protocol

from penstock._native import Host
from penstock.calls import Call, Outcome
from penstock.engine.policies import canonical
from penstock.engine.prepare import Prepared, named
from penstock.errors import EngineClosed, EngineFull
from penstock.tools import Tool, names_meet

AnyTool = Tool[..., Any]

TRIES = 3
"""Of `abort`."""

ABORT_SECONDS = 30.0
"""For one of them."""

KEPT_SECONDS = 60.0
"""For which a guessed preparation is kept, at most."""

MOST_LETTERS = 100

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """Something that was prepared, and that `abort` could not undo.

    Attributes:
        at: seconds on the engine's clock.
        tool: which; what was staged is not kept.
        error: what the last try raised.
        tries: how many there were.
    """

    at: float
    tool: str
    error: str
    tries: int


@dataclass(frozen=True, slots=True)
class PreparationCounts:
    """What became of the preparations of an engine.

    Attributes:
        begun: preparations.
        committed: staged ones whose call was made of them.
        aborted: those that `abort` has undone.
        dead_letters: those that it could not undo, the latest; their tools are prepared no more.
    """

    begun: int = 0
    committed: int = 0
    aborted: int = 0
    dead_letters: tuple[DeadLetter, ...] = ()


NONE_PREPARED = PreparationCounts()


class Listener(Protocol):
    """Hears what becomes of a guess; as that of a read."""

    def began(self) -> None: ...
    def claimed(self) -> None: ...
    def ended(self, outcome: Outcome) -> None: ...
    def dropped(self, why: Any) -> None: ...


class Session(Protocol):
    """For whom it is guessed."""

    @property
    def number(self) -> int: ...
    @property
    def tenant_number(self) -> int: ...
    @property
    def surroundings(self) -> Context: ...


@dataclass(slots=True, eq=False)
class Staged:
    """A preparation that was guessed, and that no call has claimed.

    Attributes:
        key: session, tool and arguments.
        tenant: whose resources it is about.
        names: what its call would change; None for anything.
        preparation: what runs.
        listener: hears of it.
        timer: ends it.
    """

    key: tuple[int, str, bytes]
    tenant: int
    names: tuple[str, ...] | None
    preparation: Prepared
    listener: Listener
    timer: asyncio.TimerHandle | None = None


class Preparing:
    """See the ground rules."""

    def __init__(
        self, host: Host, tools: Iterable[AnyTool], mode: str, clock: Callable[[], float]
    ) -> None:
        """Be ready to prepare calls.

        Args:
            host: of the engine.
            tools: of the engine.
            mode: that coroutines run in: "call" or "task".
            clock: seconds, the loop's.
        """
        self._host = host
        self._clock = clock
        self._numbers = {
            tool.name: host.add_tool(_runner(tool), mode, hidden=True, alone=True)
            for tool in tools
            if tool.prepare is not None
        }
        self._staged: dict[tuple[int, str, bytes], Staged] = {}
        self._undoing = set[asyncio.Task[None]]()
        self._counts = Counter[str]()
        self._letters = deque[DeadLetter](maxlen=MOST_LETTERS)
        self._dead = set[str]()

    def begin(
        self, tool: AnyTool, arguments: dict[str, Any], listener: Listener | None = None
    ) -> Prepared | None:
        """Prepare a call; None if the engine has no room for it, or its tool is prepared no more.

        Args:
            tool: of the engine, one that prepares.
            arguments: that `prepare` gets.
            listener: hears of it; None for nobody.
        """
        if tool.name in self._dead:
            return None
        preparation = Prepared(tool, arguments, self)

        def starting() -> None:
            preparation.began = self._clock()
            if listener is not None:
                listener.began()

        call = Call(tool.name, id=f"prepare-{self._counts['begun']}")
        try:
            batch = self._host.prepare(self._numbers[tool.name], call, (preparation,), starting)
        except (EngineFull, EngineClosed):
            return None
        self._counts["begun"] += 1
        preparation.follow(batch, None if listener is None else listener.ended)
        return preparation

    def number(self, tool: str) -> int:
        """Return the number in the host of what prepares calls of a tool."""
        return self._numbers[tool]

    def launch(
        self,
        session: Session,
        tool: AnyTool,
        arguments: Any,
        names: tuple[str, ...] | None,
        listener: Listener,
    ) -> Staged | None:
        """Prepare a call that is guessed; None if that cannot be now, or is done already.

        Args:
            session: on whose behalf.
            tool: a staged one.
            arguments: validated, as the host has them.
            names: what the call would change; None for anything.
            listener: hears what becomes of it.
        """
        form = canonical(arguments)
        key = (session.number, tool.name, form or b"")
        if form is None or not session.number or key in self._staged:
            return None
        around = session.surroundings.copy()
        preparation = around.run(self.begin, tool, named(tool, arguments), listener)
        if preparation is None:
            return None
        staged = Staged(key, session.tenant_number, names, preparation, listener)
        self._staged[key] = staged
        loop = asyncio.get_running_loop()
        staged.timer = loop.call_later(KEPT_SECONDS, self.let_go, staged, "expired")
        return staged

    def knows(self, session: int, tool: str, form: bytes | None) -> bool:
        """Return whether such a call of a session was guessed, and is prepared."""
        return (session, tool, form) in self._staged

    def claim(self, session: int, tool: str, form: bytes | None) -> Prepared | None:
        """Return what was guessed for a call that is made; None if it was not, or has not begun."""
        staged = self._staged.get((session, tool, form or b""))
        if staged is None:
            return None
        if staged.preparation.began is None:
            self.let_go(staged, "overtaken")
            return None
        self._forget(staged)
        staged.preparation.note_claim(self._clock())
        staged.listener.claimed()
        return staged.preparation

    def release(self, preparation: Prepared) -> None:
        """The call that claimed it has ended: undo it, if the call had no use for it."""
        self._counts["committed"] += preparation.was_committed
        if preparation.drop():
            self.undo_later(preparation)

    def let_go(self, staged: Staged, why: str) -> None:
        """End one that nobody will claim."""
        if self._staged.get(staged.key) is not staged:
            return
        self._forget(staged)
        staged.listener.dropped(why)
        if staged.preparation.drop():
            self.undo_later(staged.preparation)

    def settle(self, session: int, why: str = "expired") -> None:
        """A step of a session is over, or the session: what it has not claimed it never will."""
        for staged in [it for it in self._staged.values() if it.key[0] == session]:
            self.let_go(staged, why)

    def changed(
        self, tenant: int | None, names: tuple[str, ...] | None, session: int | None = None
    ) -> None:
        """Let go of what may have been prepared for a world that is another one now.

        Args:
            tenant: whose resources; None for those of all.
            names: what is changed; None for anything, of that session.
            session: that changes it; None for none.
        """
        for staged in list(self._staged.values()):
            if tenant is not None and staged.tenant != tenant:
                continue
            if names is None or staged.names is None:
                is_hit = staged.key[0] == session
            else:
                is_hit = any(names_meet(one, other) for one in names for other in staged.names)
            if is_hit:
                self.let_go(staged, "changed")

    async def abort(self, preparation: Prepared) -> None:
        """Undo what was prepared: see the ground rules."""
        abort, tool = preparation.tool.abort, preparation.tool.name
        if abort is None:
            return
        for tried in range(1, TRIES + 1):
            try:
                async with asyncio.timeout(ABORT_SECONDS):
                    undoing = abort(preparation.staged)
                    if inspect.isawaitable(undoing):
                        await undoing
            except Exception as error:  # noqa: BLE001 - any author's code; told after the last try
                if tried == TRIES:
                    self._give_up(tool, error)
            else:
                self._counts["aborted"] += 1
                return

    def undo_later(self, preparation: Prepared) -> None:
        """Undo one that was dropped, when it has ended."""
        task = asyncio.get_running_loop().create_task(preparation.undo())
        self._undoing.add(task)
        task.add_done_callback(self._undoing.discard)

    def is_dead(self, tool: str) -> bool:
        """Return whether a tool is prepared no more."""
        return tool in self._dead

    def statistics(self) -> PreparationCounts:
        """Return what became of preparations."""
        counts = {name: self._counts[name] for name in ("begun", "committed", "aborted")}
        return PreparationCounts(**counts, dead_letters=tuple(self._letters))

    async def aclose(self) -> None:
        """Undo what is left, and wait for it."""
        for staged in list(self._staged.values()):
            self.let_go(staged, "closed")
        while self._undoing:
            await asyncio.wait(self._undoing)

    def _forget(self, staged: Staged) -> None:
        del self._staged[staged.key]
        if staged.timer is not None:
            staged.timer.cancel()

    def _give_up(self, tool: str, error: Exception) -> None:
        self._dead.add(tool)
        self._letters.append(DeadLetter(self._clock(), tool, repr(error)[:200], TRIES))
        _log.error(
            "abort of %r failed %d times; it is prepared no more", tool, TRIES, exc_info=error
        )


def _runner(tool: AnyTool) -> AnyTool:
    """What the host runs for the preparations of a tool."""

    async def prepare(preparation: Any) -> None:
        await preparation.run()

    return Tool(prepare, name=tool.name, timeout=tool.timeout)
