import asyncio
from collections import Counter

import pytest

from penstock.calls import Call, Outcome
from penstock.cli.demo import play as player
from penstock.cli.demo.play import WAYS, Options
from penstock.cli.demo.turns import TURNS
from penstock.engine import Engine
from penstock.tools import tool

SECONDS = {"slow.example": 9.0, "quick.example": 1.0}


@tool(effects="read")
async def fetch_page(url: str) -> str:
    if "broken" in url:
        raise ValueError(url)
    await asyncio.sleep(SECONDS.get(url.split("/")[2], 3.0))
    return url


@tool(effects="read")
async def fetch_archived(url: str) -> str:
    await asyncio.sleep(60)
    return url


def call(tool: str, url: str) -> Call:
    return Call(tool, f'{{"url": "http://{url}"}}', id=url)


async def played(way: str, calls: list[Call], options: Options | None = None) -> list[Outcome]:
    seen: list[Outcome] = []
    async with Engine([fetch_page, fetch_archived]) as engine:
        outcomes = await WAYS[way](engine, calls, options or {}, seen.append)
    assert Counter(outcome.id for outcome in seen) == Counter(o.id for o in outcomes)
    return outcomes


async def test_together_is_every_call_at_once() -> None:
    outcomes = await played("together", [call("fetch_page", f"x/{at}") for at in range(5)])
    assert {outcome.started for outcome in outcomes} == {outcomes[0].started}


async def test_one_after_the_other_takes_the_sum() -> None:
    outcomes = await played(
        "together", [call("fetch_page", f"x/{at}") for at in range(3)], {"max_parallel": 1}
    )
    assert outcomes[-1].ended - outcomes[0].submitted == pytest.approx(9, abs=0.1)


async def test_a_race_is_won_by_a_host_all_of_whose_pages_are_good() -> None:
    urls = ["slow.example/1", "slow.example/2", "quick.example/1", "quick.example/broken"]
    urls += ["other.example/1", "other.example/2"]
    outcomes = await played("race", [call("fetch_page", url) for url in urls])
    statuses = [outcome.status for outcome in outcomes]
    assert statuses == ["cancelled", "cancelled", "ok", "failed", "ok", "ok"]


async def test_the_archive_is_cancelled_when_the_other_calls_are_good() -> None:
    calls = [call("fetch_archived", "archive/1"), call("fetch_page", "x/1")]
    outcomes = await played("branches", calls)
    assert [outcome.status for outcome in outcomes] == ["cancelled", "ok"]


async def test_the_archive_is_waited_for_when_one_is_not() -> None:
    calls = [call("fetch_archived", "archive/1"), call("fetch_page", "broken/1")]
    outcomes = await played("branches", calls)
    assert [outcome.status for outcome in outcomes] == ["ok", "failed"]


@pytest.mark.parametrize("in_turn", [False, True])
async def test_what_was_expected_is_compared(in_turn: bool) -> None:
    turn = TURNS[4]
    async with Engine([fetch_page]) as engine:
        run = await player.play(engine, turn, lambda _: None, in_turn=in_turn)
    assert run.expected == (turn.expected_in_turn if in_turn else turn.expected)
    assert run.as_expected == (run.counts == run.expected)


def test_every_turn_can_be_played() -> None:
    assert {turn.play for turn in TURNS} == set(WAYS)
