"""Races: who wins, who writes, when branches start."""

import asyncio
from typing import Any

import pytest

from penstock import Call, Engine, Outcome, Ref, tool
from penstock.engine.race import branches
from penstock.errors import ConfigError
from penstock.testing import every_cancel_point


@tool(effects="read")
async def nap(seconds: float, fails: bool = False) -> float:
    await asyncio.sleep(seconds)
    if fails:
        raise ValueError
    return seconds


def way(*seconds: float, fails: bool = False) -> list[Call]:
    return [Call("nap", {"seconds": each, "fails": fails}) for each in seconds]


async def test_a_way_wins_when_all_of_its_calls_are_ok() -> None:
    async with Engine([nap]) as engine:
        race = await engine.race([way(1, 9), way(2, 3), way(20)])
    assert race.winner == 1
    assert [o.value for o in race.outcomes] == [2, 3]


async def test_a_way_that_failed_cannot_win() -> None:
    async with Engine([nap]) as engine:
        race = await engine.race([way(1, fails=True), way(5)])
    assert race.winner == 1
    assert race.losers[0][0].status == "failed"


async def test_the_losers_are_cancelled_for_the_race() -> None:
    async with Engine([nap]) as engine:
        race = await engine.race([way(1), way(60)])
    (loser,) = race.losers[1]
    assert loser.status == "cancelled"
    assert getattr(loser.error, "reason", None) == "race"


async def test_a_race_takes_as_long_as_its_winner() -> None:
    loop = asyncio.get_running_loop()
    began = loop.time()
    async with Engine([nap]) as engine:
        await engine.race([way(1), way(60)])
    assert loop.time() - began == pytest.approx(1, abs=0.01)


async def test_the_deadline_of_a_race_ends_it_without_a_winner() -> None:
    async with Engine([nap]) as engine:
        race = await engine.race([way(10), way(20)], timeout=1)
    assert race.winner is None
    assert {o.status for losers in race.losers.values() for o in losers} == {"timeout"}


@pytest.mark.parametrize("ways", [[], [[]], [way(1), []]])
async def test_ways_without_calls_are_refused(ways: list[list[Call]]) -> None:
    async with Engine([nap]) as engine:
        with pytest.raises(ConfigError) as bad:
            await engine.race(ways)
    assert bad.value.field == "plans"


async def test_cancelling_a_race_ends_its_calls() -> None:
    async with Engine([nap]) as engine:
        race = asyncio.ensure_future(engine.race([way(10), way(20)]))
        await asyncio.sleep(1)
        race.cancel()
        await asyncio.wait([race])
        assert race.cancelled()
        assert engine.statistics().pending == 0


def test_ids_of_different_ways_do_not_meet() -> None:
    ways = [[Call("nap", id="a"), Call("nap", {"seconds": Ref("a")}, after=["a"])]] * 2
    calls, places = branches(ways)
    assert [call.id for call in calls] == ["0/a", None, "1/a", None]
    assert [call.after for call in calls] == [(), ("0/a",), (), ("1/a",)]
    assert [call.refs[0].call for call in calls if call.refs] == ["0/a", "1/a"]
    assert [call.branch for call in calls] == ["0", "0", "1", "1"]
    assert places == [range(2), range(2, 4)]


wrote: list[str] = []


@tool
async def write(what: str, seconds: float = 0.0, fails: bool = False) -> str:
    wrote.append(what)
    await asyncio.sleep(seconds)
    if fails:
        raise ValueError
    return what


@pytest.fixture(autouse=True)
def _nothing_written() -> None:
    wrote.clear()


def booking(name: str, seconds: float, *, fails: bool = False) -> list[Call]:
    """A way that reads, then writes what it read, then reads again."""
    return [
        Call("nap", {"seconds": seconds, "fails": fails}, id="look"),
        Call("write", {"what": name}, id="book", after=["look"]),
        Call("nap", {"seconds": 1.0}, after=["book"]),
    ]


async def test_only_the_winner_writes() -> None:
    async with Engine([nap, write]) as engine:
        race = await engine.race([booking("slow", 5), booking("quick", 1)])
    assert (race.winner, wrote) == (1, ["quick"])
    assert [o.status for o in race.outcomes] == ["ok"] * 3
    assert [o.status for o in race.losers[0]] == ["cancelled"] * 3


async def test_the_winner_writes_when_the_losers_have_stopped() -> None:
    seen: list[tuple[str, float]] = []

    @tool(effects="read")
    async def tidy() -> None:
        loop = asyncio.get_running_loop()
        try:
            await asyncio.sleep(50)
        finally:
            await asyncio.sleep(0.1)
            seen.append(("stopped", loop.time()))

    @tool
    async def book() -> None:
        seen.append(("booked", asyncio.get_running_loop().time()))

    async with Engine([nap, tidy, book]) as engine:
        await engine.race(
            [
                [Call("tidy")],
                [Call("nap", {"seconds": 1.0}, id="look"), Call("book", after=["look"])],
            ]
        )
    assert [what for what, _ in seen] == ["stopped", "booked"]


async def test_a_write_that_waits_for_nothing_is_held_too() -> None:
    async with Engine([nap, write]) as engine:
        plan = [*way(2), Call("write", {"what": "late"})]
        race = await engine.race([plan, [*way(1), Call("write", {"what": "soon"})]])
    assert (race.winner, wrote) == (1, ["soon"])


async def test_who_only_writes_is_there_at_once() -> None:
    async with Engine([nap, write]) as engine:
        race = await engine.race([[Call("write", {"what": str(n)})] for n in range(3)])
    assert (race.winner, wrote) == (0, ["0"])


async def test_a_winner_may_fail_afterwards() -> None:
    async with Engine([nap, write]) as engine:
        race = await engine.race([[Call("write", {"what": "a", "fails": True})], way(1)])
    assert (race.winner, race.outcomes[0].status) == (0, "failed")
    assert wrote == ["a"]


async def test_nothing_is_written_when_nobody_is_good() -> None:
    async with Engine([nap, write]) as engine:
        plan = [*way(1, fails=True), Call("write", {"what": "never"})]
        race = await engine.race([plan, booking("neither", 1, fails=True)])
    assert (race.winner, wrote, race.outcomes) == (None, [], [])
    assert [o.status for o in race.losers[0]] == ["failed", "cancelled"]
    assert [o.status for o in race.losers[1]] == ["failed", "skipped", "skipped"]


async def test_accept_says_who_is_good() -> None:
    async with Engine([nap, write]) as engine:
        race = await engine.race(
            [booking("one", 1), booking("two", 2), booking("three", 3)],
            accept=lambda outcomes: [o.value for o in outcomes] == [2.0],
        )
    assert (race.winner, wrote) == (1, ["two"])


async def test_an_accept_that_raises_says_no() -> None:
    def accept(outcomes: list[Outcome]) -> bool:
        return 1 / (outcomes[0].value - 1) > 0

    async with Engine([nap]) as engine:
        race = await engine.race([way(1), way(2)], accept=accept)
    assert race.winner == 1


async def test_an_accept_may_take_what_failed() -> None:
    async with Engine([nap]) as engine:
        race = await engine.race([way(1, fails=True), way(2)], accept=lambda _: True)
    assert (race.winner, race.outcomes[0].status) == (0, "failed")


async def test_an_accept_that_is_interrupted_ends_the_race() -> None:
    def accept(_: list[Outcome]) -> bool:
        raise asyncio.CancelledError

    async with Engine([nap, write]) as engine:
        with pytest.raises(asyncio.CancelledError):
            await engine.race([booking("one", 1), way(60)], accept=accept)
        assert (engine.statistics().pending, wrote) == (0, [])


async def test_ties_go_by_order() -> None:
    async with Engine([nap, write]) as engine:
        race = await engine.race([way(9), booking("one", 1), booking("two", 1)])
    assert (race.winner, wrote) == (1, ["one"])


async def test_branches_start_one_after_the_other() -> None:
    async with Engine([nap]) as engine:
        race = await engine.race([way(5), way(2), way(3)], stagger=2.0)
    first, second = (race.losers[0][0], race.outcomes[0])
    assert race.winner == 1
    assert second.started is not None
    assert first.started is not None
    assert second.started - first.started == pytest.approx(2.0, abs=0.01)
    assert race.losers[2][0].status == "cancelled"


async def test_who_won_before_another_started_was_alone() -> None:
    async with Engine([nap, write]) as engine:
        race = await engine.race([booking("one", 1), booking("two", 0)], stagger=5.0)
        assert engine.statistics().tools["nap"].attempts == 2
    assert (race.winner, wrote) == (0, ["one"])
    assert race.losers[1][0].started is None


async def test_who_only_writes_is_not_there_before_its_start() -> None:
    async with Engine([nap, write]) as engine:
        race = await engine.race([way(9), [Call("write", {"what": "second"})]], stagger=2.0)
    assert (race.winner, wrote) == (1, ["second"])
    assert race.losers[0][0].duration == pytest.approx(2.0, abs=0.01)


async def test_a_stagger_may_be_what_the_first_usually_takes() -> None:
    async with Engine([nap, write]) as engine:
        unknown = await engine.race([way(9), way(2)], stagger="p90")
        await engine.run([call for seconds in range(1, 11) for call in way(seconds) * 10])
        race = await engine.race([booking("one", 60), way(1)], stagger="p90")
    assert unknown.winner == 1
    assert unknown.outcomes[0].waited == 0
    assert race.outcomes[0].waited == pytest.approx(9.0, rel=0.05)


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"stagger": -1}, "stagger"),
        ({"stagger": "p50"}, "stagger"),
        ({"stagger": float("nan")}, "stagger"),
        ({"accept": 3}, "accept"),
        ({"accept": nap.function}, "accept"),
        ({"ways": [way(1)]}, "ways"),
        ({"timeout": -1}, "timeout"),
        ({"staggered": 1}, "staggered"),
    ],
)
async def test_misuse_is_told_before_anything_runs(options: dict[str, Any], field: str) -> None:
    async with Engine([nap, write]) as engine:
        with pytest.raises(ConfigError) as bad:
            await engine.race([way(1), way(2)], **options)
        assert engine.statistics().ended == 0
    assert bad.value.field == field


@pytest.mark.parametrize(
    ("plans", "field"),
    [
        (None, "plans"),
        ("nap", "plans"),
        (3, "plans"),
        ([Call("nap")], "plans[0]"),
        ([way(1), 3], "plans[1]"),
        ([[3]], "calls[0]"),
    ],
)
async def test_what_is_no_plan_is_refused(plans: Any, field: str) -> None:
    async with Engine([nap]) as engine:
        with pytest.raises(ConfigError) as bad:
            await engine.race(plans)
    assert bad.value.field == field


async def test_the_former_name_of_plans_still_works() -> None:
    async with Engine([nap]) as engine:
        race = await engine.race(ways=[way(2), way(1)])
    assert race.winner == 1


async def test_a_race_of_a_session_holds_its_writes_too() -> None:
    async with Engine([nap, write]) as engine:
        plans = [booking("slow", 5), booking("quick", 1)]
        race = await engine.session("a").race(plans, stagger=0.5)
    assert (race.winner, wrote) == (1, ["quick"])


def test_one_outcome_a_call_whenever_it_is_cancelled() -> None:
    async def story() -> None:
        async with Engine([nap, write]) as engine:
            plans = [booking("one", 1), booking("two", 2), way(5, 6)]
            try:
                race = await engine.race(plans, stagger=0.5)
                assert [len(race.outcomes), *map(len, race.losers.values())] == [3, 3, 2]
            finally:
                counts = engine.statistics()
                assert (counts.pending, counts.ended) == (0, 8) or not counts.ended
                assert wrote in ([], ["one"])
                wrote.clear()

    assert every_cancel_point(story) > 3
