"""Retry: what is tried again, when, and what ends the trying."""

import asyncio
from typing import Any

import pytest

from penstock.engine.policies import Run
from penstock.engine.policies.retry import POLICY, pause
from penstock.errors import BreakerOpen, RateLimited
from penstock.tools.settings import Retry
from unit.engine.policies.fakes import FakeAttempt, FakeServices, FakeTool, info


class Refused(ConnectionError):
    """What a service that is down does."""


class Shop:
    """A tool with retries, its attempt and its services."""

    def __init__(self, *answers: object, seconds: float = 0.0, **settings: Any) -> None:
        """Make it with the answers of its attempts."""
        self.attempt = FakeAttempt(list(answers), seconds)
        self.services = FakeServices()
        tool = FakeTool(retries=Retry(**{"wait": "constant", "base": 1.0} | settings))
        self.run: Run = POLICY.build(tool, self.attempt, self.services)


async def test_what_works_is_run_once() -> None:
    shop = Shop("good")
    assert await shop.run(info(), (1,)) == "good"
    assert [arguments for _time, _info, arguments in shop.attempt.ran] == [(1,)]
    assert shop.services.facts == []


async def test_a_broken_connection_is_tried_again_after_a_pause() -> None:
    shop = Shop(Refused(), Refused(), "good")
    call = info()
    assert await shop.run(call, ()) == "good"
    assert shop.attempt.times == [0.0, 1.0, 2.0]
    assert [ran.attempt for _time, ran, _arguments in shop.attempt.ran] == [1, 2, 3]
    assert call.tally.attempts == 3


async def test_after_the_last_attempt_the_tools_own_error_is_raised() -> None:
    last = Refused("third")
    shop = Shop(Refused("first"), Refused("second"), last)
    with pytest.raises(Refused) as raised:
        await shop.run(info(), ())
    assert raised.value is last
    assert last.__notes__ == ["Attempt 3 of 3: there are no more."]


async def test_an_error_that_will_not_pass_is_raised_at_once_and_unchanged() -> None:
    shop = Shop(ValueError("wrong"))
    with pytest.raises(ValueError, match="wrong") as raised:
        await shop.run(info(), ())
    assert len(shop.attempt.ran) == 1
    assert not hasattr(raised.value, "__notes__")


async def test_the_errors_to_try_again_after_can_be_named() -> None:
    shop = Shop(KeyError("x"), Refused(), on=(KeyError,))
    with pytest.raises(Refused):
        await shop.run(info(), ())
    assert len(shop.attempt.ran) == 2


async def test_a_hint_of_the_service_wins_over_a_shorter_pause() -> None:
    shop = Shop(RateLimited(7.5), BreakerOpen("web", 0.2), "good")
    await shop.run(info(), ())
    assert shop.attempt.times == [0.0, 7.5, 8.5]


async def test_a_pause_that_would_pass_the_deadline_is_not_made() -> None:
    shop = Shop(RateLimited(7.5))
    deadline = asyncio.get_running_loop().time() + 7.0
    with pytest.raises(RateLimited) as raised:
        await shop.run(info(deadline=deadline), ())
    assert shop.services.clock() == deadline - 7.0
    assert "after the deadline" in raised.value.__notes__[0]
    assert shop.services.allowances["web"].left == 100.0


async def test_without_an_allowance_the_original_error_is_raised_and_counted() -> None:
    shop = Shop(Refused())
    shop.services.allowances["web"].left = 0.5
    with pytest.raises(Refused):
        await shop.run(info(), ())
    assert len(shop.attempt.ran) == 1
    assert shop.services.facts == ["retries_denied"]


async def test_a_call_pays_in_once_and_takes_one_a_retry() -> None:
    shop = Shop(Refused(), Refused(), "good")
    allowance = shop.services.allowances["web"]
    allowance.left = 50.0
    await shop.run(info(), ())
    assert allowance.first_attempts == 1
    assert allowance.left == pytest.approx(48.1)


def test_a_tool_without_a_service_has_an_allowance_of_its_own() -> None:
    services = FakeServices()
    POLICY.build(FakeTool(service=None, retries=Retry()), FakeAttempt(), services)
    assert list(services.allowances) == ["tool:search"]


async def test_a_cancel_passes_from_an_attempt_and_from_a_pause() -> None:
    shop = Shop(Refused(), seconds=1.0)
    for moment in (0.5, 1.5):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(moment):
                await shop.run(info(), ())
    assert len(shop.attempt.ran) == 2


async def test_the_same_error_object_gets_a_note_once() -> None:
    error = Refused()
    shop = Shop(error, attempts=1)
    for _ in range(2):
        with pytest.raises(Refused):
            await shop.run(info(), ())
    assert len(error.__notes__) == 1


@pytest.mark.parametrize(
    ("wait", "pauses"),
    [
        ("full_jitter", [0.05, 0.1, 0.2, 0.4, 0.5]),
        ("exponential", [0.1, 0.2, 0.4, 0.8, 1.0]),
        ("linear", [0.1, 0.2, 0.3, 0.4, 0.5]),
        ("constant", [0.1] * 5),
        ("immediate", [0.0] * 5),
    ],
)
def test_pauses_grow_as_asked(wait: Any, pauses: list[float]) -> None:
    retry = Retry(wait=wait, base=0.1, most=1.0)
    assert [pause(retry, k, None, 0.5) for k in range(5)] == pytest.approx(pauses)
