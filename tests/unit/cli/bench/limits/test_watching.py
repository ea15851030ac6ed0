"""The ways that the rows about watching time do what they say."""

from penstock._native import Breaker
from penstock.cli.bench.limits.watching import held_slots, states_read, watched_calls
from penstock.limits import Limit


async def test_watched_calls_leave_a_breaker_closed() -> None:
    breaker = Breaker()
    assert await watched_calls(breaker)() > 0
    assert await states_read(breaker)() > 0
    assert breaker.is_closed


async def test_slots_are_free_when_they_are_held_again() -> None:
    assert await held_slots(Limit.concurrency("tool:measured", 1))() > 0
