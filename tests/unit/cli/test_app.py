import errno
import json
import subprocess
import sys

import click
import pytest

from penstock._registry import Registry
from penstock.cli import app, main

HELP_LOADS = """
import json, sys
from penstock.cli import main
main(["--help"])
print(json.dumps(sorted(sys.modules)))
"""


def test_help_lists_every_command_with_its_summary(penstock) -> None:
    printed = penstock("--help")
    assert printed.code == 0
    for name in app.COMMANDS.names():
        assert f"\n  {name} " in printed.out
    assert "Run the tool calls of a model's reply" in printed.out


def test_help_loads_no_command() -> None:
    """Nor the engine: that is what keeps it quick."""
    run = subprocess.run([sys.executable, "-c", HELP_LOADS], capture_output=True, check=True)
    loaded = set(json.loads(run.stdout.splitlines()[-1]))
    assert "penstock.cli.app" in loaded
    assert not loaded & {"penstock.cli.commands.run", "penstock.engine", "pydantic", "aiohttp"}


def test_the_version_is_printed(penstock) -> None:
    assert penstock("--version").out.startswith("penstock 0.")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["rnu"], "no command named 'rnu'. Did you mean 'run'?"),
        (["--hlep"], "No such option"),
        (["run"], "Missing argument"),
        (["doctor", "surplus"], "unexpected extra argument"),
    ],
)
def test_misuse_is_one_line_and_where_help_is(penstock, arguments, says) -> None:
    printed = penstock(*arguments)
    assert printed.code == 2
    assert printed.out == ""
    assert says in printed.err
    assert "--help says how" in printed.err


@pytest.mark.parametrize(
    ("package", "extra"), [("click", "penstock[cli]"), ("rich", "penstock[cli]")]
)
def test_a_missing_package_is_named_with_its_extra(monkeypatch, capsys, package, extra) -> None:
    for name in [n for n in sys.modules if n.startswith("penstock.cli.")]:
        monkeypatch.delitem(sys.modules, name)
    for name in [n for n in sys.modules if n == package or n.startswith(f"{package}.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, package, None)
    assert main(["--help"]) == 2
    assert f"pip install '{extra}'" in capsys.readouterr().err


def raising(monkeypatch, error: BaseException) -> None:
    """Let the command `doctor` raise."""

    @click.command(name="doctor")
    def command() -> None:
        raise error

    monkeypatch.setattr(Registry, "get", lambda *_: command)


def test_an_interrupt_ends_as_a_shell_expects(penstock, monkeypatch) -> None:
    raising(monkeypatch, KeyboardInterrupt())
    printed = penstock("doctor")
    assert (printed.code, printed.err.strip()) == (130, "error: interrupted")


def test_a_reader_that_went_away_hears_no_complaint(penstock, monkeypatch, capsys) -> None:
    monkeypatch.setattr(sys, "stdout", sys.stdout)  # put back: click replaces it
    raising(monkeypatch, BrokenPipeError(errno.EPIPE, "Broken pipe"))
    with pytest.raises(SystemExit, match="1"):
        penstock("doctor")
    assert capsys.readouterr().err == ""


def test_a_bug_is_not_hidden(penstock, monkeypatch) -> None:
    raising(monkeypatch, ZeroDivisionError("a bug"))
    with pytest.raises(ZeroDivisionError):
        penstock("doctor")
