"""A deployment that stops at its first failure."""

import asyncio

from penstock import Call, Engine, tool
from penstock.testing import every_cancel_point

cleaned: list[str] = []


@tool
async def deploy(region: str, seconds: float, fails: bool = False) -> str:
    try:
        await asyncio.sleep(seconds)
    except asyncio.CancelledError:
        await asyncio.sleep(0.1)
        cleaned.append(region)
        raise
    if fails:
        raise ConnectionError(region)
    return region


async def test_a_failure_stops_what_runs_and_keeps_what_is_done() -> None:
    """Four regions are deployed at once, a fifth after the first.

    The second fails when the first has ended. The third and fourth are told to stop and get the
    time to tidy up. The fifth had begun as well. Nobody loses the value of the region that was
    done, and the failure is the tool's own error.
    """
    cleaned.clear()
    async with Engine([deploy]) as engine:
        outcomes = await engine.run(
            [
                Call("deploy", {"region": "north", "seconds": 0.1}, id="north"),
                Call("deploy", {"region": "south", "seconds": 0.2, "fails": True}),
                Call("deploy", {"region": "east", "seconds": 5.0}),
                Call("deploy", {"region": "west", "seconds": 5.0}),
                Call("deploy", {"region": "far north", "seconds": 5.0}, after=["north"]),
            ],
            on_error="fail_fast",
        )
    assert [o.status for o in outcomes] == ["ok", "failed", "cancelled", "cancelled", "cancelled"]
    assert outcomes[0].value == "north"
    assert repr(outcomes[1].error) == "ConnectionError('south')"
    assert sorted(cleaned) == ["east", "far north", "west"]
    assert outcomes[2].ended > outcomes[1].ended


def test_it_can_stop_anywhere() -> None:
    assert every_cancel_point(test_a_failure_stops_what_runs_and_keeps_what_is_done) > 3
