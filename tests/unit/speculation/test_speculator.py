"""Guesses of an engine with a scripted predictor: what runs, what is promoted, and what is never seen."""

import asyncio
from collections.abc import Sequence

import pytest

from penstock import Call
from penstock.speculation._protocol import Answered, Asked, Closed, Ended, Opened, Said
from unit.speculation.scripted import Guessed, Scripted, guess
from unit.speculation.worlds import World, engine_of, said, speculation, warm


async def test_a_guess_that_has_ended_answers_at_once() -> None:
    world, script = World(), Scripted()
    async with engine_of(world, script) as engine:
        await warm(engine)
        session = await said(engine, script, guess("look", id="1"))
        await asyncio.sleep(2.0)
        (outcome,) = await session.run([Call("look", {"id": "1"})])
        assert (outcome.value, outcome.speculative, outcome.cached) == ("old", True, False)
        assert outcome.saved_seconds == pytest.approx(1.0)
        assert outcome.duration < 0.01
        counts = engine.speculation.statistics()
        assert (counts.launched, counts.promoted) == (1, 1)
    assert world.ran.count("look 1") == 1


async def test_a_guess_that_runs_is_joined() -> None:
    world, script = World(), Scripted()
    async with engine_of(world, script) as engine:
        await warm(engine)
        session = await said(engine, script, guess("look", id="1"))
        await asyncio.sleep(0.25)
        (outcome,) = await session.run([Call("look", {"id": "1"})])
        assert (outcome.speculative, outcome.duration) == (True, pytest.approx(0.75, abs=0.01))
        assert outcome.saved_seconds == pytest.approx(0.25, abs=0.01)
        assert engine.speculation.statistics().joined == 1


async def test_a_guess_answers_one_call_only() -> None:
    world, script = World(), Scripted()
    async with engine_of(world, script) as engine:
        await warm(engine)
        session = await said(engine, script, guess("look", id="1"))
        await asyncio.sleep(2.0)
        await session.run([Call("look", {"id": "1"})])
        (again,) = await session.run([Call("look", {"id": "1"})])
        assert not again.speculative
    assert world.ran.count("look 1") == 2


async def test_a_write_ends_guesses_that_run_or_wait() -> None:
    world, script = World(), Scripted()
    async with engine_of(world, script) as engine:
        await warm(engine)
        session = await said(engine, script, guess("look", id="1"), guess("look", id="2"))
        await asyncio.sleep(0.5)
        await session.run([Call("change", {"to": "new"})])
        (fresh,) = await session.run([Call("look", {"id": "1"})])
        assert (fresh.value, fresh.speculative) == ("new", False)
        assert engine.speculation.statistics().invalidated == 2
        assert engine.statistics().in_flight == 0


async def test_a_guess_that_fails_is_never_delivered() -> None:
    world, script = World(), Scripted()
    async with engine_of(world, script) as engine:
        await warm(engine)
        world.fails = True
        session = await said(engine, script, guess("look", id="1"), guess("look", id="2"))
        await asyncio.sleep(0.5)
        joining = session.submit([Call("look", {"id": "1"})])
        await asyncio.sleep(0.6)
        world.fails = False
        (joined,) = await joining
        (later,) = await session.run([Call("look", {"id": "2"})])
        assert (joined.ok, later.ok) == (True, True)
        assert (joined.speculative, later.speculative) == (False, False)
        assert engine.speculation.statistics().failed == 2


async def test_a_write_is_never_guessed_and_arguments_are_checked() -> None:
    world, script = World(), Scripted()
    async with engine_of(world, script) as engine:
        await warm(engine)
        guesses = [guess("change", to="x"), guess("look", id=5), guess("nothing")]
        await said(engine, script, *guesses)
        verdicts = [record.verdict for record in engine.speculation.explain("s")]
        assert verdicts == ["effects", "arguments", "unknown"]
    assert "change" not in world.ran


async def test_in_shadow_nothing_runs_and_hits_are_counted() -> None:
    world, script = World(), Scripted()
    settings = speculation(script, mode="shadow")
    async with engine_of(world, script, speculation=settings) as engine:
        await warm(engine)
        session = await said(engine, script, guess("look", id="1"), guess("look", id="2"))
        await asyncio.sleep(2.0)
        (outcome,) = await session.run([Call("look", {"id": "1"})])
        counts = engine.speculation.statistics()
        assert (counts.launched, counts.shadow_hit, counts.shadow_miss) == (0, 1, 1)
        assert not outcome.speculative
    assert world.ran.count("look 2") == 0


async def test_off_tells_the_predictor_nothing() -> None:
    world, script = World(), Scripted()
    async with engine_of(world, script, speculation=speculation(script, mode="off")) as engine:
        session = await said(engine, script, guess("look"))
        await session.run([Call("look")])
    assert script.heard == []


async def test_the_predictor_hears_what_really_happened() -> None:
    world, script = World(), Scripted()
    async with engine_of(world, script) as engine:
        session = engine.session("s", tenant="t", agent="a")
        session.user("hello")
        await session.run([Call("look", {"id": "1"}), Call("change", b'{"to": 1}')])
        await asyncio.sleep(0)
        session.answered()
    assert script.heard[:-1] == [
        Opened("t", "a"),
        Said("hello"),
        Asked((("look", b'{"id":"1"}'), ("change", b'{"to": 1}'))),
        Ended((("ok", b'"old"'), ("error", b"null"))),
        Answered(),
    ]


async def test_a_predictor_that_raises_harms_nobody(caplog: pytest.LogCaptureFixture) -> None:
    class Broken(Scripted):
        def predict(self, session: str, k: int = 8) -> Sequence[Guessed]:
            raise RuntimeError("no idea")

    world = World()
    async with engine_of(world, Broken()) as engine:
        session = engine.session("s")
        (outcome,) = await session.run([Call("look")])
        assert outcome.ok
    assert "guessed no more" in caplog.text


async def test_what_was_said_is_compared_with_what_came_true() -> None:
    world, script = World(), Scripted()
    async with engine_of(world, script) as engine:
        await warm(engine)
        session = await said(
            engine, script, guess("look", 0.75, id="1"), guess("look", 0.75, id="2")
        )
        await asyncio.sleep(2.0)
        await session.run([Call("look", {"id": "1"})])
        await session.aclose()
        counts = engine.speculation.statistics()
        assert (counts.promoted, counts.expired) == (1, 1)
        assert counts.ece == pytest.approx(0.25)
        assert counts.prediction_seconds > 0.0


async def test_a_session_that_ends_cancels_its_guesses() -> None:
    world, script = World(), Scripted()
    async with engine_of(world, script) as engine:
        await warm(engine)
        session = await said(engine, script, guess("look", id="1"))
        await asyncio.sleep(0.5)
        await session.aclose()
        await asyncio.sleep(0.1)
        assert engine.speculation.statistics().expired == 1
        assert engine.statistics().in_flight == 0


async def test_a_session_that_ends_right_behind_a_step_has_told_of_it() -> None:
    world, script = World(), Scripted()
    async with engine_of(world, script) as engine:
        async with engine.session("s") as session:
            await session.run([Call("look", {"id": "1"})])
        assert [type(event) for event in script.heard[-2:]] == [Ended, Closed]
        assert engine.speculation.statistics().decisions == 1
