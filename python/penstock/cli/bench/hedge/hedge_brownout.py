"""`hedge-brown-out`: everything becomes ten times slower, so that every call is late: the load stays bounded.

`-extra` counts from the first call on; `-extra-within` only the calls of the brown-out, which may also
spend what was saved before.
"""

from collections.abc import AsyncIterator
from dataclasses import replace

from penstock.cli.bench._protocol import Result, Rows, Settings
from penstock.cli.bench.hedge._mix import Client, both
from penstock.cli.bench.hedge._rows import load, tail

WIDTH = 100
FANS = 60
SLOWER = 10.0


async def measure(settings: Settings) -> AsyncIterator[Result]:
    """Yield the rows."""
    before = []

    async def slow(client: Client) -> None:
        before.append((client.seen.asked, client.service.taken))
        client.service.slow = SLOWER
        for _ in range(settings.rounds(FANS)):
            await client.fan(WIDTH)

    hedged, plain = await both(slow)
    yield tail(settings, "hedge-brown-out", hedged.calls, plain.calls, gate=None)
    yield load(settings, "hedge-brown-out-extra", hedged)
    asked, taken = before[0]
    within = replace(hedged, asked=hedged.asked - asked, attempts=hedged.attempts - taken)
    yield replace(load(settings, "hedge-brown-out-extra-within", within), gate=None)


ROWS = Rows("hedge_brownout", measure)
