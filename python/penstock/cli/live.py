"""A batch on a terminal while it runs: what is running, what ended last, how many are left."""

import time
from collections import Counter, deque
from collections.abc import Sequence

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.text import Text

from penstock.calls import Call, Outcome
from penstock.cli.outcomes import table_of
from penstock.cli.screen import counts_text
from penstock.events import Event

_FRAMES = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
_LINES_AROUND = 4


class LiveBatch:
    """A table that follows the events of a batch; gone when it is stopped."""

    def __init__(self, console: Console, calls: Sequence[Call]) -> None:
        self._console = console
        self._calls = calls
        self._outcomes: list[Outcome | None] = [None] * len(calls)
        self._running: dict[int, float] = {}
        self._last: deque[int] = deque(maxlen=console.height)
        self._live = Live(
            get_renderable=self.renderable, console=console, refresh_per_second=12, transient=True
        )

    def start(self) -> None:
        """Show the table."""
        self._live.start()

    def stop(self) -> None:
        """Take it off the screen."""
        self._live.stop()

    def take(self, event: Event) -> None:
        """Show what has happened."""
        if event.index is None:
            return
        if event.outcome is not None:
            self._running.pop(event.index, None)
            self._outcomes[event.index] = event.outcome
            self._last.append(event.index)
        elif event.type == "call.started":
            self._running[event.index] = event.time

    def renderable(self) -> RenderableType:
        """Return the table as it is now."""
        now = time.monotonic()
        running = self._running.copy()  # rendered in a thread of rich's
        rows = [
            (self._calls[at], at, self._outcomes[at], now - running[at] if at in running else None)
            for at in self._in_sight(list(running))
        ]
        frame = _FRAMES[int(now * 12) % len(_FRAMES)]
        return Group(
            table_of(rows, self._console.width),
            Text.assemble((f"\n{frame} ", "cyan"), self._summary(len(running))),
        )

    def _in_sight(self, running: list[int]) -> list[int]:
        """The calls that fit: all of them, or those that run and those that ended last."""
        room = max(4, self._console.height - _LINES_AROUND)
        if len(self._calls) <= room:
            return list(range(len(self._calls)))
        oldest = running[: room * 2 // 3]
        return sorted([*oldest, *list(self._last)[-(room - len(oldest)) :]])

    def _summary(self, running: int) -> Text:
        ended = Counter(outcome.status for outcome in self._outcomes.copy() if outcome)
        left = len(self._calls) - ended.total() - running
        text = Text(
            f"{ended.total()} of {len(self._calls)} ended, {running} running, {left} waiting  "
        )
        return text.append_text(counts_text(ended.elements()))
