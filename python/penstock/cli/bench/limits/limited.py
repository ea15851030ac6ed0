"""`noop-limited`: row `noop` with five limits on every call, none of which is ever reached.

`noop-limited-slots` has calls at once among the five: each end must then be heard of, and each call be
found by those inside it that would wait for it.
"""

import asyncio
from collections.abc import AsyncIterator

from penstock.calls import Call
from penstock.cli.bench._frame import interleave, timed
from penstock.cli.bench._protocol import Result, Rows, Settings
from penstock.cli.bench.limits._subjects import five_tiers
from penstock.engine import Engine
from penstock.tools import tool

COUNT = 1_000


async def noop() -> None:
    """Does nothing."""


async def measure(settings: Settings) -> AsyncIterator[Result]:
    calls = [Call("noop") for _ in range(COUNT)]
    free = Engine([tool(noop)])
    limited = Engine([tool(noop)], limits=five_tiers("tool:noop", slots=False))
    slots = Engine([tool(noop)], limits=five_tiers("tool:noop"))
    async with free, limited, slots:

        async def ours() -> None:
            await limited.run(calls)

        async def with_slots() -> None:
            await slots.run(calls)

        async def without() -> None:
            await free.run(calls)

        async def gather() -> None:
            await asyncio.gather(*[noop() for _ in range(COUNT)])

        ways = {
            "ours": timed(ours, 5),
            "slots": timed(with_slots, 5),
            "without limits": timed(without, 5),
            "gather": timed(gather, 5),
        }
        rounds = await interleave(settings, ways, calls=COUNT)
    yield rounds.row("noop-limited", "ours", "gather", gate=0.15)
    yield rounds.row("noop-limited-slots", "slots", "gather", gate=None)
    yield rounds.row("noop-limited-cost", "ours", "without limits", gate=None)


ROWS = Rows("limited", measure)
