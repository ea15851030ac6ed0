"""What an engine does for whoever speculates: facts, checks, and runs that nobody sees."""

import asyncio
from typing import Any

import pytest

from penstock import Call, Engine, sleep, tool
from penstock.calls import Outcome
from penstock.engine import Guessing, Session
from penstock.engine.assembly import guess


class Heard:
    """A listener that keeps what it hears."""

    def __init__(self) -> None:
        """Make it."""
        self.words: list[str] = []

    def began(self) -> None:
        self.words.append("began")

    def claimed(self) -> None:
        self.words.append("claimed")

    def ended(self, outcome: Outcome) -> None:
        self.words.append(f"ended {outcome.status}")

    def dropped(self, why: str) -> None:
        self.words.append(f"dropped {why}")


@tool(effects="read", concurrency=1)
async def look(id: str = "0", *, deep: bool = False) -> str:
    await sleep(1.0)
    return id


@tool
async def change() -> None: ...


def guessing_of(engine: Engine) -> tuple[Guessing, Session]:
    session = engine.session("s")
    flights = engine._assembled.services.flights
    assert flights is not None
    return guess(engine._assembled, engine.tools, flights, engine._settings), session


async def test_facts_say_how_a_tool_fares() -> None:
    async with Engine([look, change]) as engine:
        guessing, _session = guessing_of(engine)
        assert guessing.facts("nothing") is None
        facts = guessing.facts("look")
        assert facts is not None
        assert (facts.latency, facts.in_flight, facts.bound) == (None, 0, 1)
        await engine.run([Call("look")] * 5)
        facts = guessing.facts("look")
        assert facts is not None
        assert facts.latency == pytest.approx(1.0, rel=0.05)


@pytest.mark.parametrize("bad", [b"[]", b"{", b'{"id": 5}', b'{"other": "x"}'])
async def test_what_a_real_call_could_not_be_is_not_prepared(bad: bytes) -> None:
    async with Engine([look, change]) as engine:
        guessing, session = guessing_of(engine)
        assert guessing.prepare(session, "look", bad) is None


async def test_nothing_but_a_read_is_ever_prepared() -> None:
    async with Engine([look, change]) as engine:
        guessing, session = guessing_of(engine)
        assert guessing.prepare(session, "change", b"{}") is None


async def test_defaults_are_filled_in_before_calls_are_compared() -> None:
    async with Engine([look, change]) as engine:
        guessing, session = guessing_of(engine)
        short = guessing.prepare(session, "look", b"{}")
        long = guessing.prepare(session, "look", b'{"deep": false, "id": "0"}')
        assert short is not None
        assert long is not None
        assert (short.form, short.arguments) == (long.form, ("0", False))


async def launched(engine: Engine) -> tuple[Guessing, Session, Heard, Any]:
    guessing, session = guessing_of(engine)
    call = guessing.prepare(session, "look", b'{"id": "1"}')
    assert call is not None
    heard = Heard()
    return guessing, session, heard, guessing.launch(session, call, heard)


async def test_a_guess_is_told_step_by_step() -> None:
    async with Engine([look, change]) as engine:
        _, session, heard, _ = await launched(engine)
        await asyncio.sleep(2.0)
        (outcome,) = await session.run([Call("look", {"id": "1"})])
        assert outcome.speculative
        assert heard.words == ["began", "ended ok", "claimed"]


async def test_a_guess_makes_room_for_a_call_of_anybody() -> None:
    async with Engine([look, change]) as engine:
        _, _, heard, _ = await launched(engine)
        await asyncio.sleep(0.5)
        (outcome,) = await engine.run([Call("look")])
        assert outcome.waited < 0.01
        assert heard.words == ["began", "ended cancelled"]


async def test_a_guess_that_was_asked_for_keeps_its_place() -> None:
    async with Engine([look, change]) as engine:
        _, session, heard, _ = await launched(engine)
        await asyncio.sleep(0.5)
        joined = session.submit([Call("look", {"id": "1"})])
        await asyncio.sleep(0.1)
        (other,) = await engine.run([Call("look")])
        (outcome,) = await joined
        assert (outcome.value, other.waited) == ("1", pytest.approx(0.4, abs=0.01))
        assert heard.words == ["began", "claimed", "ended ok"]


async def test_a_guess_can_be_given_up() -> None:
    async with Engine([look, change]) as engine:
        guessing, _session, heard, flight = await launched(engine)
        await asyncio.sleep(0.5)
        guessing.cancel(flight, "changed my mind")
        await asyncio.sleep(0.1)
        assert heard.words == ["began", "ended cancelled"]
        assert engine.statistics().in_flight == 0


async def test_watchers_and_statistics_of_others_see_no_guess_before_its_time() -> None:
    async with Engine([look, change]) as engine, engine.events() as events:
        await launched(engine)
        await asyncio.sleep(2.0)
        await engine.run([Call("change")])
        seen = []
        async for event in events:
            seen.append(event.type)
            if event.type == "batch.ended":
                break
        assert "guess" not in "".join(seen)
        assert seen.count("call.started") == 1


async def test_a_closed_session_guesses_nothing() -> None:
    async with Engine([look, change]) as engine:
        guessing, session = guessing_of(engine)
        call = guessing.prepare(session, "look", b"{}")
        assert call is not None
        await session.aclose()
        assert guessing.launch(session, call, Heard()) is None


async def test_a_guess_runs_no_longer_than_its_value_would_be_good() -> None:
    brief = look.replace(stable_for=0.5)
    async with Engine([brief]) as engine:
        _, _, heard, _ = await launched(engine)
        await asyncio.sleep(0.6)
        assert heard.words == ["began", "ended timeout"]
        assert engine.statistics().in_flight == 0
