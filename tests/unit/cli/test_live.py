import io

from rich.console import Console

from penstock.calls import Call, Outcome
from penstock.cli.live import LiveBatch
from penstock.events import Event
from penstock.testing import outcome


def live_batch(count: int, height: int = 24) -> tuple[LiveBatch, Console]:
    console = Console(
        file=io.StringIO(), width=80, height=height, force_terminal=True, no_color=True
    )
    return LiveBatch(console, [Call("fetch", id=f"c{at}") for at in range(count)]), console


def shown(live: LiveBatch, console: Console) -> str:
    with console.capture() as captured:
        console.print(live.renderable())
    return captured.get()


def ended(at: int) -> Event:
    made: Outcome = outcome(Call("fetch", id=f"c{at}"), value=at, index=at)
    return Event(at + 1, "call.ended", 2.0, f"c{at}", at, outcome=made)


def test_each_call_is_shown_in_its_state() -> None:
    live, console = live_batch(3)
    live.take(Event(1, "call.started", 1.0, "c0", 0))
    live.take(ended(1))
    text = shown(live, console)
    assert [word in text for word in ("running", "ok", "waiting")] == [True] * 3
    assert "1 of 3 ended, 1 running, 1 waiting" in text


def test_the_end_of_the_batch_is_no_call() -> None:
    live, console = live_batch(1)
    live.take(Event(1, "batch.ended", 1.0))
    assert "0 of 1 ended" in shown(live, console)


def test_a_big_batch_keeps_to_the_screen_and_shows_what_moves() -> None:
    live, console = live_batch(1_000, height=20)
    for at in range(990):
        live.take(Event(at + 1, "call.started", 1.0, f"c{at}", at))
        if at != 500:
            live.take(ended(at))
    text = shown(live, console)
    assert len(text.splitlines()) <= 20
    assert "c500" in text
    assert "c989" in text
    assert "989 of 1000 ended, 1 running, 10 waiting" in text


def test_it_leaves_the_screen_when_it_is_stopped() -> None:
    live, console = live_batch(1)
    live.start()
    live.stop()
    assert "\x1b[?25h" in console.file.getvalue()  # the cursor is back
