"""The ways that the rows about one watcher time do what they say."""

import asyncio

from penstock.calls import Call
from penstock.cli.bench.streams.alone import emptied, noop, read
from penstock.engine import Engine
from penstock.tools import tool


async def test_the_whole_log_is_read() -> None:
    async with Engine([tool(noop)]) as engine:
        batch = engine.submit([Call("noop")] * 300)
        assert await read(batch) == 602


async def test_the_whole_queue_is_emptied() -> None:
    items: asyncio.Queue[int] = asyncio.Queue()
    for number in range(5):
        items.put_nowait(number)
    assert await emptied(items) == 4
    assert items.empty()
