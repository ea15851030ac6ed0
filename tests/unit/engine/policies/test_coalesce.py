"""Coalesce: one run for equal calls, an answer for each of them."""

import asyncio
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from penstock.engine.policies import CallInfo, Run
from penstock.engine.policies.coalesce import POLICY
from penstock.errors import LimitDeadline
from penstock.testing import every_cancel_point
from unit.engine.policies.fakes import FakeAttempt, FakeServices, FakeTool, info, virtual


def layer(attempt: Run, services: FakeServices | None = None) -> Run:
    return POLICY.build(FakeTool(coalesce=True), attempt, services or FakeServices())


async def ends(*tasks: asyncio.Task[object]) -> list[object]:
    return await asyncio.gather(*tasks, return_exceptions=True)


def start(run: Run, arguments: object = (), **changes: object) -> asyncio.Task[object]:
    return asyncio.create_task(run(info(**changes), arguments))


async def test_equal_calls_at_one_time_are_run_once() -> None:
    attempt, services = FakeAttempt([["v"]], seconds=1.0), FakeServices()
    run = layer(attempt, services)
    values = await ends(*(start(run) for _ in range(5)))
    assert all(value is values[0] for value in values)
    assert len(attempt.ran) == 1
    assert services.facts == ["coalesced"] * 4


async def test_one_after_the_other_is_not_at_one_time() -> None:
    attempt = FakeAttempt(["one", "two"])
    run = layer(attempt)
    assert [await run(info(), ()), await run(info(), ())] == ["one", "two"]


async def test_other_arguments_and_other_tenants_have_their_own_runs() -> None:
    attempt = FakeAttempt(["a", "b", "c"], seconds=1.0)
    run = layer(attempt)
    tasks = [start(run, (1,)), start(run, (2,)), start(run, (1,), tenant="globex")]
    assert await ends(*tasks) == ["a", "b", "c"]


async def test_the_error_of_the_tool_is_everybodys() -> None:
    error = ValueError("wrong")
    run = layer(FakeAttempt([error], seconds=1.0))
    assert await ends(start(run), start(run)) == [error, error]


async def test_what_was_refused_to_the_leader_alone_is_not() -> None:
    refused = LimitDeadline("rate", "tool:search")
    attempt = FakeAttempt([refused, "good"], seconds=1.0)
    run = layer(attempt)
    assert await ends(*(start(run) for _ in range(3))) == [refused, "good", "good"]


async def test_when_the_leader_is_cancelled_the_first_follower_runs() -> None:
    attempt = FakeAttempt(seconds=1.0)
    run = layer(attempt)
    leader, *followers = [start(run) for _ in range(3)]
    await asyncio.sleep(0.5)
    leader.cancel()
    assert await ends(*followers) == ["value", "value"]
    assert leader.cancelled()
    assert (attempt.times, attempt.most_running) == ([0.0, 0.5], 1)


async def test_a_follower_that_is_cancelled_just_leaves() -> None:
    attempt = FakeAttempt(seconds=1.0)
    run = layer(attempt)
    leader, follower = start(run), start(run)
    await asyncio.sleep(0.5)
    follower.cancel()
    assert await leader == "value"
    assert follower.cancelled()
    assert attempt.cancelled == 0


async def test_when_all_are_cancelled_so_is_the_run_and_the_next_begins_anew() -> None:
    attempt = FakeAttempt(seconds=1.0)
    run = layer(attempt)
    tasks = [start(run) for _ in range(3)]
    await asyncio.sleep(0.5)
    for task in tasks:
        task.cancel()
    await ends(*tasks)
    assert attempt.running == 0
    assert await run(info(), ()) == "value"


async def test_a_follower_cancelled_in_the_turn_in_which_it_would_lead_hands_on() -> None:
    attempt = FakeAttempt(seconds=1.0)
    run = layer(attempt)
    leader, second, third = [start(run) for _ in range(3)]
    await asyncio.sleep(0.5)
    leader.cancel()
    while not leader.done():  # noqa: ASYNC110 - the very turn counts
        await asyncio.sleep(0)
    assert len(attempt.ran) == 1
    second.cancel()
    assert await third == "value"
    assert second.cancelled()


async def test_what_has_no_key_is_run() -> None:
    attempt, services = FakeAttempt(seconds=1.0), FakeServices()
    run = layer(attempt, services)
    await ends(start(run, (object(),)), start(run, (object(),)))
    assert len(attempt.ran) == 2
    assert services.facts == ["coalesce_unkeyed"] * 2


async def test_a_call_inside_of_its_equal_does_not_wait_for_itself() -> None:
    depth = Counter[str]()

    async def attempt(call: CallInfo, arguments: object) -> object:
        depth["runs"] += 1
        return await run(call, arguments) if depth["runs"] < 4 else "deep"

    run = layer(attempt)
    assert await run(info(), ()) == "deep"


async def test_two_that_ask_for_each_other_do_not_wait_for_ever() -> None:
    levels = {0: 0, 1: 0}

    async def mutual(_call: CallInfo, arguments: tuple[int]) -> object:
        (number,) = arguments
        levels[number] += 1
        await asyncio.sleep(1.0)
        return await run(info(), (1 - number,)) if levels[number] < 3 else "deep"

    run = layer(mutual)
    assert await ends(start(run, (0,)), start(run, (1,))) == ["deep", "deep"]


def test_no_cancel_at_any_moment_leaves_anything_behind() -> None:
    async def story() -> None:
        attempt = FakeAttempt(seconds=1.0)
        run = layer(attempt)
        async with asyncio.TaskGroup() as group:
            for pause in (0.0, 0.0, 0.5):
                await asyncio.sleep(pause)
                group.create_task(run(info(), ()))
        assert attempt.running == 0

    assert every_cancel_point(story) > 3


moves = st.lists(
    st.tuples(st.integers(0, 2), st.floats(0, 2), st.none() | st.floats(0, 3)), max_size=12
)


@given(moves, st.booleans())
def test_one_run_a_key_at_a_time_and_an_answer_for_each(
    asked: list[tuple[int, float, float | None]], fails: bool
) -> None:
    """Calls of three keys come after pauses, and some are cancelled after a while."""
    running = Counter[object]()

    async def attempt(_call: CallInfo, arguments: object) -> object:
        running[arguments] += 1
        assert running[arguments] == 1
        try:
            await asyncio.sleep(1.0)
        finally:
            running[arguments] -= 1
        if fails:
            raise ValueError(arguments)
        return arguments

    async def cancel_later(task: asyncio.Task[object], seconds: float | None) -> None:
        if seconds is not None:
            await asyncio.sleep(seconds)
            task.cancel()

    async def story() -> None:
        run = layer(attempt)
        tasks = []
        async with asyncio.TaskGroup() as group:
            for number, pause, patience in asked:
                await asyncio.sleep(pause)
                tasks.append(start(run, (number,)))
                group.create_task(cancel_later(tasks[-1], patience))
        answers = await ends(*tasks)
        for (number, _pause, patience), answer in zip(asked, answers, strict=True):
            if isinstance(answer, asyncio.CancelledError):
                assert patience is not None
            else:
                assert (answer.args if fails else (answer,)) == ((number,),)  # type: ignore[attr-defined]

    virtual(story())
