"""A step in any timing against the same step one call after the other.

What a call reads or changes has seen each earlier write of it; nothing that shares nothing waits.
"""

import asyncio
import json
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.wires import WIRES, Asked
from penstock import Call, Engine, formats, tool
from penstock.testing import VirtualLoop

KEYS = ("a", "b")


class World:
    """Rows by key; remembers when each call began and ended."""

    def __init__(self) -> None:
        self.rows: dict[str, list[int]] = {key: [] for key in KEYS}
        self.began: dict[int, float] = {}
        self.ended: dict[int, float] = {}
        self.seen: dict[int, dict[str, list[int]]] = {}

    async def act(self, n: int, keys: Any, seconds: float, *, fails: bool, adds: bool) -> int:
        loop = asyncio.get_running_loop()
        self.began[n] = loop.time()
        self.seen[n] = {key: list(self.rows[key]) for key in keys}
        try:
            await asyncio.sleep(seconds)
            for key in keys if adds else ():
                self.rows[key].append(n)
            if fails:
                raise ValueError(n)
        finally:
            self.ended[n] = loop.time()
        return n

    def tools(self) -> list[Any]:
        @tool(effects="read", reads=["row:{key}"])
        async def get(n: int, key: str, seconds: float = 0.0, fails: bool = False) -> int:
            return await self.act(n, [key], seconds, fails=fails, adds=False)

        @tool(effects="read", reads=["row:*"])
        async def scan(n: int, key: str, seconds: float = 0.0, fails: bool = False) -> int:
            return await self.act(n, KEYS, seconds, fails=fails, adds=False)

        @tool(mutates=["row:{key}"])
        async def put(n: int, key: str, seconds: float = 0.0, fails: bool = False) -> int:
            return await self.act(n, [key], seconds, fails=fails, adds=True)

        @tool(effects="idempotent", mutates=["row:*"])
        async def sweep(n: int, key: str, seconds: float = 0.0, fails: bool = False) -> int:
            return await self.act(n, KEYS, seconds, fails=fails, adds=True)

        @tool
        async def quiet(n: int, key: str, seconds: float = 0.0, fails: bool = False) -> int:
            return await self.act(n, [], seconds, fails=fails, adds=False)

        return [get, scan, put, sweep, quiet]


@dataclass(frozen=True)
class Step:
    """One call of a step, by the names of the world's tools."""

    n: int
    name: str
    key: str
    seconds: float
    fails: bool
    is_wrong: bool

    @property
    def keys(self) -> frozenset[str]:
        if self.name == "quiet" or self.is_wrong:
            return frozenset()
        return frozenset(KEYS if self.name in ("scan", "sweep") else self.key)

    @property
    def is_write(self) -> bool:
        return self.name in ("put", "sweep")

    def asked(self) -> Asked:
        given: dict[str, Any] = {"n": self.n, "key": self.key, "seconds": self.seconds}
        given |= {"fails": self.fails, **({"wrong": 1} if self.is_wrong else {})}
        return Asked(f"id-{self.n}", self.name, json.dumps(given))


@st.composite
def steps(draw: st.DrawFn) -> list[Step]:
    names = st.sampled_from(["get", "get", "put", "put", "scan", "sweep", "quiet"])
    count = draw(st.integers(2, 7))
    return [
        Step(
            n,
            draw(names),
            draw(st.sampled_from(KEYS)),
            draw(st.sampled_from([0.0, 0.1, 0.5, 2.0])),
            draw(st.integers(0, 5)) == 0,
            draw(st.integers(0, 7)) == 0,
        )
        for n in range(count)
    ]


def play(main: Any) -> Any:
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(main)


def check(world: World, calls: list[Step]) -> None:
    """Against the calls one after the other."""
    serial: dict[str, list[int]] = {key: [] for key in KEYS}
    for call in calls:
        if call.is_wrong:
            assert call.n not in world.began
            continue
        for key in call.keys:
            before = serial[key]
            assert world.seen[call.n][key][: len(before)] == before
            if call.is_write:
                serial[key] = [*before, call.n]
    assert world.rows == serial
    for first, second in combinations(calls, 2):
        if first.is_write and first.keys & second.keys:
            assert world.began[second.n] >= world.ended[first.n]


@given(calls=steps())
def test_a_step_of_a_session_keeps_its_writes_in_order(calls: list[Step]) -> None:
    world = World()

    async def main() -> None:
        async with Engine(world.tools()) as engine, engine.session("s") as session:
            asked = [call.asked() for call in calls]
            outcomes = await session.run(
                [Call(it.name, it.arguments.encode(), id=it.id) for it in asked]
            )
        for call, outcome in zip(calls, outcomes, strict=True):
            wanted = "rejected" if call.is_wrong else "failed" if call.fails else "ok"
            assert outcome.status == wanted

    play(main())
    check(world, calls)
    began = min(world.began.values(), default=0.0)
    for place, call in enumerate(calls):
        fences = (one for one in calls[:place] if one.is_write and one.keys & call.keys)
        # As soon as the last of them has ended, and at once without any.
        due = max((world.ended[one.n] for one in fences), default=began)
        assert call.is_wrong or world.began[call.n] <= due + 0.001


@pytest.mark.parametrize("name", WIRES)
@given(
    calls=steps(),
    size=st.integers(4, 32),
    by_turns=st.booleans(),
    early_writes=st.booleans(),
    in_session=st.booleans(),
    pause=st.sampled_from([0.0, 0.01, 0.2]),
)
def test_a_reply_keeps_its_writes_in_order(
    name: str,
    calls: list[Step],
    size: int,
    by_turns: bool,
    early_writes: bool,
    in_session: bool,
    pause: float,
) -> None:
    world = World()
    pieces = WIRES[name]([call.asked() for call in calls], [size], by_turns=by_turns)

    async def main() -> None:
        async with Engine(world.tools()) as engine:
            speaker = engine.session("s") if in_session else engine
            format = formats.get(name)
            async with speaker.reply(format, early_writes=early_writes) as reply:
                for piece in pieces:
                    reply.feed(piece)
                    await asyncio.sleep(pause)
                outcomes = await reply.outcomes()
            assert [outcome.id for outcome in outcomes] == [f"id-{call.n}" for call in calls]

    play(main())
    check(world, calls)


@given(calls=steps(), kept=st.integers(0, 40), discards=st.booleans(), early_writes=st.booleans())
def test_a_reply_that_is_cut_starts_nothing_behind_a_fence_and_leaves_nothing_running(
    calls: list[Step], kept: int, discards: bool, early_writes: bool
) -> None:
    world = World()
    pieces = WIRES["anthropic"]([call.asked() for call in calls], [9], by_turns=False)

    async def main() -> None:
        async with Engine(world.tools()) as engine:
            async with engine.reply(formats.anthropic, early_writes=early_writes) as reply:
                for piece in pieces[: min(kept, len(pieces) - 2)]:
                    reply.feed(piece)
                    await asyncio.sleep(0.05)
                began = set(world.began)
                if discards:
                    reply.discard("a test")
                else:
                    reply.finish(broken=True)
                outcomes = await reply.outcomes()
            assert set(world.began) == began
            if not discards:
                assert [outcome.call for outcome in outcomes] == reply.calls
            assert engine.statistics().in_flight == engine.statistics().batches == 0

    play(main())
