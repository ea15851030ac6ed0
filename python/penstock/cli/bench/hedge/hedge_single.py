"""`hedge-single`: one call after the other; and what that adds to the load (`-extra`)."""

from collections.abc import AsyncIterator

from penstock.cli.bench._protocol import Result, Rows, Settings
from penstock.cli.bench.hedge._mix import Client, both
from penstock.cli.bench.hedge._rows import load, tail

COUNT = 6_000


async def measure(settings: Settings) -> AsyncIterator[Result]:
    """Yield the rows."""

    async def one_by_one(client: Client) -> None:
        for _ in range(settings.rounds(COUNT)):
            await client.fan(1)

    hedged, plain = await both(one_by_one)
    yield tail(settings, "hedge-single", hedged.calls, plain.calls)
    yield load(settings, "hedge-single-extra", hedged)


ROWS = Rows("hedge_single", measure)
