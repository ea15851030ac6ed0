"""Show tools: their options, their parameters, or how a provider's API is told of them."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import click
from rich.padding import Padding
from rich.syntax import Syntax
from rich.table import Table
from rich.text import Text

import penstock.formats as formats
from penstock._codec import encode_text
from penstock.cli.help import Argument, Command
from penstock.cli.loading import TOOLS_HELP, load_tools
from penstock.cli.screen import indented_json, print_json, screen, visible
from penstock.tools import Tool, Toolset

AnyTool = Tool[..., Any]


@click.command(
    cls=Command,
    name="tools",
    epilog="penstock tools my_tools\npenstock tools my_tools:search --format anthropic",
)
@click.argument(
    "places", cls=Argument, metavar="PLACE...", nargs=-1, required=True, help=TOOLS_HELP
)
@click.option(
    "--format",
    "wire",
    type=click.Choice(formats.names()),
    metavar="NAME",
    help=f"What belongs in a request to that provider: {', '.join(formats.names())}.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON line a tool.")
def tools(places: Sequence[str], wire: str | None, as_json: bool) -> None:
    """Show tools: their options and parameters, or their description in a provider's format.

    The exit code is 2 if a place has none.
    """
    toolset = load_tools(places)
    described = formats.get(wire).describe(toolset) if wire else None
    if as_json:
        for record in described if described is not None else map(_record, toolset):
            print_json(record)
    elif described is not None:
        _print_request(described)
    else:
        _print_tools(toolset)


def _record(tool: AnyTool) -> dict[str, object]:
    return {
        "name": tool.name,
        "description": tool.description,
        "effects": tool.effects,
        "host": tool.host,
        "service": tool.service,
        "timeout": tool.timeout,
        "priority": tool.priority,
        "concurrency": tool.concurrency,
        "tags": sorted(tool.tags),
        "schema": tool.schema,
    }


def _print_request(described: Sequence[Mapping[str, object]]) -> None:
    console, text = screen(), indented_json(described)
    if console.is_terminal:
        console.print(Syntax(text, "json", background_color="default", word_wrap=True))
    else:
        click.echo(text)


def _print_tools(toolset: Toolset) -> None:
    console = screen()
    for tool in toolset:
        console.print(
            Text.assemble((visible(tool.name), "bold cyan"), "  ", (_options(tool), "dim"))
        )
        if tool.description:
            console.print(Padding(Text(visible(tool.description)), (0, 2), expand=False))
        table = Table.grid(padding=(0, 2))
        for row in _parameters(tool):
            table.add_row(" ", *row)
        if table.row_count:
            console.print(table)
        console.print()
    console.print(Text(f"{len(toolset)} {'tool' if len(toolset) == 1 else 'tools'}", "dim"))


def _options(tool: AnyTool) -> str:
    """What differs from tool to tool; an option that says nothing is left out."""
    values = {
        "": tool.effects,
        "runs in a": {"thread": "thread", "task": "task of its own"}.get(tool.host),
        "runs": "on the event loop" if tool.host == "inline" else None,
        "service": tool.service,
        "timeout": f"{tool.timeout:g} s" if tool.timeout else None,
        "at once": tool.concurrency,
        "priority": tool.priority if tool.priority != 4 else None,
        "tags": ", ".join(sorted(tool.tags)),
    }
    return " · ".join(f"{name} {value}".strip() for name, value in values.items() if value)


def _parameters(tool: AnyTool) -> Iterator[tuple[Text, Text, Text]]:
    required = tool.schema.get("required", ())
    for name, schema in tool.schema.get("properties", {}).items():
        default = f" = {encode_text(schema['default'])}" if "default" in schema else ""
        style = "bold" if name in required else ""
        kind = Text(visible(_kind(schema, tool.schema) + default, 60), "green")
        yield Text(visible(name), style), kind, Text(visible(schema.get("description", "")), "dim")


def _kind(schema: Mapping[str, Any], root: Mapping[str, Any]) -> str:
    """A JSON Schema in a few words: `integer`, `string[]`, `'a' | 'b'`, `Pet | null`."""
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    if "enum" in schema:
        return " | ".join(map(repr, schema["enum"]))
    if "const" in schema:
        return repr(schema["const"])
    for choice in ("anyOf", "oneOf"):
        if choice in schema:
            return " | ".join(_kind(inner, root) for inner in schema[choice])
    if schema.get("type") == "array":
        return f"{_kind(schema.get('items', {}), root)}[]"
    return str(schema.get("type", "any"))


COMMAND = tools
