"""Staged tools: what is prepared for them, what commits it, and what undoes it."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from typing import Any

import pytest

from penstock import Call, Engine, Retry, formats, sleep, tool
from penstock._native import Sketch
from penstock.engine import Guessing, Session
from penstock.engine.assembly import guess
from penstock.engine.staging import KEPT_SECONDS, MOST_LETTERS, Preparing
from penstock.testing.chaos import every_cancel_point
from penstock.tools import Tool

Piece = dict[str, Any]


class Shop:
    """Reserves seats, and sells what is reserved."""

    def __init__(self) -> None:
        self.log: list[str] = []
        self.reserved: set[str] = set()
        self.sold: list[str] = []
        self.fails: set[str] = set()

    async def reserve(self, arguments: dict[str, Any]) -> str:
        seat = arguments["seat"]
        self.log.append(f"reserve {seat}")
        await sleep(1.0)
        if "prepare" in self.fails:
            raise OSError("prepare")
        self.reserved.add(seat)
        return str(seat)

    async def sell(self, seat: str) -> str:
        self.log.append(f"sell {seat}")
        await sleep(0.1)
        if "commit" in self.fails:
            raise OSError("commit")
        self.reserved.remove(seat)
        self.sold.append(seat)
        return f"sold {seat}"

    async def free(self, seat: str) -> None:
        self.log.append(f"free {seat}")
        if "abort" in self.fails:
            raise OSError("abort")
        self.reserved.remove(seat)

    def book(self, **options: Any) -> Tool[..., Any]:
        async def book(seat: str, meal: str = "none") -> str:
            self.log.append(f"book {seat}")
            await sleep(1.1)
            self.sold.append(seat)
            return f"booked {seat}"

        given: dict[str, Any] = {"prepare": self.reserve, "commit": self.sell, "abort": self.free}
        return tool(book, **{**given, **options})


@tool
async def other() -> None: ...


@tool(effects="read")
async def look() -> str:
    return "seen"


def reply_of(*calls: tuple[str, dict[str, Any]]) -> list[Piece]:
    pieces: list[Piece] = []
    for at, (name, arguments) in enumerate(calls):
        block = {"type": "tool_use", "id": f"id-{at}", "name": name, "input": {}}
        delta = {"type": "input_json_delta", "partial_json": json.dumps(arguments)}
        pieces += [
            {"type": "content_block_start", "index": at, "content_block": block},
            {"type": "content_block_delta", "index": at, "delta": delta},
            {"type": "content_block_stop", "index": at},
        ]
    return pieces


END = [
    {"type": "message_delta", "delta": {"stop_reason": "tool_use"}},
    {"type": "message_stop"},
]


async def spoken(engine: Engine, pieces: list[Piece], *, pause: float = 1.0) -> list[Any]:
    async with engine.reply(formats.anthropic) as reply:
        for piece in pieces:
            reply.feed(piece)
            await asyncio.sleep(pause)
        return await reply.outcomes()


async def test_a_call_that_waits_for_the_end_of_its_reply_is_prepared() -> None:
    shop = Shop()
    async with Engine([shop.book()]) as engine:
        (outcome,) = await spoken(engine, reply_of(("book", {"seat": "A1"})) + END)
        counts = engine.statistics().preparations
    assert (outcome.value, outcome.duration) == ("sold A1", pytest.approx(0.1, abs=0.01))
    assert shop.log == ["reserve A1", "sell A1"]
    assert (counts.begun, counts.aborted) == (1, 0)


async def test_a_call_that_comes_while_it_is_prepared_waits_for_that() -> None:
    shop = Shop()
    async with Engine([shop.book()]) as engine:
        pieces = reply_of(("book", {"seat": "A1"})) + END
        (outcome,) = await spoken(engine, pieces, pause=0.1)
    assert outcome.value == "sold A1"
    assert shop.log == ["reserve A1", "sell A1"]


@pytest.mark.parametrize("how", ["plain", "at once", "breaks", "discarded"])
async def test_without_a_wait_nothing_is_prepared_and_what_is_of_no_use_is_undone(how: str) -> None:
    shop = Shop()
    pieces = reply_of(("book", {"seat": "A1"}))
    async with Engine([shop.book()]) as engine:
        if how == "plain":
            await engine.run([Call("book", {"seat": "A1"})])
            assert shop.log == ["book A1"]
        elif how == "at once":
            async with engine.reply(formats.anthropic, early_writes=True) as reply:
                for piece in pieces + END:
                    reply.feed(piece)
                await reply.outcomes()
            assert shop.log == ["book A1"]
        elif how == "breaks":
            (outcome,) = await spoken(engine, pieces)
            assert outcome.status == "cancelled"
            assert shop.log == ["reserve A1", "free A1"]
        else:
            async with engine.reply(formats.anthropic) as reply:
                for piece in pieces:
                    reply.feed(piece)
                await asyncio.sleep(0.5)
                reply.discard("a guardrail")
                assert await reply.outcomes() == []
            assert shop.log == ["reserve A1"]
    assert shop.reserved == set()


async def test_a_call_that_is_rejected_is_not_prepared() -> None:
    shop = Shop()
    async with Engine([shop.book()]) as engine:
        (outcome,) = await spoken(engine, reply_of(("book", {"seat": 7})) + END)
    assert (outcome.status, shop.log) == ("rejected", [])


async def test_where_prepare_fails_the_function_does_the_work() -> None:
    shop = Shop()
    shop.fails = {"prepare"}
    async with Engine([shop.book()]) as engine:
        (outcome,) = await spoken(engine, reply_of(("book", {"seat": "A1"})) + END)
    assert outcome.value == "booked A1"
    assert shop.log == ["reserve A1", "book A1"]


async def test_a_commit_that_fails_is_the_calls_failure_and_is_undone() -> None:
    shop = Shop()
    shop.fails = {"commit"}
    async with Engine([shop.book()]) as engine:
        (outcome,) = await spoken(engine, reply_of(("book", {"seat": "A1"})) + END)
    assert outcome.status == "failed"
    assert shop.log == ["reserve A1", "sell A1", "free A1"]
    assert (shop.reserved, shop.sold) == (set(), [])


async def test_a_second_attempt_runs_the_function() -> None:
    shop = Shop()
    shop.fails = {"commit"}
    book = shop.book(effects="idempotent", retries=Retry(attempts=2, base=0.01, on=(OSError,)))
    async with Engine([book]) as engine:
        (outcome,) = await spoken(engine, reply_of(("book", {"seat": "A1"})) + END)
    assert (outcome.value, outcome.attempts) == ("booked A1", 2)
    assert shop.log == ["reserve A1", "sell A1", "free A1", "book A1"]


async def test_calls_inside_of_a_call_are_others() -> None:
    shop = Shop()
    engines: list[Engine] = []

    async def sell(seat: str) -> str:
        (inner,) = await engines[0].run([Call("book", {"seat": seat})])
        return f"{inner.value} inside"

    async with Engine([shop.book(commit=sell)]) as engine:
        engines.append(engine)
        (outcome,) = await spoken(engine, reply_of(("book", {"seat": "A1"})) + END)
    assert outcome.value == "booked A1 inside"


async def test_what_cannot_be_undone_is_a_dead_letter_and_its_tool_prepares_no_more(
    caplog: pytest.LogCaptureFixture,
) -> None:
    shop = Shop()
    shop.fails = {"abort"}
    async with Engine([shop.book()]) as engine:
        await spoken(engine, reply_of(("book", {"seat": "A1"})))
        (letter,) = engine.statistics().preparations.dead_letters
        assert (letter.tool, letter.tries, letter.error) == ("book", 3, "OSError('abort')")
        assert shop.log == ["reserve A1", *["free A1"] * 3]
        (outcome,) = await spoken(engine, reply_of(("book", {"seat": "B2"})) + END)
    assert outcome.value == "booked B2"
    assert "abort of 'book' failed 3 times" in caplog.text


async def test_an_abort_that_hangs_is_given_up() -> None:
    shop = Shop()

    async def free(seat: str) -> None:
        await asyncio.sleep(1e6)

    async with Engine([shop.book(abort=free)]) as engine:
        await spoken(engine, reply_of(("book", {"seat": "A1"})))
        (letter,) = engine.statistics().preparations.dead_letters
    assert letter.error == "TimeoutError()"


async def test_of_dead_letters_the_latest_are_kept(caplog: pytest.LogCaptureFixture) -> None:
    async with Engine([Shop().book()]) as engine:
        preparing: Preparing = engine._assembled.preparing
        for number in range(MOST_LETTERS + 1):
            preparing._give_up(str(number), OSError())
        letters = preparing.statistics().dead_letters
    assert (len(letters), letters[-1].tool) == (MOST_LETTERS, str(MOST_LETTERS))


async def test_a_preparation_waits_behind_calls_and_holds_none_up() -> None:
    shop = Shop()

    @tool(effects="read")
    async def slow() -> None:
        await sleep(5.0)

    async with Engine([shop.book(), slow], max_parallel=1) as engine:
        pieces = reply_of(("slow", {}), ("book", {"seat": "A1"})) + END
        _, outcome = await spoken(engine, pieces, pause=0.1)
    assert outcome.value == "booked A1"  # in the only place, which the preparation never had
    assert shop.log == ["book A1"]


async def test_preparations_are_behind_calls_and_before_guesses() -> None:
    shop = Shop()

    @tool(effects="read")
    async def note(text: str, seconds: float = 0.0) -> None:
        shop.log.append(text)
        await sleep(seconds)

    async with Engine([shop.book(), note], max_parallel=1) as engine:
        running = engine.submit([Call("note", {"text": "first", "seconds": 0.5})])
        await asyncio.sleep(0.1)
        session = engine.session("s")
        flights = engine._assembled.services.flights
        assert flights is not None
        guessing = guess(engine._assembled, engine.tools, flights, engine._settings)
        for name, arguments in (("note", b'{"text": "guess"}'), ("book", b'{"seat": "A1"}')):
            call = guessing.prepare(session, name, arguments)
            assert call is not None
            assert guessing.launch(session, call, Heard()) is not None
        asked = engine.submit([Call("note", {"text": "call"})])
        await running
        await asked
        await asyncio.sleep(3.0)
        assert shop.log == ["first", "call", "reserve A1", "guess"]


async def test_a_tool_that_yields_can_be_staged() -> None:
    shop = Shop()

    async def parts(seat: str) -> AsyncIterator[str]:
        yield seat
        yield "!"

    book = tool(parts, prepare=shop.reserve, commit=shop.sell, abort=shop.free)
    async with Engine([book]) as engine:
        (plain,) = await engine.run([Call("parts", {"seat": "A1"})])
        (staged,) = await spoken(engine, reply_of(("parts", {"seat": "B2"})) + END)
    assert (plain.value, staged.value) == ("A1!", "sold B2")


class Heard:
    """A listener that keeps what it hears."""

    def __init__(self) -> None:
        self.words: list[str] = []

    def began(self) -> None:
        self.words.append("began")

    def claimed(self) -> None:
        self.words.append("claimed")

    def ended(self, outcome: Any) -> None:
        self.words.append(f"ended {outcome.status}")

    def dropped(self, why: str) -> None:
        self.words.append(f"dropped {why}")


def guessed(engine: Engine, heard: Heard, id: str = "s") -> tuple[Session, Guessing, Any]:
    session = engine.session(id)
    flights = engine._assembled.services.flights
    assert flights is not None
    guessing = guess(engine._assembled, engine.tools, flights, engine._settings)
    call = guessing.prepare(session, "book", b'{"seat": "A1"}')
    assert call is not None
    assert not guessing.is_known(session, call)
    launched = guessing.launch(session, call, heard)
    assert guessing.is_known(session, call)
    return session, guessing, launched


async def test_a_guess_runs_prepare_only_and_its_call_commits_it() -> None:
    shop, heard = Shop(), Heard()
    async with Engine([shop.book()]) as engine:
        session, *_ = guessed(engine, heard)
        await asyncio.sleep(2.0)
        assert shop.log == ["reserve A1"]
        # The default that the model leaves out is the same as one that it writes.
        (outcome,) = await session.run([Call("book", {"seat": "A1", "meal": "none"})])
    assert (outcome.value, outcome.speculative) == ("sold A1", True)
    assert outcome.saved_seconds == pytest.approx(1.0, abs=0.01)
    assert heard.words == ["began", "ended ok", "claimed"]
    assert shop.log == ["reserve A1", "sell A1"]


async def test_a_call_joins_a_guess_that_is_being_prepared() -> None:
    shop, heard = Shop(), Heard()
    async with Engine([shop.book()]) as engine:
        session, *_ = guessed(engine, heard)
        await asyncio.sleep(0.4)
        (outcome,) = await session.run([Call("book", {"seat": "A1"})])
    assert (outcome.value, outcome.duration) == ("sold A1", pytest.approx(0.7, abs=0.01))
    assert outcome.saved_seconds == pytest.approx(0.4, abs=0.01)
    assert heard.words == ["began", "claimed", "ended ok"]


async def test_another_call_of_the_tool_does_not_get_it() -> None:
    shop, heard = Shop(), Heard()
    async with Engine([shop.book(mutates=["seat:{seat}"])]) as engine:
        session, guessing, _ = guessed(engine, heard)
        await asyncio.sleep(2.0)
        (outcome,) = await session.run([Call("book", {"seat": "B2"})])
        assert (outcome.value, outcome.speculative) == ("booked B2", False)
        guessing.sweep(session)
        await asyncio.sleep(0)
    assert heard.words == ["began", "ended ok", "dropped expired"]
    assert (shop.reserved, shop.sold) == (set(), ["B2"])


async def test_it_is_not_prepared_twice_if_the_reply_asks_for_it() -> None:
    shop, heard = Shop(), Heard()
    async with Engine([shop.book()]) as engine:
        session, *_ = guessed(engine, heard)
        async with session.reply(formats.anthropic) as reply:
            for piece in reply_of(("book", {"seat": "A1"})) + END:
                reply.feed(piece)
                await asyncio.sleep(1.0)
            (outcome,) = await reply.outcomes()
    assert outcome.speculative
    assert shop.log == ["reserve A1", "sell A1"]


ENDS = {
    "a write": "changed",
    "somebody else's change": "changed",
    "the step": "expired",
    "a minute": "expired",
    "the session": "closed",
    "cancelled": "overtaken",
}


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("done", [False, True])
async def test_whatever_else_ends_it_aborts_it(end: str, done: bool) -> None:
    shop, heard = Shop(), Heard()
    names = {"mutates": ["seat:{seat}"]} if end == "somebody else's change" else {}
    async with Engine([shop.book(**names), other]) as engine:
        session, guessing, launched = guessed(engine, heard)
        await asyncio.sleep(2.0 if done else 0.5)
        if end == "a write":
            await session.run([Call("other")])
        elif end == "somebody else's change":
            engine.changed(["seat:*"])
        elif end == "the step":
            guessing.sweep(session)
        elif end == "a minute":
            await asyncio.sleep(KEPT_SECONDS)
        elif end == "the session":
            await session.aclose()
        else:
            guessing.cancel(launched, "overtaken")
        await asyncio.sleep(0.1)
        assert heard.words[-1 if done or end == "a minute" else 1] == f"dropped {ENDS[end]}"
    assert shop.reserved == set()
    assert shop.log.count("free A1") == (done or end == "a minute")


async def test_a_read_and_a_write_of_something_else_leave_it() -> None:
    shop, heard = Shop(), Heard()
    put = other.replace(mutates=["meal:1"])
    async with Engine([shop.book(mutates=["seat:{seat}"]), put, look]) as engine:
        session, *_ = guessed(engine, heard)
        await asyncio.sleep(2.0)
        await session.run([Call("other"), Call("look")])
        assert heard.words == ["began", "ended ok"]


async def test_the_same_call_is_prepared_once() -> None:
    shop, heard = Shop(), Heard()
    async with Engine([shop.book()]) as engine:
        session, guessing, _ = guessed(engine, heard)
        call = guessing.prepare(session, "book", b'{"seat": "A1", "meal": "none"}')
        assert call is not None
        assert guessing.launch(session, call, Heard()) is None
        await asyncio.sleep(2.0)
    assert shop.log == ["reserve A1", "free A1"]


async def test_one_that_fails_is_gone_and_its_call_runs_afresh() -> None:
    shop, heard = Shop(), Heard()
    shop.fails = {"prepare"}
    async with Engine([shop.book()]) as engine:
        session, *_ = guessed(engine, heard)
        await asyncio.sleep(2.0)
        (outcome,) = await session.run([Call("book", {"seat": "A1"})])
    assert (outcome.value, outcome.speculative) == ("booked A1", False)
    assert heard.words[:2] == ["began", "ended failed"]


async def test_one_that_has_not_begun_is_overtaken_by_its_call() -> None:
    shop, heard = Shop(), Heard()
    async with Engine([shop.book()]) as engine:
        session, *_ = guessed(engine, heard)
        batch = session.submit([Call("book", {"seat": "A1"})])  # in the very turn of the guess
        (outcome,) = await batch
    assert outcome.ok
    assert shop.sold == ["A1"]
    assert shop.reserved == set()


async def test_a_claimed_one_whose_call_is_cancelled_is_undone() -> None:
    shop, heard = Shop(), Heard()
    async with Engine([shop.book()]) as engine:
        session, *_ = guessed(engine, heard)
        await asyncio.sleep(2.0)
        batch = session.submit([Call("book", {"seat": "A1"})])
        await asyncio.sleep(0.05)  # while it is committed
        batch.cancel("a test")
        (outcome,) = await batch
        await asyncio.sleep(0.1)
        assert (outcome.status, shop.log[-1]) == ("cancelled", "free A1")
    assert (shop.reserved, shop.sold) == (set(), [])


async def test_a_preparation_that_does_not_end_when_asked_is_undone_when_it_does() -> None:
    shop = Shop()

    async def reserve(arguments: dict[str, Any]) -> str:
        try:
            await sleep(60.0)
        except asyncio.CancelledError:
            await sleep(5.0)  # longer than the grace
        shop.reserved.add("A1")
        return "A1"

    async with Engine([shop.book(prepare=reserve)]) as engine:
        await spoken(engine, reply_of(("book", {"seat": "A1"})), pause=0.1)
        assert shop.reserved == set()
        await asyncio.sleep(4.9)
        assert shop.log == ["free A1"]
    assert shop.reserved == set()


async def test_an_engine_that_closes_waits_for_no_stubborn_preparation() -> None:
    async def reserve(arguments: dict[str, Any]) -> None:
        while True:
            try:
                await sleep(60.0)
            except asyncio.CancelledError:
                continue

    shop = Shop()
    async with Engine([shop.book(prepare=reserve)]) as engine:
        _, guessing, launched = guessed(engine, Heard())
        await asyncio.sleep(1.0)
        guessing.cancel(launched, "overtaken")


async def test_a_staged_tool_takes_as_long_as_its_preparations_as_soon_as_that_is_known() -> None:
    shop, waits = Shop(), Sketch()
    waits.record(60.0, 0.0)
    async with Engine([shop.book()]) as engine:
        _, guessing, _ = guessed(engine, Heard())
        assert guessing.expect("book", waits) is None
        await engine.run([Call("book", {"seat": f"W{number}"}) for number in range(5)])
        whole = guessing.expect("book", waits)
        assert whole is not None
        assert whole.latency == pytest.approx(1.1, rel=0.05)
        for number in range(5):
            await spoken(engine, reply_of(("book", {"seat": f"X{number}"})) + END)
        half = guessing.expect("book", waits)
        assert half is not None
        assert half.latency == pytest.approx(1.0, rel=0.05)


def test_cancelled_at_any_moment_nothing_stays_reserved(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.CRITICAL)
    shops: list[Shop] = []

    async def story() -> None:
        shop = Shop()
        shops.append(shop)
        async with Engine([shop.book()]) as engine:
            session, *_ = guessed(engine, Heard())
            await asyncio.sleep(0.5)
            await session.run([Call("book", {"seat": "A1"})])
            await spoken(engine, reply_of(("book", {"seat": "B2"})) + END)

    assert every_cancel_point(story) > 10
    assert [shop.reserved for shop in shops] == [set()] * len(shops)
