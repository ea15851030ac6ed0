"""A world of tools, and engines whose guesses are scripted."""

import asyncio
from typing import Any

from penstock import Call, Engine, sleep, tool
from penstock.engine import Session
from penstock.speculation import Speculation
from unit.speculation.scripted import Guessed, Scripted

WARM = 8
"""Real calls after which it is known how long things take."""


class World:
    """A store with reads and writes; counts what really ran."""

    def __init__(self) -> None:
        self.value = "old"
        self.ran: list[str] = []
        self.fails = False

    def tools(self) -> list[Any]:
        @tool(effects="read")
        async def look(id: str = "0") -> str:
            self.ran.append(f"look {id}")
            value = self.value
            await sleep(1.0)
            if self.fails:
                raise ConnectionError("down")
            return value

        @tool(effects="read", cache="session", concurrency=2)
        async def kept(id: str = "0") -> str:
            self.ran.append(f"kept {id}")
            await sleep(1.0)
            return self.value

        @tool(effects="read", price=10)
        async def dear(way: str = "own") -> str:
            self.ran.append("dear")
            await sleep(1.0)
            return "dear"

        @tool
        async def change(to: str) -> str:
            self.ran.append("change")
            self.value = to
            return to

        return [look, kept, dear, change]


async def warm(engine: Engine, name: str = "look") -> None:
    """Make it known how long a tool takes, and how long a model does: 2 s."""
    async with engine.session("warm") as session:
        for number in range(WARM):
            await asyncio.sleep(2.0)
            await session.run([Call(name, {"id": f"w{number}"} if name != "dear" else {})])


def engine_of(world: World, script: Scripted, **options: Any) -> Engine:
    options.setdefault("speculation", speculation(script))
    return Engine(world.tools(), **options)


def speculation(script: Scripted, **options: Any) -> Speculation:
    return Speculation(**{"mode": "live", "control": 0.0, "predictor": script, **options})


async def said(engine: Engine, script: Scripted, *guesses: Guessed, id: str = "s") -> Session:
    """Begin a session that guesses these when the user speaks."""
    session = engine.session(id)
    script.script = [list(guesses)]
    session.user("hello")
    await asyncio.sleep(0)
    return session
