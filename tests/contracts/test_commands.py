"""What every command promises. A new file in `penstock/cli/commands/` is tested at once."""

import shlex

import click
import pytest

from penstock.cli import main
from penstock.cli.app import COMMANDS, program
from penstock.cli.help import Command

each_command = pytest.mark.parametrize("name", COMMANDS.names())


def context(name: str) -> click.Context:
    return click.Context(COMMANDS.get(name), info_name=name, parent=parent())


def parent() -> click.Context:
    """The program's own context: commands inherit its settings."""
    return program.make_context("penstock", ["doctor"], resilient_parsing=True)


@each_command
def test_it_is_called_like_its_file(name: str) -> None:
    assert COMMANDS.get(name).name == name


@each_command
@pytest.mark.parametrize("option", ["--help", "-h"])
def test_help_says_how_it_is_used(name: str, option: str, capsys) -> None:
    assert main([name, option]) == 0
    page = capsys.readouterr().out
    assert page.startswith(f"Usage: penstock {name}")
    assert "Examples" in page
    assert "exit code" in page


@each_command
def test_every_parameter_is_explained(name: str) -> None:
    found = context(name)
    for parameter in found.command.get_params(found):
        text = getattr(parameter, "help_text", None) or getattr(parameter, "help", None)
        assert text, f"{parameter.name} has no help"
        assert text.endswith((".", ")")), f"{parameter.name}: {text!r} is no sentence"


@each_command
def test_it_can_speak_json(name: str) -> None:
    options = [option for parameter in COMMANDS.get(name).params for option in parameter.opts]
    assert "--json" in options


@each_command
def test_its_examples_can_be_parsed(name: str, tmp_path, monkeypatch) -> None:
    """Up to what they would do; their files exist."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "reply.json").write_text("{}")
    command = COMMANDS.get(name)
    assert command.epilog
    for line in command.epilog.splitlines():
        words = shlex.split(line.partition("<")[0].partition(">")[0])
        called = ["penstock", *name.split("_")]  # as one types it
        assert words[: len(called)] == called
        with command.make_context(name, words[len(called) :], parent=parent()):
            pass


@each_command
def test_an_unknown_option_is_exit_code_2(name: str, capsys) -> None:
    assert main([name, "--no-such-option"]) == 2
    assert f"penstock {name} --help says how" in capsys.readouterr().err


@each_command
def test_its_page_is_set_by_the_house(name: str) -> None:
    assert isinstance(COMMANDS.get(name), Command)
