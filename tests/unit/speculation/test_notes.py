"""What is noted of a session, and that notes never reach a caller."""

from typing import Any

import pytest

from penstock import Call, Engine, formats, sleep, tool
from penstock.speculation import Speculation
from penstock.speculation.notes import MOST_BYTES, Notes, Recorded, Step

ROOM = 1 << 20


class Keeper:
    """Keeps what it is given."""

    def __init__(self, room: int = ROOM) -> None:
        self.room = room
        self.taken: list[Notes] = []
        self.dropped: list[Notes] = []

    def reserve(self, size: int) -> bool:
        self.room -= size
        return self.room >= 0

    def drop(self, notes: Notes) -> None:
        self.dropped.append(notes)

    def take(self, notes: Notes) -> None:
        self.taken.append(notes)


class Option:
    """The option of an engine, with any keeper."""

    def __init__(self, keeper: Keeper) -> None:
        self.keeper = keeper

    def build(self, guessing: Any) -> Recorded:
        return Recorded(Speculation(mode="off").build(guessing), self.keeper, guessing)


@tool
async def wait(seconds: float, text: str = "") -> str:
    await sleep(seconds)
    return text or f"{seconds}"


@pytest.fixture
def keeper() -> Keeper:
    return Keeper()


def engine_of(keeper: Keeper) -> Engine:
    return Engine([wait], speculation=Option(keeper))


async def test_steps_that_overlap_keep_their_own_ends(keeper: Keeper) -> None:
    async with engine_of(keeper) as engine, engine.session("s") as session:
        first = session.submit([Call("wait", {"seconds": 3.0})])
        second = session.submit([Call("wait", {"seconds": 1.0})])
        await first
        await second
    (notes,) = keeper.taken
    ends = [step.endings for step in notes.steps]
    assert [end and end[0].result for end in ends] == [b'"3.0"', b'"1.0"']
    assert [step.ended for step in notes.steps] == pytest.approx([4.0, 2.0])


async def test_a_step_that_runs_when_the_session_ends_has_no_ending(keeper: Keeper) -> None:
    async with engine_of(keeper) as engine:
        session = engine.session("s")
        batch = session.submit([Call("wait", {"seconds": 3.0})])
        await session.aclose()
        await batch
    assert [step.endings for step in keeper.taken[0].steps] == [None]


async def test_arguments_are_those_of_the_moment_they_were_given(keeper: Keeper) -> None:
    arguments = {"seconds": 1.0, "text": "before"}
    async with engine_of(keeper) as engine, engine.session("s") as session:
        batch = session.submit([Call("wait", arguments)])
        arguments["text"] = "after"
        await batch
    assert keeper.taken[0].steps[0].calls == [("wait", b'{"seconds":1.0,"text":"before"}')]


async def test_what_is_too_large_is_left_out(keeper: Keeper) -> None:
    async with engine_of(keeper) as engine, engine.session("s") as session:
        await session.run([Call("wait", {"seconds": 0, "text": "x" * MOST_BYTES})])
    (step,) = keeper.taken[0].steps
    assert step.calls == [("wait", None)]
    assert step.endings is not None
    assert step.endings[0].result is None


async def test_no_room_ends_the_notes_of_that_session_only() -> None:
    keeper = Keeper(room=1_000)
    async with engine_of(keeper) as engine:
        async with engine.session("long") as session:
            session.user("x" * 2_000)
            session.user("and more")
            (outcome,) = await session.run([Call("wait", {"seconds": 1})])
            assert outcome.ok
        keeper.room = ROOM
        async with engine.session("short") as session:
            session.user("hello")
    assert [notes.session for notes in keeper.dropped] == ["long"]
    assert [notes.session for notes in keeper.taken] == ["short"]


async def test_an_error_of_who_notes_reaches_no_caller(
    keeper: Keeper, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("penstock.speculation.notes._arguments", lambda call: 1 / 0)
    async with engine_of(keeper) as engine, engine.session("s") as session:
        (outcome,) = await session.run([Call("wait", {"seconds": 1})])
        assert outcome.ok
    assert len(keeper.dropped) == 1
    assert "'s' is not recorded" in caplog.text


async def test_who_speculates_hears_replies_through_it(keeper: Keeper) -> None:
    class Live(Option):
        def build(self, guessing: Any) -> Recorded:
            return Recorded(Speculation(mode="live").build(guessing), self.keeper, guessing)

    for option, is_heard in ((Option(keeper), False), (Live(keeper), True)):
        async with Engine([wait], speculation=option) as engine, engine.session("s") as session:
            assert (session.reply(formats.anthropic).listener is not None) == is_heard


def test_the_gap_begins_with_what_the_model_was_told_last() -> None:
    times = ((1.0, 1.5), (2.5, 5.0), (7.0, 9.0), (8.0, 10.0), (20.0, None))
    steps = [Step(at, 0, [], ended=ended) for at, ended in times]
    notes = Notes("s", None, None, 0.0, said=[(2.0, "hello")], steps=steps)
    assert notes.gaps() == [1.0, 0.5, 2.0, 3.0, 10.0]
