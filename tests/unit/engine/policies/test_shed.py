"""Shed: who is let in, and who is told to come later."""

import asyncio

import pytest

from penstock.engine.policies import Load
from penstock.engine.policies.shed import POLICY, admit
from penstock.errors import Overloaded
from penstock.tools.settings import Shed
from unit.engine.policies.fakes import FakeAttempt, FakeServices, FakeTool, info


def test_below_the_bound_a_call_is_let_in() -> None:
    assert admit(Load("search", waiting=9, drain_time=3.0), Shed(10)) is None


def test_at_the_bound_it_is_told_when_to_come_back() -> None:
    error = admit(Load("search", waiting=10, drain_time=3.0), Shed(10))
    assert error is not None
    assert (error.tool, error.waiting, error.retry_after) == ("search", 10, 3.0)


@pytest.mark.parametrize(("seconds_left", "let_in"), [(4.0, True), (3.0, False), (-1.0, False)])
def test_who_would_wait_past_its_deadline_is_refused(seconds_left: float, let_in: bool) -> None:
    load = Load("search", waiting=1, drain_time=3.0)
    assert (admit(load, Shed(10), seconds_left) is None) is let_in
    assert admit(load, Shed(10, deadline=False), seconds_left) is None


def test_where_nobody_waits_a_deadline_is_the_schedulers_business() -> None:
    assert admit(Load("search"), Shed(10), seconds_left=-1.0) is None


async def test_a_refused_call_never_reaches_the_tool() -> None:
    services, attempt = FakeServices(), FakeAttempt()
    run = POLICY.build(FakeTool(shed=Shed(5)), attempt, services)
    assert await run(info(), ()) == "value"
    services.loads["search"] = Load("search", waiting=5, drain_time=2.0)
    with pytest.raises(Overloaded):
        await run(info(), ())
    services.loads["search"] = Load("search", waiting=1, drain_time=2.0)
    with pytest.raises(Overloaded):
        await run(info(deadline=asyncio.get_running_loop().time() + 1.0), ())
    assert len(attempt.ran) == 1
    assert services.facts == ["shed", "shed"]
