"""Two tools and a model's reply: run what it asks for, in parallel, and print what it gets back.

Run it with `python examples/quickstart.py`, or let the command line do the same:
`penstock run examples/reply.json --tools examples/quickstart.py`.
"""
# ruff: noqa: T201 - an example prints

import asyncio
from pathlib import Path

import penstock
from penstock import Engine, formats, tool

REPLY = Path(__file__).with_name("reply.json").read_bytes()


@tool(effects="read", timeout=2.0)
async def forecast(city: str, days: int = 3) -> dict[str, object]:
    """The weather forecast of a city.

    Args:
        city: its name.
        days: how many, from today.
    """
    await asyncio.sleep(0.1)  # here it would ask a weather service
    return {"city": city, "days": ["sunny", "rain", "snow"][:days]}


@tool(effects="read")
def population(city: str) -> int:
    """How many people live in a city. A plain function: it runs in a thread."""
    return {"Oslo": 717_710, "Bergen": 291_940}[city]


async def main() -> None:
    async with Engine([forecast, population]) as engine:
        calls = formats.anthropic.parse(REPLY)
        outcomes = await engine.run(calls)
    for outcome in outcomes:
        print(f"{outcome.status:9} {outcome.tool:11} {outcome.value or outcome.error}")
    print(formats.anthropic.render(outcomes))


if __name__ == "__main__":
    penstock.run(main())
