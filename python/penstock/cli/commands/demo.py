"""The main job on real input: recorded agent turns, in parallel and one by one."""

from collections.abc import Sequence
from pathlib import Path

import click
from rich.text import Text

from penstock.cli import timeline
from penstock.cli.demo import Pair, Performance, perform
from penstock.cli.demo.report import differences, records
from penstock.cli.demo.report import timeline as timeline_turns
from penstock.cli.demo.show import Show, held, told
from penstock.cli.help import Command
from penstock.cli.options import NewFile
from penstock.cli.screen import print_json, screen
from penstock.engine import run

DEFAULT_TIMELINE = Path("demo-timeline.html")


@click.command(
    cls=Command,
    name="demo",
    epilog="penstock demo\npenstock demo --quick --json",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON line a turn, one for all together.")
@click.option(
    "--timeline",
    "path",
    type=NewFile(),
    default=DEFAULT_TIMELINE,
    show_default=True,
    help="Where to write the waterfall.",
)
@click.option("--quick", is_flag=True, help="Halve all latencies.")
def demo(as_json: bool, path: Path, quick: bool) -> int:
    """Play seven recorded turns of agents, with real tools on real input.

    Calls fail, hang, wait for limits and are cancelled in it, as they do in life: the exit code is 0 if exactly
    those did that should, and else 1.
    """
    show = Show(screen(stderr=as_json), quiet=as_json)
    try:
        performance = run(perform(show, quick=quick))
    finally:
        show.close()
    pairs = performance.pairs
    timeline.write(path, timeline_turns(pairs))
    if as_json:
        for record in records(performance):
            print_json(record)
    else:
        _conclude(show, performance, path)
    return _verdict(pairs)


def _conclude(show: Show, performance: Performance, path: Path) -> None:
    console = screen()
    if not show.is_live:
        console.print()
        console.print(show.table())
    console.print(Text("\nWhat the limits did, in parallel", "bold"))
    console.print(held(performance))
    console.print(Text("\nWhat the models are told, one of each kind", "bold"))
    console.print(told(performance.pairs))
    console.print(Text.assemble("\nEach call in time: ", (str(path), "cyan")))


def _verdict(pairs: Sequence[Pair]) -> int:
    found = differences(pairs)
    errors = screen(stderr=True)
    for line in found:
        errors.print(Text.assemble(("not as recorded: ", "bold red"), line))
    return 1 if found else 0


COMMAND = demo
