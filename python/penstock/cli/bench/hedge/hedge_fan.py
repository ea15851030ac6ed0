"""`hedge-fan`: 1,000 calls at once, again and again: the p99 of calls, and of whole fan-outs (`-whole`).

A fan-out is as slow as its slowest call: one straggler of a thousand that is not helped, or whose
hedge is a straggler too, makes it slow.
"""

from collections.abc import AsyncIterator

from penstock.cli.bench._protocol import Result, Rows, Settings
from penstock.cli.bench.hedge._mix import Client, both
from penstock.cli.bench.hedge._rows import load, tail

WIDTH = 1_000
FANS = 120


async def measure(settings: Settings) -> AsyncIterator[Result]:
    """Yield the rows."""

    async def fans(client: Client) -> None:
        for _ in range(settings.rounds(FANS)):
            await client.fan(WIDTH)

    hedged, plain = await both(fans)
    yield tail(settings, "hedge-fan", hedged.calls, plain.calls)
    yield tail(settings, "hedge-fan-whole", hedged.fans, plain.fans)
    yield load(settings, "hedge-fan-extra", hedged)


ROWS = Rows("hedge_fan", measure)
