"""What is launched of what may come, and what is in the way."""

import asyncio

from penstock import Call, Limit
from unit.speculation.scripted import Scripted, guess
from unit.speculation.worlds import WARM, World, engine_of, said, speculation, warm


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
