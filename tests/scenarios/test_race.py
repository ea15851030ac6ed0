"""Three ways to the same answer."""

import asyncio

from penstock import Call, Engine, tool
from penstock.plan import PlanBuilder
from penstock.testing import every_cancel_point


@tool(effects="read")
async def ask(source: str, seconds: float, fails: bool = False) -> str:
    await asyncio.sleep(seconds)
    if fails:
        raise LookupError(source)
    return f"from {source}"


async def test_the_first_good_way_wins() -> None:
    """Three ways lead to one answer: a cache that knows nothing and says so at once, an index in two steps, and an archive that would take a minute.

    The first way that goes well to its end wins. The archive is stopped, and what became of the
    losers is known as well.
    """
    builder = PlanBuilder()
    step = builder.call("ask", source="index", seconds=0.5, id="step")
    builder.call("ask", source=step, seconds=0.5)
    cache = [Call("ask", {"source": "cache", "seconds": 0.01, "fails": True}, id="step")]
    archive = [Call("ask", {"source": "archive", "seconds": 60}, id="step")]
    async with Engine([ask]) as engine:
        race = await engine.race([cache, builder.freeze(), archive])
    assert race.winner == 1
    assert [o.value for o in race.outcomes] == ["from index", "from from index"]
    assert {way: [o.status for o in outcomes] for way, outcomes in race.losers.items()} == {
        0: ["failed"],
        2: ["cancelled"],
    }


async def test_nobody_wins_when_all_fail() -> None:
    """Every source is down.

    The race ends without a winner and raises nothing.
    """
    ways = [[Call("ask", {"source": s, "seconds": 0.1, "fails": True})] for s in ("web", "index")]
    async with Engine([ask]) as engine:
        race = await engine.race(ways)
    assert (race.winner, race.outcomes) == (None, [])
    assert [race.losers[way][0].status for way in (0, 1)] == ["failed", "failed"]


def test_it_can_stop_anywhere() -> None:
    assert every_cancel_point(test_the_first_good_way_wins) > 3
