"""Where foreign code meets the host: destructors, futures, loops and validators that misbehave.

Each fact was once a call without an outcome, a leak, or a program that could not end.
"""

import asyncio
import contextvars
import gc
import subprocess
import sys
import textwrap
import threading
import weakref
from collections.abc import Callable, Generator, Iterator
from typing import Annotated, Any

import pytest
from pydantic import BeforeValidator

import penstock
from penstock import Call, Context, Engine, Limit, Outcome, Ref, tool
from penstock.engine import Batch, ThreadCounts
from penstock.testing import VirtualLoop

MANY = 2_000


@tool
async def one() -> int:
    return 1


@tool
async def wait() -> None:
    await asyncio.Event().wait()


def statuses(outcomes: list[Outcome]) -> list[str]:
    return [outcome.status for outcome in outcomes]


class TestDestructors:
    """The garbage collector may run anybody's code at any allocation."""

    @pytest.fixture(autouse=True)
    def usual_collector(self) -> Iterator[None]:
        thresholds = gc.get_threshold()
        # A collection at each allocation looks at what these tests make, not at the whole suite's
        # objects: in a large process that took longer than a test may.
        gc.collect()
        gc.freeze()
        yield
        gc.unfreeze()
        gc.set_threshold(*thresholds)
        gc.enable()

    async def test_one_that_cancels_another_batch_loses_no_outcome(self) -> None:
        async with Engine([wait]) as engine:
            for _ in range(20):
                other = engine.submit([Call("wait")])
                batch = engine.submit([Call("wait")] * 5)
                leave_garbage(other.cancel)
                gc.set_threshold(1, 1, 1)
                gc.enable()
                batch.cancel()
                assert statuses(await batch) == ["cancelled"] * 5
                assert statuses(await other) == ["cancelled"]


def leave_garbage(act: Callable[[], object]) -> None:
    """Leave a cycle that the next collection ends with a call of `act`."""

    class Garbage:
        me: object

        def __del__(self) -> None:
            act()

    gc.disable()
    gc.collect()
    garbage = Garbage()
    garbage.me = garbage


class TestMemory:
    """Nothing keeps what nobody needs."""

    async def test_unwrapping_a_timeout_keeps_no_frame(self) -> None:
        async with Engine([wait]) as engine:
            probe = await unwrap_timeout(engine)
            gc.collect()
            assert probe() is None

    async def test_waiters_that_were_cancelled_are_forgotten(self) -> None:
        async with Engine([wait]) as engine:
            batch = engine.submit([Call("wait")])
            before = futures_alive()
            for _ in range(MANY):
                await give_up_waiting(batch)
            assert futures_alive() - before < MANY / 10
            batch.cancel()
            await batch


class Probe:
    """Something to refer to weakly."""


async def unwrap_timeout(engine: Engine) -> "weakref.ref[Probe]":
    """Return what is dead when the frame of this call is."""
    probe = Probe()
    (outcome,) = await engine.run([Call("wait")], timeout=0.001)
    with pytest.raises(TimeoutError):
        outcome.unwrap()
    return weakref.ref(probe)


async def give_up_waiting(batch: Batch) -> None:
    async def waiter() -> None:
        await batch

    task = asyncio.create_task(waiter())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


def futures_alive() -> int:
    gc.collect()
    return sum(type(thing) is asyncio.Future for thing in gc.get_objects())


class Uncancellable(asyncio.Future[None]):
    """A future that cannot even be asked to end."""

    def cancel(self, msg: Any = None) -> bool:
        raise ValueError("no cancel for you")


class CallsBackAtOnce:
    """Awaited like a future; whoever completes it runs the callbacks on the spot."""

    _asyncio_future_blocking = False

    def __init__(self) -> None:
        self.callbacks: list[Callable[[object], object]] = []
        self.is_done = False

    def __await__(self) -> Generator[Any, None, None]:
        if not self.is_done:
            self._asyncio_future_blocking = True
            yield self

    def add_done_callback(self, callback: Callable[[object], object], **_: object) -> None:
        self.callbacks.append(callback)

    def cancel(self, msg: object = None) -> bool:
        return False

    def done(self) -> bool:
        return self.is_done

    def result(self) -> None:
        return None

    def complete(self) -> None:
        self.is_done = True
        for callback in self.callbacks:
            callback(self)


@pytest.fixture
def reported(monkeypatch: pytest.MonkeyPatch) -> list[BaseException | None]:
    """What was raised where nobody could be told."""
    errors: list[BaseException | None] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda report: errors.append(report.exc_value))
    return errors


@tool
async def stubborn() -> None:
    await Uncancellable()


@tool
async def completed_in_own_context() -> int:
    future = CallsBackAtOnce()
    task = asyncio.current_task()
    assert task is not None
    context: contextvars.Context = task.get_context()  # type: ignore[attr-defined]  # a call's has it in 3.11
    asyncio.get_running_loop().call_soon(future.complete, context=context)
    await future
    return 1


class TestForeignFutures:
    """What tools await is anybody's class."""

    async def test_one_whose_cancel_raises_does_not_strand_the_siblings(
        self, reported: list[BaseException | None]
    ) -> None:
        async with Engine([stubborn, wait]) as engine:
            batch = engine.submit([Call("stubborn"), Call("wait"), Call("wait")])
            await asyncio.sleep(0)
            assert batch.cancel() == 3
            assert statuses(await batch) == ["cancelled"] * 3
        assert [str(error) for error in reported] == ["no cancel for you"]

    async def test_one_may_call_back_at_once_inside_the_calls_own_context(self) -> None:
        async with Engine([completed_in_own_context]) as engine:
            for _ in range(2):
                (outcome,) = await engine.run([Call("completed_in_own_context")])
                assert outcome.unwrap() == 1


class InterruptedLoop(VirtualLoop):
    """Interrupts the program at the next `call_soon` once `is_armed`."""

    is_armed = False

    def call_soon(self, callback: Any, *args: Any, context: Any = None) -> Any:
        if self.is_armed:
            self.is_armed = False
            raise KeyboardInterrupt
        return super().call_soon(callback, *args, context=context)


class TestForeignLoops:
    """The loop, too, is anybody's class."""

    def test_a_call_soon_that_raised_once_leaves_the_engine_listening(self) -> None:
        loop = InterruptedLoop()

        async def main() -> list[Outcome]:
            async with Engine([one]) as engine:
                await engine.run([Call("one")])
                loop.is_armed = True
                with pytest.raises(KeyboardInterrupt):
                    engine.submit([Call("one")])
                return await engine.run([Call("one")])

        with asyncio.Runner(loop_factory=lambda: loop) as runner:
            assert statuses(runner.run(main())) == ["ok"]


class TestValidators:
    """Code of the tool's author that runs before the tool does."""

    async def test_one_that_cancels_its_own_batch_keeps_the_call_from_starting(self) -> None:
        started = []

        def cancel(value: object) -> object:
            batch.cancel()
            return value

        @tool
        async def checked(x: Annotated[int, BeforeValidator(cancel)]) -> None:
            started.append(x)

        async with Engine([one, checked]) as engine:
            batch = engine.submit([Call("one", id="a"), Call("checked", {"x": Ref("a")})])
            assert statuses(await batch) == ["ok", "cancelled"]
        assert started == []

    @pytest.mark.parametrize("x", [1, Ref("a")], ids=["at submission", "at the start"])
    async def test_they_see_the_callers_context(self, x: object) -> None:
        seen = []
        user = contextvars.ContextVar("user", default="nobody")

        def look(value: object) -> object:
            seen.append(user.get())
            return value

        @tool
        async def checked(x: Annotated[int, BeforeValidator(look)]) -> None:
            del x

        async with Engine([one, checked]) as engine:
            user.set("caller")
            await engine.run([Call("one", id="a"), Call("checked", {"x": x})])
        assert set(seen) == {"caller"}


class TestTasksOfCalls:
    """`asyncio.current_task()` in a tool is a task that others may await."""

    async def test_awaiting_one_gives_a_tuple_whole(self) -> None:
        tasks: list[Any] = []

        @tool
        async def pair() -> tuple[int, int]:
            tasks.append(asyncio.current_task())
            await asyncio.sleep(0.001)
            return (1, 2)

        @tool
        async def reader() -> object:
            return await tasks[0]

        async with Engine([pair, reader]) as engine:
            outcomes = await engine.run([Call("pair"), Call("reader")])
        assert [outcome.value for outcome in outcomes] == [(1, 2), (1, 2)]


@tool
async def deadline(context: Context) -> float | None:
    await asyncio.sleep(0.05)
    return context.deadline


@tool
async def key(context: Context) -> str:
    return context.idempotency_key


class TestContexts:
    """What a call is told about itself."""

    async def test_the_deadline_of_a_call_counts_from_its_submission(self) -> None:
        async with Engine([deadline], max_parallel=1) as engine:
            _, outcome = await engine.run([Call("deadline"), Call("deadline", timeout=50)])
        assert outcome.value == pytest.approx(outcome.submitted + 50, abs=0.01)

    async def test_the_deadline_of_a_batch_is_that_of_its_calls(self) -> None:
        async with Engine([deadline]) as engine:
            (outcome,) = await engine.run([Call("deadline")], timeout=50)
        assert outcome.value == pytest.approx(outcome.submitted + 50, abs=0.01)

    async def test_what_nothing_bounds_has_no_deadline(self) -> None:
        async with Engine([deadline]) as engine:
            (outcome,) = await engine.run([Call("deadline")])
        assert outcome.value is None

    async def test_idempotency_keys_of_two_engines_differ(self) -> None:
        keys = []
        for _ in range(2):
            async with Engine([key]) as engine:
                keys += [outcome.value for outcome in await engine.run([Call("key")] * 2)]
        assert len(set(keys)) == 4


class TestPlainFunctionsOnTheLoop:
    """A `def` that returns an awaitable, declared `host="call"`."""

    async def test_cancelling_one_that_returns_a_sleep_is_cancelled(self) -> None:
        @tool(host="call")
        def nap() -> object:
            return penstock.sleep(5)

        async with Engine([nap]) as engine:
            batch = engine.submit([Call("nap")])
            await asyncio.sleep(0)
            batch.cancel()
            assert statuses(await batch) == ["cancelled"]


class TestEnding:
    """A program can always end."""

    async def test_a_detached_call_does_not_keep_the_block_open(self) -> None:
        @tool
        async def deaf() -> None:
            while True:
                try:
                    await asyncio.Event().wait()
                except asyncio.CancelledError:
                    continue

        async with asyncio.timeout(10):
            async with Engine([deaf]) as engine:
                (outcome,) = await engine.run([Call("deaf")], timeout=0.001)
        assert outcome.detached

    @pytest.mark.real_time
    def test_a_thread_that_never_ends_does_not_break_the_exit(self) -> None:
        program = """
            import asyncio
            from penstock import Call, Engine, tool

            @tool(timeout=0.05)
            def spin() -> None:
                while True:
                    pass

            async def main() -> None:
                engine = Engine([spin])
                (outcome,) = await engine.run([Call("spin")])
                await engine.aclose(grace=0.1)
                print(outcome.status, outcome.detached)

            asyncio.run(main())
        """
        ended = subprocess.run(
            [sys.executable, "-c", textwrap.dedent(program)],
            capture_output=True,
            check=False,
            text=True,
            timeout=15,
        )
        assert (ended.returncode, ended.stdout) == (0, "timeout True\n"), ended.stderr


class Touchy(TimeoutError):
    """An error of a library, with an attribute that is not to be touched."""

    @property
    def code(self) -> str:
        """Raise, as a deprecated name does where warnings are errors."""
        raise DeprecationWarning("code is deprecated")


class TestErrorsOfLibraries:
    """Their attributes are their own business, whatever they are called."""

    @pytest.mark.parametrize(
        "options", [{}, {"concurrency": 1}, {"effects": "read", "coalesce": True}]
    )
    async def test_a_code_is_not_asked_for(self, options: dict[str, Any]) -> None:
        @tool(name="fail", **options)
        async def fail() -> None:
            raise Touchy("as asked")

        async with Engine([fail], limits=[Limit.rate("global", 1_000)]) as engine:
            (outcome,) = await engine.run([Call("fail")])
            with pytest.raises(Touchy):
                await engine.call("fail")
        assert outcome.status == "failed"
        assert isinstance(outcome.error, Touchy)


class TestThreads:
    """The results of threads arrive in bursts."""

    @pytest.mark.real_time
    @pytest.mark.usefixtures("reported")
    async def test_results_behind_a_failure_are_all_delivered(self) -> None:
        """The failure cancels a sibling whose future refuses; the rest must still arrive."""
        loop, started = asyncio.get_running_loop(), asyncio.Event()
        line = threading.Barrier(4, lambda: loop.call_soon_threadsafe(started.set))
        may_fail, may_succeed = threading.Event(), threading.Event()

        @tool
        def fail() -> None:
            line.wait()
            may_fail.wait()
            raise KeyError("as asked")

        @tool
        def succeed() -> None:
            line.wait()
            may_succeed.wait()

        async with Engine([stubborn, fail, succeed], threads=4) as engine:
            failing = engine.submit([Call("stubborn"), Call("fail")], on_error="fail_fast")
            others = engine.submit([Call("succeed")] * 3)
            await started.wait()
            # The loop hears of nothing before every thread has handed in its result.
            may_fail.set()
            block_until_busy(engine, 3)
            may_succeed.set()
            block_until_busy(engine, 0)
            assert statuses(await others) == ["ok"] * 3
            assert statuses(await failing) == ["cancelled", "failed"]


def block_until_busy(engine: Engine, count: int) -> None:
    """Block the loop until so many threads are busy."""

    def busy() -> int:
        threads = engine.statistics().executors["thread"]
        assert isinstance(threads, ThreadCounts)
        return threads.busy

    while busy() > count:
        pass
