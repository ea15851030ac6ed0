"""Run the tool calls of a model's reply, in any provider's format."""

import json
import sys
import time
from collections.abc import Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal

import click

import penstock.formats as formats
from penstock.calls import Call, Outcome
from penstock.cli import timeline
from penstock.cli.follow import EventJson, EventLines
from penstock.cli.help import Argument, Command
from penstock.cli.loading import TOOLS_HELP, load_limits, load_tools
from penstock.cli.options import NewFile
from penstock.cli.reporters import JsonLines, Lines, LiveTable, Messages, Reporter
from penstock.cli.screen import screen
from penstock.engine import Engine
from penstock.engine import run as run_loop
from penstock.formats import Format

_MOST_PENDING = 100_000

OnError = Literal["continue", "fail_fast"]


@dataclass(frozen=True, slots=True)
class Bounds:
    """How long, how many at once, and what to do when one is not ok."""

    timeout: float | None
    max_parallel: int | None
    on_error: OnError


@click.command(
    cls=Command,
    name="run",
    epilog="penstock run reply.json --tools my_tools\n"
    "penstock run - --tools my_tools:search --tools db.py --json < reply.json\n"
    "penstock run reply.json --tools my_tools --follow\n"
    "penstock run reply.json --tools my_tools --render > messages.json",
)
@click.argument(
    "reply",
    cls=Argument,
    type=click.File("rb"),
    metavar="REPLY.json",
    help="What the model answered, as its provider sent it; - reads standard input.",
)
@click.option("--tools", "places", metavar="PLACE", multiple=True, required=True, help=TOOLS_HELP)
@click.option(
    "--format",
    "wire",
    type=click.Choice(formats.names()),
    metavar="NAME",
    help=f"The provider's format, where it shall not be detected: {', '.join(formats.names())}.",
)
@click.option(
    "--json", "as_json", is_flag=True, help="One JSON line an outcome, as each call ends."
)
@click.option(
    "--follow",
    is_flag=True,
    help="Each event as it happens: starts, progress, output, ends. With --json one JSON line each.",
)
@click.option("--render", is_flag=True, help="The messages that answer the model, as JSON.")
@click.option(
    "--timeline",
    "path",
    type=NewFile(),
    metavar="FILE.html",
    help="Write a waterfall of the calls.",
)
@click.option("--timeout", type=float, metavar="SECONDS", help="For all calls together.")
@click.option("--max-parallel", type=int, metavar="N", help="Calls at once; 1 is one by one.")
@click.option(
    "--on-error",
    type=click.Choice(["continue", "fail_fast"]),
    default="continue",
    show_default=True,
    help="When a call is not ok: go on, or cancel the others.",
)
def run(
    reply: BinaryIO,
    places: Sequence[str],
    wire: str | None,
    as_json: bool,
    follow: bool,
    render: bool,
    path: Path | None,
    timeout: float | None,
    max_parallel: int | None,
    on_error: OnError,
) -> int:
    """Run the tool calls of a model's reply, in parallel, and say what became of each.

    A module of tools that has a list `limits`, of Limit and Budget, is run inside of them.

    The exit code is 0 if all calls were ok, 1 if some was not, and 2 if nothing could be run. What
    the tools print goes to standard error.
    """
    if as_json and render:
        raise click.UsageError("--json and --render both want standard output: choose one")
    if follow and render:
        raise click.UsageError("--follow and --render both want standard output: choose one")
    data = reply.read()
    _check_json(data, getattr(reply, "name", "the reply"))
    format = formats.get(wire) if wire else formats.detect(data)
    calls, said = format.parse(data), format.text(data)
    reporter = _reporter(as_json, follow, format if render else None)
    with redirect_stdout(sys.stderr):
        tools = load_tools(places)
        most = max(len(calls), _MOST_PENDING)
        engine = Engine(tools, limits=load_limits(places, tools), max_pending=most)
        bounds = Bounds(timeout, max_parallel, on_error)
        outcomes = run_loop(_run(engine, calls, bounds, reporter, said))
    if path:
        name = Path(reply.name).stem
        started = min((outcome.submitted for outcome in outcomes), default=0.0)
        timeline.write(path, [timeline.TimelineTurn(name, started, outcomes)])
    return 0 if all(outcome.ok for outcome in outcomes) else 1


def _check_json(data: bytes, name: str) -> None:
    """Say first that a file is no JSON at all: then no format is to blame."""
    try:
        json.loads(data)
    except RecursionError:
        return  # the format says it
    except ValueError as error:
        raise click.UsageError(f"{Path(name).name} is not JSON: {error}") from None


def _reporter(as_json: bool, follow: bool, answers: Format | None) -> Reporter:
    if follow:
        return EventJson(sys.stdout) if as_json else EventLines(screen())
    if as_json:
        return JsonLines(sys.stdout)
    if answers:
        return Messages(sys.stdout, answers)
    console = screen()
    return LiveTable(console) if console.is_terminal else Lines(console)


async def _run(
    engine: Engine, calls: Sequence[Call], bounds: Bounds, reporter: Reporter, said: str
) -> list[Outcome]:
    async with engine:
        started = time.monotonic()
        batch = engine.submit(
            calls,
            timeout=bounds.timeout,
            max_parallel=bounds.max_parallel,
            on_error=bounds.on_error,
        )
        try:
            reporter.begin(calls, said)
            async for event in batch.events():
                reporter.take(event)
        finally:
            reporter.close()
        outcomes, wall = await batch, time.monotonic() - started
    reporter.end(outcomes, wall)
    return outcomes


COMMAND = run
