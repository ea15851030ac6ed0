"""What `penstock run --follow` prints."""

import io
import json

from rich.console import Console

from penstock.calls import Call
from penstock.cli.follow import EventJson, EventLines
from penstock.events import Event
from penstock.testing import outcome

ENDED = outcome(Call("web", id="a"), value="done")
EVENTS = [
    Event(1, "batch.started", 10.0, data={"calls": 1}),
    Event(2, "call.progress", 10.5, "a", 0, data={"done": 1}, tool="web"),
    Event(3, "call.output", 10.6, "a", 0, data={"text": "some\x1b[31m text"}, tool="web"),
    Event(4, "call.ended", 11.0, "a", 0, outcome=ENDED, tool="web"),
]


def test_a_line_an_event_with_the_seconds_since_the_first() -> None:
    out = io.StringIO()
    lines = EventLines(Console(file=out, width=200, no_color=True))
    lines.begin([], "")
    for event in EVENTS:
        lines.take(event)
    lines.close()
    lines.end([ENDED], 1.0)
    first, second, third, last = out.getvalue().splitlines()
    assert first.split() == ["0.000s", "batch.started", "calls=1"]
    assert second.split() == ["0.500s", "call.progress", "a", "web", "done=1"]
    assert "some" in third
    assert "\x1b" not in third
    assert "web" in last


def test_json_is_what_a_watcher_elsewhere_would_get() -> None:
    out = io.StringIO()
    printed = EventJson(out)
    printed.begin([], "")
    for event in EVENTS:
        printed.take(event)
    printed.close()
    printed.end([ENDED], 1.0)
    records = [json.loads(line) for line in out.getvalue().splitlines()]
    assert [record["seq"] for record in records] == [1, 2, 3, 4]
    assert records[-1]["data"]["value"] == "done"
