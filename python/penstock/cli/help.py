"""Help that is pleasant to read: what click knows about a command, set by rich."""

from collections.abc import Iterable
from typing import Any

import click
from rich.console import Group as Lines
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from penstock.cli.screen import screen

WIDEST = 100


class Argument(click.Argument):
    """An argument that says what it is for, as options do."""

    def __init__(self, *args: Any, help: str, **options: Any) -> None:
        super().__init__(*args, **options)
        self.help_text = help


class Command(click.Command):
    """A click command whose `epilog` holds example lines."""

    def get_help(self, ctx: click.Context) -> str:
        """Return the page of the command, with colours if standard output is a terminal."""
        return _rendered(_page(self, ctx, []))


class Group(click.Group):
    """A click group whose commands are listed without loading them."""

    command_class = Command

    def get_help(self, ctx: click.Context) -> str:
        """Return the page of the group."""
        return _rendered(_page(self, ctx, self.summaries(ctx)))

    def summaries(self, ctx: click.Context) -> list[tuple[str, str]]:
        """Return each command's name and what it does, in one line."""
        raise NotImplementedError


def _rendered(page: Lines) -> str:
    console = screen()
    with console.capture() as captured:
        console.print(page, width=min(WIDEST, console.width))
    return "\n".join(line.rstrip() for line in captured.get().splitlines()).rstrip()


def _page(command: click.Command, ctx: click.Context, commands: list[tuple[str, str]]) -> Lines:
    pieces = " ".join(command.collect_usage_pieces(ctx))
    usage = Text.assemble(("Usage: ", "bold"), (ctx.command_path, "bold cyan"), f" {pieces}")
    given = [param for param in command.get_params(ctx) if isinstance(param, click.Option)]
    options = [record for param in given if (record := param.get_help_record(ctx))]
    arguments = [
        (param.make_metavar(ctx), param.help_text)
        for param in command.get_params(ctx)
        if isinstance(param, Argument)
    ]
    examples = [(line, "") for line in (command.epilog or "").splitlines()]
    return Lines(
        usage,
        Padding("\n\n".join(_paragraphs(command.help or "")), (1, 2)),
        *_section("Commands", commands),
        *_section("Arguments", arguments),
        *_section("Options", options),
        *_section("Examples", examples),
    )


def _paragraphs(text: str) -> Iterable[str]:
    return (" ".join(paragraph.split()) for paragraph in text.split("\n\n"))


def _section(title: str, rows: Iterable[tuple[str, str]]) -> Iterable[Any]:
    table = Table.grid(padding=(0, 3))
    table.add_column(no_wrap=True, style="cyan")
    table.add_column()
    for name, text in rows:
        table.add_row(Text(name), Text(text))
    if table.row_count:
        yield Text(title, "bold")
        yield Padding(table, (0, 2, 1, 2))
