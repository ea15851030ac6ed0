"""Composition: which layers a tool gets, in which order, and what all of them together never do."""

import asyncio
import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.engine.policies import (
    Arguments,
    CallInfo,
    Policy,
    Run,
    Services,
    Slot,
    ToolView,
    compose,
    is_layered,
)
from penstock.engine.policies._catalogue import installed
from penstock.errors import ConfigError, PenstockError
from penstock.tools import settings
from unit.engine.policies.fakes import FakeAttempt, FakeServices, FakeTool, info, virtual

ALL: dict[str, Any] = {
    "retries": settings.Retry(wait="constant", base=0.5),
    "hedge": settings.Hedge(after=0.3, extra=1.0),
    "cache": settings.Cache(60.0),
    "coalesce": True,
    "breaker": settings.Breaker(),
    "shed": settings.Shed(),
}
REPEATS_OR_SHARES = {"retries", "hedge", "cache", "coalesce"}


def traced(name: str, slot: Slot, log: list[str]) -> Policy:
    def build(_tool: ToolView, inner: Run, _services: Services) -> Run:
        async def run(call: CallInfo, arguments: Arguments) -> object:
            log.append(name)
            return await inner(call, arguments)

        return run

    return Policy(name, slot, build, applies=lambda _tool: True)


def test_a_tool_that_uses_nothing_keeps_its_attempt() -> None:
    attempt = FakeAttempt()
    assert compose(FakeTool(timeout=3.0), attempt, FakeServices()) is attempt


@pytest.mark.parametrize("option", sorted(ALL))
def test_a_tool_that_uses_one_is_layered(option: str) -> None:
    assert is_layered(FakeTool(**{option: ALL[option]}))
    assert not is_layered(FakeTool())


def test_whether_a_tool_is_layered_is_also_whether_its_policies_fit() -> None:
    with pytest.raises(ConfigError, match="'retry'"):
        is_layered(FakeTool(effects="once", retries=ALL["retries"]))


async def test_layers_are_around_each_other_by_slot_then_by_name() -> None:
    log: list[str] = []
    given = [("b", Slot.INNER), ("z", Slot.OUTER), ("a", Slot.INNER), ("m", Slot.RETRY)]
    policies = [traced(name, slot, log) for name, slot in given]
    run = compose(FakeTool(), FakeAttempt(), FakeServices(), policies)
    assert await run(info(), ()) == "value"
    assert log == ["z", "m", "a", "b"]


def test_the_installed_policies_are_in_order() -> None:
    names = [policy.name for policy in installed()]
    known = ["cache", "coalesce", "shed", "timeout", "retry", "hedge", "breaker"]
    assert [name for name in names if name in known] == known


async def test_all_of_them_together_still_give_the_answer() -> None:
    attempt, services = FakeAttempt([ConnectionError(), "good"]), FakeServices()
    run = compose(FakeTool(**ALL), attempt, services)
    answers = await asyncio.gather(*(run(info(), (1,)) for _ in range(5)), run(info(), (2,)))
    assert answers == ["good"] * 6
    assert len(attempt.ran) == 3
    assert services.allowances["web"].first_attempts == 2
    assert await run(late := info(), (1,)) == "good"
    assert late.tally.cached


async def test_a_call_with_retries_and_hedges_pays_into_the_allowance_once() -> None:
    services = FakeServices()
    run = compose(FakeTool(retries=ALL["retries"], hedge=ALL["hedge"]), FakeAttempt(), services)
    await run(info(), ())
    assert services.allowances["web"].first_attempts == 1


chosen = st.sets(st.sampled_from(sorted(ALL)))
answers = st.lists(
    st.sampled_from([ConnectionError(), TimeoutError(), ValueError("wrong"), "good"]), min_size=1
)


@given(chosen, st.sampled_from(["once", "compensable"]))
def test_what_must_not_be_repeated_cannot_have_a_policy_that_could(
    options: set[str], effects: str
) -> None:
    tool = FakeTool(effects=effects, **{option: ALL[option] for option in options})
    with contextlib.ExitStack() as stack:
        if options & REPEATS_OR_SHARES:
            stack.enter_context(pytest.raises(ConfigError))
        compose(tool, FakeAttempt(), FakeServices())


@given(
    st.sets(st.sampled_from(["breaker", "shed"])),
    answers,
    st.floats(0.0, 2.0),
    st.sampled_from(["once", "compensable"]),
)
def test_what_must_not_be_repeated_runs_once_a_call(
    options: set[str], results: list[object], seconds: float, effects: str
) -> None:
    async def story() -> None:
        attempt = FakeAttempt(results, seconds)
        tool = FakeTool(effects=effects, **{option: ALL[option] for option in options})
        run = compose(tool, attempt, FakeServices())
        for calls in range(1, 6):
            call = info()
            with contextlib.suppress(OSError, ValueError, PenstockError):
                await run(call, (calls,))
            assert len(attempt.ran) == calls
            assert call.tally.attempts == 1

    virtual(story())


@given(chosen, answers, st.floats(0.0, 1.0), st.floats(0.0, 5.0), st.integers(1, 8))
def test_second_attempts_stay_within_the_allowance(
    options: set[str], results: list[object], seconds: float, left: float, calls: int
) -> None:
    """Whatever is combined, attempts are at most the calls and what their service allows."""

    async def story() -> None:
        attempt, services = FakeAttempt(results, seconds), FakeServices()
        services.allowance("web").left = left
        run = compose(FakeTool(**{name: ALL[name] for name in options}), attempt, services)
        tasks = [asyncio.create_task(run(info(), (number,))) for number in range(calls)]
        await asyncio.wait(tasks)
        for task in tasks:
            task.exception()
        assert calls <= len(attempt.ran) <= calls + left + 0.1 * calls
        assert attempt.running == 0

    virtual(story())


@given(chosen, st.floats(0.0, 3.0), answers)
def test_a_cancel_ends_everything_that_a_call_has_started(
    options: set[str], patience: float, results: list[object]
) -> None:
    async def story() -> None:
        attempt = FakeAttempt(results, 0.7)
        run = compose(FakeTool(**{name: ALL[name] for name in options}), attempt, FakeServices())
        tasks = [asyncio.create_task(run(info(), ())) for _ in range(3)]
        await asyncio.sleep(patience)
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        for task in tasks:
            task.cancelled() or task.exception()
        assert attempt.running == 0
        assert asyncio.all_tasks() == {asyncio.current_task()}

    virtual(story())
