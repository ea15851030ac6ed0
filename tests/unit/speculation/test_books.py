"""What guesses cost and gave."""

from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given

from penstock.calls import Call, Outcome
from penstock.speculation.books import Books
from penstock.speculation.drift import LAUNCHES
from penstock.speculation.window import Launch


def launched(books: Books, tenant: str | None = None, price: int = 0) -> Launch:
    """Take up a launch whose end the books hear of."""
    made = Launch("look", 0.5, price, lambda launch: books.ended(launch, tenant), lambda: 1.0)
    books.launched(made, tenant)
    return made


def end(launch: Launch, how: str) -> None:
    """Bring a launch to an end."""
    launch.began()
    status: Any = {"failed": "failed", "cancelled": "cancelled"}.get(how, "ok")
    if how == "joined":
        launch.claimed()
    launch.ended(Outcome.make(Call("look"), status=status, started=1.0, ended=3.0))
    if how == "promoted":
        launch.claimed()
    elif how == "expired":
        launch.dropped("expired")


def test_each_launch_costs_one_and_a_promotion_gives_it_back() -> None:
    books = Books(0)
    one, other = launched(books, "a"), launched(books, "a")
    assert (books.waste_left("a"), books.waste_left("b")) == (3.0, 5.0)
    end(one, "promoted")
    end(other, "expired")
    assert books.waste_left("a") == 4.0
    books.called("a", 10)
    assert books.waste_left("a") == pytest.approx(7.0)


@pytest.mark.parametrize(
    ("how", "left", "wasted"),
    [("promoted", 100, 0), ("joined", 100, 0), ("expired", 70, 30), ("failed", 70, 30)],
)
def test_a_price_is_spent_unless_somebody_asked(how: str, left: int, wasted: int) -> None:
    books = Books(100)
    end(launched(books, price=30), how)
    assert (books.money_left, books.statistics("live").wasted_microusd) == (left, wasted)


def test_what_never_ran_costs_no_money() -> None:
    books = Books(100)
    launched(books, price=30).refused()
    assert (books.money_left, books.statistics("live").wasted_microusd) == (100, 0)


def test_a_tool_whose_guesses_come_true_too_rarely_is_off() -> None:
    books = Books(0)
    for _ in range(LAUNCHES):
        assert not books.is_off("look")
        books.shadow("look", 0.9, hit=False)
    assert books.is_off("look")
    assert books.statistics("live").tools_off == ("look",)


def test_predicting_is_counted() -> None:
    books = Books(0)
    books.decided(0.25, control=True)
    books.decided(0.5, control=False)
    counts = books.statistics("shadow")
    assert (counts.mode, counts.decisions, counts.control) == ("shadow", 2, 1)
    assert counts.prediction_seconds == 0.75


@given(st.lists(st.sampled_from(["promoted", "joined", "expired", "failed", "cancelled", "call"])))
def test_ends_add_up_and_waste_is_bounded(story: list[str]) -> None:
    books, calls = Books(0), 0
    for step in story:
        if step == "call":
            books.called(None, 1)
            calls += 1
        elif books.waste_left(None) >= 1.0:
            end(launched(books), step)
    counts = books.statistics("live")
    wrong = counts.expired + counts.failed + counts.cancelled
    assert counts.launched == counts.promoted + wrong
    assert wrong <= 5 + 0.3 * calls + 1e-9
    assert counts.saved_seconds == pytest.approx(2.0 * (counts.promoted - counts.joined))
    assert counts.wasted_seconds == pytest.approx(2.0 * wrong)
