import pytest

from penstock._native import WasteBudget, canonical
from penstock.speculation._replay.chain import Guess
from penstock.speculation._replay.play import Played, play
from penstock.speculation._replay.timeline import timeline_of
from unit.speculation.conftest import EFFECTS, call, looked_up, session


def guess(tool: str, arguments: bytes, p: float = 0.9) -> Guess:
    made = canonical(tool, arguments)
    assert made is not None
    return Guess(made[1], p)


def played(mode, story, guesses, latency=1.0) -> Played:
    timeline = timeline_of(story, EFFECTS)
    padded = [*guesses, *[[]] * (len(timeline.points) - len(guesses))]
    return play(mode, timeline, padded, WasteBudget(), [latency])


FIND = guess("find", b'{"id":"A-1"}')
FETCH = guess("fetch", b'{"part":"P1x"}')


def test_a_launch_that_is_ready_in_time_hides_the_whole_wait() -> None:
    result = played("top3", looked_up(1), [[FIND]])
    assert (result.reads, result.window_hits, result.launches) == (3, 1, 1)
    assert result.stalls[1.0] == pytest.approx((2.0, 3.0, 6.0))


def test_a_slow_tool_hides_what_the_model_took() -> None:
    result = played("top3", looked_up(1), [[FIND]], latency=3.0)
    assert result.stalls[3.0][0] == pytest.approx(1.0 + 3.0 + 3.0)


def test_a_launch_may_be_claimed_by_a_later_step() -> None:
    assert played("top3", looked_up(1), [[FETCH]]).window_hits == 1


def test_a_launch_is_claimed_once() -> None:
    twice = session(1, call("find", 0, 0, id="A-1"), call("find", 0, 1, id="A-1"))
    assert played("top3", twice, [[FIND]]).window_hits == 1
    assert played("engine", twice, [[FIND]]).cache_hits == 1


def test_a_write_empties_window_and_cache() -> None:
    story = session(
        1,
        call("find", 0, 0, id="A-1"),
        call("change", 0, 1),
        call("find", 0, 2, id="A-1"),
        call("fetch", 0, 3, part="P1x"),
    )
    result = played("engine", story, [[FETCH]])
    assert (result.cache_hits, result.window_hits) == (0, 0)


def test_what_only_thinks_empties_neither() -> None:
    story = session(1, call("think", 0, 0), call("find", 0, 1, id="A-1"))
    assert played("gated", story, [[FIND]]).window_hits == 1


def test_the_gate_refuses_what_is_unlikely_and_top3_does_not() -> None:
    unlikely = guess("find", b'{"id":"A-1"}', 0.05)
    assert played("gated", looked_up(1), [[unlikely]]).launches == 0
    assert played("top3", looked_up(1), [[unlikely]]).launches == 1


def test_the_waste_budget_bounds_what_is_lost() -> None:
    wrong = [guess("find", b'{"id":"%d"}' % number) for number in range(20)]
    assert played("gated", looked_up(1), [wrong]).launches == 5


def test_the_oracle_launches_each_read() -> None:
    result = played("oracle", looked_up(1), [])
    assert (result.launches, result.window_hits) == (3, 3)
    assert result.stalls[1.0][0] == 0


def test_the_slowest_call_of_a_step_is_its_wait() -> None:
    both = session(1, call("find", 0, 0, id="A-1"), call("change", 0, 0))
    assert played("top3", both, [[FIND]]).stalls[1.0][0] == pytest.approx(1.0)


def test_what_is_barred_runs_where_nobody_gates_only() -> None:
    barred = Guess(FIND.key, 0.9, barred=True)
    assert played("gated", looked_up(1), [[barred]]).launches == 0
    assert played("engine", looked_up(1), [[barred]]).launches == 0
    assert played("top3", looked_up(1), [[barred]]).launches == 1
