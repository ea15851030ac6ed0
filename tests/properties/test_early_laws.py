"""A reply with guesses of its rest against the same reply without: whatever is guessed, wherever it is cut."""

import asyncio
import json
from collections.abc import Sequence
from itertools import cycle
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.wires import WIRES, Asked
from penstock import Call, Engine, formats, sleep, tool
from penstock.speculation import Speculation
from penstock.speculation._protocol import Spoken
from penstock.testing import VirtualLoop
from unit.speculation.scripted import Guessed

KEYS = ("a", "b")


class World:
    """Rows that reads show and writes add to; a staged write holds a row before."""

    def __init__(self) -> None:
        self.rows: dict[str, list[int]] = {key: [] for key in KEYS}
        self.held: list[str] = []
        self.asked: set[tuple[str, int]] = set()
        self.entered: list[tuple[str, int]] = []

    def tools(self) -> list[Any]:
        @tool(effects="read", reads=["row:{key}"])
        async def get(key: str, n: int = 0, deep: bool = False) -> list[int]:
            found = list(self.rows[key])
            await sleep(0.5)
            return found

        @tool(mutates=["row:{key}"])
        async def put(key: str, n: int) -> int:
            self.entered.append(("put", n))
            await sleep(0.2)
            self.rows[key].append(n)
            return n

        async def hold(arguments: dict[str, Any]) -> tuple[str, int]:
            await sleep(0.3)
            self.held.append(arguments["key"])
            return arguments["key"], arguments["n"]

        async def add(staged: tuple[str, int]) -> int:
            key, n = staged
            self.entered.append(("swap", n))
            self.held.remove(key)
            self.rows[key].append(n)
            return n

        @tool(
            mutates=["row:{key}"],
            prepare=hold,
            commit=add,
            abort=lambda it: self.held.remove(it[0]),
        )
        async def swap(key: str, n: int) -> int:
            self.entered.append(("swap", n))
            await sleep(0.3)
            self.rows[key].append(n)
            return n

        return [get, put, swap]


class Wild:
    """Guesses anything at any time."""

    def __init__(self, guesses: Sequence[Guessed]) -> None:
        self.guesses = cycle([guesses[at : at + 2] for at in range(0, len(guesses), 2)] or [()])

    def observe(self, session: str, event: object, now_ns: int) -> None: ...

    def predict(
        self,
        session: str,
        k: int = 8,
        *,
        step: Sequence[Spoken] = (),
        open: Spoken | None = None,
    ) -> Sequence[Guessed]:
        return next(self.guesses)


@st.composite
def calls(draw: st.DrawFn) -> list[tuple[str, dict[str, Any]]]:
    found = []
    for n in range(draw(st.integers(1, 6))):
        name = draw(st.sampled_from(["get", "get", "get", "put", "swap"]))
        given: dict[str, Any] = {"key": draw(st.sampled_from(KEYS))}
        if name != "get":
            given["n"] = n
        elif draw(st.booleans()):
            given["deep"] = draw(st.booleans())
        found.append((name, given))
    return found


GUESSES = st.lists(
    st.builds(
        lambda name, key, n: Guessed(
            name, json.dumps({"key": key, **({} if name == "get" else {"n": n})}).encode()
        ),
        st.sampled_from(["get", "put", "swap"]),
        st.sampled_from(KEYS),
        st.integers(0, 5),
    ),
    max_size=8,
)


async def play(
    world: World,
    speculation: Speculation | None,
    steps: list[list[tuple[str, dict[str, Any]]]],
    name: str,
    size: int,
    pause: float,
) -> list[tuple[str, Any]]:
    shown = []
    async with Engine(world.tools(), speculation=speculation) as engine:
        warm = engine.session("warm")
        for at in range(6):
            await asyncio.sleep(1.0)
            await warm.run([Call("get", {"key": "a", "n": at}), Call("swap", {"key": "b", "n": 9})])
        for rows in world.rows.values():
            rows.clear()
        world.entered.clear()
        async with engine.session("s") as session:
            session.user("go")
            for step in steps:
                asked = [
                    Asked(f"id-{at}", tool, json.dumps(given))
                    for at, (tool, given) in enumerate(step)
                ]
                async with session.reply(formats.get(name)) as reply:
                    for piece in WIRES[name](asked, [size], by_turns=False):
                        reply.feed(piece)
                        await asyncio.sleep(pause)
                    outcomes = await reply.outcomes()
                shown += [(outcome.status, outcome.value) for outcome in outcomes]
        await asyncio.sleep(1.0)
        assert engine.statistics().in_flight == 0
        if speculation is not None:
            counts = engine.speculation.statistics()
            made = 12 + sum(map(len, steps))
            assert counts.launched - counts.promoted <= 5 + 0.3 * made
    assert world.held == []
    return shown


@pytest.mark.parametrize("name", WIRES)
@settings(max_examples=40)
@given(
    steps=st.lists(calls(), min_size=1, max_size=2),
    guesses=GUESSES,
    size=st.integers(6, 32),
    pause=st.sampled_from([0.0, 0.05, 0.3]),
)
def test_guesses_of_the_rest_of_a_reply_change_nothing_but_times(
    name: str,
    steps: list[list[tuple[str, dict[str, Any]]]],
    guesses: list[Guessed],
    size: int,
    pause: float,
) -> None:
    live = Speculation(mode="live", control=0.0, min_p=0.0, predictor=Wild(guesses))
    found = []
    for speculation in (live, None):
        world = World()
        with asyncio.Runner(loop_factory=VirtualLoop) as runner:
            main = play(world, speculation, steps, name, size, pause)
            found.append((runner.run(main), world.rows, sorted(world.entered)))
    assert found[0] == found[1]
