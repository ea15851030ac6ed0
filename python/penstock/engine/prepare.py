"""`prepare`: what a tool does for a call whose arguments are not complete yet.

Ground rules. A tool names the parameters that its `prepare` needs (`early=`). While a reply streams, it
is called once for a call, when the model has written these; the values are those of the model, not
validated. It must do nothing that anybody notices: open a connection, read a file. The call gets what
it returned from `penstock.prepared()`; where it failed, None, and the call does the work itself. If the
call never asks for it, because it was not made, was rejected or ended before, `abort` undoes it: tried
three times, then given up. A preparation takes no permit and no slot of its tool.

Its task belongs to the reply that began it, which ends it in `outcomes`, or when its block is left with
an error or a broken reply; once a call has asked for it, to that call.
"""

import asyncio
import contextlib
import inspect
import logging
from collections.abc import Callable
from contextvars import ContextVar, copy_context
from typing import Any, TypeVar

from penstock.formats import ArgClosed, ReplyEvent, ToolStart
from penstock.tools import Tool, Toolset

ABORT_TRIES = 3

_current: ContextVar["Prepared | None"] = ContextVar("_current", default=None)
_log = logging.getLogger(__name__)

T = TypeVar("T")


async def prepared() -> Any:
    """Return what the tool's `prepare` returned for the running call, waiting for it if it still runs.

    Returns:
        None if nothing was prepared: the tool declares no `early`, the call was not read from a
        stream, or `prepare` raised.

    Example:
        @tool(effects="read", early=["host"], prepare=connect, abort=close)
        async def fetch(host: str, path: str) -> str:
            connection = await penstock.prepared() or await connect({"host": host})
    """
    preparation = _current.get()
    return None if preparation is None else await preparation.take()


class Prepared:
    """One preparation: runs at once, and ends by being taken or dropped."""

    def __init__(self, tool: Tool[..., Any], arguments: dict[str, Any]) -> None:
        self._tool = tool
        self._is_taken = False
        self._is_dropped = False
        self._task = asyncio.ensure_future(self._run(arguments))

    def submit(self, submit: Callable[[], T]) -> T:
        """Submit a call so that it finds this preparation."""
        context = copy_context()
        context.run(_current.set, self)
        return context.run(submit)

    async def take(self) -> Any:
        """Return what was prepared; None where that failed or came too late.

        From now on it belongs to the call: who is cancelled while waiting cancels it. Every attempt of
        the call gets the same.
        """
        if self._is_dropped:
            return None
        self._is_taken = True
        try:
            return await asyncio.shield(self._task)
        except asyncio.CancelledError:
            if self._task.cancelled():
                return None  # another attempt was, while both waited
            self._task.cancel()
            await asyncio.wait([self._task])
            raise

    def drop(self) -> bool:
        """Ask it to end, unless its call has it; true if its end has to be waited for: `undo`."""
        if self._is_taken or self._is_dropped:
            return False
        self._is_dropped = True
        self._task.cancel()
        return True

    async def undo(self) -> None:
        """Wait for the end of one that was dropped, and abort what it has done."""
        await asyncio.wait([self._task])
        if not self._task.cancelled() and (staged := self._task.result()) is not None:
            await self._abort(staged)

    async def _run(self, arguments: dict[str, Any]) -> Any:
        prepare = self._tool.prepare
        try:
            return await _result(prepare(arguments)) if prepare is not None else None
        except Exception:  # noqa: BLE001 - any author's code; the call does the work and says why
            _log.debug(
                "prepare of %r failed; its call will do the work", self._tool.name, exc_info=True
            )
            return None

    async def _abort(self, staged: Any) -> None:
        abort = self._tool.abort
        for tried in range(1, ABORT_TRIES + 1 if abort is not None else 1):
            try:
                await _result(abort(staged) if abort is not None else None)
                return
            except Exception:  # noqa: BLE001 - any author's code; told after the last try
                if tried == ABORT_TRIES:
                    _log.exception("abort of %r failed %d times", self._tool.name, tried)


class Begun:
    """The preparations of one reply: which calls have what they wait for, and where they went."""

    def __init__(self, tools: Toolset) -> None:
        self._tools = tools
        # By the index of the call; only of tools that prepare.
        self._waiting: dict[int, tuple[Tool[..., Any], dict[str, Any]]] = {}
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
                self._prepared[event.index] = Prepared(tool, dict(arguments))

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


async def _result(value: Any) -> Any:
    return await value if inspect.isawaitable(value) else value
