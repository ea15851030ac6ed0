"""What a hosted call may await, and what asyncio says when it may not; errors arrive unharmed."""

import asyncio
import traceback
from collections.abc import Callable, Generator
from contextlib import closing
from contextvars import ContextVar, copy_context
from typing import Any

import pytest

from contracts.hosting import (
    CANCELLED,
    COUNT,
    Behaviour,
    Mode,
    each_mode,
    hosted,
    note,
    raised,
    run_one,
    same,
    table,
)


class Yields:
    """Awaiting it yields one object to whatever steps the coroutine, and answers what comes back."""

    def __init__(self, yielded: object) -> None:
        self.yielded = yielded

    def __await__(self) -> Generator[object, object, object]:
        return (yield self.yielded)


def soon(callback: Callable[..., object], *args: object) -> None:
    """Call something in the next turn of the loop."""
    asyncio.get_running_loop().call_soon(callback, *args)


# --- Yielded by hand -------------------------------------------------------------------------------


def future_by_hand() -> "asyncio.Future[object]":
    """Return a future as `Future.__await__` yields it: its flag says that it is being awaited."""
    future = asyncio.get_running_loop().create_future()
    future._asyncio_future_blocking = True
    return future


async def a_failed_future_throws(number: int) -> object:
    future = future_by_hand()
    soon(future.set_exception, KeyError(number))
    return await Yields(future)


async def a_cancelled_future_throws(number: int) -> object:
    future = future_by_hand()
    soon(future.cancel, "why")
    try:
        await Yields(future)
    except asyncio.CancelledError as error:
        return error.args
    return "no"


async def a_done_future_sends_none(number: int) -> object:
    future = future_by_hand()
    soon(future.set_result, number)
    return await Yields(future)


async def a_future_that_was_done_already(number: int) -> object:
    future = future_by_hand()
    future.set_result(number)
    return await Yields(future), await future


@each_mode
@table(
    (a_failed_future_throws, [raised(KeyError, number) for number in range(COUNT)]),
    (a_cancelled_future_throws, ("why",)),
    (a_done_future_sends_none, None),
    (a_future_that_was_done_already, [(None, number) for number in range(COUNT)]),
)
async def test_a_future_yielded_by_hand(
    behaviour: Behaviour, ends: list[object], mode: Mode
) -> None:
    assert (await same(behaviour, mode)).ends == ends


# --- Bad yields ------------------------------------------------------------------------------------


async def a_number(number: int) -> object:
    return await Yields(42)


async def a_generator(number: int) -> object:
    return await Yields(n for n in range(3))


async def a_future_without_its_flag(number: int) -> object:
    return await Yields(asyncio.get_running_loop().create_future())


async def itself(number: int) -> object:
    task = asyncio.current_task()
    task._asyncio_future_blocking = True  # type: ignore[union-attr]  # as `await task` does
    return await Yields(task)


async def a_future_of_another_loop(number: int) -> object:
    with closing(asyncio.SelectorEventLoop()) as other:
        return await other.create_future()


async def bad_yield_is_survived(number: int) -> object:
    try:
        await Yields(42)
    except RuntimeError as error:
        await asyncio.sleep(0)
        return error.args
    return "no"


BAD = {
    a_number: "Task got bad yield: 42",
    a_generator: "yield was used instead of yield from for generator in task <",
    a_future_without_its_flag: "yield was used instead of yield from in task <",
    itself: "Task cannot await on itself: <",
    a_future_of_another_loop: "got Future <Future pending",
}


@each_mode
@pytest.mark.parametrize("behaviour", BAD, ids=lambda behaviour: behaviour.__name__)
async def test_awaiting_is_refused_in_asyncios_words(behaviour: Behaviour, mode: Mode) -> None:
    async def words(number: int) -> object:
        with pytest.raises(RuntimeError) as caught:
            await behaviour(number)
        text = str(caught.value)
        return BAD[behaviour] in text or text

    assert (await same(words, mode)).ends == [True] * COUNT


@each_mode
async def test_a_bad_yield_can_be_survived(mode: Mode) -> None:
    ends = (await same(bad_yield_is_survived, mode)).ends
    assert ends == [("Task got bad yield: 42",)] * COUNT


# --- Errors ----------------------------------------------------------------------------------------


async def stop_iteration(number: int) -> object:
    raise StopIteration(3)


async def group_of_errors(number: int) -> object:
    error = ExceptionGroup("several", [KeyError(number), ValueError("x")])
    error.add_note("from the tool")
    raise error


class Unusual(BaseException):
    """Neither an Exception nor one that stops the program."""


async def base_exception(number: int) -> object:
    await asyncio.sleep(0)
    raise Unusual(number)


async def generator_exit(number: int) -> object:
    raise GeneratorExit


async def cancelled_error_by_hand(number: int) -> object:
    raise asyncio.CancelledError("by hand")


@each_mode
@table(
    (stop_iteration, raised(RuntimeError, "coroutine raised StopIteration")),
    (base_exception, [raised(Unusual, number) for number in range(COUNT)]),
    (generator_exit, raised(GeneratorExit)),
    (cancelled_error_by_hand, CANCELLED),
)
async def test_raised(behaviour: Behaviour, ends: list[object], mode: Mode) -> None:
    assert (await same(behaviour, mode)).ends == ends


@each_mode
async def test_an_exception_group_keeps_its_parts_and_notes(mode: Mode) -> None:
    error = (await run_one(group_of_errors, mode)).error
    assert isinstance(error, ExceptionGroup)
    assert [type(part) for part in error.exceptions] == [KeyError, ValueError]
    assert error.__notes__ == ["from the tool"]


async def helper() -> None:
    """Fails one frame below the tool."""
    await asyncio.sleep(0)
    raise KeyError("deep")


@each_mode
async def test_the_traceback_holds_the_frames_of_the_tool_alone(mode: Mode) -> None:
    async def fails(number: int) -> object:
        await helper()
        return "no"

    error = (await run_one(fails, mode)).error
    assert error is not None
    assert [frame.name for frame in traceback.extract_tb(error.__traceback__)] == [
        "fails",
        "helper",
    ]


@each_mode
async def test_cause_and_context_are_kept(mode: Mode) -> None:
    async def fails(number: int) -> object:
        try:
            await helper()
        except KeyError as cause:
            raise ValueError("outer") from cause
        return "no"

    error = (await run_one(fails, mode)).error
    assert error is not None
    assert isinstance(error.__cause__, KeyError)
    assert error.__context__ is error.__cause__


@each_mode
async def test_a_first_error_has_no_context(mode: Mode) -> None:
    async def fails(number: int) -> object:
        await asyncio.sleep(0)
        raise KeyError(number)

    error = (await run_one(fails, mode)).error
    assert error is not None
    assert error.__context__ is None


# --- Foreign futures -------------------------------------------------------------------------------


class Foreign:
    """A future of another library: asyncio's protocol and no more."""

    _asyncio_future_blocking = False

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.callbacks: list[tuple[Callable[..., object], Any]] = []
        self.value: object = None

    def get_loop(self) -> asyncio.AbstractEventLoop:
        return self.loop

    def add_done_callback(self, callback: Callable[..., object], *, context: Any = None) -> None:
        self.callbacks.append((callback, context))

    def result(self) -> object:
        if isinstance(self.value, BaseException):
            raise self.value
        return self.value

    def cancel(self, msg: object = None) -> bool:
        self.finish(asyncio.CancelledError(msg))
        return True

    def finish(self, value: object) -> None:
        """Be done, in the loop's next turn, and call back in the given context as futures do."""
        self.value = value
        for callback, context in self.callbacks:
            self.loop.call_soon(callback, self, context=context)

    def __await__(self) -> Generator[object, object, object]:
        self._asyncio_future_blocking = True
        yield self
        return self.result()


async def foreign_future_returns(number: int) -> object:
    future = Foreign()
    soon(future.finish, number)
    return await future


async def foreign_future_fails(number: int) -> object:
    future = Foreign()
    soon(future.finish, KeyError(number))
    return await future


async def foreign_future_is_cancelled(number: int) -> object:
    future = Foreign()
    task = asyncio.current_task()
    assert task is not None
    soon(task.cancel, "why")
    try:
        return await future
    except asyncio.CancelledError as error:
        return error.args


@each_mode
@table(
    (foreign_future_returns, list(range(COUNT))),
    (foreign_future_fails, [raised(KeyError, number) for number in range(COUNT)]),
    (foreign_future_is_cancelled, ("why",)),
)
async def test_a_foreign_future(behaviour: Behaviour, ends: list[object], mode: Mode) -> None:
    assert (await same(behaviour, mode)).ends == ends


class Rude(Foreign):
    """Calls back in whatever context it is in, as libraries older than contexts do."""

    def finish(self, value: object) -> None:
        self.value = value
        for callback, _ in self.callbacks:
            self.loop.call_soon(callback, self)


class AtOnce(Foreign):
    """Done when it is asked, and calls back before `add_done_callback` returns."""

    def add_done_callback(self, callback: Callable[..., object], *, context: Any = None) -> None:
        self.value = "at once"
        callback(self)


class Twice(Foreign):
    """Calls back twice, the second time after the call went on."""

    def finish(self, value: object) -> None:
        self.value = value
        for callback, _ in self.callbacks:
            self.loop.call_soon(callback, self)
            self.loop.call_soon(callback, self)


class InsideAStep(Foreign):
    """Calls back synchronously, from the step of another task."""

    def finish(self, value: object) -> None:
        self.value = value
        for callback, _ in self.callbacks:
            callback(self)


async def await_rude(number: int) -> object:
    future = Rude()
    soon(future.finish, number)
    return await future


async def await_at_once(number: int) -> object:
    return await AtOnce()


async def await_twice(number: int) -> object:
    future = Twice()
    soon(future.finish, number)
    value = await future
    await asyncio.sleep(0.001)
    note("went on", number)
    return value


async def await_inside_a_step(number: int) -> object:
    future = InsideAStep()

    async def finish() -> None:
        future.finish(number)
        note("the finisher runs on", number)

    task = asyncio.create_task(finish())
    value = await future
    await task
    return value


# A real task cannot be woken like this: its step would begin inside another one. Hosted calls can.
@table(
    (await_rude, list(range(COUNT))),
    (await_at_once, "at once"),
    (await_twice, list(range(COUNT))),
    (await_inside_a_step, list(range(COUNT))),
)
async def test_a_future_with_bad_manners(behaviour: Behaviour, ends: list[object]) -> None:
    assert (await hosted(behaviour, "call")).ends == ends


async def test_a_wake_up_from_a_foreign_context_does_not_lend_it() -> None:
    variable: ContextVar[str] = ContextVar("variable", default="the call's")

    async def look(number: int) -> object:
        future = Rude()
        foreign = copy_context()
        foreign.run(variable.set, "foreign")
        soon(lambda: foreign.run(future.finish, None))
        await future
        return variable.get()

    assert (await hosted(look, "call")).ends == ["the call's"] * COUNT


async def test_a_call_that_awaits_a_hosted_task_gets_its_value() -> None:
    tasks: list[asyncio.Task[object]] = []

    async def first_of_three(number: int) -> object:
        task = asyncio.current_task()
        assert task is not None
        tasks.append(task)
        if number == 0:
            await asyncio.sleep(0.001)
            return "from the first"
        return await tasks[0]

    ends = (await hosted(first_of_three, "call")).ends
    assert ends == ["from the first"] * COUNT
