"""What an engine does for whoever speculates: facts, checks, and runs that nobody sees."""

import asyncio
from typing import Any

import pytest

from penstock import Call, Engine, Limit, sleep, tool
from penstock._native import Sketch
from penstock.calls import Outcome
from penstock.engine import Facts, Guessing, Session
from penstock.engine.assembly import guess
from penstock.limits import Cost


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


async def test_facts_are_of_tools_that_the_engine_has() -> None:
    async with Engine([look, change]) as engine:
        guessing, _session = guessing_of(engine)
        assert guessing.facts("nothing") is None
        assert guessing.facts("look") == Facts(look, breaker_closed=True)


def waits(*seconds: float) -> Sketch:
    """How long calls came after the moment of a decision."""
    made = Sketch()
    for each in seconds:
        made.record(each, now=0.0)
    return made


async def test_it_is_expected_what_runs_took_and_what_of_it_a_wait_would_hide() -> None:
    @tool(effects="read")
    async def nap(seconds: float) -> None:
        await sleep(seconds)

    async with Engine([nap]) as engine:
        guessing, _session = guessing_of(engine)
        await engine.run([Call("nap", {"seconds": 1.0})] * 4)
        assert guessing.expect("nap", waits(2.0)) is None
        await engine.run([Call("nap", {"seconds": 3.0})] * 4)
        assert guessing.expect("nap", waits()) is None
        known = guessing.expect("nap", waits(2.0, 2.0))
        assert known is not None
        assert known.latency == pytest.approx(2.0, rel=0.04)
        assert known.overlap == pytest.approx(1.5, rel=0.04)


async def test_runs_that_were_cut_short_make_nothing_look_fast() -> None:
    async with Engine([look.replace(concurrency=None)]) as engine:
        guessing, _session = guessing_of(engine)
        await engine.run([Call("look")] * 5)
        cut = engine.submit([Call("look")] * 50)
        await asyncio.sleep(0.1)
        cut.cancel()
        await cut
        known = guessing.expect("look", waits(60.0))
        assert known is not None
        assert known.latency == pytest.approx(1.0, rel=0.04)


async def test_pressure_says_what_room_a_run_would_have_and_what_it_would_pay() -> None:
    limits = [
        Limit.rate("tool:look", 20, per=10.0, burst=20),
        Limit.rate("tenant:*", 1_000, per=10.0, burst=1_000),
        Limit.concurrency("tool:look", 8),
    ]
    wide = look.replace(concurrency=4)
    async with Engine([wide, change], limits=limits, max_parallel=16) as engine:
        guessing, session = guessing_of(engine)
        real = engine.submit([Call("look"), Call("look")])
        await asyncio.sleep(0)
        call = guessing.prepare(session, "look", b'{"id": "1"}')
        assert call is not None
        assert guessing.launch(session, call, Heard()) is not None
        await asyncio.sleep(0)
        pressure = guessing.pressure(session, call)
        assert pressure.rooms == [(16, 3, 1), (4, 3, 1), (8, 3, 1)]
        assert pressure.strain == (1, 0.5, pytest.approx(0.85))
        await real


async def test_a_read_without_bounds_is_under_no_pressure() -> None:
    async with Engine([look.replace(concurrency=None)]) as engine:
        guessing, session = guessing_of(engine)
        call = guessing.prepare(session, "look", b"{}")
        assert call is not None
        assert guessing.pressure(session, call) == ([], None)


async def test_a_price_that_cannot_be_told_is_for_real_calls_to_fail_at() -> None:
    def cost(id: str, *, deep: bool) -> Cost:
        raise RuntimeError("no price")

    limits = [Limit.rate("tool:look", 20, per=10.0)]
    async with Engine([look.replace(cost=cost)], limits=limits) as engine:
        guessing, session = guessing_of(engine)
        assert guessing.prepare(session, "look", b"{}") is None


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


async def guesses(engine: Engine, *worths: float) -> list[Heard]:
    """Launch one guess a worth."""
    guessing, session = guessing_of(engine)
    heard = []
    for number, worth in enumerate(worths):
        call = guessing.prepare(session, "look", b'{"id": "%d"}' % number)
        assert call is not None
        heard.append(Heard())
        assert guessing.launch(session, call, heard[-1], worth=worth) is not None
    return heard


async def test_the_guess_that_is_worth_least_makes_room() -> None:
    async with Engine([look.replace(concurrency=3)]) as engine:
        heard = await guesses(engine, 0.5, 0.1, 0.3)
        await asyncio.sleep(0.5)
        await engine.run([Call("look", {"id": "real"})])
        await asyncio.sleep(0.1)
        stayed, went = ["began", "ended ok"], ["began", "ended cancelled"]
        assert [each.words for each in heard] == [stayed, went, stayed]


async def test_what_is_worth_more_starts_first() -> None:
    async with Engine([look]) as engine:
        heard = await guesses(engine, 0.1, 0.5, 0.3)
        starts = []
        for _ in range(3):
            await asyncio.sleep(0.5)
            starts.append([bool(each.words) for each in heard])
            await asyncio.sleep(0.5)
        assert starts == [[False, True, False], [False, True, True], [True, True, True]]


@pytest.mark.parametrize(("share", "runs"), [(0.0, 0), (0.1, 2), (0.5, 10)])
async def test_guesses_take_their_share_of_a_limit_and_no_more(share: float, runs: int) -> None:
    limits = [Limit.rate("tool:look", 20, per=1_000.0, burst=20)]
    wide = look.replace(concurrency=None)
    async with Engine([wide], limits=limits) as engine:
        guessing, session = guessing_of(engine)
        heard = [Heard() for _ in range(12)]
        for number, one in enumerate(heard):
            call = guessing.prepare(session, "look", b'{"id": "%d"}' % number)
            assert call is not None
            guessing.launch(session, call, one, share=share)
        await asyncio.sleep(2.0)
        words = [one.words for one in heard]
        assert words == [["began", "ended ok"]] * runs + [["ended rejected"]] * (12 - runs)
        rest = await engine.run([Call("look")] * (20 - runs))
        assert all(outcome.waited < 0.01 for outcome in rest), "and leave nothing else behind"


async def test_a_guess_makes_room_at_a_limit_of_calls_at_once_too() -> None:
    limits = [Limit.concurrency("tool:look", 5)]
    async with Engine([look.replace(concurrency=None)], limits=limits) as engine:
        (heard,) = await guesses(engine, 1.0)
        await asyncio.sleep(0.5)
        outcomes = await engine.run([Call("look", {"id": "real"})] * 5)
        assert max(outcome.waited for outcome in outcomes) < 0.01
        assert heard.words == ["began", "ended cancelled"]
