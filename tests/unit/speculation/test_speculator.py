"""Guesses of an engine with a scripted predictor: what runs, what is promoted, and what is never seen."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from penstock import Call, Engine, Limit, sleep, tool
from penstock.engine import Session
from penstock.speculation import Speculation
from penstock.speculation._protocol import Answered, Asked, Closed, Ended, Opened, Said
from unit.speculation.scripted import Guessed, Scripted, guess

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


async def test_where_nobody_knows_how_long_it_takes_nothing_runs() -> None:
    world, script = World(), Scripted()
    async with engine_of(world, script) as engine:
        await said(engine, script, guess("look", id="1"))
        assert [record.verdict for record in engine.speculation.explain("s")] == ["shadow"]


async def test_what_is_known_is_not_guessed() -> None:
    world, script = World(), Scripted()
    async with engine_of(world, script) as engine:
        await warm(engine, "kept")
        session = engine.session("s")
        await session.run([Call("kept", {"id": "1"})])
        await said(engine, script, guess("kept", id="1"))
        assert engine.speculation.explain("s")[-1].verdict == "known"


async def test_unlikely_guesses_do_not_run() -> None:
    world, script = World(), Scripted()
    async with engine_of(world, script) as engine:
        await warm(engine)
        await said(engine, script, guess("look", 0.05, id="1"))
        assert engine.speculation.explain("s")[-1].verdict == "unlikely"


async def test_at_points_of_the_control_group_nothing_runs() -> None:
    world, script = World(), Scripted()
    async with engine_of(world, script, speculation=speculation(script, control=1.0)) as engine:
        await warm(engine)
        await said(engine, script, guess("look", id="1"))
        counts = engine.speculation.statistics()
        assert counts.control == counts.decisions > 0
        assert counts.launched == 0
        assert engine.speculation.explain("s")[-1].verdict == "control"


async def test_priced_tools_need_money_and_spend_it_once() -> None:
    world, script = World(), Scripted()
    settings = speculation(script, budget=10, value_per_second=1_000_000)
    async with engine_of(world, script, speculation=settings) as engine:
        await warm(engine, "dear")
        await said(engine, script, guess("dear"))
        await asyncio.sleep(2.0)
        await said(engine, script, guess("dear"), id="other")
        assert engine.speculation.explain("s")[-1].verdict == "launch"
        assert engine.speculation.explain("other")[-1].verdict == "budget"


async def test_the_last_places_of_a_tool_are_for_real_calls() -> None:
    world, script = World(), Scripted()
    settings = speculation(script, slot_share=1.0)
    async with engine_of(world, script, speculation=settings) as engine:
        await warm(engine, "kept")
        await said(engine, script, guess("kept", id="1"), guess("kept", id="2"))
        verdicts = [record.verdict for record in engine.speculation.explain("s")]
        assert verdicts == ["launch", "slots"]


async def test_a_guess_never_waits_for_a_limit() -> None:
    world, script = World(), Scripted()
    limits = [Limit.rate("tool:look", 1_000, per=100.0)]
    settings = speculation(script, rate_share=0.0)
    async with engine_of(world, script, limits=limits, speculation=settings) as engine:
        await warm(engine)
        await said(engine, script, guess("look", id="1"))
        await asyncio.sleep(0.1)
        counts = engine.speculation.statistics()
        assert (counts.launched, counts.cancelled) == (1, 1)
    assert "look 1" not in world.ran


async def test_guesses_have_their_share_of_a_limit() -> None:
    world, script = World(), Scripted()
    limits = [Limit.rate("tool:look", 100, per=10_000.0, burst=100)]
    settings = speculation(script, rate_share=0.02)
    async with engine_of(world, script, limits=limits, speculation=settings) as engine:
        await warm(engine)
        await said(engine, script, *(guess("look", id=str(number)) for number in range(4)))
        await asyncio.sleep(2.0)
        counts = engine.speculation.statistics()
        assert (counts.launched, counts.cancelled) == (4, 2)


async def test_nothing_is_launched_where_a_limit_is_nearly_used_up() -> None:
    world, script = World(), Scripted()
    limits = [Limit.rate("tool:look", 10, per=100.0, burst=10)]
    async with engine_of(world, script, limits=limits) as engine:
        await warm(engine)  # takes nearly all of it
        await said(engine, script, guess("look", id="1"))
        assert engine.speculation.explain("s")[-1].verdict == "dear"


async def test_places_go_to_what_gains_most() -> None:
    world, script = World(), Scripted()
    async with engine_of(world, script) as engine:
        await warm(engine, "kept")
        await said(engine, script, guess("kept", 0.6, id="1"), guess("kept", 0.9, id="2"))
        verdicts = [record.verdict for record in engine.speculation.explain("s")]
        assert verdicts == ["slots", "launch"]


async def test_guesses_that_have_ended_hold_no_place() -> None:
    world, script = World(), Scripted()
    async with engine_of(world, script) as engine:
        await warm(engine, "kept")
        await said(engine, script, guess("kept", id="1"))
        await asyncio.sleep(2.0)
        await said(engine, script, guess("kept", id="2"))
        verdicts = [record.verdict for record in engine.speculation.explain("s")]
        assert verdicts == ["launch", "launch"]


async def test_money_that_one_candidate_takes_another_has_not() -> None:
    world, script = World(), Scripted()
    settings = speculation(script, budget=15, value_per_second=1_000_000)
    async with engine_of(world, script, speculation=settings) as engine:
        await warm(engine, "dear")
        await said(engine, script, guess("dear", 0.9), guess("dear", 0.8, way="other"))
        verdicts = [record.verdict for record in engine.speculation.explain("s")]
        assert verdicts == ["launch", "budget"]


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


async def test_waste_is_bounded_however_wrong_the_guesses_are() -> None:
    world, script = World(), Scripted()
    async with engine_of(world, script) as engine:
        await warm(engine)
        for number in range(30):
            session = await said(engine, script, guess("look", id=f"never {number}"))
            await asyncio.sleep(2.0)
            await session.run([Call("look", {"id": f"real {number}"})])
        wasted = sum(ran.startswith("look never") for ran in world.ran)
        assert 5 <= wasted <= 5 + 0.3 * (30 + WARM)


async def test_a_session_that_ends_right_behind_a_step_has_told_of_it() -> None:
    world, script = World(), Scripted()
    async with engine_of(world, script) as engine:
        async with engine.session("s") as session:
            await session.run([Call("look", {"id": "1"})])
        assert [type(event) for event in script.heard[-2:]] == [Ended, Closed]
        assert engine.speculation.statistics().decisions == 1
