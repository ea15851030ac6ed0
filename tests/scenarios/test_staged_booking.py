"""A seat is held before anybody asks, and sold or freed.

A travel agent's model reads a seat map, and then books a seat. Booking is a staged tool: `prepare` holds
the seat for a while, `commit` sells what is held, `abort` lets it go. The predictor guesses the booking
while the model still thinks: the seat is held, and nobody is charged. The model books that very seat, which
then takes a moment instead of two seconds; in another conversation it books another one, and the
seat that was held is free again. When the shop cannot free a seat, the tool is guessed no more.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from penstock import Call, Engine, sleep, tool
from penstock.speculation import Speculation

HELD: set[str] = set()
SOLD: list[str] = []
STUCK: list[bool] = []


async def hold(arguments: dict[str, Any]) -> str:
    await sleep(2.0)
    HELD.add(arguments["seat"])
    return str(arguments["seat"])


async def sell(seat: str) -> str:
    HELD.remove(seat)
    SOLD.append(seat)
    return f"sold {seat}"


async def free(seat: str) -> None:
    if STUCK:
        raise OSError("the shop does not answer")
    HELD.remove(seat)


@tool(prepare=hold, commit=sell, abort=free)
async def book(seat: str) -> str:
    """Book a seat."""
    await sleep(2.0)
    SOLD.append(seat)
    return f"sold {seat}"


@dataclass
class Guess:
    tool: str
    arguments: bytes
    p: float = 0.9
    late_p: float = 0.0


class Always:
    """Guesses that seat 1A is booked next."""

    def observe(self, session: str, event: object, now_ns: int) -> None: ...

    def predict(self, session: str, k: int = 8) -> Sequence[Guess]:
        return [Guess("book", b'{"seat": "1A"}')] if session != "warm" else []


async def test_a_seat_is_held_before_anybody_asks(caplog: pytest.LogCaptureFixture) -> None:
    speculation = Speculation(mode="live", control=0.0, predictor=Always())
    async with Engine([book], speculation=speculation) as engine:
        async with engine.session("warm") as warm:
            for seat in range(8):
                await asyncio.sleep(3.0)
                await warm.run([Call("book", {"seat": f"w{seat}"})])
        SOLD.clear()
        for id, seat, seconds in (("a", "1A", 0.0), ("b", "2B", 2.0)):
            async with engine.session(id) as session:
                session.user("A seat to Rome, please.")
                await asyncio.sleep(3.0)
                assert set(HELD) == {"1A"}
                assert list(SOLD) == ([] if id == "a" else ["1A"])
                (outcome,) = await session.run([Call("book", {"seat": seat})])
                assert (outcome.value, outcome.speculative) == (f"sold {seat}", seat == "1A")
                assert outcome.duration == pytest.approx(seconds, abs=0.01)
            await asyncio.sleep(3.0)
            assert not HELD
        STUCK.append(True)
        async with engine.session("c") as session:
            session.user("A seat to Oslo, please.")
            await asyncio.sleep(3.0)
        await asyncio.sleep(0.1)
        (letter,) = engine.statistics().preparations.dead_letters
        assert (letter.tool, letter.tries) == ("book", 3)
        engine.session("d").user("A seat to Bern, please.")
        assert engine.speculation.explain("d")[-1].verdict == "dead_letter"
    assert list(SOLD) == ["1A", "2B"]
    assert "prepared no more" in caplog.text
