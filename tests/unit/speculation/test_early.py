"""A reply that is spoken: what is guessed of the rest of it, when, and what is cancelled."""

import asyncio
import json
from typing import Any

import pytest

from penstock import Call, Engine, formats, sleep, tool
from penstock.engine import Session
from penstock.speculation import Speculation
from penstock.speculation.early import keys_of, shape_of
from unit.speculation.scripted import Scripted, guess

Piece = dict[str, Any]


class World:
    """Reads that take a second; remembers what really ran."""

    def __init__(self) -> None:
        self.ran: list[str] = []
        self.ended: list[str] = []

    def tools(self) -> list[Any]:
        async def work(name: str, *given: object) -> str:
            line = " ".join(map(str, (name, *given)))
            self.ran.append(line)
            await sleep(1.0)
            self.ended.append(line)
            return line

        @tool(effects="read")
        async def look(id: str, deep: bool = False, limit: int = 10) -> str:
            return await work("look", id, deep, limit)

        @tool(effects="read")
        async def find(text: str = "") -> str:
            return await work("find", text)

        @tool
        async def change(to: str) -> str:
            return await work("change", to)

        return [look, find, change]


def block(at: int, name: str, *pieces: str) -> list[Piece]:
    start = {"type": "tool_use", "id": f"id-{at}", "name": name, "input": {}}
    deltas = [{"type": "input_json_delta", "partial_json": piece} for piece in pieces]
    return [
        {"type": "content_block_start", "index": at, "content_block": start},
        *({"type": "content_block_delta", "index": at, "delta": delta} for delta in deltas),
        {"type": "content_block_stop", "index": at},
    ]


END = [
    {"type": "message_delta", "delta": {"stop_reason": "tool_use"}},
    {"type": "message_stop"},
]


class Story:
    """One engine with a scripted predictor, whose tools and model are known well."""

    def __init__(self, **options: Any) -> None:
        self.world, self.script = World(), Scripted()
        given = {"mode": "live", "control": 0.0, "predictor": self.script, **options}
        self.engine = Engine(self.world.tools(), speculation=Speculation(**given))
        self.crowds = False

    async def __aenter__(self) -> "Story":
        await self.engine.__aenter__()
        async with self.engine.session("warm") as session:
            for number in range(12):
                await asyncio.sleep(2.0)
                calls = [Call("look", {"id": f"w{number}"}), Call("find")]
                await session.run(calls + calls[:1] * self.crowds)
        self.world.ran.clear()
        self.world.ended.clear()
        return self

    async def __aexit__(self, *raised: Any) -> None:
        await self.engine.__aexit__(*raised)

    def session(self, *guesses: Any) -> Session:
        session = self.engine.session("s")
        self.script.script = [guesses]
        session.user("hello")
        return session

    def count(self, name: str) -> int:
        return int(getattr(self.engine.speculation.statistics(), name))


async def spoken(session: Session, pieces: list[Piece], pause: float = 0.1) -> list[Any]:
    async with session.reply(formats.anthropic) as reply:
        for piece in pieces:
            reply.feed(piece)
            await asyncio.sleep(pause)
        return await reply.outcomes()


async def test_a_call_that_has_all_it_needs_runs_before_it_is_complete() -> None:
    async with Story() as story:
        session = story.session()
        pieces = block(0, "look", '{"id": "7"', " ", " ", " ", "}")
        (outcome,) = await spoken(session, pieces + END)
        assert outcome.speculative
        assert outcome.saved_seconds == pytest.approx(0.5, abs=0.02)
        records = story.engine.speculation.explain("s")
        assert [(record.tool, record.verdict) for record in records] == [("look", "launch")]
        assert records[0].p > 0.9
    assert story.world.ran == ["look 7 False 10"]


async def test_if_the_rest_disagrees_it_is_cancelled_and_the_call_runs_afresh() -> None:
    async with Story() as story:
        session = story.session()
        pieces = block(0, "look", '{"id": "7"', ', "deep": true', "}")
        (outcome,) = await spoken(session, pieces + END)
        assert not outcome.speculative
        assert (story.count("contradicted"), story.count("cancelled")) == (1, 1)
    assert story.world.ended == ["look 7 True 10"]


async def test_what_comes_besides_and_changes_nothing_keeps_it() -> None:
    async with Story() as story:
        session = story.session()
        pieces = block(0, "look", '{"id": "7"', ', "deep": false', "}")
        (outcome,) = await spoken(session, pieces + END)
        assert outcome.speculative
    assert story.world.ran == ["look 7 False 10"]


async def test_it_is_a_guess_like_any_other() -> None:
    async with Story(min_p=0.99) as story:
        await spoken(story.session(), block(0, "look", '{"id": "7"', "}") + END)
        assert story.engine.speculation.explain("s")[0].verdict == "unlikely"
    async with Story(control=1.0) as story:
        await spoken(story.session(), block(0, "look", '{"id": "7"', "}") + END)
        assert story.engine.speculation.explain("s")[0].verdict == "control"
    assert story.count("launched") == 0


async def test_writes_are_never_completed() -> None:
    async with Story() as story:
        await spoken(story.session(), block(0, "change", '{"to": "x"', "}") + END)
        assert story.count("launched") == 0
        assert story.engine.speculation.explain("s") == []


async def test_it_is_asked_again_once_for_what_became_certain_in_a_piece() -> None:
    async with Story() as story:
        pieces = [
            *block(0, "look", '{"id"', ': "7"', ', "deep": true, "limit": 3', "}"),
            *block(1, "change", '{"to": "x"}'),
            *END,
        ]
        await spoken(story.session(), pieces)
        most = ("look", b'{"id":"7","deep":true}')
        all_of_it = ("look", b'{"id":"7","deep":true,"limit":3}')
        said = ("look", b'{"id": "7", "deep": true, "limit": 3}')
        assert story.script.asked == [
            ((), ("look", b"{}")),
            ((), ("look", b'{"id":"7"}')),
            ((), most),
            ((), all_of_it),
            ((said,), None),
            ((said, ("change", b'{"to": "x"}')), None),
        ]
        assert story.count("again") == 6


async def test_siblings_are_guessed_once_the_first_call_is_known() -> None:
    async with Story() as story:
        story.script.again = [(), (), [guess("find", text="a")]]
        pieces = block(0, "look", '{"id": "7", "deep": true, "limit": 3}')
        pieces += [{"type": "ping"}] * 12 + block(1, "find", '{"text": "a"}')
        _, outcome = await spoken(story.session(), pieces + END)
        assert outcome.speculative
    assert story.world.ran.count("find a") == 1


async def test_what_is_spoken_ends_launches_of_a_tool_that_comes_alone() -> None:
    async with Story() as story:
        session = story.session(guess("look", id="8"), guess("find", text="a"))
        pieces = block(0, "look", '{"id": "7"', "}")
        await spoken(session, pieces + END)
        assert story.count("contradicted") == 1
    assert sorted(story.world.ended) == ["find a", "look 7 False 10"]


async def test_where_siblings_are_common_they_may_still_ask() -> None:
    story = Story()
    story.crowds = True
    async with story:
        session = story.session(guess("look", id="8"))
        pieces = block(0, "look", '{"id": "7"', "}") + block(1, "look", '{"id": "8"}')
        _, outcome = await spoken(session, pieces + END)
        assert (outcome.speculative, story.count("contradicted")) == (True, 0)


async def test_what_has_ended_is_kept() -> None:
    async with Story() as story:
        session = story.session(guess("look", id="8"))
        await asyncio.sleep(1.5)
        await spoken(session, block(0, "look", '{"id": "7"', "}") + END)
        assert story.count("contradicted") == 0


@pytest.mark.parametrize("mode", ["off", "shadow"])
async def test_in_other_modes_nobody_hears_a_reply(mode: str) -> None:
    async with Story(mode=mode) as story:
        session = story.session()
        assert session.reply(formats.anthropic).listener is None
        await spoken(session, block(0, "look", '{"id": "7"', "}") + END)
        assert story.script.asked == []


async def test_a_predictor_that_takes_no_steps_is_asked_for_none() -> None:
    class Plain:
        def observe(self, session: str, event: object, now_ns: int) -> None: ...

        def predict(self, session: str, k: int = 8) -> list[Any]:
            return []

    async with Story(predictor=Plain()) as story:
        (outcome,) = await spoken(story.session(), block(0, "look", '{"id": "7"', "}") + END)
        assert (outcome.speculative, story.count("again")) == (True, 0)


async def test_one_that_raises_harms_no_reply(caplog: pytest.LogCaptureFixture) -> None:
    async with Story() as story:
        session = story.session()
        story.script.again = [None]  # type: ignore[list-item]  # what it answers cannot be read

        def broken(*_args: Any, **_options: Any) -> Any:
            raise RuntimeError

        story.script.predict = broken  # type: ignore[method-assign]
        (outcome,) = await spoken(session, block(0, "look", '{"id": "7"', "}") + END)
        assert outcome.ok
    assert "guessed no more" in caplog.text


async def test_a_session_that_ends_while_it_is_spoken_guesses_no_more() -> None:
    async with Story() as story:
        session = story.session()
        reply = session.reply(formats.anthropic)
        first, *rest = block(0, "look", '{"id": "7"')
        reply.feed(first)
        await session.aclose()
        reply.feed(rest[0])
        reply.discard("its session is over")
        assert story.count("launched") == 0


def test_the_shape_of_a_tool_is_what_it_requires_and_what_it_may_have() -> None:
    @tool(effects="read")
    async def open_ended(id: str, **others: str) -> None: ...

    look, find, _ = World().tools()
    assert shape_of(look) == ({"id"}, {"deep", "limit"})
    assert shape_of(find) == (set(), {"text"})
    assert shape_of(open_ended) is None
    assert keys_of(look, json.dumps({"id": "7", "deep": True}).encode()) == {"deep"}
    assert keys_of(open_ended, b"{}") is None
    assert keys_of(look, b"{") is None
