"""What guesses promise when things go wrong: services that refuse, tools that do not listen, floods."""

import asyncio
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from penstock import Budget, Call, Engine, Limit, output, progress, sleep, tool
from penstock.engine import Session
from penstock.errors import RateLimited
from penstock.limits import Cost
from penstock.speculation import Speculation
from unit.speculation.scripted import Guessed, Scripted, guess


def engine_of(*tools: Any, script: Scripted, limits: Any = (), **options: Any) -> Engine:
    settings = {"mode": "live", "control": 0.0, "slot_share": 1.0, "predictor": script, **options}
    return Engine(tools, limits=limits, speculation=Speculation(**settings))


async def warm(engine: Engine, name: str = "look", wait: float = 2.0) -> None:
    """Make it known how long the read takes, and how long a model does."""
    async with engine.session("warm", tenant="t") as session:
        for number in range(5):
            await asyncio.sleep(wait)
            await session.run([Call(name, {"id": f"w{number}"})])


async def said(engine: Engine, script: Scripted, *guesses: Guessed) -> Session:
    """A session whose model starts to generate, and what is guessed then."""
    session = engine.session("s", tenant="t")
    script.script = [list(guesses)]
    session.user("hello")
    await asyncio.sleep(0)
    return session


async def test_a_service_that_refuses_is_left_alone_and_the_call_runs_afresh() -> None:
    refuses = False
    ran: list[str] = []

    @tool(effects="read")
    async def look(id: str) -> str:
        ran.append(id)
        await sleep(1.0)
        if refuses:
            raise RateLimited(5.0)
        return id

    script = Scripted()
    async with engine_of(look, script=script) as engine:
        await warm(engine)
        refuses = True
        session = await said(engine, script, guess("look", id="1"))
        await asyncio.sleep(0.5)
        joined = session.submit([Call("look", {"id": "1"})])
        await asyncio.sleep(0.1)
        refuses = False
        await asyncio.sleep(0.3)
        refuses = True
        await asyncio.sleep(0.2)
        refuses = False
        (outcome,) = await joined
        assert (outcome.value, outcome.speculative) == ("1", False)
        assert ran.count("1") == 2
        script.script = [[guess("look", id="2")]]
        session.user("and now")
        assert engine.speculation.explain("s")[-1].verdict == "breaker"
        await asyncio.sleep(31.0)
        script.script = [[guess("look", id="3")]]
        session.user("and now")
        assert engine.speculation.explain("s")[-1].verdict == "launch"


async def test_who_joined_and_went_away_takes_the_run_along() -> None:
    ended: list[str] = []

    @tool(effects="read")
    async def look(id: str) -> str:
        try:
            await sleep(1.0)
        finally:
            ended.append(id)
        return id

    script = Scripted()
    async with engine_of(look, script=script) as engine:
        await warm(engine)
        ended.clear()
        session = await said(engine, script, guess("look", id="1"))
        await asyncio.sleep(0.5)
        joining = session.submit([Call("look", {"id": "1"})])
        await asyncio.sleep(0.1)
        joining.cancel()
        (outcome,) = await joining
        assert (outcome.status, ended) == ("cancelled", ["1"])
        counts = engine.speculation.statistics()
        assert (counts.launched, counts.cancelled, counts.preempted) == (1, 1, 0)
        (again,) = await session.run([Call("look", {"id": "1"})])
        assert (again.value, again.speculative) == ("1", False)


async def test_one_of_two_who_joined_may_go() -> None:
    @tool(effects="read")
    async def look(id: str) -> str:
        await sleep(1.0)
        return id

    script = Scripted()
    async with engine_of(look, script=script) as engine:
        await warm(engine)
        session = await said(engine, script, guess("look", id="1"))
        await asyncio.sleep(0.5)
        first = session.submit([Call("look", {"id": "1"})])
        await asyncio.sleep(0.1)
        second = session.submit([Call("look", {"id": "1"})])
        await asyncio.sleep(0.1)
        first.cancel()
        (outcome,) = await second
        assert outcome.value == "1"
        assert engine.speculation.statistics().promoted == 1


async def test_a_guess_that_does_not_listen_keeps_its_place_to_its_real_end() -> None:
    inside = 0

    @tool(effects="read", concurrency=2)
    async def look(id: str) -> str:
        nonlocal inside
        inside += 1
        assert inside <= 2
        try:
            await sleep(1.0)
        except asyncio.CancelledError:
            await sleep(3.0)  # it does not care
        finally:
            inside -= 1
        return id

    script = Scripted()
    async with engine_of(look, script=script) as engine:
        await warm(engine)
        session = await said(engine, script, guess("look", id="1"))
        await asyncio.sleep(0.5)
        real = engine.submit([Call("look", {"id": name}) for name in "xy"])
        outcomes = await real
        assert [outcome.value for outcome in outcomes] == ["x", "y"]
        counts = engine.speculation.statistics()
        assert (counts.cancelled, counts.preempted) == (1, 1)
        (fresh,) = await session.run([Call("look", {"id": "1"})])
        assert not fresh.speculative
        await asyncio.sleep(5.0)
        assert (inside, engine.statistics().detached) == (0, 0)


async def test_ten_times_as_many_guesses_as_a_session_may_hold() -> None:
    inside = most = 0

    @tool(effects="read")
    async def look(id: str) -> str:
        nonlocal inside, most
        inside += 1
        most = max(most, inside)
        try:
            await sleep(1.0 if id.startswith("w") else 60.0)
        finally:
            inside -= 1
        return id

    script = Scripted()
    async with engine_of(look, script=script) as engine:
        await warm(engine)
        session = engine.session("s", tenant="t")
        await session.run([Call("look", {"id": f"w{number}"}) for number in range(100)])
        for row in range(10):
            script.script = [[guess("look", id=f"{row}-{number}") for number in range(8)]]
            session.user("go on")
            await asyncio.sleep(0.1)
        verdicts = [record.verdict for record in engine.speculation.explain("s")]
        assert (verdicts.count("launch"), verdicts.count("window")) == (8, 72)
        assert most == 100
        assert inside == 8
        await session.aclose()
        await asyncio.sleep(0.1)
        assert inside == 0


async def test_sessions_that_are_too_many_are_forgotten_with_their_guesses() -> None:
    inside = 0

    @tool(effects="read")
    async def look(id: str) -> str:
        nonlocal inside
        inside += 1
        try:
            await sleep(1.0 if id.startswith("w") else 60.0)
        finally:
            inside -= 1
        return id

    script = Scripted()
    async with engine_of(look, script=script) as engine:
        await warm(engine)
        engine._talks._most = 10
        for number in range(100):
            session = engine.session(f"s{number}", tenant=f"t{number}")
            script.script = [[guess("look", id="1")]]
            session.user("hello")
        await asyncio.sleep(0.1)
        counts = engine.speculation.statistics()
        assert (counts.launched, counts.expired, inside) == (100, 90, 10)


async def test_a_guess_that_tells_without_end_is_stopped() -> None:
    floods = False
    told = 0

    @tool(effects="read")
    async def look(id: str) -> str:
        nonlocal told
        while floods:
            told += 1
            output("x" * 4_096)
            await sleep(0.01)
        await sleep(1.0)
        return id

    script = Scripted()
    async with engine_of(look, script=script) as engine:
        await warm(engine)
        floods = True
        session = await said(engine, script, guess("look", id="1"))
        await asyncio.sleep(5.0)
        assert told < 70  # 256 KiB
        counts = engine.speculation.statistics()
        assert (counts.cancelled, counts.preempted) == (1, 0)
        floods = False
        (outcome,) = await session.run([Call("look", {"id": "1"})])
        assert (outcome.value, outcome.speculative) == ("1", False)


async def test_what_does_not_listen_and_tells_too_much_is_never_delivered() -> None:
    floods = False

    @tool(effects="read")
    async def look(id: str) -> str:
        for number in range(2_000 if floods else 0):
            output(number)
            output(f"{number}")
        try:
            await sleep(1.0)
        except asyncio.CancelledError:
            return "half"
        return "whole"

    script = Scripted()
    async with engine_of(look, script=script) as engine:
        await warm(engine)
        floods = True
        session = await said(engine, script, guess("look", id="1"))
        await asyncio.sleep(2.0)
        (outcome,) = await session.run([Call("look", {"id": "1"})])
        assert (outcome.value, outcome.speculative) == ("whole", False)


@pytest.mark.parametrize("wait", [0.5, 2.0], ids=["joined", "done"])
async def test_the_budget_of_a_batch_is_charged_when_its_call_asks(wait: float) -> None:
    @tool(effects="read", cost=Cost(input_tokens=10))
    async def look(id: str) -> str:
        await sleep(1.0)
        return id

    async def spent(mode: str) -> list[Any]:
        script = Scripted()
        async with engine_of(look, script=script, mode=mode) as engine:
            await warm(engine)
            session = await said(engine, script, guess("look", id="1"), guess("look", id="2"))
            await asyncio.sleep(wait)
            calls = [Call("look", {"id": "1"}), Call("look", {"id": "2"})]
            outcomes = await session.run(calls, budget=Budget.tokens("batch", 15), max_parallel=1)
            return [(outcome.value, type(outcome.error)) for outcome in outcomes]

    assert await spent("live") == await spent("off")


async def test_a_guess_that_came_true_is_none_of_the_share_of_guesses() -> None:
    @tool(effects="read")
    async def look(id: str) -> str:
        await sleep(1.0)
        return id

    script = Scripted()
    limits = [Limit.rate("tool:look", 100, per=100_000.0, burst=100)]
    async with engine_of(look, script=script, limits=limits, rate_share=0.01) as engine:
        await warm(engine)
        for wait in (2.0, 0.5, 2.0):
            session = await said(engine, script, guess("look", id="1"))
            await asyncio.sleep(wait)
            (outcome,) = await session.run([Call("look", {"id": "1"})])
            assert outcome.speculative


@pytest.mark.real_time
async def test_a_worker_that_is_killed_fails_its_guess_and_no_call(tmp_path: Path) -> None:
    script = Scripted()
    path = tmp_path / "killed"
    async with engine_of(perish, script=script) as engine:
        async with engine.session("warm", tenant="t") as session:
            for _ in range(6):
                await asyncio.sleep(0.05)
                await session.run([Call("perish", {"path": ""})])
        session = await said(engine, script, guess("perish", path=str(path)))
        while not path.exists():  # noqa: ASYNC110 - another process makes it
            await asyncio.sleep(0.01)
        (outcome,) = await session.run([Call("perish", {"path": str(path)})])
        assert (outcome.value, outcome.speculative) == ("alive", False)
        counts = engine.speculation.statistics()
        assert (counts.launched, counts.failed) == (1, 1)


@tool(effects="read", host="process")
def perish(path: str) -> str:
    """Kill the worker the first time that a path is given."""
    progress(1)
    if path and not Path(path).exists():
        Path(path).touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return "alive"
