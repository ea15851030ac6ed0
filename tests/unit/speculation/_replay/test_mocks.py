"""Tools that answer as it was recorded."""

import asyncio

import pytest

from penstock import Call, Engine
from penstock.speculation import TraceCall, TraceSession
from penstock.speculation._replay.mocks import LATENCY, Script, mocks_of, playing
from penstock.speculation._replay.timeline import Timeline, timeline_of
from unit.speculation.conftest import EFFECTS, call, session


def timeline(*calls: TraceCall) -> Timeline:
    return timeline_of(session(1, *calls), EFFECTS)


def script_of(found: Timeline) -> Script:
    return Script([point.calls for point in found.points])


LOOKS = timeline(
    call("find", 0, 0, "old", id="1"),
    call("change", 0, 1, "done"),
    call("find", 0, 2, "new", id="1"),
)


def test_an_equal_call_is_answered_as_the_next_one_was() -> None:
    script = script_of(LOOKS)
    found = []
    for script.step in range(4):
        made = script.answer("find", {"id": "1"})
        found.append(made and made.result)
    assert found == [b'"old"', b'"new"', b'"new"', b'"new"']
    assert script.answer("find", {"id": "2"}) is None


async def outcome_of(found: Timeline, tool: str, latency: float | None = None, **arguments: object):
    playing.set(script_of(found))
    async with Engine(mocks_of([found], latency)) as engine:
        (outcome,) = await engine.run([Call(tool, arguments)])
        return outcome


async def test_a_result_comes_after_its_latency() -> None:
    outcome = await outcome_of(LOOKS, "find", 0.25, id="1")
    assert (outcome.value, outcome.duration) == ("old", pytest.approx(0.25))


async def test_what_was_recorded_of_the_time_holds() -> None:
    slow = TraceCall("find", {"id": "1"}, "slow", 0, 0, latency=4.0)
    fast = TraceCall("find", {"id": "2"}, "fast", 0, 1, latency=2.0)
    found = timeline(slow, fast)
    assert (await outcome_of(found, "find", id="1")).duration == pytest.approx(4.0)
    assert (await outcome_of(found, "find", id="9")).duration == pytest.approx(3.0)
    assert (await outcome_of(LOOKS, "find", id="1")).duration == pytest.approx(LATENCY)


async def test_an_error_is_one_again() -> None:
    found = timeline(TraceCall("find", {}, "no such thing", 0, 0, error=True))
    outcome = await outcome_of(found, "find")
    assert (outcome.ok, str(outcome.error)) == (False, "no such thing")


async def test_any_names_can_be_arguments() -> None:
    names = {"self": 1, "function": 2, "a b": [{"": None}]}
    found = timeline(TraceCall("find", names, "here", 0, 0))
    assert (await outcome_of(found, "find", None, **names)).value == "here"


def test_tools_do_what_their_effects_say() -> None:
    found = timeline(call("find", 0, 0), call("change", 0, 1), call("think", 0, 2))
    tools = {each.name: each for each in mocks_of([found], None)}
    assert {name: each.effects for name, each in tools.items()} == {
        "find": "read",
        "change": "once",
        "think": "read",
    }
    assert tools["think"].speculate is False


async def test_outside_of_a_session_nothing_is_answered() -> None:
    async def alone() -> object:
        async with Engine(mocks_of([LOOKS], None)) as engine:
            (outcome,) = await engine.run([Call("find", {"id": "1"})])
            return outcome.ok

    assert isinstance(LOOKS.session, TraceSession)
    assert not await asyncio.get_running_loop().create_task(alone())
