"""`prepare`: what a tool does for a call before that call is made.

| tool | `prepare` gets | when | the call |
|---|---|---|---|
| `early=[...]` | these arguments, as the model wrote them | a reply that streams has closed them | may ask for it: `penstock.prepared()` |
| staged: `commit=` | all arguments, validated | its call waits for the end of the reply; or it is guessed | runs `commit` instead of the function |

Ground rules. `prepare` must do nothing that anybody notices. It runs once for a call, in a lane behind
all calls, and takes no permit of a limit and no place of its tool, only one of the engine. Where it failed,
or has not begun when the call wants it, the call does the work itself. What no call took, or what could
not be committed, `abort` undoes: see `staging.py`.

A preparation of a reply belongs to it, and is undone in `outcomes`, or when its block is left with an error
or a broken reply; once a call has asked for it, it is that call's, and all attempts get the same. A
commit happens once: further attempts run the function.
"""

import asyncio
import contextlib
import inspect
import logging
from collections.abc import Callable
from contextvars import ContextVar, copy_context
from functools import wraps
from typing import Any, Protocol, TypeVar

from penstock._native import Batch as NativeBatch
from penstock.calls import Call, Outcome
from penstock.engine.batch import outlast
from penstock.engine.policies import canonical
from penstock.errors import BadValue, InvalidArguments
from penstock.formats import ArgClosed, ReplyEvent, ToolStart
from penstock.tools import Tool, Toolset

AnyTool = Tool[..., Any]

_current: ContextVar["Prepared | None"] = ContextVar("_current", default=None)
_log = logging.getLogger(__name__)

T = TypeVar("T")


async def prepared() -> Any:
    """Return what the tool's `prepare` returned for the running call, waiting for it if it still runs.

    Returns:
        None if nothing was prepared: the tool declares no `early`, the call was not read from a
        stream, `prepare` raised, or it had not begun by now.

    Example:
        @tool(effects="read", early=["host"], prepare=connect, abort=close)
        async def fetch(host: str, path: str) -> str:
            connection = await penstock.prepared() or await connect({"host": host})
    """
    preparation = _current.get()
    if preparation is None or not await preparation.take():
        return None
    return preparation.staged


class Undo(Protocol):
    """Who undoes preparations: the engine's `Preparing`."""

    async def abort(self, preparation: "Prepared") -> None:
        """Undo what was prepared."""

    def undo_later(self, preparation: "Prepared") -> None:
        """The same, when it has ended; nobody waits for that."""


class Preparer(Undo, Protocol):
    """Who runs preparations."""

    def begin(self, tool: AnyTool, arguments: dict[str, Any]) -> "Prepared | None":
        """Prepare a call; None if that cannot be now."""

    def knows(self, session: int, tool: str, form: bytes | None) -> bool:
        """Return whether such a call of a session was guessed, and is prepared."""


class Asker(Protocol):
    """Whose calls they are: a session."""

    @property
    def number(self) -> int: ...


class Prepared:
    """One preparation: runs once, and ends by being taken or undone. Made by `Preparing.begin`."""

    def __init__(self, tool: AnyTool, arguments: dict[str, Any], undo: Undo) -> None:
        self.tool = tool
        self.staged: Any = None
        self.is_ready = False
        """Whether there is something to commit, or to undo."""
        self.began: float | None = None
        self.was_committed = False
        self.saved = 0.0
        """Seconds that it had run when its call came; of a guess only."""
        self._arguments = arguments
        self._undo = undo
        self._batch: NativeBatch | None = None
        self._is_taken = self._is_dropped = self._is_over = False

    async def run(self) -> None:
        """Call the tool's `prepare`: what the host runs."""
        prepare = self.tool.prepare
        if prepare is None:
            return
        staged = await _result(prepare(self._arguments))
        self.staged = staged
        self.is_ready = staged is not None or self.tool.commit is not None
        if self._is_over and self.is_ready:  # it did not end when it was asked to
            self._undo.undo_later(self)

    def follow(self, batch: NativeBatch, ended: Callable[[Outcome], None] | None) -> None:
        """It runs as this batch; `ended` hears of its end."""
        self._batch = batch

        def note(_waited: object) -> None:
            (outcome,) = batch.result()
            if outcome.status == "failed":
                reason = "prepare of %r failed; its call will do the work"
                _log.debug(reason, self.tool.name, exc_info=outcome.error)
            if ended is not None:
                ended(outcome)

        batch.wait().add_done_callback(note)

    def note_claim(self, now: float) -> None:
        """The call that it was guessed for is made."""
        if self._batch is not None and self._batch.done:
            self.saved = self._batch.result()[0].duration
        elif self.began is not None:
            self.saved = now - self.began

    def submit(self, submit: Callable[[], T]) -> T:
        """Submit a call so that it finds this preparation."""
        context = copy_context()
        context.run(_current.set, self)
        return context.run(submit)

    async def take(self) -> bool:
        """Wait for it, for its call; false where that failed, has not begun or came too late.

        From now on it belongs to the call: who is cancelled while waiting cancels it.
        """
        if self._is_dropped:
            return False
        if self.began is None:  # to wait for a place while one is held might never end
            self.drop()
            return False
        self._is_taken = True
        batch = self._batch
        while batch is not None and not batch.done:
            try:
                await batch.wait()
            except asyncio.CancelledError:
                batch.cancel("its call was cancelled")
                await outlast(batch)
                raise
        return self.is_ready

    async def take_once(self) -> bool:
        """The same for a commit; false also if it was taken before."""
        if self._is_taken:
            return False
        try:
            return await self.take()
        except asyncio.CancelledError:
            self._undo.undo_later(self)
            raise

    async def commit(self) -> Any:
        """Commit what is staged; where that fails, undo it."""
        commit = self.tool.commit
        try:
            value = await _result(commit(self.staged) if commit is not None else None)
        except asyncio.CancelledError:
            self._undo.undo_later(self)
            raise
        except BaseException:
            await self.undo()
            raise
        self.was_committed = True
        return value

    def drop(self) -> bool:
        """Ask it to end, unless its call has it; true if its end has to be waited for: `undo`."""
        if self._is_taken or self._is_dropped:
            return False
        self._is_dropped = True
        if self._batch is not None:
            self._batch.cancel("no call needs what it prepares")
        return True

    async def undo(self) -> None:
        """Wait for the end of one that was dropped, and abort what it has done."""
        if self._batch is not None:
            await outlast(self._batch)
        self._is_over = True
        if self.is_ready:
            self.is_ready = False
            await self._undo.abort(self)


def in_halves(tool: AnyTool) -> AnyTool:
    """Return what the host runs for a staged tool: `commit`, where its call was prepared."""
    if tool.commit is None:
        return tool
    function, name = tool.function, tool.name

    @wraps(function)
    async def run(*args: Any, **kwargs: Any) -> Any:
        preparation = _current.get()
        if preparation is None or preparation.tool.name != name:
            return await _result(function(*args, **kwargs))
        _current.set(None)  # calls that are made inside of this one are others
        if await preparation.take_once():
            return await preparation.commit()
        return await _result(function(*args, **kwargs))

    return tool.replace(run)


class Begun:
    """The preparations of one reply: which calls have what they wait for, and where they went."""

    def __init__(self, tools: Toolset, preparer: Preparer, asker: Asker | None = None) -> None:
        """Begin a reply.

        Args:
            tools: of the engine.
            preparer: runs preparations.
            asker: the session, if the reply is one's.
        """
        self._tools = tools
        self._preparer = preparer
        self._asker = asker
        # By the index of the call; only of tools that prepare.
        self._waiting: dict[int, tuple[AnyTool, dict[str, Any]]] = {}
        self._prepared: dict[int, Prepared] = {}

    def follow(self, event: ReplyEvent) -> None:
        """Begin what an event allows."""
        if isinstance(event, ToolStart):
            if event.name in self._tools and (tool := self._tools[event.name]).early:
                self._waiting[event.index] = tool, {}
        elif isinstance(event, ArgClosed) and event.index in self._waiting and len(event.path) == 1:
            tool, arguments = self._waiting[event.index]
            arguments[str(event.path[0])] = event.value
            if all(name in arguments for name in tool.early):
                del self._waiting[event.index]
                self._begin(event.index, tool, dict(arguments))

    def stage(self, index: int, call: Call) -> None:
        """Prepare a call of a staged tool that has to wait; the latest of its index counts."""
        if call.tool not in self._tools or (tool := self._tools[call.tool]).commit is None:
            return
        if index in self._prepared and (known := self._prepared.pop(index)).drop():
            self._preparer.undo_later(known)
        try:
            arguments = tool.bound(call.arguments or {})
        except (InvalidArguments, BadValue):
            return
        number = 0 if self._asker is None else self._asker.number
        if not self._preparer.knows(number, tool.name, canonical(arguments)):
            self._begin(index, tool, named(tool, arguments))

    def of(self, index: int) -> Prepared | None:
        """Return what is prepared for a call."""
        return self._prepared.get(index)

    async def drop(self) -> None:
        """Undo what no call has taken; one that asks later does the work itself.

        Who is cancelled meanwhile is so when all are undone.
        """
        dropped = [it for it in self._prepared.values() if it.drop()]
        self._prepared.clear()
        if not dropped:
            return
        undoing = asyncio.gather(*(it.undo() for it in dropped))
        try:
            await asyncio.shield(undoing)
        except asyncio.CancelledError:
            while not undoing.done():
                with contextlib.suppress(asyncio.CancelledError):
                    await asyncio.wait([undoing])
            raise

    def _begin(self, index: int, tool: AnyTool, arguments: dict[str, Any]) -> None:
        preparation = self._preparer.begin(tool, arguments)
        if preparation is not None:
            self._prepared[index] = preparation


def named(tool: AnyTool, arguments: Any) -> dict[str, Any]:
    """Return validated arguments, as the host has them, by their names."""
    values, others = arguments if tool.extras else (arguments, {})
    return {**dict(zip(tool.parameters, values, strict=True)), **others}


async def _result(value: Any) -> Any:
    return await value if inspect.isawaitable(value) else value
