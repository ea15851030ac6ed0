"""The predictor that learns: a conversation that repeats is guessed, and the guess answers."""

import asyncio
from typing import Any

from pydantic import SecretStr

from penstock import Call, Engine, sleep, tool
from penstock.speculation import Predictor, Speculation
from penstock.speculation._protocol import Answered, Asked, Closed, Ended, Opened, Said
from penstock.speculation.learned import Learned


def teach(learned: Learned, name: str, user: str, order: str) -> None:
    """Show one conversation: who is it, then what did they order."""
    learned.observe(name, Opened("t", "a"), 0)
    learned.observe(name, Said(f"I am {user}"), 0)
    learned.predict(name)
    learned.observe(name, Asked((("find_user", f'{{"name":"{user}"}}'.encode()),)), 0)
    found = f'{{"orders":["{order}"]}}'.encode()
    learned.observe(name, Ended((("ok", found),)), 0)
    learned.predict(name)
    learned.observe(name, Asked((("get_order", f'{{"id":"{order}"}}'.encode()),)), 0)
    learned.observe(name, Ended((("ok", b'{"status":"sent"}'),)), 0)
    learned.observe(name, Answered(), 0)
    learned.observe(name, Closed(), 0)


def taught() -> Learned:
    learned = Learned(Predictor())
    for number in range(40):
        teach(learned, f"s{number}", f"user{number}", f"W{1000 + number}")
    return learned


def test_what_followed_forty_times_is_guessed_with_its_value() -> None:
    learned = taught()
    learned.observe("new", Opened("t", "a"), 0)
    learned.observe("new", Said("I am eve"), 0)
    learned.observe("new", Asked((("find_user", b'{"name":"eve"}'),)), 0)
    learned.observe("new", Ended((("ok", b'{"orders":["W7777"]}'),)), 0)
    best = learned.predict("new")[0]
    assert (best.tool, best.arguments) == ("get_order", b'{"id":"W7777"}')
    assert best.p > 0.5


SECRET = "tango-77"


@tool
async def enter(user: str, pin: SecretStr) -> None: ...


def test_a_secret_is_in_no_model_and_no_guess() -> None:
    predictor = Predictor()
    learned = Learned(predictor, {"enter": enter}.get)
    found = []
    for number in range(30):
        name = f"s{number}"
        learned.observe(name, Opened("t", "a"), 0)
        learned.observe(name, Said(f"I am user{number}"), 0)
        found += learned.predict(name)
        given = f'{{"user":"user{number}","pin":"{SECRET}"}}'.encode()
        learned.observe(name, Asked((("enter", given),)), 0)
        learned.observe(name, Ended((("ok", f'{{"session":"{SECRET}"}}'.encode()),)), 0)
        found += learned.predict(name)
        learned.observe(name, Asked((("check", f'{{"code":"{SECRET}"}}'.encode()),)), 0)
        learned.observe(name, Ended((("ok", b"1"),)), 0)
        learned.observe(name, Said(f"{SECRET} again, and A-{number}"), 0)
        found += learned.predict(name)
        learned.observe(name, Asked((("find", f'{{"id":"A-{number}"}}'.encode()),)), 0)
        learned.observe(name, Ended((("ok", f'{{"seen":"{SECRET}"}}'.encode()),)), 0)
        found += learned.predict(name)
        learned.observe(name, Closed(), 0)
    assert {each.tool for each in found} == {"find"}
    assert not [each for each in found if SECRET.encode() in each.arguments]
    assert SECRET.encode() not in predictor.snapshot()


def test_a_tool_that_was_called_with_a_secret_is_expected_and_not_guessed() -> None:
    predictor = Predictor()
    learned = Learned(predictor, {"enter": enter}.get)
    for number in range(60):
        name = f"s{number}"
        learned.observe(name, Opened("t", "a"), 0)
        learned.observe(name, Said(f"I am user{number}"), 0)
        candidates = learned.predict(name)
        given = f'{{"user":"user{number}","pin":"{SECRET}"}}'.encode()
        learned.observe(name, Asked((("enter", given),)), 0)
        learned.observe(name, Ended((("ok", b"1"),)), 0)
        learned.observe(name, Closed(), 0)
        assert not candidates
    predictor.start("new", tenant="t", agent="a", learns=False)
    predictor.user("new", "I am eve")
    assert predictor.predict("new").tools[0][0] == "enter"


def test_a_tool_with_another_schema_begins_in_shadow_again() -> None:
    @tool(effects="read")
    async def get_order(id: str) -> None: ...

    @tool(name="get_order", effects="read")
    async def renewed(id: str, more: bool = False) -> None: ...

    tools = {"get_order": get_order}
    predictor = Predictor()
    learned = Learned(predictor, tools.get)
    for number in range(60):
        teach(learned, f"s{number}", f"user{number}", f"W{1000 + number}")

    def best() -> bool:
        predictor.start("new", tenant="t", agent="a", learns=False)
        predictor.user("new", "I am eve")
        predictor.call("new", "find_user", b'{"name":"eve"}')
        predictor.result("new", 0, "ok", b'{"orders":["W7777"]}')
        predictor.decision("new")
        (candidate, *_) = predictor.predict("new").candidates
        assert candidate.tool == "get_order"
        return candidate.shadow

    assert not best()
    tools["get_order"] = renewed
    teach(Learned(predictor, tools.get), "after", "zoe", "W2000")
    assert best()


async def test_an_engine_runs_what_it_learned_before_it_is_asked_for() -> None:
    @tool(effects="read")
    async def find_user(name: str) -> dict[str, Any]:
        await sleep(1.0)
        return {"orders": [f"W{sum(name.encode())}"]}

    @tool(effects="read")
    async def get_order(id: str) -> dict[str, str]:
        await sleep(1.0)
        return {"status": f"sent {id}"}

    settings = Speculation(mode="live", control=0.0)
    hits = 0
    async with Engine([find_user, get_order], speculation=settings) as engine:
        for number in range(60):  # the first of them are only watched
            async with engine.session(f"s{number}", tenant="t", agent="a") as session:
                session.user(f"I am user{number}")
                await asyncio.sleep(2.0)
                (found,) = await session.run([Call("find_user", {"name": f"user{number}"})])
                await asyncio.sleep(2.0)
                order = found.value["orders"][0]
                (known,) = await session.run([Call("get_order", {"id": order})])
                hits += known.speculative
                assert known.value == {"status": f"sent {order}"}
                session.answered()
        counts = engine.speculation.statistics()
    assert hits >= 10
    assert counts.promoted >= hits
    assert counts.saved_seconds >= hits * 0.99


def test_what_is_said_while_a_reply_is_spoken_is_not_scored() -> None:
    learned = taught()
    learned.observe("new", Opened("t", "a"), 0)
    learned.observe("new", Said("I am user99"), 0)
    before = learned.predict("new")
    decided = dict(learned._decided)
    (spoken,) = {one.tool for one in learned.predict("new", open=("find_user", b"{}"))}
    assert spoken == "find_user"
    done = ("find_user", b'{"name":"user99"}')
    assert done not in [(one.tool, one.arguments) for one in learned.predict("new", step=[done])]
    assert learned._decided == decided
    assert [one.tool for one in learned.predict("new")] == [one.tool for one in before]


def test_a_call_with_a_secret_is_not_guessed_while_it_is_spoken() -> None:
    learned = taught()
    learned.observe("new", Opened("t", "a"), 0)
    learned.observe("new", Said("I am user99"), 0)
    assert learned.predict("new", open=("find_user", b"{}"))
    assert learned.predict("new", open=("find_user", b'{"password":"hunter22"}')) == ()
