"""The life of one guess, state by state, and how many there may be."""

from typing import Any

import pytest

from penstock.calls import Call, Outcome
from penstock.errors import CallCancelled, RateLimited
from penstock.speculation.window import KEPT, UNFINISHED, Launch, State, Window


class Clock:
    """Seconds, as told."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def launch(ended: list[Launch] | None = None, clock: Clock | None = None) -> Launch:
    told: list[Launch] = [] if ended is None else ended
    return Launch("look", 0.5, 0, told.append, clock or Clock())


def outcome(status: Any = "ok", seconds: float = 2.0) -> Outcome:
    error = CallCancelled("look", "caller") if status != "ok" else None
    return Outcome.make(Call("look"), status=status, error=error, started=1.0, ended=1.0 + seconds)


def running() -> Launch:
    made = launch()
    made.began()
    return made


def done() -> Launch:
    made = running()
    made.ended(outcome())
    return made


def test_it_is_promoted_when_somebody_asks_after_its_end() -> None:
    made = done()
    made.claimed()
    assert made.states == [
        State.PREDICTED,
        State.QUEUED,
        State.RUNNING,
        State.DONE,
        State.PROMOTED,
    ]
    assert made.saved == 2.0


def test_it_is_promoted_at_its_end_when_somebody_joined() -> None:
    clock = Clock()
    made = launch(clock=clock)
    made.began()
    clock.now = 0.5
    made.claimed()
    assert made.state is State.RUNNING
    made.ended(outcome())
    assert (made.state, made.saved, made.was_asked) == (State.PROMOTED, 0.5, True)


def test_it_holds_a_place_until_it_is_over_or_somebody_asks() -> None:
    assert [made.holds_place for made in (launch(), running(), done())] == [True, True, False]
    made = running()
    made.claimed()
    assert not made.holds_place
    made = running()
    made.dropped("changed")
    assert not made.holds_place


def test_only_a_call_that_needs_the_place_preempts() -> None:
    for reason, preempted in (("preempted", True), ("caller: preempted", False)):
        made = running()
        error = CallCancelled("look", reason)
        made.ended(Outcome.make(Call("look"), status="cancelled", error=error))
        assert (made.state, made.preempted) == (State.CANCELLED, preempted)


def test_it_is_known_whether_a_service_refused() -> None:
    for error, refused in ((RateLimited(2.0), True), (ConnectionError(), False)):
        made = running()
        made.ended(Outcome.make(Call("look"), status="failed", error=error))
        assert (made.state, made.was_refused) == (State.FAILED, refused)


def test_an_error_is_failed_even_when_somebody_joined() -> None:
    made = running()
    made.claimed()
    made.ended(outcome("failed"))
    assert made.state is State.FAILED


@pytest.mark.parametrize("status", ["cancelled", "rejected"])
def test_what_was_refused_or_stopped_is_cancelled(status: str) -> None:
    made = running()
    made.ended(outcome(status))
    assert made.state is State.CANCELLED


@pytest.mark.parametrize(
    ("why", "end"),
    [
        ("changed", State.INVALIDATED),
        ("expired", State.EXPIRED),
        ("closed", State.EXPIRED),
        ("overtaken", State.CANCELLED),
        ("crowded", State.CANCELLED),
    ],
)
@pytest.mark.parametrize("make", [launch, running, done])
def test_what_is_dropped_says_why(make: Any, why: str, end: State) -> None:
    made = make()
    made.dropped(why)
    assert made.state is end


def test_nothing_follows_an_end_and_it_is_told_once() -> None:
    ended: list[Launch] = []
    made = launch(ended)
    made.began()
    made.dropped("changed")
    made.ended(outcome())
    made.claimed()
    made.dropped("closed")
    made.refused()
    assert made.state is State.INVALIDATED
    assert ended == [made]


def test_what_the_engine_does_not_take_is_cancelled() -> None:
    made = launch()
    made.refused()
    assert made.state is State.CANCELLED


def test_eight_are_unfinished_at_most() -> None:
    window = Window()
    for _ in range(UNFINISHED - 1):
        window.add(running())
    assert not window.is_full
    window.add(launch())
    assert window.is_full


def test_sixty_four_are_kept_at_most() -> None:
    window = Window()
    for _ in range(KEPT - 1):
        window.add(done())
    assert (window.is_full, window.unfinished) == (False, 0)
    window.add(done())
    assert window.is_full
    window.remove(window.launches[0])
    assert not window.is_full
