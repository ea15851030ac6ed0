"""Breaker: who is asked and told, when; what an error says about a service."""

import asyncio
from typing import Any

import pytest

from penstock.engine.policies import CallInfo
from penstock.engine.policies.breaker import POLICY, PROBE_SECONDS, ending_of
from penstock.errors import BreakerOpen, CallTimeout, InvalidArguments, LimitQueueFull, RateLimited
from penstock.tools.settings import Breaker
from unit.engine.policies.fakes import FakeAttempt, FakeCircuit, FakeServices, FakeTool, info


class Shop:
    """A tool with a breaker, its attempt and its services."""

    def __init__(self, *answers: object, timeout: float | None = None, **settings: Any) -> None:
        """Make it with the answers of its attempts, each after a second."""
        self.attempt = FakeAttempt(list(answers or ["value"]), seconds=1.0)
        self.services = FakeServices()
        self.circuit = self.services.circuits["search"] = FakeCircuit()
        tool = FakeTool(breaker=Breaker(**settings), timeout=timeout)
        self.run = POLICY.build(tool, self.attempt, self.services)


async def test_a_call_is_admitted_when_it_starts_and_told_when_it_ends() -> None:
    shop = Shop()
    assert await shop.run(info(), ()) == "value"
    assert shop.circuit.log == [("admit", PROBE_SECONDS), ("ok", 1)]


async def test_a_probe_has_the_time_of_its_attempt() -> None:
    shop = Shop(timeout=3.0)
    await shop.run(info(), ())
    await shop.run(info(deadline=shop.services.clock() + 2.0), ())
    assert [said for said in shop.circuit.log if said[0] == "admit"] == [
        ("admit", 3.0),
        ("admit", 2.0),
    ]


async def test_an_error_is_told_and_passes_unchanged() -> None:
    error = ConnectionRefusedError("down")
    shop = Shop(error)
    with pytest.raises(ConnectionRefusedError) as raised:
        await shop.run(info(), ())
    assert raised.value is error
    assert shop.circuit.log[-1] == ("connect", 1)


async def test_what_takes_long_is_slow() -> None:
    shop = Shop("late", OSError("bad"), slow_after=0.5)
    await shop.run(info(), ())
    assert shop.circuit.log[-1] == ("slow", 1)
    with pytest.raises(OSError, match="bad"):
        await shop.run(info(), ())
    assert shop.circuit.log[-1][0] == "fail"


async def test_a_cancelled_call_proves_nothing() -> None:
    shop = Shop()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.5):
            await shop.run(info(), ())
    assert shop.circuit.log[-1] == ("cancel", 1)


async def test_what_never_started_is_not_told() -> None:
    services = FakeServices()

    async def refused(_call: CallInfo, _arguments: object) -> object:
        raise LimitQueueFull("rate", "tool:search")

    run = POLICY.build(FakeTool(breaker=Breaker()), refused, services)
    with pytest.raises(LimitQueueFull):
        await run(info(), ())
    assert services.circuits["search"].log == []


async def test_an_open_breaker_refuses_at_once_and_says_when_to_come_again() -> None:
    shop = Shop()
    shop.circuit.retry_at = shop.services.clock() + 4.0
    with pytest.raises(BreakerOpen) as refused:
        await shop.run(info(), ())
    assert (refused.value.breaker, refused.value.retry_after) == ("search", 4.0)
    assert shop.attempt.ran == []
    assert shop.services.facts == ["breaker_refused"]


async def test_a_call_that_waited_for_a_limit_is_asked_again() -> None:
    shop = Shop()
    shop.circuit.refused_starts = [shop.services.clock() + 1.0]
    with pytest.raises(BreakerOpen):
        await shop.run(info(), ())
    assert shop.circuit.log == []
    assert shop.attempt.running == 0


async def test_a_parked_call_starts_when_the_time_is_over() -> None:
    shop = Shop(on_open="park")
    begin = shop.services.clock()
    shop.circuit.retry_at = begin + 4.0
    assert await shop.run(info(), ()) == "value"
    assert shop.attempt.ran[0][0] == begin + 4.0


async def test_a_parked_call_is_woken_by_a_change() -> None:
    shop = Shop(on_open="park")
    running = asyncio.create_task(shop.run(info(), ()))
    await asyncio.sleep(0.5)
    shop.circuit.retry_at = shop.services.clock() + 60.0
    parked = asyncio.create_task(shop.run(info(), ()))
    await asyncio.sleep(0.1)
    assert len(shop.attempt.ran) == 1
    shop.circuit.retry_at, shop.circuit.changes = None, True
    await running
    assert await parked == "value"
    assert shop.attempt.times == [0.0, 1.0]
    assert "breaker_changed" in shop.services.facts


async def test_who_would_be_parked_past_its_deadline_fails_now() -> None:
    shop = Shop(on_open="park")
    shop.circuit.retry_at = shop.services.clock() + 4.0
    with pytest.raises(BreakerOpen):
        await shop.run(info(deadline=shop.services.clock() + 4.0), ())


async def test_a_parked_call_that_is_refused_at_its_start_is_parked_again() -> None:
    shop = Shop(on_open="park")
    begin = shop.services.clock()
    shop.circuit.refused_starts = [begin + 2.0, begin]
    assert await shop.run(info(), ()) == "value"
    assert shop.attempt.times == [0.0, 2.0, 2.001]


async def test_a_parked_call_can_be_cancelled() -> None:
    shop = Shop(on_open="park")
    shop.circuit.retry_at = shop.services.clock() + 4.0
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(1.0):
            await shop.run(info(), ())
    assert shop.attempt.ran == []


class Answered(Exception):
    """A client's error with a status."""

    def __init__(self, status: int) -> None:
        """Make it."""
        super().__init__(status)
        self.status = status


class Wrong(Exception):
    """An error that says that the same call will fail again."""

    retryable = False


@pytest.mark.parametrize(
    ("error", "ending"),
    [
        (ConnectionResetError(), "connect"),
        (TimeoutError(), "fail"),
        (CallTimeout("t", 1.0), "fail"),
        (ValueError(), "fail"),
        (Wrong(), "ok"),
        (RateLimited(1.0), "ignored"),
        (LimitQueueFull("rate", "global"), "ignored"),
        (InvalidArguments("t", ()), "ignored"),
        (Answered(429), "ignored"),
        (Answered(404), "ok"),
        (Answered(400), "ok"),
        (Answered(401), "misconfigured"),
        (Answered(403), "misconfigured"),
        (Answered(500), "fail"),
        (Answered(503), "fail"),
    ],
)
def test_what_an_error_says_about_the_service(error: Exception, ending: str) -> None:
    assert ending_of(error) == ending
