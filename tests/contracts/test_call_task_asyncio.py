"""What asyncio and anyio build on tasks works the same inside a hosted call.

Timeouts, groups, locks, contexts, eager tasks.
"""

import asyncio
import contextvars
import gc
import sys
from collections.abc import AsyncIterator
from contextvars import ContextVar

import anyio
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
    same,
    table,
)
from penstock import Call, Engine, tool

number_of_call: ContextVar[int] = ContextVar("number_of_call", default=-1)


def cancelling() -> int:
    """Return how many cancellations the current task has pending."""
    task = asyncio.current_task()
    assert task is not None
    return task.cancelling()


# --- Timeouts and groups ---------------------------------------------------------------------------


async def timeout_expires(number: int) -> object:
    try:
        async with asyncio.timeout(0.01):
            await asyncio.sleep(10)
    except TimeoutError:
        await asyncio.sleep(0)
        return "expired", cancelling()
    return "no"


async def timeout_is_kept(number: int) -> object:
    async with asyncio.timeout(10) as scope:
        await asyncio.sleep(0.001)
    return scope.expired(), cancelling()


async def timeout_is_moved(number: int) -> object:
    try:
        async with asyncio.timeout(10) as scope:
            scope.reschedule(asyncio.get_running_loop().time() + 0.005)
            await asyncio.sleep(10)
    except TimeoutError:
        return scope.expired(), cancelling()
    return "no"


async def timeout_at_expires(number: int) -> object:
    try:
        async with asyncio.timeout_at(asyncio.get_running_loop().time() + 0.005):
            await asyncio.sleep(10)
    except TimeoutError:
        return "expired", cancelling()
    return "no"


async def inner_timeout_expires(number: int) -> object:
    async with asyncio.timeout(10):
        try:
            async with asyncio.timeout(0.005):
                await asyncio.sleep(1)
        except TimeoutError:
            await asyncio.sleep(0.001)
            return "inner", cancelling()
    return "no"


async def outer_timeout_expires(number: int) -> object:
    try:
        async with asyncio.timeout(0.005):
            async with asyncio.timeout(10):
                await asyncio.sleep(1)
    except TimeoutError:
        return "outer", cancelling()
    return "no"


async def timeout_leaves_the_call(number: int) -> None:
    async with asyncio.timeout(0.005):
        await asyncio.sleep(1)


async def wait_for_expires(number: int) -> object:
    try:
        await asyncio.wait_for(asyncio.sleep(10), 0.005)
    except TimeoutError:
        return "expired", cancelling()
    return "no"


async def wait_for_returns(number: int) -> object:
    return await asyncio.wait_for(asyncio.sleep(0.001, "value"), 10), cancelling()


async def wait_returns_the_first(number: int) -> object:
    fast, slow = (asyncio.create_task(asyncio.sleep(s, s)) for s in (0.001, 0.1))
    done, pending = await asyncio.wait({fast, slow}, return_when=asyncio.FIRST_COMPLETED)
    await slow
    return done == {fast}, pending == {slow}


async def group_succeeds(number: int) -> object:
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(asyncio.sleep(0.001, n)) for n in range(3)]
    return [task.result() for task in tasks], cancelling()


async def fail_soon() -> None:
    """What a failing child does."""
    await asyncio.sleep(0.001)
    raise ValueError("child")


async def group_has_a_failing_child(number: int) -> object:
    caught = []
    try:
        async with asyncio.TaskGroup() as group:
            sibling = group.create_task(asyncio.sleep(10))
            group.create_task(fail_soon())
            await asyncio.sleep(10)
    except* ValueError as group_error:
        caught = [error.args for error in group_error.exceptions]
    return caught, sibling.cancelled(), cancelling()


async def group_error_leaves_the_call(number: int) -> object:
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(fail_soon())
    except ExceptionGroup as error:
        note(type(error).__name__, error.message, [e.args for e in error.exceptions])
        raise KeyError(number) from error
    return "no"


async def group_is_cancelled_from_outside(number: int) -> object:
    try:
        async with asyncio.TaskGroup() as group:
            child = group.create_task(asyncio.sleep(10))
    finally:
        note("child cancelled", child.cancelled(), number)
    return "no"


async def group_inside_a_timeout(number: int) -> object:
    try:
        async with asyncio.timeout(0.005), asyncio.TaskGroup() as group:
            child = group.create_task(asyncio.sleep(10))
    except TimeoutError:
        return child.cancelled(), cancelling()
    return "no"


@each_mode
@table(
    (timeout_expires, ("expired", 0)),
    (timeout_is_kept, (False, 0)),
    (timeout_is_moved, (True, 0)),
    (timeout_at_expires, ("expired", 0)),
    (inner_timeout_expires, ("inner", 0)),
    (outer_timeout_expires, ("outer", 0)),
    (timeout_leaves_the_call, raised(TimeoutError)),
    (wait_for_expires, ("expired", 0)),
    (wait_for_returns, ("value", 0)),
    (wait_returns_the_first, (True, True)),
    (group_succeeds, ([0, 1, 2], 0)),
    (group_has_a_failing_child, ([("child",)], True, 0)),
    (group_error_leaves_the_call, [raised(KeyError, number) for number in range(COUNT)]),
    (group_inside_a_timeout, (True, 0)),
)
async def test_asyncio(behaviour: Behaviour, ends: list[object], mode: Mode) -> None:
    assert (await same(behaviour, mode)).ends == ends


@each_mode
async def test_a_cancelled_call_cancels_its_group(mode: Mode) -> None:
    run = await same(group_is_cancelled_from_outside, mode, cancel_after=0.005)
    assert run.ends == [CANCELLED] * COUNT


# --- anyio -----------------------------------------------------------------------------------------


async def anyio_move_on(number: int) -> object:
    with anyio.move_on_after(0.005) as scope:
        await anyio.sleep(10)
    return scope.cancelled_caught, cancelling()


async def anyio_fail_after(number: int) -> object:
    try:
        with anyio.fail_after(0.005):
            await anyio.sleep(10)
    except TimeoutError:
        return "expired", cancelling()
    return "no"


async def anyio_scope_is_cancelled_by_a_child(number: int) -> object:
    async with anyio.create_task_group() as group:

        async def stop() -> None:
            await anyio.sleep(0.001)
            group.cancel_scope.cancel()

        group.start_soon(stop)
        await anyio.sleep(10)
    return group.cancel_scope.cancelled_caught, cancelling()


async def anyio_shield(number: int) -> object:
    steps = []
    with anyio.move_on_after(0.005):
        try:
            await anyio.sleep(10)
        finally:
            with anyio.CancelScope(shield=True):
                await anyio.sleep(0.005)
                steps.append("shielded")
    return steps, cancelling()


async def anyio_nested_scopes(number: int) -> object:
    with anyio.move_on_after(0.01) as outer:
        with anyio.move_on_after(10) as inner:
            await anyio.sleep(1)
    return outer.cancelled_caught, inner.cancelled_caught, cancelling()


async def anyio_group_fails(number: int) -> object:
    try:
        async with anyio.create_task_group() as group:
            group.start_soon(fail_soon)
            await anyio.sleep(10)
    except ExceptionGroup as error:
        return [e.args for e in error.exceptions], cancelling()
    return "no"


async def anyio_lock_and_identity(number: int) -> object:
    lock = anyio.Lock()
    async with lock:
        return anyio.get_current_task().id == id(asyncio.current_task()), lock.locked()


async def anyio_checkpoints_when_cancelled(number: int) -> object:
    reached = False
    with anyio.CancelScope() as scope:
        scope.cancel()
        await anyio.lowlevel.checkpoint()
        reached = True
    return reached, scope.cancelled_caught, cancelling()


@each_mode
@table(
    (anyio_move_on, (True, 0)),
    (anyio_fail_after, ("expired", 0)),
    (anyio_scope_is_cancelled_by_a_child, (True, 0)),
    (anyio_shield, (["shielded"], 0)),
    (anyio_nested_scopes, (True, False, 0)),
    (anyio_group_fails, [([("child",)], 0)] * COUNT),
    (anyio_lock_and_identity, (True, True)),
    (anyio_checkpoints_when_cancelled, (False, True, 0)),
)
async def test_anyio(behaviour: Behaviour, ends: list[object], mode: Mode) -> None:
    found = await same(behaviour, mode)
    assert found.ends == ends


# --- Contexts --------------------------------------------------------------------------------------


async def keeps_its_own_values(number: int) -> object:
    before = number_of_call.get()
    number_of_call.set(number)
    await asyncio.sleep(0.001)
    middle = number_of_call.get()
    await asyncio.sleep(0)
    return before, middle, number_of_call.get()


async def gives_its_values_to_children(number: int) -> object:
    async def child() -> int:
        found = number_of_call.get()
        number_of_call.set(100)
        return found

    number_of_call.set(number)
    found = await asyncio.create_task(child())
    return found, number_of_call.get()


async def gives_its_values_to_callbacks(number: int) -> object:
    number_of_call.set(number)
    future = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().call_soon(lambda: future.set_result(number_of_call.get()))
    return await future


@each_mode
@table(
    (keeps_its_own_values, [(7, number, number) for number in range(COUNT)]),
    (gives_its_values_to_children, [(number, number) for number in range(COUNT)]),
    (gives_its_values_to_callbacks, list(range(COUNT))),
)
async def test_context(behaviour: Behaviour, ends: list[object], mode: Mode) -> None:
    token = number_of_call.set(7)
    assert (await same(behaviour, mode)).ends == ends
    assert number_of_call.get() == 7
    number_of_call.reset(token)


@each_mode
@pytest.mark.real_time
async def test_threads_of_a_tool_see_its_values(mode: Mode) -> None:
    async def asks_a_thread(number: int) -> object:
        number_of_call.set(number)
        return await asyncio.to_thread(number_of_call.get), await anyio.to_thread.run_sync(int)

    assert (await same(asks_a_thread, mode)).ends == [(number, 0) for number in range(COUNT)]


@each_mode
async def test_a_plain_function_around_the_coroutine_runs_in_the_calls_context(mode: Mode) -> None:
    seen: list[int] = []

    async def body() -> int:
        return number_of_call.get()

    @tool(host=mode)
    def plain(number: int) -> object:
        seen.append(number_of_call.get())
        number_of_call.set(number)
        return body()

    number_of_call.set(7)
    async with Engine([plain]) as engine:
        outcomes = await engine.run([Call("plain", {"number": number}) for number in range(3)])
    assert [outcome.unwrap() for outcome in outcomes] == [0, 1, 2]
    assert (seen, number_of_call.get()) == ([7, 7, 7], 7)


async def test_a_plain_function_around_the_coroutine_runs_in_the_calls_task() -> None:
    tasks: list[object] = []

    async def body() -> bool:
        return asyncio.current_task() is tasks[-1]

    @tool(host="call")
    def plain() -> object:
        tasks.append(asyncio.current_task())
        return body()

    async with Engine([plain]) as engine:
        (outcome,) = await engine.run([Call("plain")])
    assert outcome.unwrap() is True


@each_mode
async def test_any_awaitable_of_a_plain_function_is_stepped(mode: Mode) -> None:
    class Later:
        def __await__(self) -> object:
            yield from asyncio.sleep(0.001).__await__()
            return "later"

    @tool(host=mode)
    def plain(number: int) -> object:
        return Later()

    async with Engine([plain]) as engine:
        (outcome,) = await engine.run([Call("plain", {"number": 1})])
    assert outcome.unwrap() == "later"


@each_mode
async def test_what_is_not_awaitable_fails_with_the_type_error_of_asyncio(mode: Mode) -> None:
    @tool(host=mode)
    def plain(number: int) -> object:
        return number

    async with Engine([plain]) as engine:
        (outcome,) = await engine.run([Call("plain", {"number": 1})])
    assert outcome.status == "failed"
    with pytest.raises(TypeError, match="a coroutine was expected, got 1"):
        outcome.unwrap()


# --- Order -----------------------------------------------------------------------------------------


async def bare_yields_take_turns(number: int) -> None:
    for step in range(3):
        note(number, step)
        await asyncio.sleep(0)


async def every_ready_callback_runs_once_in_a_turn(number: int) -> object:
    loop = asyncio.get_running_loop()
    ran: list[int] = []
    for n in range(3):
        loop.call_soon(ran.append, n)
    await asyncio.sleep(0)
    return ran


async def lock_is_first_come_first_served(number: int) -> None:
    lock = shared_locks.setdefault(id(asyncio.get_running_loop()), asyncio.Lock())
    async with lock:
        note("in", number)
        await asyncio.sleep(0.001)
        note("out", number)


shared_locks: dict[int, asyncio.Lock] = {}


async def queue_is_first_come_first_served(number: int) -> object:
    queue: asyncio.Queue[int] = asyncio.Queue()
    getters = [asyncio.create_task(queue.get()) for _ in range(3)]
    await asyncio.sleep(0)
    for n in range(3):
        queue.put_nowait(n)
    return [await getter for getter in getters]


async def primitives_together(number: int) -> object:
    event, semaphore, condition = asyncio.Event(), asyncio.Semaphore(1), asyncio.Condition()
    asyncio.get_running_loop().call_later(0.001, event.set)
    async with semaphore:
        await event.wait()

    async def wake() -> None:
        async with condition:
            condition.notify_all()

    async with condition:
        task = asyncio.create_task(wake())
        await condition.wait()
    await task
    return await asyncio.gather(asyncio.sleep(0, 1), asyncio.sleep(0, 2))


@each_mode
@table(
    (bare_yields_take_turns, None),
    (every_ready_callback_runs_once_in_a_turn, [[0, 1, 2]] * COUNT),
    (lock_is_first_come_first_served, None),
    (queue_is_first_come_first_served, [[0, 1, 2]] * COUNT),
    (primitives_together, [[1, 2]] * COUNT),
)
async def test_order(behaviour: Behaviour, ends: list[object], mode: Mode) -> None:
    shared_locks.clear()
    found = await same(behaviour, mode)
    assert found.ends == ends


@each_mode
async def test_async_generators_that_are_left_are_closed(mode: Mode) -> None:
    async def numbers(closed: list[str]) -> AsyncIterator[int]:
        try:
            yield 1
            yield 2
        finally:
            await asyncio.sleep(0)
            closed.append("closed")

    async def leaves_a_generator(number: int) -> object:
        closed: list[str] = []
        async for _ in numbers(closed):
            break
        for _ in range(3):
            gc.collect()
            await asyncio.sleep(0.001)
        return closed

    gc.freeze()  # what other tests left on the heap is not walked each time
    try:
        assert (await same(leaves_a_generator, mode)).ends == [["closed"]] * COUNT
    finally:
        gc.unfreeze()


# --- Eager tasks -----------------------------------------------------------------------------------


@pytest.mark.skipif(sys.version_info < (3, 12), reason="eager tasks exist from 3.12 on")
@each_mode
async def test_eager_tasks_inside_a_call_run_at_once_and_give_its_task_back(mode: Mode) -> None:
    async def starts_an_eager_task(number: int) -> object:
        before = asyncio.current_task()
        seen: list[object] = []

        async def child() -> int:
            seen.append(asyncio.current_task())
            number_of_call.set(100)
            await asyncio.sleep(0.001)
            return number

        loop = asyncio.get_running_loop()
        task = asyncio.Task(child(), loop=loop, eager_start=True)  # type: ignore[call-overload]  # 3.12
        there = seen == [task]
        same_task = asyncio.current_task() is before
        return there, same_task, number_of_call.get(), await task

    ends = (await same(starts_an_eager_task, mode)).ends
    assert ends == [(True, True, -1, number) for number in range(COUNT)]


async def test_with_a_task_factory_calls_are_tasks_that_it_makes() -> None:
    made: list[object] = []

    def factory(loop: asyncio.AbstractEventLoop, coroutine: object, **options: object) -> object:
        task = asyncio.Task(coroutine, loop=loop, **options)  # type: ignore[arg-type]  # as given
        made.append(task)
        return task

    loop = asyncio.get_running_loop()
    loop.set_task_factory(factory)  # type: ignore[arg-type]  # it is one
    try:

        async def look(number: int) -> object:
            return asyncio.current_task() in made

        assert (await hosted(look, "call")).ends == [True] * COUNT
    finally:
        loop.set_task_factory(None)


async def test_a_context_that_a_tool_enters_does_not_leak() -> None:
    async def enters(number: int) -> object:
        context = contextvars.copy_context()
        context.run(number_of_call.set, 50)
        await asyncio.sleep(0)
        return number_of_call.get()

    assert (await same(enters, "call")).ends == [-1] * COUNT
