"""`noop_json`: JSON bytes in, validated, the tool run, its result encoded to JSON bytes.

The baseline gathers coroutines that do the same with the same validator and the same encoder. Both
start from the bytes, so making the `Call`s is part of our time.
"""

import asyncio
from collections.abc import AsyncIterator

from penstock._codec import encode
from penstock.calls import Call
from penstock.cli.bench._frame import interleave, timed
from penstock.cli.bench._protocol import Result, Rows, Settings
from penstock.engine import Engine
from penstock.tools import tool

COUNT = 1_000
ARGUMENTS = b'{"city":"Oslo","days":3,"units":"metric","tags":["a","b"]}'


@tool
async def forecast(city: str, days: int, units: str, tags: list[str]) -> dict[str, object]:
    """The weather forecast of a city."""
    return {"city": city, "days": days, "units": units, "tags": tags}


async def measure(settings: Settings) -> AsyncIterator[Result]:
    requests = [ARGUMENTS] * COUNT
    validate = forecast.validator.validate_json

    async def one(request: bytes) -> bytes:
        positional, named = validate(request)
        return encode(await forecast(*positional, **named))

    async def gather() -> list[bytes]:
        return await asyncio.gather(*[one(request) for request in requests])

    async with Engine([forecast]) as engine:

        async def ours() -> list[bytes]:
            outcomes = await engine.run([Call("forecast", request) for request in requests])
            return [encode(outcome.value) for outcome in outcomes]

        if await ours() != await gather():
            raise AssertionError("the engine's results differ from the baseline's")
        ways = {"ours": timed(ours, 3), "gather over the same parts": timed(gather, 3)}
        rounds = await interleave(settings, ways, calls=COUNT)
    yield rounds.row("noop_json", "ours", "gather over the same parts", gate=0.45)


ROWS = Rows("json_rows", measure)
