"""The event loop: uvloop where it is, and whether the host may step calls itself on this one."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Literal, TypeVar

try:
    import uvloop
except ImportError:  # it does not exist for Windows
    uvloop = None  # type: ignore[assignment]  # mypy reads the installed package

T = TypeVar("T")


def run(coroutine: Coroutine[Any, Any, T], *, loop: Literal["uvloop", "asyncio"] = "uvloop") -> T:
    """Run a program's main coroutine, on uvloop where there is one.

    Args:
        coroutine: what `asyncio.run` would take.
        loop: `asyncio` asks for the loop of the standard library.

    Returns:
        What the coroutine returns.

    Raises:
        RuntimeError: an event loop runs in this thread; the caller awaits the coroutine there.
    """
    if _is_running():
        coroutine.close()
        raise RuntimeError("an event loop is running in this thread: await the coroutine instead")
    with asyncio.Runner(loop_factory=_factory(loop)) as runner:
        return runner.run(coroutine)


def _is_running() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def _factory(loop: str) -> Callable[[], asyncio.AbstractEventLoop] | None:
    if loop == "asyncio" or uvloop is None:
        return None
    return uvloop.new_event_loop


def why_not_hosted(loop: asyncio.AbstractEventLoop) -> str | None:
    """Return why calls must be tasks of asyncio's own on this loop, or None if they need not."""
    if loop.get_debug():
        return "the event loop is in debug mode"
    if loop.get_task_factory() is not None:
        return "the event loop has a task factory"
    return None


def has_virtual_time(loop: asyncio.AbstractEventLoop) -> bool:
    """Return whether time on this loop is the tests' to decide (`penstock.testing.VirtualLoop`)."""
    return getattr(loop, "is_virtual", False)
