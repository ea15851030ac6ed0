"""Races."""

import asyncio

import pytest

from penstock import Call, Engine, Ref, tool
from penstock.engine.race import branches
from penstock.errors import ConfigError


@tool
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
    assert bad.value.field == "ways"


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
