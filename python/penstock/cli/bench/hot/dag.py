"""`dag`: 10 layers of 100 calls, each after three of the layer above.

Held against a gather a layer, which waits for whole layers, and against the usual runner, a Task a
node that awaits its parents' Tasks. `dag_built` makes the calls and finds the edges every time.
"""

import asyncio
from collections.abc import AsyncIterator

from penstock.calls import Call
from penstock.cli.bench._frame import Way, interleave, timed
from penstock.cli.bench._protocol import Result, Rows, Settings
from penstock.engine import Engine
from penstock.plan import Plan
from penstock.tools import tool

LAYERS, WIDTH, PARENTS = 10, 100, 3


async def noop() -> None:
    """Does nothing."""


def parents_of(position: int) -> list[int]:
    """The positions in the layer above that a call comes after."""
    return [(position - step) % WIDTH for step in range(PARENTS)]


def calls() -> list[Call]:
    """The whole DAG, parents first."""
    return [
        Call(
            "noop",
            id=f"{layer}.{position}",
            after=[f"{layer - 1}.{parent}" for parent in parents_of(position)] if layer else (),
        )
        for layer in range(LAYERS)
        for position in range(WIDTH)
    ]


async def gather_per_layer() -> None:
    for _ in range(LAYERS):
        await asyncio.gather(*[noop() for _ in range(WIDTH)])


async def task_per_node() -> None:
    async def node(parents: list[asyncio.Task[None]]) -> None:
        if parents:
            await asyncio.gather(*parents)
        await noop()

    above: list[asyncio.Task[None]] = []
    every: list[asyncio.Task[None]] = []
    for _ in range(LAYERS):
        above = [
            asyncio.create_task(
                node([above[parent] for parent in parents_of(position)] if above else [])
            )
            for position in range(WIDTH)
        ]
        every += above
    await asyncio.gather(*every)


async def measure(settings: Settings) -> AsyncIterator[Result]:
    plan = Plan.from_calls(calls())
    async with Engine([tool(noop)]) as engine:

        async def ours() -> None:
            await engine.run(plan)

        async def ours_built() -> None:
            await engine.run(calls())

        ways: dict[str, Way] = {
            "ours": timed(ours, 3),
            "ours_built": timed(ours_built, 3),
            "gather per layer": timed(gather_per_layer, 3),
            "Task per node": timed(task_per_node, 3),
        }
        rounds = await interleave(settings, ways, calls=LAYERS * WIDTH)
    yield rounds.row("dag", "ours", "gather per layer", gate=0.15)
    yield rounds.row("dag_tasks", "ours", "Task per node", gate=0.04)
    yield rounds.row("dag_built", "ours_built", "gather per layer", gate=None)


ROWS = Rows("dag", measure)
