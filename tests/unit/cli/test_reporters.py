import io
import json

import pytest
from rich.console import Console

from penstock import formats
from penstock.calls import Call, Outcome
from penstock.cli.reporters import JsonLines, Lines, LiveTable, Messages, Reporter
from penstock.events import Event
from penstock.testing import outcome


def outcomes(count: int = 2) -> list[Outcome]:
    calls = [Call("fetch", id=f"c{at}") for at in range(count)]
    bad = ValueError("it broke")
    return [
        outcome(call, **({"error": bad} if at == 1 else {"value": at}), index=at)
        for at, call in enumerate(calls)
    ]


def report(reporter: Reporter, made: list[Outcome], said: str = "") -> None:
    reporter.begin([o.call for o in made], said)
    for seq, o in enumerate(reversed(made), 1):
        reporter.take(Event(seq, "call.ended", 1.0, o.id, o.index, outcome=o))
    reporter.close()
    reporter.end(made, 0.5)


def console(terminal: bool) -> Console:
    return Console(file=io.StringIO(), width=100, force_terminal=terminal, no_color=True)


def test_json_lines_come_as_calls_end() -> None:
    out = io.StringIO()
    report(JsonLines(out), outcomes())
    assert [json.loads(line)["id"] for line in out.getvalue().splitlines()] == ["c1", "c0"]


def test_messages_come_in_the_order_of_the_calls() -> None:
    out = io.StringIO()
    report(Messages(out, formats.get("openai_chat")), outcomes())
    assert [message["tool_call_id"] for message in json.loads(out.getvalue())] == ["c0", "c1"]


@pytest.mark.parametrize("terminal", [False, True])
def test_people_read_what_was_said_each_call_and_a_sum(terminal: bool) -> None:
    screen = console(terminal)
    report((LiveTable if terminal else Lines)(screen), outcomes(), said="I will look.")
    text = screen.file.getvalue().replace("\N{NO-BREAK SPACE}", " ")
    for part in ("I will look.", "c0", "it broke", "2 calls in 500 ms", "1 ok", "1 failed"):
        assert part in text


def test_a_reply_without_calls_is_said() -> None:
    screen = console(terminal=True)
    report(LiveTable(screen), [])
    assert "asks for no tools" in screen.file.getvalue()


def test_of_very_many_calls_those_that_failed_are_shown() -> None:
    screen = console(terminal=False)
    LiveTable(screen).end(outcomes(1_000), 1.0)
    text = screen.file.getvalue()
    assert "c1 " in text
    assert "c2 " not in text
    assert "999 calls are not shown" in text
