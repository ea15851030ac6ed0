"""The promises of DESIGN section 5, attacked in virtual time.

Random graphs of tools of every kind are cancelled, timed out, interrupted and closed at any moment.
"""

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any, TypeVar

import hypothesis.strategies as st
from hypothesis import given, note, settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from penstock import Batch, Call, Engine, Limit, Outcome, Ref
from penstock.errors import EngineClosed, EngineFull
from penstock.testing import VirtualLoop
from properties.witness import (
    IN_COROUTINES,
    IN_FUNCTIONS,
    IN_THREADS,
    Submission,
    Witness,
    current,
    tools_of,
)

T = TypeVar("T")
LIMITS = {"narrow": 1, "pair": 3, "service": 2, "all": 5}
MAX_PENDING = 24
KINDS = {"inline": IN_FUNCTIONS, "thread": IN_THREADS}
COROUTINE_TOOLS = ("free", "free", "narrow", "pair", "timed", "task")
SECONDS = st.sampled_from([0.0, 0.001, 0.1, 0.3, 1.0])


@st.composite
def planned_calls(draw: Callable[[Any], Any], *, threads: bool) -> list[dict[str, Any]]:
    """What to call: of each call its tool, what that does, its options and its earlier parents."""
    names = (*COROUTINE_TOOLS, "inline", "thread", "missing") if threads else COROUTINE_TOOLS
    count = draw(st.integers(1, 7))
    graph = draw(st.booleans())
    rows = []
    for position in range(count):
        name = draw(st.sampled_from(names))
        parents: list[int] = []
        if graph and position:
            parents = sorted(draw(st.sets(st.integers(0, position - 1), max_size=3)))
        closes = name not in KINDS and draw(st.integers(0, 40)) == 40
        row = {
            "tool": name,
            "kind": "close" if closes else draw(st.sampled_from(KINDS.get(name, IN_COROUTINES))),
            "seconds": draw(SECONDS),
            "priority": draw(st.none() | st.integers(0, 7)),
            "branch": draw(st.none() | st.sampled_from("ab")),
            "timeout": draw(st.none() | st.none() | st.sampled_from([0.05, 0.5])),
            "given": parents.pop() if parents and draw(st.booleans()) else None,
            "after": parents,
        }
        rows.append(row)
    return rows


OPTIONS = st.fixed_dictionaries(
    {},
    optional={
        "timeout": st.sampled_from([0.01, 0.2, 5.0]),
        "on_error": st.sampled_from(["continue", "fail_fast"]),
        "max_parallel": st.integers(1, 3),
        "priority": st.integers(0, 7),
        "tenant": st.sampled_from(["acme", "other"]),
    },
)


class World:
    """One engine on one loop, and all that was asked of it."""

    def __init__(self, *, hosted: bool) -> None:
        """Make the loop and the engine; not hosted: every call is a task of asyncio's own."""
        self.loop = VirtualLoop()
        if not hosted:
            self.loop.set_task_factory(
                lambda loop, coroutine, **named: asyncio.Task(coroutine, loop=loop, **named)
            )
        self.loop.set_exception_handler(self._loop_complains)
        self.witness = Witness(LIMITS)
        self.submissions: list[Submission] = []
        self.bound: list[asyncio.Task[Any]] = []
        self.closers: list[asyncio.Task[None]] = []
        self.keys = 0
        self.escaped = 0
        self.engine = self._engine()

    def _engine(self) -> Engine:
        engine = Engine(
            tools_of(self.witness),
            limits=[Limit.concurrency("service:db", LIMITS["service"])],
            max_pending=MAX_PENDING,
            max_parallel=LIMITS["all"],
            threads=2,
        )
        with self.witness.threads.installed():
            self.drive(_use(engine))
        self.witness.engine = engine
        return engine

    def _loop_complains(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        # An eager task that is interrupted in its first step goes before anybody could ask it.
        if not isinstance(context.get("exception"), KeyboardInterrupt):
            self.witness.complain(f"the loop caught {context}")

    def drive(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run the loop until the coroutine is done, whatever interrupts it."""
        task = self.loop.create_task(coroutine)
        while True:
            try:
                return self.loop.run_until_complete(task)
            except KeyboardInterrupt:
                self.escaped += 1

    def submit(self, rows: list[dict[str, Any]], options: dict[str, Any], *, awaited: bool) -> None:
        """Submit a batch; or, if `awaited`, have a task of its own run it."""
        keys = [self.keys + number for number in range(1, len(rows) + 1)]
        self.keys += len(rows)
        calls, parents = [], []
        for key, row in zip(keys, rows, strict=True):
            calls.append(self._call(key, keys, row))
            used = [] if row["given"] is None else [row["given"]]
            parents.append([*row["after"], *used])
        submission = Submission(calls, keys, parents)
        self.drive(self._start(submission, options, awaited=awaited))

    def _call(self, key: int, keys: list[int], row: dict[str, Any]) -> Call:
        arguments: dict[str, Any] = {"key": key, "kind": row["kind"], "seconds": row["seconds"]}
        if row["kind"] == "bad_arguments":
            arguments["seconds"] = "soon"
        if row["given"] is not None:
            arguments["given"] = Ref(str(keys[row["given"]]))
        return Call(
            row["tool"],
            arguments,
            id=str(key),
            priority=row["priority"],
            branch=row["branch"],
            timeout=row["timeout"],
            after=[str(keys[parent]) for parent in row["after"]],
        )

    async def _start(
        self, submission: Submission, options: dict[str, Any], *, awaited: bool
    ) -> None:
        current.set(submission)
        try:
            if awaited:
                run = self.engine.run(submission.calls, **options)
                submission.waiter = self.loop.create_task(run)
            else:
                submission.batch = self.engine.submit(submission.calls, **options)
        except (EngineFull, EngineClosed) as error:
            note(f"refused: {error}")
            return
        self.submissions.append(submission)

    def advance(self, seconds: float) -> None:
        self.drive(asyncio.sleep(seconds))

    def call_bound(self, name: str, kind: str) -> None:
        async def call() -> object:
            current.set(None)
            self.keys += 1
            with suppress(BaseException):
                return await self.engine.call(name, key=self.keys, kind=kind, seconds=0.1)
            return None

        async def start() -> None:
            self.bound.append(self.loop.create_task(call()))

        self.drive(start())

    def close(self, grace: float, *, drain: bool) -> None:
        async def start() -> None:
            self.closers.append(self.loop.create_task(self.engine.aclose(grace, drain=drain)))

        self.drive(start())

    def reopen(self) -> None:
        """Finish closing, check, and go on with a new engine."""
        self.finish()
        self.engine = self._engine()

    def finish(self) -> None:
        """Let everything come to its end."""
        self.witness.threads.release()
        self.advance(30)
        self.drive(self.engine.aclose())
        self.witness.threads.release()
        self.advance(0)
        for task in [*self.bound, *self.closers, *self._waiters()]:
            self.drive(_outcome_of(task))
        self._all_ended()
        self.submissions.clear()
        self.bound.clear()
        self.closers.clear()

    def _waiters(self) -> list[asyncio.Task[Any]]:
        return [entry.waiter for entry in self.submissions if entry.waiter is not None]

    def _all_ended(self) -> None:
        for submission in self.submissions:
            if submission.batch is not None:
                assert submission.batch.done
                self.check(submission, self.drive(_all_of(submission.batch)))
            elif submission.waiter is not None and not submission.waiter.cancelled():
                with suppress(EngineFull, EngineClosed):
                    self.check(submission, submission.waiter.result())
        counts = self.engine.statistics()
        left = (counts.pending, counts.in_flight, counts.batches, counts.detached, counts.timers)
        assert left == (0, 0, 0, 0, 0)
        assert not asyncio.all_tasks(self.loop)

    def check(self, submission: Submission, outcomes: list[Outcome]) -> None:
        """Each call has one outcome, at its place, that tells what its code did."""
        assert [outcome.call for outcome in outcomes] == list(submission.calls)
        assert [outcome.index for outcome in outcomes] == list(range(len(outcomes)))
        for outcome, key in zip(outcomes, submission.keys, strict=True):
            self._agrees(outcome, key)

    def _agrees(self, outcome: Outcome, key: int) -> None:
        started, how = self.witness.started[key], self.witness.ended.get(key)
        assert started <= 1
        assert (outcome.started is None) or outcome.submitted <= outcome.started <= outcome.ended
        if outcome.status in ("skipped", "rejected"):
            assert not started
        if outcome.ok:
            assert outcome.value == key
            assert started == 1
        if outcome.status == "failed" and outcome.tool != "thread":
            assert how == type(outcome.error).__name__
        if how in ("Failure", "BaseFailure", "KeyboardInterrupt") and not outcome.detached:
            assert outcome.status == "failed"


async def _use(engine: Engine) -> None:
    """Bind an engine to the running loop, without a call."""
    engine.statistics()


async def _all_of(batch: Batch) -> list[Outcome]:
    return await batch


async def _outcome_of(task: asyncio.Task[Any]) -> None:
    await asyncio.wait([task])


class EngineLaws(RuleBasedStateMachine):
    """Anything may happen at any moment."""

    hosted = True

    def __init__(self) -> None:
        """Make a world."""
        super().__init__()
        self.world = World(hosted=self.hosted)

    @rule(rows=planned_calls(threads=True), options=OPTIONS, awaited=st.booleans())
    def submit(self, rows: list[dict[str, Any]], options: dict[str, Any], awaited: bool) -> None:
        self.world.submit(rows, options, awaited=awaited)

    @rule(seconds=SECONDS)
    def advance(self, seconds: float) -> None:
        self.world.advance(seconds)

    @rule()
    def release_threads(self) -> None:
        self.world.witness.threads.release()

    @precondition(lambda self: self.world.submissions)
    @rule(data=st.data(), what=st.sampled_from(["batch", "call", "a", "b", "commit"]))
    def cancel(self, data: st.DataObject, what: str) -> None:
        submission = data.draw(st.sampled_from(self.world.submissions))
        if submission.waiter is not None:
            submission.waiter.cancel()
            return
        batch = submission.batch
        assert batch is not None
        if what == "batch":
            batch.cancel()
        elif what == "call":
            batch.cancel_call(data.draw(st.integers(0, len(batch) - 1)))
        elif what == "commit" and batch.branches:
            batch.branch(batch.branches[0]).commit()
        elif what in batch.branches:
            batch.branch(what).cancel()

    @rule(
        name=st.sampled_from(["free", "narrow", "timed"]), kind=st.sampled_from(["wait", "raise"])
    )
    def call_bound(self, name: str, kind: str) -> None:
        self.world.call_bound(name, kind)

    @precondition(lambda self: self.world.bound)
    @rule(data=st.data())
    def cancel_bound(self, data: st.DataObject) -> None:
        data.draw(st.sampled_from(self.world.bound)).cancel()

    @precondition(lambda self: len(self.world.submissions) > 3 and not self.world.engine._closed)
    @rule(grace=st.sampled_from([0.0, 0.1, 5.0]), drain=st.booleans())
    def close(self, grace: float, drain: bool) -> None:
        self.world.close(grace, drain=drain)

    @precondition(lambda self: self.world.closers)
    @rule(data=st.data())
    def cancel_close(self, data: st.DataObject) -> None:
        data.draw(st.sampled_from(self.world.closers)).cancel()

    @precondition(lambda self: self.world.engine._closed)
    @rule()
    def reopen(self) -> None:
        self.world.reopen()

    @invariant()
    def nobody_complains(self) -> None:
        assert not self.world.witness.complaints

    @invariant()
    def interrupts_get_out(self) -> None:
        assert bool(self.world.witness.interrupts) == bool(self.world.escaped)

    @invariant()
    def outcomes_come_and_stay(self) -> None:
        for submission in self.world.submissions:
            if submission.batch is not None and submission.batch.done:
                assert None not in submission.batch.outcomes

    def teardown(self) -> None:
        """Let everything end."""
        self.world.finish()
        self.nobody_complains()
        self.interrupts_get_out()
        self.world.loop.close()


class EngineLawsInTasks(EngineLaws):
    """The same where the host may not step calls itself."""

    hosted = False


TestEngineLaws = EngineLaws.TestCase
TestEngineLaws.settings = settings(stateful_step_count=25)
TestEngineLawsInTasks = EngineLawsInTasks.TestCase
TestEngineLawsInTasks.settings = settings(stateful_step_count=25)


@settings(max_examples=50)
@given(rows=planned_calls(threads=False), options=OPTIONS)
def test_same_calls_same_trace(rows: list[dict[str, Any]], options: dict[str, Any]) -> None:
    """Time is virtual and nothing is left to chance: a failure can be played again."""
    first, *others = (trace(rows, options) for _ in range(10))
    assert all(other == first for other in others)


def trace(rows: list[dict[str, Any]], options: dict[str, Any]) -> list[tuple[object, ...]]:
    """Run a batch in a new world, and return what its watchers saw."""
    world = World(hosted=True)
    world.submit(rows, options, awaited=False)
    (submission,) = world.submissions
    world.finish()
    assert submission.batch is not None
    seen = world.drive(_events_of(submission.batch))
    world.loop.close()
    return seen


async def _events_of(batch: Batch) -> list[tuple[object, ...]]:
    return [(e.seq, e.type, e.time, e.call, e.status) async for e in batch.events()]
