"""The ways that the rows about one watcher time do what they say."""

import asyncio

from penstock.calls import Call
from penstock.cli.bench.streams.alone import noop, passed, read
from penstock.engine import Engine
from penstock.tools import tool


async def test_the_whole_log_is_read() -> None:
    async with Engine([tool(noop)]) as engine:
        batch = engine.submit([Call("noop")] * 300)
        assert await read(batch) == 602


async def test_all_items_pass_through_the_queue() -> None:
    items: asyncio.Queue[int] = asyncio.Queue()
    assert await passed(items, 5) == 4
    assert items.empty()
