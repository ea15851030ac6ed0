"""Two ways of searching, one of them given up."""

import asyncio

from penstock import Call, Engine, tool
from penstock.errors import CallCancelled
from penstock.testing import every_cancel_point


@tool(effects="read")
async def search(source: str, seconds: float) -> str:
    await asyncio.sleep(seconds)
    return source


def calls() -> list[Call]:
    return [
        Call("search", {"source": "web 1", "seconds": 0.1}, id="w1", branch="web"),
        Call("search", {"source": "web 2", "seconds": 9.0}, id="w2", branch="web"),
        Call("search", {"source": "web 3", "seconds": 0.1}, id="w3", branch="web", after=["w2"]),
        Call("search", {"source": "books", "seconds": 1.0}, id="b1", branch="books"),
        Call("search", {"source": "notes", "seconds": 1.0}, id="n1"),
    ]


async def test_a_branch_is_cancelled_as_one() -> None:
    """An agent searches the web, its books and its notes.

    After half a second it has heard enough of the web and cancels that branch. What the branch
    had found already stays found, what ran in it is cancelled, what waited in it never starts.
    Books and notes know nothing of it.
    """
    async with Engine([search]) as engine:
        batch = engine.submit(calls())
        await asyncio.sleep(0.5)
        assert batch.branch("web").cancel("heard enough") == 2
        outcomes = await batch
    assert [o.status for o in outcomes] == ["ok", "cancelled", "cancelled", "ok", "ok"]
    assert [o.attempts for o in outcomes] == [1, 1, 0, 1, 1]
    assert outcomes[0].value == "web 1"
    assert isinstance(outcomes[1].error, CallCancelled)
    assert outcomes[1].error.reason == "branch: heard enough"


async def test_a_committed_branch_stops_its_rivals() -> None:
    """The same agent finds the answer in its books and commits that branch.

    The web is cancelled; the notes are in no branch, so they end as they would have.
    """
    async with Engine([search]) as engine:
        batch = engine.submit(calls())
        await asyncio.sleep(0.05)
        assert batch.branch("books").commit()
        outcomes = await batch
    assert [o.status for o in outcomes] == ["cancelled", "cancelled", "cancelled", "ok", "ok"]


def test_they_can_stop_anywhere() -> None:
    assert every_cancel_point(test_a_branch_is_cancelled_as_one) > 3
    assert every_cancel_point(test_a_committed_branch_stops_its_rivals) > 3
