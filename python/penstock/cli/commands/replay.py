"""Play recorded sessions on an engine, and say what waiting its sessions and guesses spared."""

import asyncio
import math
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Literal

import click
from rich.table import Table
from rich.text import Text

from penstock.cli.help import Argument, Command
from penstock.cli.options import NewFile
from penstock.cli.screen import print_json, screen, seconds, visible
from penstock.engine import run as run_loop
from penstock.errors import TraceError
from penstock.speculation import Playback, Played, Recorder, play_live, read_traces, total
from penstock.testing import VirtualLoop

_COLUMNS = (
    "session",
    "calls",
    "reads",
    "wait without",
    "wait",
    "saved",
    "cached",
    "launched",
    "promoted",
    "wasted",
)

_NAME_WIDTH = 40


class _Number(click.ParamType[float]):
    """A finite number from a least one."""

    name = "number"

    def __init__(self, least: float, *, above: bool) -> None:
        self._least = least
        self._above = above

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Return the number."""
        try:
            number = float(str(value))
        except ValueError:
            number = math.nan
        fits = number > self._least if self._above else number >= self._least
        if not fits or number > 1e6:
            word = "above" if self._above else "from"
            self.fail(f"{value!r} is not a number {word} {self._least:g} to 1e6", param, ctx)
        return number


@click.command(
    cls=Command,
    name="replay",
    epilog="penstock replay .\n"
    "penstock replay . --latency 0.25 --speculation off --json\n"
    "penstock replay . --speed 2 --keep-going",
)
@click.argument(
    "trace",
    cls=Argument,
    type=click.Path(exists=True, path_type=Path),
    metavar="TRACE",
    help="A file of recorded sessions, one JSON line each, or a folder of *.jsonl files.",
)
@click.option(
    "--latency",
    type=_Number(0.0, above=False),
    metavar="SECONDS",
    help="What each call takes; otherwise what was recorded, and 1 s where nothing was.",
)
@click.option(
    "--speed",
    type=_Number(0.0, above=True),
    default=1.0,
    show_default=True,
    metavar="X",
    help="How much faster the model is than it was: its recorded times are divided by X.",
)
@click.option(
    "--speculation",
    type=click.Choice(["off", "shadow", "live"]),
    default="live",
    show_default=True,
    help="Whether reads run before they are asked for, or only are counted.",
)
@click.option("--real-time", is_flag=True, help="Wait for everything, instead of in virtual time.")
@click.option(
    "--keep-going", is_flag=True, help="Pass over lines that cannot be used, and play the rest."
)
@click.option(
    "--record",
    type=NewFile(),
    metavar="FILE",
    help="Record what is played into a new file, in full.",
)
@click.option(
    "--json", "as_json", is_flag=True, help="One JSON line a session, one for all together."
)
def replay(
    trace: Path,
    latency: float | None,
    speed: float,
    speculation: Literal["off", "shadow", "live"],
    real_time: bool,
    keep_going: bool,
    record: Path | None,
    as_json: bool,
) -> int:
    """Play recorded sessions against tools that answer as it was recorded.

    An engine learns from each session for the next. Waiting is what the model waited for its tools, without
    and with what a session knows and guesses. The exit code is 2 if a line cannot be used, with
    --keep-going too.
    """
    faults: list[TraceError] = []
    sessions, effects = read_traces(trace, on_fault=faults.append if keep_going else None)
    with ExitStack() as stack:
        recorder = stack.enter_context(Recorder(record, values="full")) if record else None
        how = Playback(speculation, latency, speed, recorder)
        played: list[Played] = []

        async def play() -> None:
            async for each in play_live(sessions, effects, how):
                played.append(each)
                if as_json:
                    print_json({"row": "session", **each.as_record()})

        if real_time:
            run_loop(play())
        else:
            with asyncio.Runner(loop_factory=VirtualLoop) as runner:
                runner.run(play())
    if as_json:
        print_json({"row": "total", "sessions": len(played), **total(played).as_record()})
    else:
        _print(played, is_shadow=speculation == "shadow")
    for fault in faults:
        screen(stderr=True).print(Text.assemble(("left out: ", "bold red"), visible(str(fault))))
    return 2 if faults else 0


def _print(played: list[Played], *, is_shadow: bool) -> None:
    """Print a table; in shadow mode nothing was launched, and what would have been is counted."""
    columns = [*_COLUMNS[:-3], "would hit", "would miss"] if is_shadow else list(_COLUMNS)
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for column in columns:
        table.add_column(column, justify="left" if column == "session" else "right")
    for each in played:
        table.add_row(*_cells(each, is_shadow=is_shadow))
    if len(played) != 1:
        table.add_section()
        table.add_row(*_cells(total(played), is_shadow=is_shadow), style="bold")
    screen().print(table)


def _cells(played: Played, *, is_shadow: bool) -> list[str]:
    name = visible(played.session, _NAME_WIDTH)
    guesses: tuple[int, ...] = (played.launched, played.promoted, played.wasted)
    if is_shadow:
        guesses = (played.shadow_hit, played.shadow_miss)
    shown: Callable[[int], str] = "{:,}".format
    times = (played.wait_without, played.wait, played.saved_seconds)
    return [
        name,
        shown(played.calls),
        shown(played.reads),
        *(seconds(time) if time else "0 s" for time in times),
        shown(played.cache_hits),
        *map(shown, guesses),
    ]


COMMAND = replay
