"""Recorded sessions on an engine: what is counted, and that a recorded replay is the same session."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from penstock.speculation import (
    Effects,
    Playback,
    Played,
    Recorder,
    TraceCall,
    TraceSession,
    play_live,
    read_traces,
    total,
)
from unit.speculation.conftest import EFFECTS, call, looked_up, session


async def played(
    sessions: Sequence[TraceSession], effects: Effects = EFFECTS, **options: Any
) -> list[Played]:
    return [each async for each in play_live(sessions, effects, Playback(**options))]


async def test_without_speculation_everything_is_waited_for() -> None:
    (one,) = await played([looked_up(1)], speculation="off", latency=0.5)
    assert (one.calls, one.reads, one.launched) == (3, 3, 0)
    assert one.wait_without == 1.5
    assert one.wait == pytest.approx(1.5)


async def test_what_comes_true_is_not_waited_for() -> None:
    sessions = await played([looked_up(number) for number in range(60)], latency=1.0)
    last = sessions[-1]
    assert last.promoted > 0
    assert last.wait < 1.0 < last.wait_without
    assert last.saved_seconds == pytest.approx(last.wait_without - last.wait)
    sums = total(sessions)
    assert sums.launched == sums.promoted + sums.wasted
    assert sums.saved_seconds == pytest.approx(sum(each.saved_seconds for each in sessions))


async def test_a_fast_model_leaves_less_to_hide() -> None:
    sessions = [looked_up(number) for number in range(60)]
    slow, fast = [total(await played(sessions, latency=3.0, speed=x)) for x in (1.0, 10.0)]
    assert slow.saved_seconds > fast.saved_seconds


async def test_a_shadow_saves_nothing_and_counts() -> None:
    sums = total(await played([looked_up(number) for number in range(20)], speculation="shadow"))
    assert sums.saved_seconds == pytest.approx(0.0)
    assert sums.shadow_hit > 0
    assert sums.launched == 0


async def test_a_repeated_read_is_a_cache_hit() -> None:
    twice = session(1, *(call("find", 0, step, "x", id="1") for step in range(2)))
    (one,) = await played([twice], speculation="off")
    assert (one.cache_hits, one.saved_seconds) == (1, pytest.approx(1.0))


async def test_calls_of_a_step_are_waited_for_together() -> None:
    both = session(1, *(call("find", 0, 0, "x", id=str(number)) for number in range(2)))
    (one,) = await played([both], speculation="off", latency=2.0)
    assert (one.calls, one.wait_without, one.wait) == (2, 2.0, pytest.approx(2.0))


async def test_cut_arguments_are_left_out_and_counted() -> None:
    cut = TraceCall("find", {}, None, 0, 0, cut=True)
    (one,) = await played([session(1, cut)])
    assert (one.calls, one.left_out) == (0, 1)


def facts(recorded: TraceSession) -> dict[str, Any]:
    """What is the same of a session that was played: all but who played it, and that it was over."""
    places = sorted({(call.turn, call.step) for call in recorded.calls})
    turns = sorted({turn for turn, _ in recorded.inputs} | {call.turn for call in recorded.calls})
    return {
        "id": recorded.id,
        "domain": recorded.domain,
        "inputs": [text for _, text in recorded.inputs if "###STOP###" not in text],
        "calls": [
            {
                "tool": call.tool,
                "arguments": dict(call.arguments),
                "result": call.result,
                "error": call.error,
                "turn": turns.index(call.turn),
                "step": places.index((call.turn, call.step)),
                "gap": call.gap_s or 0.0,
            }
            for call in recorded.calls
        ],
    }


async def again(
    path: Path, sessions: Sequence[TraceSession], effects: Effects, **options: Any
) -> tuple[list[TraceSession], Effects]:
    with Recorder(path, values="full") as recorder:
        await played(sessions, effects, recorder=recorder, **options)
    return read_traces(path)


@pytest.mark.parametrize("mode", ["off", "live"])
async def test_a_recorded_replay_is_the_session_that_was_replayed(
    mode: str, tmp_path: Path, recorded: tuple[list[TraceSession], Effects]
) -> None:
    sessions, effects = recorded
    first, own = await again(tmp_path / "1.jsonl", sessions, effects, speculation=mode)
    assert [*map(facts, first)] == [*map(facts, sessions)]
    second, _ = await again(tmp_path / "2.jsonl", first, own, speculation=mode)
    assert second == first


async def test_a_disguised_replay_can_be_replayed(
    tmp_path: Path, recorded: tuple[list[TraceSession], Effects]
) -> None:
    sessions, effects = recorded
    path = tmp_path / "a.jsonl"
    with Recorder(path) as recorder:
        before = total(await played(sessions, effects, speculation="off", recorder=recorder))
    after = total(await played(*read_traces(path), speculation="off"))
    assert (after.calls, after.reads, after.cache_hits) == (
        before.calls,
        before.reads,
        before.cache_hits,
    )
