import click
from click.testing import CliRunner

from penstock.cli.help import Argument, Command


@click.command(cls=Command, name="paint", epilog="penstock paint wall.png")
@click.argument("wall", cls=Argument, help="What to paint.")
@click.option("--mode", type=click.Choice(["wet", "dry"]), help="How.")
@click.option("--secret", hidden=True)
def paint(wall: str, mode: str | None, secret: str | None) -> None:
    """Paint a wall.

    The paint is
    not included.
    """


def page() -> str:
    return CliRunner().invoke(paint, ["--help"], prog_name="penstock paint").output


def test_the_page_says_usage_what_and_examples() -> None:
    lines = page().splitlines()
    assert lines[0].startswith("Usage: penstock paint")
    assert "  Paint a wall." in lines
    assert "  penstock paint wall.png" in lines


def test_a_paragraph_is_set_anew() -> None:
    assert "  The paint is not included." in page().splitlines()


def test_arguments_have_a_section_of_their_own() -> None:
    before, _, after = page().partition("Options")
    assert "What to paint." in before
    assert "WALL" not in after


def test_choices_are_shown_and_not_taken_for_markup() -> None:
    assert "[wet|dry]" in page()


def test_a_hidden_option_stays_hidden() -> None:
    assert "--secret" not in page()


def test_no_line_ends_in_blanks() -> None:
    assert all(line == line.rstrip() for line in page().splitlines())
