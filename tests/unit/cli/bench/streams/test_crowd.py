"""The ways that the rows about many watchers time do what they say."""

from penstock.calls import Call
from penstock.cli.bench.streams.crowd import encoded, noop, stopped
from penstock.engine import Engine
from penstock.tools import tool


async def test_all_watchers_get_the_same_bytes() -> None:
    async with Engine([tool(noop)]) as engine:
        batch = engine.submit([Call("noop")] * 300)
        await batch
        assert await encoded(batch) == await encoded(batch)
        assert (await encoded(batch))[0] == 602


async def test_a_sleeper_has_read_one_event() -> None:
    async with Engine([tool(noop)]) as engine:
        batch = engine.submit([Call("noop")])
        assert (await stopped(batch)).position == 1
        await batch
