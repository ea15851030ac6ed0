"""Measure Penstock against its gates, on this machine."""

import platform
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.console import Group as Lines
from rich.live import Live
from rich.table import Table
from rich.text import Text

from penstock.cli import bench as rows
from penstock.cli.app import COMMANDS
from penstock.cli.bench import Loop, Result, Settings
from penstock.cli.help import Argument, Command
from penstock.cli.screen import print_json, screen
from penstock.errors import UnknownPlugin, nearest

DEFAULT = "hot"
WITH_TRACES = "speculation-load"
_GROUPS = "; ".join(f"{suite} is {', '.join(rows.names(suite))}" for suite in rows.SUITES)


class _Bench(Command):
    """Hands over to a command of its own: `penstock bench speculation` is `bench_speculation`."""

    def make_context(
        self,
        info_name: str | None,
        args: list[str],
        parent: click.Context | None = None,
        **extra: Any,
    ) -> click.Context:
        """Return the context of the command that the first word names, else one of the rows'."""
        own = f"bench_{args[0].replace('-', '_')}" if args else ""
        if own in COMMANDS.names():
            name = f"{info_name} {args[0]}"
            return COMMANDS.get(own).make_context(name, args[1:], parent, **extra)
        return super().make_context(info_name, args, parent, **extra)


@click.command(
    cls=_Bench,
    name="bench",
    epilog="penstock bench --quick\npenstock bench noop dag\npenstock bench limits --json > rows.jsonl",
)
@click.argument(
    "groups",
    cls=Argument,
    metavar="[GROUP...]",
    nargs=-1,
    help=f"Rows to measure: a group, or a suite of them ({DEFAULT} if none is named). {_GROUPS}.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON line a row.")
@click.option(
    "--loop",
    type=click.Choice(["uvloop", "asyncio"]),
    default="uvloop",
    show_default=True,
    help="The event loop; the gates hold for uvloop.",
)
@click.option("--quick", is_flag=True, help="A third of the rounds: quicker, and less sure.")
@click.option(
    "--traces",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help=f"Recorded sessions for the rows of {WITH_TRACES}, which invents some otherwise.",
)
def bench(
    groups: Sequence[str], as_json: bool, loop: Loop, quick: bool, traces: Path | None
) -> int:
    """Measure rows in interleaved rounds with their baselines, and judge each by its gate.

    A ratio is ours divided by the baseline of the same round, so less is better. The exit code is 1
    if a row misses its gate. `penstock bench speculation` replays recorded sessions instead.
    """
    wanted = _wanted(groups)
    if traces is not None and not set(wanted) <= set(rows.names(WITH_TRACES)):
        raise click.UsageError(f"--traces goes with rows of {WITH_TRACES} only")
    settings = Settings(loop=loop, quick=quick, traces=traces)
    results = _measured(wanted, settings)
    shown = _as_json(results) if as_json else _as_table(results, settings)
    return 1 if any(result.passed is False for result in shown) else 0


def _wanted(asked: Sequence[str]) -> tuple[str, ...]:
    """The groups asked for, each once; a suite stands for its groups."""
    suites = {suite: rows.names(suite) for suite in rows.SUITES}
    known = [*suites, *(group for groups in suites.values() for group in groups)]
    wanted = dict[str, None]()
    for name in asked or [DEFAULT]:
        if name not in known:
            raise UnknownPlugin("group of rows", name, nearest(name, known))
        wanted.update(dict.fromkeys(suites.get(name, [name])))
    return tuple(wanted)


def _measured(groups: Sequence[str], settings: Settings) -> Iterator[tuple[str, list[Result]]]:
    """Yield each group twice: without results when it begins, with them when it is measured."""
    for group in groups:
        yield group, []
        yield group, list(rows.measure([group], settings))


def _as_json(measured: Iterator[tuple[str, list[Result]]]) -> list[Result]:
    shown = []
    for _, results in measured:
        for result in results:
            print_json(result.as_record())
        shown += results
    return shown


def _as_table(measured: Iterator[tuple[str, list[Result]]], settings: Settings) -> list[Result]:
    console, table, shown = screen(), _table(), list[Result]()
    console.print(Text(_conditions(settings), "dim"))
    # Drawn between the groups only: nothing may run beside what is measured.
    with Live(console=console, transient=True, auto_refresh=False) as drawn:
        for group, results in measured:
            for result in results:
                table.add_row(*_row(result))
                shown.append(result)
            if console.is_terminal:
                drawn.update(Lines(table, Text(f"measuring {group} ...", "cyan")), refresh=True)
    console.print(table)
    _conclude(console, shown)
    return shown


def _conditions(settings: Settings) -> str:
    rounds = "few rounds" if settings.quick else "all rounds"
    return f"Python {platform.python_version()} on {platform.machine()}, {settings.loop}, {rounds}"


def _table() -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("row", style="bold", no_wrap=True)
    for title in ("calls", "ours", "gate", "a call", "spread"):
        table.add_column(title, justify="right", no_wrap=True)
    table.add_column("baseline, a call", style="dim")
    table.add_column("")
    return table


def _row(result: Result) -> tuple[str | Text, ...]:
    baseline = f"{result.baseline} {_time(result.baseline_ns)}".strip()
    return (
        result.row,
        f"{result.n:,}",
        f"{_digits(result.value)} {result.unit}",
        _gate(result),
        _time(result.ns_per_call),
        f"{result.spread:.0%}",
        baseline,
        _verdict(result),
    )


def _digits(value: float) -> str:
    """Three digits, or all before the point: 9,975 a second are not 1e+04."""
    return f"{value:,.0f}" if abs(value) >= 1_000 else f"{value:.3g}"


def _gate(result: Result) -> str:
    if result.gate is None:
        return ""
    return f"{'at least ' if result.at_least else ''}{result.gate:g} {result.unit}"


def _time(nanoseconds: float | None) -> str:
    if nanoseconds is None:
        return ""
    return f"{nanoseconds:,.0f} ns" if nanoseconds < 10_000 else f"{nanoseconds / 1e3:,.1f} µs"


def _verdict(result: Result) -> Text:
    if result.passed is None:
        return Text("")
    return Text("pass", "green") if result.passed else Text("MISS", "bold red")


def _conclude(console: Console, shown: Sequence[Result]) -> None:
    judged = [result for result in shown if result.passed is not None]
    missed = [result.row for result in judged if not result.passed]
    text = Text(f"\n{len(judged) - len(missed)} of {len(judged)} gates hold", "bold")
    console.print(text.append(f"; missed: {', '.join(missed)}" if missed else "", "red"))


COMMAND = bench
