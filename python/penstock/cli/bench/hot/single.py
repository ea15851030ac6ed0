"""`single_bound`, `single_name`: one call at a time, in the caller's own task, against `await f()`."""

from collections.abc import AsyncIterator

from penstock.cli.bench._frame import interleave, timed
from penstock.cli.bench._protocol import Result, Rows, Settings
from penstock.engine import Engine
from penstock.tools import tool

COUNT = 5_000


async def echo(number: int) -> int:
    """Returns its argument."""
    return number


async def measure(settings: Settings) -> AsyncIterator[Result]:
    async with Engine([tool(echo)]) as engine:
        quick = engine.bind("echo")
        by_name = engine.call

        async def plain() -> None:
            for number in range(COUNT):
                await echo(number)

        async def bound() -> None:
            for number in range(COUNT):
                await quick(number)

        async def named() -> None:
            for number in range(COUNT):
                await by_name("echo", number=number)

        ways = {"await f()": timed(plain), "bound": timed(bound), "named": timed(named)}
        rounds = await interleave(settings, ways, calls=COUNT)
    yield rounds.row("single_bound", "bound", "await f()", gate=3.0)
    yield rounds.row("single_name", "named", "await f()", gate=6.0)


ROWS = Rows("single", measure)
