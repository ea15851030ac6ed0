"""The demo on a screen: one table that fills while the turns run, and what a model is told."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rich.console import Console, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from penstock.calls import Outcome
from penstock.cli.demo.limits import TRACKER_RATE
from penstock.cli.demo.play import Played
from penstock.cli.demo.story import Pair, Performance, World
from penstock.cli.demo.turns import TURNS, Turn
from penstock.cli.screen import counts_text, seconds, status_text, visible

_BAR = 8
_BAR_WIDTH = _BAR + len(" 56/56")
_TOLD = 10
_TOLD_CHARACTERS = 150
_NAMING = ("id", "name", "role", "type")

# From here on a speed-up is no noise.
_FASTER = 1.1

# Columns of the screen from which on there is room for what the turns are about.
_WIDTH_FOR_FORMAT = 110
_WIDTH_FOR_TASK = 150

NOTHING = Text("\N{EN DASH}", "dim")


@dataclass(slots=True)
class _Run:
    """One turn, one way: under way, or played."""

    calls: int
    ended: int = 0
    played: Played | None = None

    def cell(self) -> Text:
        """Return the time that it took, or a bar."""
        if self.played:
            return Text(seconds(self.played.seconds))
        full = _BAR * self.ended // max(1, self.calls)
        bar = Text("━" * full, "cyan").append("━" * (_BAR - full), "bright_black")
        return bar.append(f" {self.ended}/{self.calls}", "dim")


class Show:
    """A watcher that keeps a table up to date on a terminal, and writes plain lines elsewhere."""

    def __init__(self, console: Console, *, quiet: bool = False) -> None:
        """Show on a console.

        Args:
            console: where.
            quiet: nothing at all, unless it is a terminal.
        """
        self._console = console
        self._lines = not quiet and not console.is_terminal
        self._runs: dict[tuple[str, bool], _Run] = {}
        self._now: _Run | None = None
        self._live: Live | None = None
        if console.is_terminal:
            self._live = Live(get_renderable=self._table, console=console, refresh_per_second=12)

    def opened(self, world: World) -> None:
        """Say what the tools work on, and show the table."""
        if self._live or self._lines:
            self._console.print(_head(world))
        if self._live:
            self._live.start()

    def began(self, turn: Turn, calls: int, *, in_turn: bool) -> None:
        """Show the bar of a turn."""
        self._now = self._runs[turn.name, in_turn] = _Run(calls)

    def ended(self, outcome: Outcome) -> None:
        """Move the bar on."""
        if self._now:
            self._now.ended += 1

    def finished(self, played: Played, *, in_turn: bool) -> None:
        """Show the time of a turn."""
        self._runs[played.turn.name, in_turn].played = played
        if self._lines:
            way = "one by one" if in_turn else "parallel"
            counts = counts_text(outcome.status for outcome in played.outcomes)
            line = f"{way:11} {_name(played.turn):11} {seconds(played.seconds):>7}  "
            self._console.print(Text(line).append_text(counts))

    def close(self) -> None:
        """Leave the table on the screen as it is."""
        if self._live:
            self._live.stop()

    @property
    def is_live(self) -> bool:
        """Whether the table is on the screen already."""
        return self._live is not None

    def table(self) -> Table:
        """Return the table."""
        return self._table()

    def _table(self) -> Table:
        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
        table.add_column("turn", style="bold", no_wrap=True)
        for title, _ in self._about(TURNS[0]):
            table.add_column(title, style="dim", no_wrap=True)
        for title, width in (("calls", 0), ("one by one", _BAR_WIDTH), ("parallel", _BAR_WIDTH)):
            table.add_column(title, justify="right", no_wrap=True, min_width=width)
        table.add_column("speed-up", justify="right", no_wrap=True)
        table.add_column("outcomes", ratio=1)
        for turn in TURNS:
            table.add_row(*self._row(turn))
        if all(self._played()):
            table.add_row(*self._total(), style="bold")
        return table

    def _row(self, turn: Turn) -> Iterable[RenderableType]:
        fast, slow = (self._runs.get((turn.name, in_turn)) for in_turn in (False, True))
        played = fast.played if fast else None
        yield _name(turn)
        yield from (text for _, text in self._about(turn))
        yield str(fast.calls) if fast else NOTHING
        yield slow.cell() if slow else NOTHING
        yield fast.cell() if fast else NOTHING
        yield _speed_up(slow.played, fast.played) if slow and fast else NOTHING
        yield counts_text(o.status for o in played.outcomes) if played else ""

    def _about(self, turn: Turn) -> list[tuple[str, str]]:
        """What the turn is about, with the title of its column, as far as there is room."""
        width = self._console.width
        task = [("asked of the model", turn.task)] if width >= _WIDTH_FOR_TASK else []
        wire = [("wire format", turn.format)] if width >= _WIDTH_FOR_FORMAT else []
        return task + wire

    def _played(self) -> list[Played | None]:
        keys = [(turn.name, in_turn) for turn in TURNS for in_turn in (False, True)]
        return [run.played if (run := self._runs.get(key)) else None for key in keys]

    def _total(self) -> Iterable[RenderableType]:
        played = [run for run in self._played() if run]
        fast, slow = played[::2], played[1::2]
        outcomes = [outcome for run in fast for outcome in run.outcomes]
        fast_seconds, slow_seconds = (sum(run.seconds for run in runs) for runs in (fast, slow))
        yield "together"
        yield from ("" for _ in self._about(TURNS[0]))
        yield from (str(len(outcomes)), seconds(slow_seconds), seconds(fast_seconds))
        yield f"{slow_seconds / fast_seconds:.1f}x"
        yield counts_text(outcome.status for outcome in outcomes)


def _name(turn: Turn) -> str:
    return turn.name.replace("_", " ", 1)


def _speed_up(slow: Played | None, fast: Played | None) -> Text:
    if not (slow and fast):
        return NOTHING
    ratio = slow.seconds / fast.seconds
    return Text(f"{ratio:.1f}x", "bold green" if ratio >= _FASTER else "")


def _head(world: World) -> Text:
    return Text.assemble(
        ("Penstock demo", "bold cyan"),
        f": {len(TURNS)} recorded turns of agents, first in parallel, then the same calls one by one\n",
        (
            f"files  {world.files} of {world.title}; SQLite made of them, {world.rows:,} rows\n",
            "dim",
        ),
        ("web    a server on 127.0.0.1 with realistic latencies, errors and hangs\n", "dim"),
    )


def held(performance: Performance) -> Table:
    """Return what the limits did: who waited, what was spent."""
    tracker, budget = performance.tracker, performance.budget
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column()
    table.add_column(ratio=1)
    table.add_row(
        "tracker",
        Text(f"{TRACKER_RATE.n} calls a second, {TRACKER_RATE.burst} at once", "dim"),
        f"{tracker.waited} of {tracker.calls} calls waited, {seconds(tracker.longest)} at most",
    )
    warned = "".join(f", warned at {share:.0%}" for share in budget.warned_at)
    table.add_row(
        "ratings",
        Text(f"{_dollars(budget.amount)} a run", "dim"),
        f"{_dollars(budget.spent)} paid for {budget.paid} calls{warned}; "
        f"{budget.refused} calls refused",
    )
    return table


def _dollars(microusd: int) -> str:
    return f"${microusd / 1e6:.4f}".rstrip("0")


def told(pairs: Sequence[Pair]) -> Table:
    """Return what the models read about some calls that did not go well, one of each kind."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=False)
    seen: set[tuple[str, str]] = set()
    for pair in pairs:
        for outcome in pair.parallel.outcomes:
            kind = (outcome.status, type(outcome.error).__name__)
            if outcome.ok or kind in seen or len(seen) == _TOLD:
                continue
            seen.add(kind)
            table.add_row(status_text(outcome.status), outcome.tool, _message(pair, outcome))
    return table


def _message(pair: Pair, outcome: Outcome) -> Text:
    (message,) = pair.parallel.turn.wire.render([outcome])
    on_one_line = " ".join(_longest_text(message).split())
    return Text(visible(on_one_line, _TOLD_CHARACTERS), "dim")


def _longest_text(value: object) -> str:
    """The text in a message of any format: what names the call, and what kind it is, is not it."""
    match value:
        case str():
            return value
        case dict():
            parts = [part for key, part in value.items() if not key.endswith(_NAMING)]
            return max(map(_longest_text, parts), key=len, default="")
        case list():
            return max(map(_longest_text, value), key=len, default="")
        case _:
            return ""
