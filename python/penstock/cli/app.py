"""The program: finds commands, runs one, and turns errors into a line and an exit code."""

import ast
from collections.abc import Sequence
from importlib.util import find_spec

import click
from rich.text import Text

from penstock._registry import Registry
from penstock.cli.help import Group
from penstock.cli.screen import screen, visible
from penstock.errors import PenstockError, UnknownPlugin

COMMANDS: Registry[click.Command] = Registry(
    "command", "penstock.cli.commands", "COMMAND", click.Command
)
"""Every file of `commands/` and every entry point `penstock.command`."""

MISUSE = 2
INTERRUPTED = 130
"""What a shell reports for a program that Ctrl-C has ended: 128 and the number of SIGINT."""


class Commands(Group):
    """The commands of the registry, each imported when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names, sorted."""
        return list(COMMANDS.names())

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command; None if there is no such one."""
        try:
            return COMMANDS.get(cmd_name)
        except UnknownPlugin as fault:
            if ctx.resilient_parsing:  # a shell completes a word: no time for complaints
                return None
            raise click.UsageError(str(fault), ctx) from None

    def summaries(self, ctx: click.Context) -> list[tuple[str, str]]:
        """Return each command with the first line of its file's docstring; imports none."""
        return [(source.name, _summary(source.origin)) for source in COMMANDS.sources()]


def _summary(origin: str) -> str:
    if " " in origin:  # an entry point: its module may lie anywhere, and cost anything
        return origin
    spec = find_spec(origin)
    source = getattr(spec.loader, "get_source", None) if spec else None
    text = ast.get_docstring(ast.parse(source(origin) or "")) if source else None
    return (text or "").partition("\n")[0]


@click.command(
    cls=Commands,
    name="penstock",
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="penstock demo\npenstock run reply.json --tools my_tools",
)
@click.version_option(package_name="penstock", message="penstock %(version)s")
def program() -> None:
    """Runs the tool calls of LLM agents in parallel.

    A model's reply goes in, in any of the providers' formats; one outcome a call comes out.
    """


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return the exit code."""
    try:
        code = program.main(args=arguments, prog_name="penstock", standalone_mode=False)
    except click.UsageError as error:
        return _complain(error.format_message(), _where_help_is(error.ctx))
    except click.ClickException as error:
        return _complain(error.format_message())
    except PenstockError as error:
        return _complain(str(error))
    except (KeyboardInterrupt, click.Abort):
        return _complain("interrupted", code=INTERRUPTED)
    return code if isinstance(code, int) else 0


def _complain(message: str, hint: str = "", *, code: int = MISUSE) -> int:
    errors = screen(stderr=True)
    errors.print(Text.assemble(("error: ", "bold red"), visible(message, lines=True)))
    if hint:
        errors.print(Text(hint, "dim"))
    return code


def _where_help_is(context: click.Context | None) -> str:
    return f"{context.command_path} --help says how" if context else ""
