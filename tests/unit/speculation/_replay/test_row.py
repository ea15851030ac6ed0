from types import SimpleNamespace

import pytest

from penstock.speculation._replay.play import Played
from penstock.speculation._replay.row import Guessing, Launching, row_of
from penstock.speculation._replay.timeline import timeline_of
from unit.speculation.conftest import EFFECTS, call, session


def decision(*keys: tuple[bytes, float], tool: str = "find") -> SimpleNamespace:
    candidates = tuple(SimpleNamespace(key=key, p=p, late_p=0.0) for key, p in keys)
    return SimpleNamespace(candidates=candidates, tools=[(tool, 1.0)], end_p=0.0)


STORY = timeline_of(
    session(1, call("find", 0, 0, id="x"), call("find", 0, 1, id="x"), call("find", 0, 2, id="y")),
    EFFECTS,
)
X, Y = STORY.points[0].calls[0].key, STORY.points[2].calls[0].key


def added() -> Guessing:
    guessing = Guessing()
    right, second, absent = decision((X, 0.9)), decision((Y, 0.5), (X, 0.4)), decision()
    guessing.add(STORY, [[right], [second], [absent], [decision((Y, 0.1))]])
    return guessing


def test_reads_are_counted_by_the_place_of_their_key() -> None:
    guessing = added()
    assert (guessing.reads, guessing.first, guessing.among_three) == (3, 1, 2)
    assert (guessing.steps_with_read, guessing.tools_right, guessing.repeats) == (3, 3, 1)


def test_later_calls_of_a_step_are_looked_for_among_what_is_known_by_then() -> None:
    both = timeline_of(session(1, call("find", 0, 0, id="x"), call("find", 0, 0, id="y")), EFFECTS)
    x = decision((X, 0.9))
    for made, first in (([x], 1), ([x, decision((Y, 0.5))], 2)):
        guessing = Guessing()
        guessing.add(both, [made, [decision()]])
        assert (guessing.reads, guessing.first) == (2, first)
        assert sum(count for count, _, _ in guessing.bins) == 1


def test_calibration_is_measured_at_points_without_calls_too() -> None:
    guessing = added()
    assert sum(count for count, _, _ in guessing.bins) == 4
    assert guessing.brier() == pytest.approx((0.01 + 0.25 + 0.36 + 0.01) / 4)
    assert guessing.ece() == pytest.approx((0.1 + 0.5 + 0.6 + 0.1) / 4)


def test_bins_say_how_many_what_was_said_and_what_came_true() -> None:
    bins = added().frequencies()
    assert len(bins) == 10
    assert bins[4] == (1, 0.4, 1.0)  # X, second, came
    assert bins[9] == (1, 0.9, 1.0)
    assert bins[5] == (1, 0.5, 0.0)
    assert bins[0] == (0, 0.0, 0.0)


def test_a_row_divides_what_was_added_up() -> None:
    launching = Launching()
    launching.add(Played(reads=4, window_hits=2, launches=3, stalls={0.25: (1.0, 4.0, 6.0)}))
    record = row_of("shop", "gated", added(), launching, {"online": "off"}).as_record()
    assert (record["row"], record["small"], record["stall_sessions"]) == ("shop/gated", True, 1)
    assert (record["window_hit"], record["wasted_per_read"]) == (0.5, 0.25)
    assert record["stall_hidden"] == {"0.25": 0.75}
    assert record["e2e_saved"] == {"0.25": 0.3}


def test_nothing_is_a_row_of_zeros() -> None:
    record = row_of("shop", "gated", Guessing(), Launching(), {}).as_record()
    assert (record["exact_at_1"], record["ece"], record["prediction_us"]) == (0, 0, 0)
