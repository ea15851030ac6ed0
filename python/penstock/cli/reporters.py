"""What `penstock run` prints: a live table, plain lines, JSON lines, or messages for the model."""

from collections.abc import Sequence
from typing import Protocol, TextIO

from rich.console import Console
from rich.text import Text

from penstock.calls import Call, Outcome
from penstock.cli.live import LiveBatch
from penstock.cli.outcomes import line, record, table_of
from penstock.cli.screen import counts_text, print_json, seconds, visible
from penstock.events import Event
from penstock.formats import Format

_MOST_ROWS = 200
_SAID_CHARACTERS = 500


class Reporter(Protocol):
    """Is told what happens to the calls of one reply."""

    def begin(self, calls: Sequence[Call], said: str) -> None:
        """The calls start; the model said this beside them."""

    def take(self, event: Event) -> None:
        """Something has happened to a call."""

    def end(self, outcomes: Sequence[Outcome], wall: float) -> None:
        """All calls have ended, in so many seconds."""

    def close(self) -> None:
        """Leave the screen in order, whatever has happened."""


class JsonLines:
    """One JSON line an outcome, as each call ends."""

    def __init__(self, out: TextIO) -> None:
        self._out = out

    def begin(self, calls: Sequence[Call], said: str) -> None:
        """Nothing: there is no outcome yet."""

    def take(self, event: Event) -> None:
        """Print the outcome, if this is the end of a call."""
        if event.outcome is not None:
            print_json(record(event.outcome), self._out)

    def end(self, outcomes: Sequence[Outcome], wall: float) -> None:
        """Nothing: all is printed."""

    def close(self) -> None:
        """Nothing to close."""


class Messages:
    """What has to be sent back to the model, as one JSON array."""

    def __init__(self, out: TextIO, wire: Format) -> None:
        self._out = out
        self._wire = wire

    def begin(self, calls: Sequence[Call], said: str) -> None:
        """Nothing: the messages come in the order of the calls."""

    def take(self, event: Event) -> None:
        """Nothing, likewise."""

    def end(self, outcomes: Sequence[Outcome], wall: float) -> None:
        """Print the messages."""
        print_json(self._wire.render(outcomes), self._out)

    def close(self) -> None:
        """Nothing to close."""


class Lines:
    """One line of text an outcome, as each call ends, and a last one that counts them."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def begin(self, calls: Sequence[Call], said: str) -> None:
        """Print what the model said."""
        _say(self._console, said)

    def take(self, event: Event) -> None:
        """Print the outcome, if this is the end of a call."""
        if event.outcome is not None:
            self._console.print(line(event.outcome), soft_wrap=True)

    def end(self, outcomes: Sequence[Outcome], wall: float) -> None:
        """Print the last line."""
        self._console.print(_summary(outcomes, wall))

    def close(self) -> None:
        """Nothing to close."""


class LiveTable:
    """A table that moves while the calls run, and stands when they have ended."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live: LiveBatch | None = None

    def begin(self, calls: Sequence[Call], said: str) -> None:
        """Print what the model said, and the table."""
        _say(self._console, said)
        if calls:
            self._live = LiveBatch(self._console, calls)
            self._live.start()

    def take(self, event: Event) -> None:
        """Move the table."""
        if self._live:
            self._live.take(event)

    def end(self, outcomes: Sequence[Outcome], wall: float) -> None:
        """Print all calls; of very many those that were not ok."""
        self.close()
        rows = outcomes
        if len(rows) > _MOST_ROWS:
            rows = [outcome for outcome in outcomes if not outcome.ok][:_MOST_ROWS]
        if rows:
            calls = [(outcome.call, outcome.index, outcome, None) for outcome in rows]
            table = table_of(calls, self._console.width, whole_errors=True)
            self._console.print(table)
        hidden = len(outcomes) - len(rows)
        more = f"\n{hidden:,} calls are not shown; --json and --timeline have all"
        self._console.print(Text(more if hidden else "", "dim"))
        self._console.print(_summary(outcomes, wall))

    def close(self) -> None:
        """Take the moving table off the screen."""
        if self._live:
            self._live.stop()
            self._live = None


def _say(console: Console, said: str) -> None:
    if said.strip():
        console.print(Text(visible(said.strip(), _SAID_CHARACTERS, lines=True), "italic dim"))


def _summary(outcomes: Sequence[Outcome], wall: float) -> Text:
    if not outcomes:
        return Text("The reply asks for no tools.")
    noun = "call" if len(outcomes) == 1 else "calls"
    text = Text(f"{len(outcomes):,} {noun} in {seconds(wall)}  ")
    return text.append_text(counts_text(outcome.status for outcome in outcomes))
