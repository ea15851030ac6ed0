"""Cache: whose value is whose, how long it is good, and how much is kept."""

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.engine.policies import CallInfo
from penstock.engine.policies.cache import POLICY, Store
from penstock.tools.settings import Cache
from unit.engine.policies.fakes import FakeAttempt, FakeServices, FakeTool, info, virtual

TTL = 60.0


class Shop:
    """A tool with a cache, its attempt and its services."""

    def __init__(self, *answers: object, **settings: Any) -> None:
        """Make it with the answers of its attempts."""
        self.attempt = FakeAttempt(list(answers or ["value"]))
        self.services = FakeServices()
        tool = FakeTool(cache=Cache(**{"ttl": TTL} | settings))
        self.run = POLICY.build(tool, self.attempt, self.services)

    @property
    def runs(self) -> int:
        """Return how often the tool ran."""
        return len(self.attempt.ran)


async def test_an_equal_call_gets_the_same_object_and_is_marked() -> None:
    shop = Shop({"city": "Oslo"})
    first, second = info(), info()
    value = await shop.run(first, ("Oslo", 3))
    assert await shop.run(second, ("Oslo", 3)) is value
    assert shop.runs == 1
    assert (first.tally.cached, second.tally.cached) == (False, True)
    assert shop.services.facts == ["cache_miss", "cache_hit"]


async def test_other_arguments_are_another_call() -> None:
    shop = Shop("one", "two")
    assert [await shop.run(info(), (n,)) for n in (1, 2, 1, 2)] == ["one", "two", "one", "two"]
    assert shop.runs == 2


async def test_nothing_is_a_value() -> None:
    shop = Shop(None)
    assert [await shop.run(info(), ()) for _ in range(2)] == [None, None]
    assert shop.runs == 1


async def test_a_value_is_gone_when_its_time_is_over() -> None:
    shop = Shop("old", "new")
    await shop.run(info(), ())
    await asyncio.sleep(TTL - 0.001)
    assert await shop.run(info(), ()) == "old"
    await asyncio.sleep(0.001)
    assert await shop.run(info(), ()) == "new"


async def test_a_tenant_never_gets_anothers_value() -> None:
    shop = Shop("acme's", "globex's", "nobody's")
    tenants = ["acme", "globex", None] * 2
    values = [await shop.run(info(tenant=tenant), ()) for tenant in tenants]
    assert values == ["acme's", "globex's", "nobody's"] * 2


async def test_what_is_for_all_is_shared() -> None:
    shop = Shop("value", scope="all")
    for tenant in ("acme", "globex", None):
        await shop.run(info(tenant=tenant), ())
    assert shop.runs == 1


async def test_errors_are_not_kept() -> None:
    shop = Shop(ConnectionError(), "good")
    with pytest.raises(ConnectionError):
        await shop.run(info(), ())
    assert await shop.run(info(), ()) == "good"


async def test_a_cancelled_call_leaves_nothing() -> None:
    shop = Shop("value")
    shop.attempt.seconds = 1.0
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.5):
            await shop.run(info(), ())
    await shop.run(info(), ())
    assert shop.runs == 2


async def test_what_has_no_key_is_run_and_counted() -> None:
    shop = Shop()
    for _ in range(2):
        await shop.run(info(), (object(),))
    assert shop.runs == 2
    assert shop.services.facts == ["cache_unkeyed"] * 2


@pytest.mark.parametrize("value", [object(), "x" * 100])
async def test_what_has_no_size_or_too_much_of_it_is_not_kept(value: object) -> None:
    shop = Shop(value, bytes=100)
    assert [await shop.run(info(), ()) for _ in range(2)] == [value, value]
    assert shop.runs == 2
    assert shop.services.facts == ["cache_miss", "cache_unkept"] * 2


class Counted:
    """A value that counts how often it is written as JSON."""

    written = 0

    def model_dump(self, **_options: object) -> object:
        self.written += 1
        return {}


async def test_what_many_got_at_once_is_written_once() -> None:
    value = Counted()
    shop = Shop(value)
    shop.attempt.seconds = 1.0
    await asyncio.gather(*(shop.run(info(), ()) for _ in range(5)))
    assert value.written == 1
    assert shop.services.facts == ["cache_miss"] * 5


def test_the_oldest_go_first() -> None:
    store = Store(Cache(TTL, entries=2))
    for at, name in enumerate(["a", "b", "a", "c"]):
        store.put((None, name.encode()), name, 1, float(at))
    kept = [name for name in "abc" if store.get((None, name.encode()), 4.0)]
    assert kept == ["a", "c"]


def test_what_is_over_is_dropped_and_not_only_hidden() -> None:
    store = Store(Cache(TTL))
    for at in range(100):
        store.put((None, b"%d" % at), at, 10, float(at))
    store.put((None, b"late"), 0, 1, 200.0)
    assert (len(store), store.bytes) == (1, 1)


puts = st.lists(
    st.tuples(st.integers(0, 5), st.integers(0, 12), st.floats(0, 20)), min_size=1, max_size=60
)


@given(puts, st.integers(1, 4), st.integers(1, 20))
def test_a_store_never_holds_more_than_it_may(
    steps: list[tuple[int, int, float]], entries: int, size: int
) -> None:
    store = Store(Cache(10.0, entries=entries, bytes=size))
    now, last = 1.0, {}
    for name, length, pause in steps:
        now += pause
        key = (None, b"%d" % name)
        last[key] = (now, length) if store.put(key, now, length, now) else None
        assert len(store) <= entries
        assert store.bytes <= size
        for other, written in last.items():
            found = store.get(other, now)
            if found is not None:
                assert written is not None
                assert found.value == written[0] > now - 10.0


calls = st.lists(
    st.tuples(st.sampled_from(["acme", "globex", None]), st.integers(0, 2), st.floats(0, 30)),
    max_size=30,
)


@given(calls, st.integers(1, 4))
def test_every_value_is_the_tenants_own_and_young_enough(
    asked: list[tuple[str | None, int, float]], entries: int
) -> None:
    async def story() -> None:
        services = FakeServices()

        def answer(call: CallInfo, arguments: object) -> object:
            return [call.tenant, arguments, services.clock()]

        tool = FakeTool(cache=Cache(TTL, entries=entries))
        run = POLICY.build(tool, FakeAttempt([answer]), services)
        for tenant, number, pause in asked:
            await asyncio.sleep(pause)
            whose, arguments, at = await run(info(tenant=tenant), (number,))
            assert (whose, arguments) == (tenant, (number,))
            assert services.clock() - at < TTL

    virtual(story())
