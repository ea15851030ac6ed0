"""Events."""

import pytest

from penstock.calls import Call
from penstock.events import Event
from penstock.testing import outcome


def test_an_event_without_an_outcome_has_no_status() -> None:
    assert Event(1, "call.started", 0.0, "a", 0).status is None


def test_the_status_is_that_of_the_outcome() -> None:
    ended = outcome(Call("web"), error=ValueError())
    assert Event(2, "call.ended", 0.0, "a", 0, outcome=ended).status == "failed"


def test_facts_about_the_batch_name_no_call() -> None:
    event = Event(3, "batch.ended", 0.0)
    assert (event.call, event.index, event.branch, event.data) == (None, None, None, None)


def test_events_are_frozen() -> None:
    with pytest.raises(AttributeError):
        Event(1, "call.started", 0.0).seq = 2  # type: ignore[misc]
