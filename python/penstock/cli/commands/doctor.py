"""Check the installation: versions, the native build, the event loop, plug-ins, extras."""

from collections.abc import Iterator, Sequence
from itertools import groupby

import click
from rich.table import Table
from rich.text import Text

from penstock.cli import checks
from penstock.cli.checks import Finding
from penstock.cli.help import Command
from penstock.cli.screen import print_json, screen, visible

_MARKS = {
    "broken": Text("broken", "bold red"),
    "note": Text("note", "yellow"),
    "fine": Text("fine", "green"),
}
"""By how bad it is, worst first."""


@click.command(cls=Command, name="doctor", epilog="penstock doctor\npenstock doctor --json")
@click.option("--json", "as_json", is_flag=True, help="One JSON line a finding.")
def doctor(as_json: bool) -> int:
    """Check the installation, problems first. The exit code is 1 if something is broken."""
    order = list(_MARKS)
    findings = sorted(checks.all_findings(), key=lambda finding: order.index(finding.state))
    if as_json:
        for finding in findings:
            print_json(finding)
    else:
        _print(findings)
    return 1 if any(finding.state == "broken" for finding in findings) else 0


def _print(findings: Sequence[Finding]) -> None:
    console = screen()
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=False)
    for finding in findings:
        if finding.state != "fine":
            table.add_row(_MARKS[finding.state], finding.area, finding.name, _says(finding))
    fine = [finding for finding in findings if finding.state == "fine"]
    for area, group in groupby(fine, lambda finding: finding.area):
        for title, name, says in _rows(area, list(group)):
            table.add_row(_MARKS["fine"], title, name, says)
    console.print(table)
    broken = sum(finding.state == "broken" for finding in findings)
    verdict = f"{broken} broken" if broken else "Everything that is installed works."
    console.print(Text(f"\n{verdict}", "bold red" if broken else "bold green"))


def _rows(area: str, findings: Sequence[Finding]) -> Iterator[tuple[str, str, Text]]:
    """The rows of one area; plug-ins that Penstock itself brings share one."""
    own = [finding for finding in findings if finding.says.startswith("penstock.")]
    if own:
        yield area, f"{len(own)}", Text(", ".join(finding.name for finding in own))
    for finding in findings:
        if finding not in own:
            first = finding is findings[0]
            yield area if first else "", visible(finding.name), _says(finding)


def _says(finding: Finding) -> Text:
    text = Text(visible(finding.says))
    return text.append(f"  {visible(finding.helps)}", "cyan") if finding.helps else text


COMMAND = doctor
