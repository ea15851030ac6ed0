"""Endpoints: who asks which one, what is learned of each, and that a bad one is gone around."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock import Call, Context, Engine, endpoint, tool
from penstock.engine.policies import CallInfo
from penstock.engine.policies._endpoints import FEWEST, LATEST, Endpoints, Times
from penstock.engine.policies.hedge import POLICY
from penstock.testing import every_cancel_point
from penstock.tools.settings import Breaker, Hedge
from unit.engine.policies.fakes import FakeCircuit, FakeServices, FakeTool, info

PLACES = ("a", "b", "c")

Answer = tuple[float, object]


class Places:
    """Each endpoint takes some seconds, then answers, or raises, what it has."""

    def __init__(self, **answers: Answer) -> None:
        """Make it with the seconds and the answer of each."""
        self.answers = answers
        self.asked: list[tuple[float, str]] = []

    async def __call__(self, call: CallInfo, _arguments: object) -> object:
        call.starting()
        place = endpoint()
        assert place is not None
        assert place == call.endpoint
        self.asked.append((asyncio.get_running_loop().time(), place))
        seconds, answer = self.answers[place]
        await asyncio.sleep(seconds)
        if isinstance(answer, Exception):
            raise answer
        return answer

    @property
    def places(self) -> list[str]:
        """Return who was asked, in order."""
        return [place for _time, place in self.asked]


class Shop:
    """A tool with three endpoints, hedged after a second."""

    def __init__(
        self, breaker: Any = None, *, after: float | None = 1.0, **answers: Answer
    ) -> None:
        """Make it with what its endpoints do; those that are not named answer at once."""
        self.attempt = Places(**{place: (0.0, place) for place in PLACES} | answers)
        self.services = FakeServices()
        hedge = Hedge(after=after, extra=1.0, endpoints=PLACES)
        self.run: Any = POLICY.build(
            FakeTool(hedge=hedge, breaker=breaker), self.attempt, self.services
        )

    def close(self, place: str) -> None:
        """Have the breaker of an endpoint refuse calls."""
        self.services.circuits[f"search@{place}"] = FakeCircuit(is_closed=False)


async def test_calls_take_turns() -> None:
    shop = Shop()
    assert [await shop.run(info(), ()) for _ in range(6)] == ["a", "b", "c"] * 2
    assert endpoint() is None


async def test_another_attempt_goes_to_another_endpoint() -> None:
    shop = Shop(a=(9.0, "late"))
    assert await shop.run(info(), ()) == "b"
    (first, _), (second, _) = shop.attempt.asked
    assert (shop.attempt.places, second - first) == (["a", "b"], 1.0)


async def test_each_attempt_asks_one_that_was_not_asked() -> None:
    shop = Shop(a=(9.0, "late"), b=(9.0, "late"))
    assert await shop.run(info(), ()) == "c"
    assert shop.attempt.places == ["a", "b", "c"]


async def test_of_those_not_asked_the_usually_quickest_is_next() -> None:
    shop = Shop(a=(9.0, "late"), b=(0.8, "b"), c=(0.2, "c"), after=1.0)
    for _ in range(3 * FEWEST):
        await shop.run(info(), ())
    shop.attempt.asked.clear()
    assert await shop.run(info(), ()) == "c"
    assert shop.attempt.places == ["a", "c"]


async def test_an_error_that_may_pass_goes_on_elsewhere_at_once_though_no_delay_is_known() -> None:
    shop = Shop(a=(0.3, ConnectionError()), after=None)
    assert await shop.run(info(), ()) == "b"
    (first, _), (second, _) = shop.attempt.asked
    assert second - first == pytest.approx(0.3)


async def test_where_no_delay_is_known_a_slow_answer_is_waited_for() -> None:
    shop = Shop(a=(60.0, "slow"), after=None)
    assert await shop.run(info(), ()) == "slow"
    assert shop.attempt.places == ["a"]


async def test_where_a_breaker_is_not_closed_nobody_is_sent() -> None:
    shop = Shop(Breaker(), c=(9.0, "late"))
    shop.close("b")
    assert [await shop.run(info(), ()) for _ in range(4)] == ["a", "a", "a", "a"]
    assert shop.attempt.places == ["a", "c", "a", "a", "c", "a"]


async def test_if_no_breaker_is_closed_the_first_attempt_asks_it_and_there_is_no_other() -> None:
    shop = Shop(Breaker(), a=(5.0, "first"))
    for place in PLACES:
        shop.close(place)
    assert await shop.run(info(), ()) == "first"
    assert shop.attempt.places == ["a"]


async def test_the_delay_is_that_of_the_endpoint_that_is_waited_for() -> None:
    shop = Shop(a=(60.0, "late"), b=(60.0, "late"), after=None)
    for place, usual in (("a", 0.1), ("b", 1.0)):
        for number in range(100):
            late = number % 20 == 0
            shop.run.__self__.endpoints.times[place].note(usual * (9 if late else 1), whole=True)
    assert [await shop.run(info(), ()) for _ in range(2)] == ["c", "c"]
    (a, _), (after_a, _), (b, _), (after_b, _) = shop.attempt.asked
    assert shop.attempt.places == ["a", "c", "b", "c"]
    assert (after_a - a, after_b - b) == (pytest.approx(0.1), pytest.approx(1.0))


async def test_what_was_stopped_counts_as_longer_than_so_far() -> None:
    shop = Shop(a=(9.0, "late"))
    await shop.run(info(), ())
    times = shop.run.__self__.endpoints.times
    assert list(times["a"].latest) == [(pytest.approx(1.0), False)]
    assert list(times["b"].latest) == [(0.0, True)]


def test_no_cancel_at_any_moment_leaves_anything_behind() -> None:
    async def story() -> None:
        shop = Shop(a=(9.0, "late"))
        assert await shop.run(info(), ()) == "b"

    assert every_cancel_point(story) > 3


@pytest.mark.parametrize("host", ["call", "task"])
async def test_a_tool_asks_the_endpoint_of_its_attempt(host: Any) -> None:
    @tool(effects="read", host=host, breaker=True, hedge=Hedge(endpoints=["eu", "us"]))
    async def search(context: Context) -> str:
        """Searches."""
        if endpoint() == "eu":
            raise ConnectionRefusedError
        await asyncio.sleep(0.1)
        return f"{endpoint()} {context.attempt}"

    async with Engine([search]) as engine:
        outcomes = await engine.run([Call("search"), Call("search")])
        assert [outcome.value for outcome in outcomes] == ["us 2", "us 1"]
        assert set(engine.breakers) == {"search@eu", "search@us"}
        for _ in range(40):
            await engine.run([Call("search")])
        assert {name: each.state for name, each in engine.breakers.items()} == {
            "search@eu": "open",
            "search@us": "closed",
        }


@pytest.mark.real_time
async def test_a_thread_knows_its_endpoint_too() -> None:
    @tool(effects="read", hedge=Hedge(endpoints=["eu", "us"]))
    def search() -> str | None:
        """Searches."""
        return endpoint()

    async with Engine([search]) as engine:
        outcomes = await engine.run([Call("search"), Call("search")])
        assert sorted(outcome.value for outcome in outcomes) == ["eu", "us"]


def quantile(times: Sequence[tuple[float, bool]], share: float) -> float | None:
    """By the definition: redistribute each stopped one to those that took longer."""
    ordered = sorted(times, key=lambda each: (each[0], not each[1]))
    weights = [1.0 / len(ordered)] * len(ordered)
    for place, (_seconds, whole) in enumerate(ordered):
        if not whole and place + 1 < len(ordered):
            part = weights[place] / (len(ordered) - place - 1)
            weights[place + 1 :] = [weight + part for weight in weights[place + 1 :]]
            weights[place] = 0.0
    below = 0.0
    for (seconds, whole), weight in zip(ordered, weights, strict=True):
        below += weight if whole else 0.0
        if whole and below >= share - 1e-9:
            return seconds
    return ordered[-1][0]


@given(
    st.lists(st.tuples(st.integers(1, 9).map(float), st.booleans()), min_size=1, max_size=60),
    st.sampled_from([0.5, 0.95, 0.995]),
)
def test_quantiles_are_of_what_would_have_been(
    more: list[tuple[float, bool]], share: float
) -> None:
    times = Times()
    given = [(float(number % 9 + 1), True) for number in range(FEWEST)] + more
    for seconds, whole in given:
        times.note(seconds, whole=whole)
    assert times.quantile(share) == quantile(given, share)


def test_little_is_not_enough() -> None:
    times = Times()
    for _ in range(FEWEST - 1):
        times.note(1.0, whole=True)
        times.note(1.0, whole=False)
    assert times.quantile(0.5) is None
    times.note(1.0, whole=True)
    assert times.quantile(0.5) == 1.0


def test_only_the_latest_count() -> None:
    times = Times()
    for seconds in (9.0, 1.0):
        for _ in range(LATEST):
            times.note(seconds, whole=True)
    assert times.quantile(0.99) == 1.0
    assert len(times.latest) == LATEST


@given(st.lists(st.frozensets(st.sampled_from(PLACES)), max_size=30))
def test_turns_are_taken_by_those_that_are_closed(closed: list[frozenset[str]]) -> None:
    now: frozenset[str] = frozenset()
    endpoints = Endpoints(PLACES, lambda name: name in now)
    for now in closed:
        chosen = endpoints.first()
        assert not now or chosen in now
        another = endpoints.another([chosen])
        assert (another is None) == (not now)
        assert another is None or another in now
        assert another != chosen or now == {chosen}


def test_all_are_asked_alike() -> None:
    endpoints = Endpoints(PLACES, lambda _name: True)
    assert set(Counter(endpoints.first() for _ in range(300)).values()) == {100}
