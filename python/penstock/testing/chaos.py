"""Cancellation at every moment: a story that survives this leaves nothing behind, whenever it stops."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from penstock.testing.virtual_loop import VirtualLoop

Story = Callable[[], Coroutine[Any, Any, object]]


def every_cancel_point(story: Story, *, most: int = 1_000) -> int:
    """Run a story whole, then again for each turn of its event loop, cancelled in that turn.

    A turn is what happens between two looks at the clock, in the story and in all that it started.

    Every run has a loop in virtual time of its own. A cancelled run may end in any way but by an error
    of its own, and must leave no task behind and no exception that nobody handles.

    Args:
        story: a coroutine function without arguments, that ends by itself.
        most: turns after which the story counts as endless.

    Returns:
        At how many points the story was cancelled.

    Raises:
        AssertionError: a run left something behind, or did not end; the error names the point.
        Exception: what a run raised, with a note that names the point.

    Example:
        >>> import asyncio
        >>> async def story():
        ...     await asyncio.sleep(1)
        ...     await asyncio.sleep(1)
        >>> every_cancel_point(story)
        5
    """
    points = _run(story, None, most)
    for point in range(1, points + 1):
        try:
            _run(story, point, most)
        except BaseException as error:
            error.add_note(f"cancelled at point {point} of {points}")
            raise
    return points


def _run(story: Story, point: int | None, most: int) -> int:
    """Run a story, cancelled at one point; return at how many it could be."""
    loop = _CountingLoop(point, most)
    try:
        loop.task = loop.create_task(story())
        try:
            loop.run_until_complete(loop.task)
        except asyncio.CancelledError:
            if point is None:
                raise
        turns = loop.turns
        loop.run_until_complete(loop.shutdown_asyncgens())
        left = asyncio.all_tasks(loop)
        assert not left, f"tasks are left behind: {left}"
        assert not loop.unhandled, f"nobody handled {loop.unhandled}"
    finally:
        loop.close()
    return turns


class _CountingLoop(VirtualLoop):
    """Counts its turns, and cancels a task in one of them."""

    def __init__(self, point: int | None, most: int) -> None:
        super().__init__()
        self.turns = 0
        self.task: asyncio.Task[object] | None = None
        self.unhandled: list[dict[str, Any]] = []
        self._point = point
        self._most = most
        self.set_exception_handler(lambda loop, context: self.unhandled.append(context))

    def on_turn(self) -> bool:
        if self.task is None or self.task.done():
            return False
        self.turns += 1
        assert self.turns <= self._most, f"the story has not ended after {self._most} turns"
        return self.turns == self._point and self.task.cancel()
