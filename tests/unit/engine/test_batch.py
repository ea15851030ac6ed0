"""The handle of a batch: awaited, watched and cancelled by anybody."""

import asyncio

import pytest

import penstock
from penstock import Batch, Call, Context, Engine, Event, tool
from penstock.errors import CallCancelled, ConfigError, StreamPosition


@tool
async def nap(seconds: float = 1.0) -> float:
    await penstock.sleep(seconds)
    return seconds


@tool
async def report(context: Context, steps: int) -> None:
    for step in range(steps):
        await asyncio.sleep(1)
        context.progress(step, steps, "working")


@tool
async def leak_its_context(context: Context) -> Context:
    return context


async def events_of(batch: Batch, after: int = 0) -> list[Event]:
    return [event async for event in batch.events(after=after)]


def naps(*seconds: float, **options: str) -> list[Call]:
    return [Call("nap", {"seconds": each}, **options) for each in seconds]  # type: ignore[arg-type]


class TestAwait:
    """Waiting for the end."""

    async def test_anybody_may_await_it_any_number_of_times(self) -> None:
        async with Engine([nap]) as engine:
            batch = engine.submit(naps(1, 2))
            async with asyncio.TaskGroup() as group:
                waiters = [group.create_task(_wait(batch)) for _ in range(3)]
            values = [[o.value for o in waiter.result()] for waiter in waiters]
            assert values == [[1, 2]] * 3
            assert [o.value for o in await batch] == [1, 2]

    async def test_each_waiter_has_a_list_of_its_own(self) -> None:
        async with Engine([nap]) as engine:
            batch = engine.submit(naps(1))
            (await batch).clear()
            assert len(await batch) == len(batch.outcomes) == 1
            assert (await events_of(batch))[2].outcome is not None

    async def test_cancelling_a_waiter_leaves_the_batch_alone(self) -> None:
        async with Engine([nap]) as engine:
            batch = engine.submit(naps(2))
            waiter = asyncio.ensure_future(_wait(batch))
            await asyncio.sleep(1)
            waiter.cancel()
            assert (await batch)[0].ok
            assert waiter.cancelled()

    async def test_it_runs_though_nobody_holds_it(self) -> None:
        async with Engine([nap]) as engine:
            engine.submit(naps(1))
            await asyncio.sleep(2)
            assert engine.statistics().tools["nap"].ok == 1

    async def test_outcomes_so_far_have_gaps(self) -> None:
        async with Engine([nap]) as engine:
            batch = engine.submit(naps(3, 1))
            assert batch.outcomes == [None, None]
            await asyncio.sleep(2)
            assert [o is None for o in batch.outcomes] == [True, False]
            assert not batch.done
            assert repr(batch) == "<Batch: 1 of 2 calls ended>"

    async def test_a_batch_of_nothing_is_done(self) -> None:
        async with Engine([nap]) as engine:
            batch = engine.submit([])
            assert batch.done
            types = [event.type for event in await events_of(batch)]
        assert types == ["batch.started", "batch.ended"]


class TestCancel:
    """All of it, one call, a branch."""

    async def test_it_says_how_many_calls_it_asked(self) -> None:
        async with Engine([nap]) as engine:
            batch = engine.submit(naps(1, 5, 5))
            await asyncio.sleep(2)
            assert batch.cancel("user left") == 2
            assert batch.cancel() == 0
            outcomes = await batch
        assert [o.status for o in outcomes] == ["ok", "cancelled", "cancelled"]

    async def test_calls_that_have_not_started_never_start(self) -> None:
        async with Engine([nap]) as engine:
            batch = engine.submit(naps(1, 1))
            batch.cancel()
            outcomes = await batch
        assert [(o.status, o.attempts, o.started) for o in outcomes] == [("cancelled", 0, None)] * 2

    async def test_one_call_may_be_cancelled(self) -> None:
        async with Engine([nap]) as engine:
            batch = engine.submit(naps(5, 1))
            assert batch.cancel_call(0)
            assert not batch.cancel_call(0)
            outcomes = await batch
        assert [o.status for o in outcomes] == ["cancelled", "ok"]

    async def test_an_ended_batch_cannot_be_cancelled(self) -> None:
        async with Engine([nap]) as engine:
            batch = engine.submit(naps(1))
            await batch
            assert (batch.cancel(), batch.cancel_call(0)) == (0, False)
            assert (await batch)[0].ok

    async def test_the_reason_is_told(self) -> None:
        async with Engine([nap]) as engine:
            batch = engine.submit(naps(5))
            batch.cancel()
            (outcome,) = await batch
        assert isinstance(outcome.error, CallCancelled)
        assert (outcome.error.tool, outcome.error.reason) == ("nap", "caller")

    async def test_an_unknown_branch_is_named(self) -> None:
        async with Engine([nap]) as engine:
            batch = engine.submit(naps(1, branch="a"))
            assert batch.branches == ["a"]
            with pytest.raises(ConfigError, match="'a'"):
                batch.branch("b")
            await batch

    async def test_a_cancelled_branch_cannot_be_committed(self) -> None:
        async with Engine([nap]) as engine:
            batch = engine.submit([*naps(5, branch="a"), *naps(1, branch="b")])
            assert batch.branch("a").cancel() == 1
            assert not batch.branch("a").commit()
            assert [o.status for o in await batch] == ["cancelled", "ok"]

    async def test_a_committed_branch_cannot_be_cancelled_but_its_batch_can(self) -> None:
        async with Engine([nap]) as engine:
            batch = engine.submit([*naps(5, branch="a"), *naps(5, branch="b")])
            assert batch.branch("a").commit()
            assert batch.branch("a").commit()
            assert batch.branch("a").cancel() == 0
            await asyncio.sleep(1)
            assert batch.cancel() == 1
            assert [o.status for o in await batch] == ["cancelled", "cancelled"]

    async def test_watchers_hear_of_each_branch_once_and_before_its_calls(self) -> None:
        async with Engine([nap]) as engine:
            batch = engine.submit([call for name in "abc" for call in naps(5, branch=name)])
            batch.branch("c").cancel()
            for _ in range(2):
                batch.branch("b").commit()
                batch.branch("a").cancel()
            events = await events_of(batch)
        branches = [(e.type, e.branch) for e in events if e.type.startswith("branch.")]
        assert branches == [
            ("branch.cancelled", "c"),
            ("branch.committed", "b"),
            ("branch.cancelled", "a"),
        ]
        of_a = [e.type for e in events if e.branch == "a"]
        assert of_a == ["branch.cancelled", "call.ended"]

    async def test_watchers_hear_of_branches_whose_calls_have_ended(self) -> None:
        async with Engine([nap]) as engine:
            batch = engine.submit([*naps(1, branch="a"), *naps(5, branch="b")])
            await asyncio.sleep(2)
            assert batch.branch("a").cancel() == 0
            batch.branch("b").commit()
            events = await events_of(batch)
        told = [(e.type, e.branch) for e in events if e.type.startswith("branch.")]
        assert told == [("branch.cancelled", "a"), ("branch.committed", "b")]


class TestEvents:
    """The log."""

    async def test_numbers_have_no_gaps(self) -> None:
        async with Engine([nap]) as engine:
            events = await events_of(engine.submit(naps(*range(1, 300))))
        assert [event.seq for event in events] == list(range(1, 2 * 299 + 3))

    async def test_a_call_starts_once_and_ends_once(self) -> None:
        async with Engine([nap]) as engine:
            batch = engine.submit(naps(1, 2))
            events = await events_of(batch)
        by_call = {i: [e.type for e in events if e.index == i] for i in range(2)}
        assert by_call == {0: ["call.started", "call.ended"], 1: ["call.started", "call.ended"]}

    async def test_calls_that_never_started_only_end(self) -> None:
        async with Engine([nap]) as engine:
            batch = engine.submit(naps(1))
            batch.cancel()
            events = await events_of(batch)
        types = [event.type for event in events]
        assert types == ["batch.started", "call.ended", "batch.ended"]

    async def test_progress_carries_what_the_tool_said(self) -> None:
        async with Engine([report]) as engine:
            events = await events_of(engine.submit([Call("report", {"steps": 2}, id="r")]))
        told = [event.data for event in events if event.type == "call.progress"]
        assert told[0] == {"done": 0, "total": 2, "message": "working"}
        assert len(told) == 2

    async def test_nothing_follows_the_end_of_a_call(self) -> None:
        """A tool may keep its Context and go on telling."""
        async with Engine([leak_its_context, nap]) as engine:
            batch = engine.submit([Call("leak_its_context"), *naps(2)])
            await asyncio.sleep(1)
            first = batch.outcomes[0]
            assert first is not None
            first.value.progress(1)
            events = await events_of(batch)
            first.value.progress(2)
        assert "call.progress" not in {event.type for event in events}

    async def test_a_watcher_may_come_for_what_is_to_come(self) -> None:
        async with Engine([nap]) as engine:
            batch = engine.submit(naps(1, 3))
            await asyncio.sleep(2)
            events = await events_of(batch, after=-1)
        assert [event.type for event in events] == ["call.ended", "batch.ended"]

    @pytest.mark.parametrize("after", [-2, 99, 1.0, True])
    async def test_a_position_that_cannot_be_is_refused(self, after: int) -> None:
        async with Engine([nap]) as engine:
            batch = engine.submit(naps(1))
            with pytest.raises(StreamPosition) as bad:
                await events_of(batch, after=after)
            assert (bad.value.after, bad.value.newest) == (after, 1)

    async def test_a_watcher_that_leaves_disturbs_nobody(self) -> None:
        async with Engine([nap]) as engine:
            batch = engine.submit(naps(1, 2))
            watcher = asyncio.ensure_future(events_of(batch))
            await asyncio.sleep(0.5)
            watcher.cancel()
            assert len(await events_of(batch)) == 6

    async def test_of_progress_in_one_breath_the_first_and_the_last_are_told(self) -> None:
        @tool
        async def chatter() -> None:
            for number in range(70_000):
                penstock.progress(number)

        async with Engine([chatter]) as engine:
            batch = engine.submit([Call("chatter")])
            events = await events_of(batch)
        told = [event.data for event in events if event.type == "call.progress"]
        assert told == [{"done": 0}, {"done": 69_999}]


async def _wait(batch: Batch) -> list[penstock.Outcome]:
    return await batch
