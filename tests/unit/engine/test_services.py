"""What an engine gives to the policies of its tools."""

import asyncio
import time

import pytest

from penstock import Call, Engine, Limit, tool
from penstock.engine.services import FEWEST_ATTEMPTS, EngineServices
from penstock.engine.waiting import Waiting
from penstock.limits import Adaptive
from penstock.tools import settings
from unit.engine.policies.fakes import FakeTool, info


@pytest.fixture
def waiting() -> Waiting:
    return Waiting()


@pytest.fixture
def services(waiting: Waiting) -> EngineServices:
    return EngineServices(None, waiting)


class FakeHost:
    """Knows how the attempts of one tool fare."""

    def __init__(self, in_flight: int, usual: float | None) -> None:
        """Make it with what it answers."""
        self.in_flight = in_flight
        self.usual = usual
        self.asked: list[tuple[int, float, int]] = []

    def load(self, tool: int) -> tuple[int, int]:
        assert tool == 7
        return self.in_flight, 100

    def quantile(self, tool: int, share: float, least: int) -> float | None:
        self.asked.append((tool, share, least))
        return self.usual


class TestTime:
    def test_it_is_the_systems_without_a_virtual_loop(self, services: EngineServices) -> None:
        assert services.clock is time.monotonic

    async def test_it_is_the_loops_on_a_virtual_one(self, waiting: Waiting) -> None:
        now = asyncio.get_running_loop().time
        services = EngineServices(now, waiting)
        before = services.clock()
        await services.sleep(3_600.0)
        assert services.clock() - before == pytest.approx(3_600.0)

    @pytest.mark.parametrize("seconds", [0.0, -1.0])
    async def test_a_sleep_that_is_over_takes_no_time(
        self, services: EngineServices, seconds: float
    ) -> None:
        before = asyncio.get_running_loop().time()
        await services.sleep(seconds)
        assert asyncio.get_running_loop().time() == before

    def test_chance_is_a_share(self, services: EngineServices) -> None:
        assert all(0.0 <= services.random() < 1.0 for _ in range(100))


class TestShared:
    """What the calls of a service, or of a tool, have in common."""

    def test_a_service_has_one_allowance(self, services: EngineServices) -> None:
        web, same, other = (services.allowance(name) for name in ("web", "web", "mail"))
        while web.try_spend():
            pass
        assert not same.try_spend()
        assert other.try_spend()

    def test_a_tool_has_one_breaker(self, services: EngineServices) -> None:
        fetch, other = FakeTool("fetch"), FakeTool("other")
        assert services.breaker(fetch) is services.breaker(fetch)
        assert services.breaker(fetch) is not services.breaker(other)
        assert set(services.breakers) == {"fetch", "other"}

    def test_a_breaker_has_the_settings_of_its_tool(self, services: EngineServices) -> None:
        weak = FakeTool("weak", breaker=settings.Breaker(consecutive=1))
        breaker = services.breaker(weak)
        ticket, _ = breaker.admit(0.0)
        assert ticket is not None
        breaker.record(ticket, "connect", 0.0, 0.5)
        assert not breaker.is_closed


class TestLoad:
    """How the attempts of a tool fare."""

    def test_who_waits_is_counted(self, services: EngineServices, waiting: Waiting) -> None:
        services.measure(FakeHost(2, usual=0.5), "fetch", 7)  # type: ignore[arg-type]
        with waiting.one("fetch"), waiting.one("fetch"), waiting.one("fetch"), waiting.one("fetch"):
            load = services.load("fetch")
        assert (load.tool, load.waiting) == ("fetch", 4)
        assert load.drain_time == pytest.approx(4 * 0.5 / 2)

    def test_nobody_waits_for_nothing(self, services: EngineServices) -> None:
        services.measure(FakeHost(0, usual=None), "fetch", 7)  # type: ignore[arg-type]
        load = services.load("fetch")
        assert (load.waiting, load.drain_time) == (0, 0.0)

    def test_a_quantile_needs_enough_attempts(self, services: EngineServices) -> None:
        host = FakeHost(0, usual=0.25)
        services.measure(host, "fetch", 7)  # type: ignore[arg-type]
        assert services.quantile("fetch", 0.9) == 0.25
        assert host.asked == [(7, 0.9, FEWEST_ATTEMPTS)]


class TestNotify:
    def test_what_happened_is_counted_by_tool(self, services: EngineServices) -> None:
        call = info()
        services.notify(call, "retrying", wait=1.0)
        services.notify(call, "retrying")
        services.notify(call, "hedged")
        told = services.statistics()
        assert told == {(call.tool, "retrying"): 2, (call.tool, "hedged"): 1}

    async def test_an_engine_tells_it_in_its_statistics(self) -> None:
        tries = 0

        @tool(effects="read", retries=2)
        async def flaky() -> int:
            nonlocal tries
            tries += 1
            if tries == 1:
                raise ConnectionError
            return tries

        async with Engine([flaky]) as engine:
            assert (await engine.run([Call("flaky")]))[0].value == 2
            assert engine.statistics().policies["flaky", "retrying"] == 1


async def test_slots_at_their_brim_are_told() -> None:
    """A hedge of a call that holds the last slot could only wait for its own call."""
    begun = []

    @tool(effects="read", service="web", hedge=settings.Hedge(after=0.1, extra=1.0))
    async def look() -> None:
        begun.append(1)
        await asyncio.sleep(1.0)

    slots = Limit.concurrency("service:web", 1, adaptive=Adaptive(least=1, most=4))
    async with Engine([look], limits=[slots]) as engine:
        await engine.run([Call("look")])
    assert len(begun) == 1


async def test_limits_that_cannot_pay_in_time_are_told() -> None:
    begun = []

    @tool(effects="read", hedge=settings.Hedge(after=0.1, extra=1.0))
    async def look() -> None:
        begun.append(1)
        await asyncio.sleep(1.0)

    async with Engine([look], limits=[Limit.rate("tool:look", 1, per=60.0)]) as engine:
        await engine.run([Call("look")])
    assert len(begun) == 1
