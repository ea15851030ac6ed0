import io

import pytest
from rich.console import Console

from penstock.cli.demo.limits import BudgetReport, RateReport
from penstock.cli.demo.play import Played
from penstock.cli.demo.show import Show, held, told
from penstock.cli.demo.story import Pair, Performance, World
from penstock.cli.demo.turns import TURNS, Turn
from penstock.testing import outcome


def console(*, terminal: bool = False, width: int = 160) -> Console:
    return Console(file=io.StringIO(), width=width, force_terminal=terminal, no_color=True)


def played(turn: Turn, seconds: float, **how: object) -> Played:
    outcomes = [outcome(call, **(how or {"value": 1})) for call in turn.calls()]
    return Played(turn, outcomes, 0.0, seconds, {})


def play_all(show: Show) -> None:
    show.opened(World("this repository", 3, 40))
    for in_turn, seconds in ((False, 1.0), (True, 5.0)):
        for turn in TURNS:
            run = played(turn, seconds)
            show.began(turn, len(run.outcomes), in_turn=in_turn)
            for ended in run.outcomes:
                show.ended(ended)
            show.finished(run, in_turn=in_turn)
    show.close()


def shown(show: Show, screen: Console) -> str:
    with screen.capture() as captured:
        screen.print(show.table())
    return captured.get()


@pytest.mark.parametrize("width", [80, 120, 160])
def test_the_table_keeps_to_the_screen_and_tells_all(width: int) -> None:
    screen = console(width=width)
    show = Show(screen, quiet=True)
    play_all(show)
    text = shown(show, screen)
    assert max(map(len, text.splitlines())) <= width
    for turn in TURNS:
        assert turn.name.replace("_", " ") in text
    assert text.count("5.0x") == len(TURNS) + 1
    assert "35.00 s" in text


def test_a_turn_that_runs_has_a_bar() -> None:
    screen = console()
    show = Show(screen, quiet=True)
    show.began(TURNS[0], 52, in_turn=False)
    show.ended(outcome(TURNS[0].calls()[0], value=1))
    assert " 1/52" in shown(show, screen)


def test_a_pipe_gets_a_line_for_each_run() -> None:
    screen = console()
    play_all(Show(screen))
    lines = screen.file.getvalue().splitlines()
    assert len([line for line in lines if line.startswith(("parallel", "one by one"))]) == 2 * len(
        TURNS
    )


def test_quiet_is_silent() -> None:
    screen = console()
    play_all(Show(screen, quiet=True))
    assert screen.file.getvalue() == ""


def test_a_terminal_keeps_the_last_table() -> None:
    screen = console(terminal=True)
    play_all(Show(screen))
    assert "together" in screen.file.getvalue()


def test_each_kind_of_error_is_told_once() -> None:
    run = played(TURNS[0], 1.0, error=ValueError("two\nlines"))
    screen = console()
    screen.print(told([Pair(run, run)]))
    assert screen.file.getvalue().split() == ["failed", "list_files", "ValueError:", "two", "lines"]


@pytest.mark.parametrize("width", [80, 120])
def test_what_the_limits_did_is_said_in_words(width: int) -> None:
    spent = BudgetReport(50_000, 47_500, paid=24, refused=6, warned_at=(0.8,))
    screen = console(width=width)
    screen.print(held(Performance([], RateReport(54, 34, 0.34), spent, spent)))
    said = " ".join(screen.file.getvalue().split())
    assert "100 calls a second, 20 at once" in said
    for words in ("34 of 54", "$0.05 a run", "$0.0475", "warned at 80%", "6 calls refused"):
        assert words in said
