"""Epochs: what a write says, and when."""

import asyncio

import pytest

from penstock.engine.policies.epochs import POLICY
from unit.engine.policies.fakes import FakeServices, FakeTool, info


async def test_a_write_is_told_when_it_starts_and_when_it_ends() -> None:
    services = FakeServices()

    async def inner(call: object, arguments: object) -> str:
        assert services.written == [(("order",), False)]
        return "value"

    run = POLICY.build(FakeTool(mutates=("order",)), inner, services)
    assert await run(info(), ()) == "value"
    assert services.written == [(("order",), False)] * 2


@pytest.mark.parametrize("runs_on", [False, True])
async def test_what_was_left_running_is_lost(runs_on: bool) -> None:
    services = FakeServices()

    async def inner(call: object, arguments: object) -> None:
        info_.tally.left += ["an attempt"] * runs_on
        raise asyncio.CancelledError

    info_ = info()
    run = POLICY.build(FakeTool(mutates=("order",)), inner, services)
    with pytest.raises(asyncio.CancelledError):
        await run(info_, ())
    assert services.written[-1] == (("order",), runs_on)


async def test_an_error_of_the_tool_is_an_end() -> None:
    services = FakeServices()

    async def inner(call: object, arguments: object) -> None:
        info_.starting()
        raise ZeroDivisionError

    info_ = info()
    run = POLICY.build(FakeTool(mutates=("order",), host="thread"), inner, services)
    with pytest.raises(ZeroDivisionError):
        await run(info_, ())
    assert services.written[-1] == (("order",), False)


def test_only_tools_that_say_what_they_change_pay() -> None:
    assert not POLICY.is_used_by(FakeTool())
    assert not POLICY.is_used_by(FakeTool(mutates=()))
    assert POLICY.is_used_by(FakeTool(effects="once", mutates=("a",)))
