"""Sessions: reads that share runs and values, writes that end them, and what a session is itself."""

import asyncio
from typing import Any

import pytest

from penstock import Call, Engine, formats, sleep, tool
from penstock.errors import ConfigError, EngineClosed, SessionClosed

pytestmark = pytest.mark.anyio


class World:
    """Orders that can be read and changed; counts what really ran."""

    def __init__(self) -> None:
        self.orders = {"1": "new", "2": "new"}
        self.ran: list[str] = []

    def tools(self) -> list[Any]:
        @tool(effects="read", reads=["order:{id}"], cache="session")
        async def order(id: str) -> str:
            self.ran.append(f"order {id}")
            value = self.orders[id]
            await sleep(1.0)
            return value

        @tool(effects="read", reads=["order:{id}"], cache="tenant", stable_for=100.0)
        async def shared(id: str) -> str:
            self.ran.append(f"shared {id}")
            await sleep(1.0)
            return self.orders[id]

        @tool(effects="read")
        async def once(id: str = "1") -> str:
            self.ran.append(f"once {id}")
            await sleep(1.0)
            return self.orders[id]

        @tool(effects="once", mutates=["order:{id}"])
        async def change(id: str, to: str) -> str:
            self.ran.append(f"change {id}")
            await sleep(0.5)
            self.orders[id] = to
            await sleep(0.5)
            return to

        @tool
        async def anything(to: str) -> str:
            self.orders = dict.fromkeys(self.orders, to)
            return to

        @tool(effects="read", cache="session")
        async def broken() -> str:
            self.ran.append("broken")
            await sleep(1.0)
            raise ValueError("no")

        return [order, shared, once, change, anything, broken]


def order(id: str = "1") -> Call:
    return Call("order", {"id": id})


def change(id: str, to: str) -> Call:
    return Call("change", {"id": id, "to": to})


async def test_a_value_answers_again_without_a_run() -> None:
    world = World()
    async with Engine(world.tools()) as engine:
        session = engine.session("a")
        (first,) = await session.run([order()])
        (again,) = await session.run([order()])
    assert (first.value, first.cached, first.attempts) == ("new", False, 1)
    assert (again.value, again.cached, again.attempts) == ("new", True, 0)
    assert again.saved_seconds == pytest.approx(1.0)
    assert world.ran == ["order 1"]


async def test_equal_reads_at_one_time_are_one_run() -> None:
    world = World()
    async with Engine(world.tools()) as engine:
        outcomes = await engine.session("a").run([Call("once"), Call("once", {"id": "1"})])
    assert [outcome.value for outcome in outcomes] == ["new", "new"]
    assert world.ran == ["once 1"]


async def test_who_joins_late_is_told_what_that_saved() -> None:
    world = World()
    async with Engine(world.tools()) as engine:
        session = engine.session("a")
        batch = session.submit([order()])
        await asyncio.sleep(0.25)
        (joined,) = await session.run([order()])
        await batch
    assert joined.saved_seconds == pytest.approx(0.25)
    assert world.ran == ["order 1"]


async def test_other_sessions_read_for_themselves() -> None:
    world = World()
    async with Engine(world.tools()) as engine:
        await engine.session("a").run([order()])
        (other,) = await engine.session("b").run([order()])
    assert not other.cached
    assert len(world.ran) == 2


async def test_a_tenant_shares_what_its_tools_allow() -> None:
    world = World()
    calls = [Call("shared", {"id": "1"})]
    async with Engine(world.tools()) as engine:
        await engine.session("a", tenant="t", principal="p").run(calls)
        (same,) = await engine.session("b", tenant="t", principal="p").run(calls)
        (other,) = await engine.session("c", tenant="t", principal="q").run(calls)
        (foreign,) = await engine.session("d", tenant="u", principal="p").run(calls)
    assert [same.cached, other.cached, foreign.cached] == [True, False, False]


async def test_a_write_ends_what_it_changes_and_nothing_else() -> None:
    world = World()
    async with Engine(world.tools()) as engine:
        session = engine.session("a")
        await session.run([order("1"), order("2")])
        await session.run([change("1", "paid")])
        first, second = await session.run([order("1"), order("2")])
    assert (first.value, first.cached) == ("paid", False)
    assert (second.value, second.cached) == ("new", True)


async def test_a_write_that_does_not_say_what_it_changes_ends_everything() -> None:
    world = World()
    async with Engine(world.tools()) as engine:
        session = engine.session("a")
        await session.run([order("1")])
        await session.run([Call("anything", {"to": "gone"})])
        (again,) = await session.run([order("1")])
    assert (again.value, again.cached) == ("gone", False)


async def test_a_read_that_overlaps_a_write_is_not_kept() -> None:
    world = World()
    async with Engine(world.tools()) as engine:
        session = engine.session("a")
        writing = session.submit([change("1", "paid")])
        await asyncio.sleep(0.1)
        (during,) = await session.run([order("1")])
        await writing
        (after,) = await session.run([order("1")])
    assert during.value == "new"
    assert (after.value, after.cached) == ("paid", False)


async def test_a_cancelled_write_ends_what_it_may_have_changed() -> None:
    world = World()
    async with Engine(world.tools()) as engine:
        session = engine.session("a")
        await session.run([order("1")])
        writing = session.submit([change("1", "paid")])
        await asyncio.sleep(0.7)
        writing.cancel()
        await writing
        (after,) = await session.run([order("1")])
    assert (after.value, after.cached) == ("paid", False)


async def test_a_declared_write_is_heard_from_outside_of_sessions() -> None:
    world = World()
    async with Engine(world.tools()) as engine:
        session = engine.session("a", tenant="t")
        await session.run([order("1"), order("2")])
        await engine.run([change("1", "paid")], tenant="t")
        first, second = await session.run([order("1"), order("2")])
    assert (first.value, second.cached) == ("paid", True)


async def test_others_changes_can_be_told() -> None:
    world = World()
    async with Engine(world.tools()) as engine:
        session = engine.session("a", tenant="t")
        await session.run([order("1")])
        world.orders["1"] = "lost"
        engine.changed(["order:*"], tenant="other")
        (still,) = await session.run([order("1")])
        engine.changed(["order:*"], tenant="t")
        (fresh,) = await session.run([order("1")])
    assert (still.value, fresh.value) == ("new", "lost")


async def test_an_error_is_everybodys_and_is_not_kept() -> None:
    world = World()
    async with Engine(world.tools()) as engine:
        session = engine.session("a")
        both = await session.run([Call("broken"), Call("broken")])
        (again,) = await session.run([Call("broken")])
    assert [outcome.status for outcome in (*both, again)] == ["failed"] * 3
    assert isinstance(again.error, ValueError)
    assert world.ran == ["broken", "broken"]


async def test_a_run_goes_on_until_the_last_who_waits_has_gone() -> None:
    world = World()
    async with Engine(world.tools()) as engine:
        session = engine.session("a")
        first, second = session.submit([order()]), session.submit([order()])
        await asyncio.sleep(0.5)
        first.cancel("not wanted")
        (cancelled,) = await first
        (value,) = await second
        assert (cancelled.status, value.value) == ("cancelled", "new")
        third = session.submit([Call("once")])
        await asyncio.sleep(0.5)
        third.cancel()
        await third
        assert engine.statistics().in_flight == 0
    assert world.ran == ["order 1", "once 1"]


async def test_the_same_id_is_the_same_session() -> None:
    async with Engine(World().tools()) as engine:
        session = engine.session("a", tenant="t")
        assert engine.session("a", tenant="t") is session
        with pytest.raises(ConfigError, match="tenant='t'"):
            engine.session("a", tenant="u")


async def test_a_closed_session_takes_nothing_and_its_id_begins_anew() -> None:
    async with Engine(World().tools()) as engine:
        session = engine.session("a")
        await session.run([order()])
        await session.aclose()
        await session.aclose()
        with pytest.raises(SessionClosed, match="'a'"):
            await session.run([order()])
        with pytest.raises(SessionClosed):
            session.user("hello")
        another = engine.session("a")
        (fresh,) = await another.run([order()])
        assert not fresh.cached


async def test_an_idle_session_forgets_and_goes_on() -> None:
    world = World()
    async with Engine(world.tools()) as engine:
        session = engine.session("a")
        await session.run([order()])
        await asyncio.sleep(1_790.0)
        (known,) = await session.run([order()])
        await asyncio.sleep(1_801.0)
        (fresh,) = await session.run([order()])
    assert (known.cached, fresh.cached) == (True, False)


async def test_the_session_unused_longest_forgets_when_there_are_too_many() -> None:
    world = World()
    async with Engine(world.tools()) as engine:
        first = engine.session("a")
        engine._talks._most = 2
        await first.run([order()])
        engine.session("b")
        engine.session("c")
        assert len(engine._talks) == 2
        (fresh,) = await first.run([order()])
        assert not fresh.cached


@pytest.mark.parametrize("bad", ["", "x" * 257, 5])
async def test_ids_are_names(bad: Any) -> None:
    async with Engine(World().tools()) as engine:
        with pytest.raises(ConfigError) as refused:
            engine.session(bad)
        assert refused.value.field == "id"


async def test_tenant_and_agent_are_the_sessions() -> None:
    async with Engine(World().tools()) as engine:
        session = engine.session("a")
        with pytest.raises(ConfigError, match=r"engine\.session"):
            await session.run([order()], tenant="t")


async def test_a_closed_engine_opens_no_session() -> None:
    engine = Engine(World().tools())
    await engine.aclose()
    with pytest.raises(EngineClosed):
        engine.session("a")


async def test_streams_and_races_of_a_session_share_runs_too() -> None:
    world = World()
    async with Engine(world.tools()) as engine:
        session = engine.session("a")
        await session.run([order()])
        streamed = [outcome async for outcome in session.stream([order(), order("2")])]
        race = await session.race([[order()], [order("3")]])
    assert [outcome.cached for outcome in streamed] == [True, False]
    assert race.winner == 0
    assert race.outcomes[0].cached


async def test_a_read_inside_of_its_own_run_does_not_wait_for_itself() -> None:
    depth = 0

    @tool(effects="read")
    async def nested() -> int:
        nonlocal depth
        depth += 1
        if depth < 3:
            (inner,) = await session.run([Call("nested")])
            return int(inner.unwrap()) + 1
        return 0

    async with Engine([nested]) as engine:
        session = engine.session("a")
        (outcome,) = await session.run([Call("nested")])
    assert outcome.value == 2


async def test_faults_are_told_as_everywhere() -> None:
    async with Engine(World().tools()) as engine:
        unknown, invalid = await engine.session("a").run([Call("ordre"), Call("order", {"x": 1})])
    assert [unknown.status, invalid.status] == ["rejected", "rejected"]


async def test_policies_of_a_tool_hold_in_sessions() -> None:
    tries = 0

    @tool(effects="read", retries=2, cache="session")
    async def flaky() -> int:
        nonlocal tries
        tries += 1
        if tries < 3:
            raise ConnectionError("again")
        return tries

    async with Engine([flaky]) as engine:
        session = engine.session("a")
        first, joined = await session.run([Call("flaky"), Call("flaky")])
        (again,) = await session.run([Call("flaky")])
    assert (first.value, first.attempts) == (3, 3)
    assert (joined.value, again.cached) == (3, True)


async def test_one_call_at_a_time_is_no_deadlock() -> None:
    world = World()
    async with Engine(world.tools(), max_parallel=1) as engine:
        outcomes = await engine.session("a").run([order("1"), order("2"), change("1", "x")])
    assert all(outcome.ok for outcome in outcomes)


async def test_a_timeout_of_the_tool_is_told_as_one() -> None:
    @tool(effects="read", timeout=0.5)
    async def slow() -> None:
        await sleep(5.0)

    async with Engine([slow]) as engine:
        (outcome,) = await engine.session("a").run([Call("slow")])
    assert outcome.status == "timeout"


def written(index: int, name: str, json: str) -> list[dict[str, Any]]:
    """One call as a model that streams writes it."""
    block = {"type": "tool_use", "id": f"toolu_{index}", "name": name, "input": {}}
    delta = {"type": "input_json_delta", "partial_json": json}
    return [
        {"type": "content_block_start", "index": index, "content_block": block},
        {"type": "content_block_delta", "index": index, "delta": delta},
        {"type": "content_block_stop", "index": index},
    ]


END: list[dict[str, Any]] = [
    {"type": "message_delta", "delta": {"stop_reason": "tool_use"}},
    {"type": "message_stop"},
]


class Listener:
    """A speculator that guesses nothing, and notes what it hears of steps."""

    def __init__(self, *, early_writes: bool = False) -> None:
        self.early_writes = early_writes
        self.heard: list[tuple[str, object]] = []

    def build(self, _guessing: object) -> "Listener":
        return self

    def asked(self, _session: object, calls: list[Call]) -> None:
        self.heard.append(("asked", [call.tool for call in calls]))

    def ended(self, _session: object, outcomes: list[Any]) -> None:
        self.heard.append(("ended", [outcome.status for outcome in outcomes]))

    def __getattr__(self, _name: str) -> Any:
        return lambda *_: None


class TestReply:
    """A reply that streams is one step of its session."""

    async def test_its_reads_are_answered_from_what_the_session_knows(self) -> None:
        world = World()
        async with Engine(world.tools()) as engine:
            session = engine.session("a")
            await session.run([Call("order", {"id": "1"})])
            async with session.reply(formats.anthropic) as reply:
                for piece in written(0, "order", '{"id": "1"}'):
                    reply.feed(piece)
                (outcome,) = await reply.outcomes()
        assert outcome.cached
        assert world.ran == ["order 1"]

    async def test_its_writes_end_what_the_session_knows(self) -> None:
        world = World()
        async with Engine(world.tools()) as engine:
            session = engine.session("a")
            await session.run([Call("order", {"id": "1"})])
            async with session.reply(formats.anthropic) as reply:
                for piece in [*written(0, "change", '{"id": "1", "to": "sent"}'), *END]:
                    reply.feed(piece)
                await reply.outcomes()
            (outcome,) = await session.run([Call("order", {"id": "1"})])
        assert (outcome.value, outcome.cached) == ("sent", False)

    async def test_who_speculates_hears_of_one_step(self) -> None:
        listener = Listener()
        async with Engine(World().tools(), speculation=listener) as engine:
            session = engine.session("a")
            async with session.reply(formats.anthropic) as reply:
                for index, json in enumerate(('{"id": "1"}', '{"id": "2"}')):
                    for piece in written(index, "order", json):
                        reply.feed(piece)
                await reply.outcomes()
                await reply.outcomes()
        assert listener.heard == [("asked", ["order", "order"]), ("ended", ["ok", "ok"])]

    @pytest.mark.parametrize("early", [True, False])
    async def test_who_speculates_says_whether_writes_start_early(self, early: bool) -> None:
        world = World()
        async with (
            Engine(world.tools(), speculation=Listener(early_writes=early)) as engine,
            engine.session("a").reply(formats.anthropic) as reply,
        ):
            for piece in written(0, "change", '{"id": "1", "to": "sent"}'):
                reply.feed(piece)
            await sleep(0.1)
            assert world.ran == ["change 1"] * early
            for piece in END:
                reply.feed(piece)
            await reply.outcomes()

    async def test_one_of_a_closed_session_is_refused(self) -> None:
        async with Engine(World().tools()) as engine:
            session = engine.session("a")
            await session.aclose()
            with pytest.raises(SessionClosed):
                session.reply(formats.anthropic)

    async def test_its_tenant_is_the_sessions(self) -> None:
        async with Engine(World().tools()) as engine:
            with pytest.raises(ConfigError, match="tenant"):
                engine.session("a").reply(formats.anthropic, tenant="b")
