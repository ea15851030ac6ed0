"""What `penstock run --follow` prints: each event of the batch as it happens, as a line or as JSON."""

from collections.abc import Mapping, Sequence
from typing import Any, TextIO

from rich.console import Console
from rich.text import Text

from penstock.calls import Call, Outcome
from penstock.cli.outcomes import line
from penstock.cli.screen import visible
from penstock.events import Event

_SHOWN_CHARACTERS = 200


class EventJson:
    """One JSON line an event, as it would be sent to a watcher elsewhere."""

    def __init__(self, out: TextIO) -> None:
        self._out = out

    def begin(self, calls: Sequence[Call], said: str) -> None:
        """Nothing: the first event tells it."""

    def take(self, event: Event) -> None:
        """Print the event."""
        self._out.write(event.encoded.json.decode() + "\n")
        self._out.flush()

    def end(self, outcomes: Sequence[Outcome], wall: float) -> None:
        """Nothing: all is printed."""

    def close(self) -> None:
        """Nothing to close."""


class EventLines:
    """One line of text an event: seconds since the first, the call, and what happened."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._began: float | None = None

    def begin(self, calls: Sequence[Call], said: str) -> None:
        """Nothing: the first event tells it."""

    def take(self, event: Event) -> None:
        """Print the event."""
        if self._began is None:
            self._began = event.time
        text = Text(f"{event.time - self._began:8.3f}s  ", "dim")
        if event.outcome is not None:
            text.append_text(line(event.outcome))
        else:
            text.append(f"{event.type:<16} ", "cyan")
            if event.call is not None:
                text.append(visible(f"{event.call} {event.tool or ''}  ", _SHOWN_CHARACTERS))
            text.append(visible(told(event.data or {}), _SHOWN_CHARACTERS), "dim")
        self._console.print(text, soft_wrap=True)

    def end(self, outcomes: Sequence[Outcome], wall: float) -> None:
        """Nothing: the last event counts them."""

    def close(self) -> None:
        """Nothing to close."""


def told(data: Mapping[str, Any]) -> str:
    """Return what an event tells besides, in a few words."""
    if set(data) == {"text"}:
        return str(data["text"])
    return "  ".join(
        f"{name}={value:.3f}" if isinstance(value, float) else f"{name}={value}"
        for name, value in data.items()
    )
