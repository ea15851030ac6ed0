"""Many sessions at once: what is counted, and that guesses change no call but its time."""

from typing import Any

import pytest

from penstock.limits import Limit
from penstock.speculation import SERVICE, Crowd, Crowded, TraceSession, play_crowd
from unit.speculation.conftest import EFFECTS, call, looked_up, session

SESSIONS = [looked_up(number) for number in range(12)]


async def crowded(sessions: list[TraceSession] = SESSIONS, **options: Any) -> Crowded:
    crowd = Crowd(**{"at_once": 4, "counted": 40, "median": 0.5} | options)
    return await play_crowd(sessions, EFFECTS, crowd)


async def test_the_sessions_that_count_are_neither_first_nor_last() -> None:
    seen = await crowded(speculation="off")
    assert len(seen.calls) == seen.ran == seen.needed == 3 * 40
    assert seen.waits == pytest.approx(sum(seen.calls))  # one call a step
    assert (seen.promoted, seen.wasted) == (0, 0.0)


async def test_it_is_known_what_the_calls_use_while_the_crowd_is_complete() -> None:
    seen = await crowded(speculation="off", at_once=10, counted=400)
    each = sum(seen.calls) / len(seen.calls)
    assert seen.at_once == pytest.approx(10 * each / (each + 2.0), rel=0.15)
    assert seen.per_second == pytest.approx(seen.at_once / each, rel=0.15)


async def test_guesses_that_come_true_are_no_waste() -> None:
    plain, guessing = await crowded(speculation="off"), await crowded(speculation="live")
    assert guessing.promoted > 20
    assert guessing.waits < plain.waits
    assert len(guessing.calls) == len(plain.calls)
    assert guessing.ran == guessing.needed + guessing.promoted + round(guessing.wasted * 120)


async def test_a_call_takes_the_same_time_whoever_asks() -> None:
    plain, again = await crowded(speculation="off"), await crowded(speculation="shadow")
    assert sorted(again.calls) == pytest.approx(sorted(plain.calls))


async def test_limits_are_those_of_the_service_of_all_tools() -> None:
    limit = Limit.concurrency(f"service:{SERVICE}", 1)
    free, bound = [await crowded(speculation="off", limits=each) for each in ((), (limit,))]
    assert bound.waits > 1.2 * free.waits
    assert bound.ran == free.ran


async def test_a_repeated_read_needs_no_run() -> None:
    twice = session(1, *(call("find", 0, step, "x", id="1") for step in range(2)))
    seen = await crowded([twice], speculation="off")
    assert (len(seen.calls), seen.ran, seen.needed) == (80, 40, 40)


async def test_a_crowd_is_the_same_each_time() -> None:
    first, second = [await crowded(speculation="live") for _ in range(2)]
    assert (first.ran, first.needed, first.promoted) == (second.ran, second.needed, second.promoted)
    assert first.calls == pytest.approx(second.calls, abs=0.01)
