"""A service goes down for a while, and comes back."""

import asyncio

from penstock import Breaker, Call, Engine, tool
from penstock.errors import BreakerOpen

reached: list[float] = []


@tool(effects="read", breaker=Breaker())
async def price(until: float) -> str:
    now = asyncio.get_running_loop().time()
    reached.append(now)
    if now < until:
        raise ConnectionRefusedError
    return "12 EUR"


@tool(effects="read", breaker=Breaker(on_open="park"))
async def stock(until: float) -> int:
    await asyncio.sleep(0.2)
    if asyncio.get_running_loop().time() < until:
        raise ConnectionRefusedError
    return 7


async def test_an_outage_costs_a_few_probes_and_ends_by_itself() -> None:
    """A shop asks for a price ten times a second while the service is down for 100 s.

    Five failures open the breaker. From then on the shop hears at once that it is open, and the
    service hears of a probe now and then, ever more rarely. When it is back, a probe finds out
    within a minute or so, and soon everything is answered again.
    """
    reached.clear()
    down_until = asyncio.get_running_loop().time() + 100.0
    async with Engine([price]) as engine:
        outcomes = []
        for _ in range(2_000):
            outcomes += await engine.run([Call("price", {"until": down_until})])
            await asyncio.sleep(0.1)
        assert engine.breakers["price"].state == "closed"
    in_vain = sum(now < down_until for now in reached)
    assert 5 + 3 <= in_vain <= 5 + 7, in_vain
    assert {type(outcome.error) for outcome in outcomes if outcome.error} == {
        BreakerOpen,
        ConnectionRefusedError,
    }
    assert all(outcome.value == "12 EUR" for outcome in outcomes[-100:])


async def test_parked_calls_go_on_as_soon_as_probes_have_passed() -> None:
    """Thirty calls find an open breaker and wait.

    After a second one of them may try. It is answered, so two others are, then four, then eight,
    and then the rest: nobody waits for the deadline of a probe, and nobody tries all at once.
    """
    now = asyncio.get_running_loop().time
    async with Engine([stock]) as engine:
        await engine.run([Call("stock", {"until": now() + 0.5}) for _ in range(5)])
        assert engine.breakers["stock"].state == "open"
        started = now()
        outcomes = await engine.run([Call("stock", {"until": 0.0}) for _ in range(30)])
    assert [outcome.value for outcome in outcomes] == [7] * 30
    assert 1.9 <= now() - started <= 2.5


async def test_an_operator_closes_it_by_hand() -> None:
    """The operator knows that the service is back, and does not want to wait for a probe."""
    now = asyncio.get_running_loop().time
    async with Engine([stock]) as engine:
        await engine.run([Call("stock", {"until": now() + 0.5}) for _ in range(5)])
        engine.breakers["stock"].reset()
        started = now()
        outcomes = await engine.run([Call("stock", {"until": 0.0}) for _ in range(30)])
    assert all(outcome.status == "ok" for outcome in outcomes)
    assert now() - started < 0.5
