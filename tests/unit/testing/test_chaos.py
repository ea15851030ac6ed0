"""Cancellation at every point."""

import asyncio

import pytest

from penstock.testing import every_cancel_point


async def two_steps() -> None:
    await asyncio.sleep(1)
    await asyncio.sleep(1)


def test_each_turn_of_the_loop_is_a_point() -> None:
    assert every_cancel_point(two_steps) == 5  # the start, and for each sleep its beginning and end


def test_the_story_runs_whole_first_and_then_cancelled_at_each_point() -> None:
    ends = []

    async def story() -> None:
        try:
            await two_steps()
        except asyncio.CancelledError:
            ends.append("cancelled")
            raise
        ends.append("whole")

    points = every_cancel_point(story)
    assert ends[0] == "whole"
    assert len(ends) in (points, points + 1)  # cancelled before its first step, it says nothing
    assert set(ends[1:]) == {"cancelled"}


def test_a_task_that_is_left_behind_is_found() -> None:
    kept = []

    async def story() -> None:
        kept.append(asyncio.ensure_future(asyncio.sleep(100)))
        await asyncio.sleep(1)
        kept[-1].cancel()
        await asyncio.wait(kept[-1:])

    with pytest.raises(AssertionError, match="left behind") as left:
        every_cancel_point(story)
    assert "cancelled at point" in left.value.__notes__[0]


def test_an_error_of_the_story_names_the_point() -> None:
    async def story() -> None:
        try:
            await asyncio.sleep(1)
        except asyncio.CancelledError:
            raise LookupError("badly tidied") from None

    with pytest.raises(LookupError) as raised:
        every_cancel_point(story)
    assert raised.value.__notes__ == ["cancelled at point 2 of 3"]


def test_an_endless_story_is_refused() -> None:
    async def story() -> None:
        while True:  # noqa: ASYNC110 - an endless story is what is tested
            await asyncio.sleep(1)

    with pytest.raises(AssertionError, match="has not ended after 50 turns"):
        every_cancel_point(story, most=50)
