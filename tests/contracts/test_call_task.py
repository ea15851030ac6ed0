"""A hosted call is to its code what an `asyncio.Task` is: identity, cancellation, the task's own face.

Each behaviour runs as tasks and as calls, three at once; what comes out must be equal. Its siblings:
`test_call_task_asyncio.py`, `..._futures.py`, `..._libraries.py`, `..._exits.py`, `..._nested.py`.
"""

import asyncio
import contextlib
import copy
import gc
import io
import pickle
import sys
import weakref

import pytest

from contracts.hosting import (
    CANCELLED,
    COUNT,
    Behaviour,
    Mode,
    Run,
    as_tasks,
    each_mode,
    hosted,
    loop_reports,
    note,
    outcome_of,
    raised,
    run_one,
    same,
    table,
    until,
)
from penstock import Call, Engine, tool


def current() -> "asyncio.Task[object]":
    """Return the current task, which a tool always has."""
    task = asyncio.current_task()
    assert task is not None
    return task


# --- Who am I -------------------------------------------------------------------------------------


async def one_object_to_the_end(number: int) -> bool:
    first = current()
    await asyncio.sleep(0)
    second = current()
    await asyncio.sleep(0.001)
    return first is second is current()


async def a_task_to_all_who_ask(number: int) -> object:
    task = current()
    return (
        isinstance(task, asyncio.Task),
        isinstance(task, asyncio.Future),
        asyncio.isfuture(task),
        asyncio.iscoroutine(task.get_coro()),
        task.get_loop() is asyncio.get_running_loop(),
        hash(task) == hash(task),
        task in {task},
    )


async def weakly_referable(number: int) -> bool:
    reference = weakref.ref(current())
    await asyncio.sleep(0)
    return reference() is current()


async def pending_while_it_runs(number: int) -> object:
    task = current()
    unset = None
    try:
        task.result()
    except asyncio.InvalidStateError as error:
        unset = error.args
    return task.done(), task.cancelled(), task.cancelling(), unset


async def named_by_anything(number: int) -> str:
    current().set_name(7)  # type: ignore[arg-type]  # asyncio takes whatever has a str()
    return current().get_name()


@each_mode
@table(
    (one_object_to_the_end, True),
    (a_task_to_all_who_ask, (True,) * 7),
    (weakly_referable, True),
    (pending_while_it_runs, (False, False, 0, ("Result is not set.",))),
    (named_by_anything, "7"),
)
async def test_the_current_task_is(behaviour: Behaviour, ends: list[object], mode: Mode) -> None:
    assert (await same(behaviour, mode)).ends == ends


@each_mode
async def test_calls_that_live_together_have_tasks_of_their_own(mode: Mode) -> None:
    tasks: list[object] = []

    async def keep(number: int) -> None:
        tasks.append(current())
        await asyncio.sleep(0.001)

    await hosted(keep, mode)
    assert len(set(map(id, tasks))) == COUNT


@each_mode
async def test_a_kept_task_is_never_used_again(mode: Mode) -> None:
    tasks: list[asyncio.Task[object]] = []

    async def keep(number: int) -> int:
        tasks.append(current())
        return number

    await hosted(keep, mode)
    assert [task.result() for task in tasks] == [0, 1, 2]


async def test_a_weakly_kept_task_is_never_used_again() -> None:
    references: list[weakref.ref[object]] = []

    async def keep(number: int) -> None:
        references.append(weakref.ref(current()))

    await hosted(keep, "call")
    gc.collect()
    assert [reference() for reference in references] == [None] * COUNT


async def test_a_task_that_nobody_keeps_serves_the_next_call() -> None:
    @tool
    async def look(number: int) -> int:
        return id(current())

    async with Engine([look]) as engine:
        outcomes = await engine.run([Call("look", {"number": number}) for number in range(100)])
        assert engine.statistics().tasks_made == 1
    assert len({outcome.value for outcome in outcomes}) == 1


# --- Cancelling ------------------------------------------------------------------------------------


async def cleans_up_with_an_await(number: int) -> None:
    try:
        await asyncio.sleep(10)
    finally:
        note("asked", number)
        await asyncio.sleep(0.001 * (number + 1))
        note("cleaned", number)


async def waits_through_shield(number: int) -> None:
    try:
        await asyncio.shield(asyncio.sleep(0.02))
    finally:
        note("left the shield", number)


async def waits_through_gather(number: int) -> None:
    try:
        await asyncio.gather(asyncio.sleep(10), asyncio.sleep(20))
    finally:
        note("left the gather", number)


async def waits_for_a_child(number: int) -> None:
    async def child() -> None:
        try:
            await asyncio.sleep(10)
        finally:
            note("child", number)

    await asyncio.create_task(child())


async def swallows_the_cancel(number: int) -> object:
    try:
        await asyncio.sleep(10)
    except asyncio.CancelledError:
        left = current().uncancel()
        await asyncio.sleep(0.001)
        return "swallowed", left
    return "never asked"


async def fails_when_cancelled(number: int) -> None:
    try:
        await asyncio.sleep(10)
    except asyncio.CancelledError:
        raise KeyError(number) from None


@each_mode
@table(
    (cleans_up_with_an_await, CANCELLED),
    (waits_through_shield, CANCELLED),
    (waits_through_gather, CANCELLED),
    (waits_for_a_child, CANCELLED),
    (swallows_the_cancel, ("swallowed", 0)),
    (fails_when_cancelled, [raised(KeyError, number) for number in range(COUNT)]),
)
async def test_cancelled_from_outside(behaviour: Behaviour, ends: list[object], mode: Mode) -> None:
    assert (await same(behaviour, mode, cancel_after=0.005)).ends == ends
    await asyncio.sleep(0.03)  # what the shield protects ends before the test does


async def cancels_itself_then_awaits(number: int) -> str:
    current().cancel()
    note("runs on", number)
    await asyncio.sleep(0)
    return "unreachable"


async def cancels_itself_then_awaits_a_future(number: int) -> str:
    current().cancel()
    await asyncio.sleep(1)
    return "unreachable"


async def cancels_itself_then_returns(number: int) -> str:
    current().cancel()
    return "dropped"


async def cancels_itself_then_raises(number: int) -> str:
    current().cancel()
    raise KeyError(number)


async def message_of_a_cancel_before_the_await(number: int) -> object:
    current().cancel("why")
    try:
        await asyncio.sleep(1)
    except asyncio.CancelledError as error:
        current().uncancel()
        return error.args, current().cancelling()
    return "not cancelled"


async def message_of_a_cancel_before_a_bare_yield(number: int) -> object:
    current().cancel("why")
    try:
        await asyncio.sleep(0)
    except asyncio.CancelledError as error:
        return error.args, current().uncancel()
    return "not cancelled"


async def the_last_message_counts(number: int) -> object:
    current().cancel("first")
    current().cancel("second")
    try:
        await asyncio.sleep(0)
    except asyncio.CancelledError as error:
        return error.args, current().cancelling()
    return "not cancelled"


async def two_cancels_before_a_step_throw_once(number: int) -> object:
    task = current()
    loop = asyncio.get_running_loop()
    loop.call_soon(task.cancel)
    loop.call_soon(task.cancel)
    thrown = 0
    for _ in range(3):
        try:
            await asyncio.sleep(0.002)
        except asyncio.CancelledError:
            thrown += 1
    return thrown, task.cancelling()


async def uncancel_before_delivery(number: int) -> object:
    task = current()
    task.cancel()
    task.uncancel()
    try:
        await asyncio.sleep(0)
    except asyncio.CancelledError:
        return "cancelled"
    return "forgotten"


async def uncancel_never_counts_below_zero(number: int) -> object:
    return current().uncancel(), current().uncancel(), current().cancelling()


async def cancelled_again_while_cleaning_up(number: int) -> object:
    task = current()
    loop = asyncio.get_running_loop()
    heard = []
    for message in ("first", "second"):
        loop.call_soon(task.cancel, message)
        try:
            await asyncio.sleep(1)
        except asyncio.CancelledError as error:
            heard.append(error.args)
    return heard


# From 3.13 on, a cancel that was taken back before it was delivered is forgotten.
TAKEN_BACK = "forgotten" if sys.version_info >= (3, 13) else "cancelled"


@each_mode
@table(
    (cancels_itself_then_awaits, CANCELLED),
    (cancels_itself_then_awaits_a_future, CANCELLED),
    (cancels_itself_then_returns, CANCELLED),
    (cancels_itself_then_raises, [raised(KeyError, number) for number in range(COUNT)]),
    (message_of_a_cancel_before_the_await, (("why",), 0)),
    (message_of_a_cancel_before_a_bare_yield, (("why",), 0)),
    (the_last_message_counts, (("second",), 2)),
    (two_cancels_before_a_step_throw_once, (1, 2)),
    (uncancel_before_delivery, TAKEN_BACK),
    (uncancel_never_counts_below_zero, (0, 0, 0)),
    (cancelled_again_while_cleaning_up, [[("first",), ("second",)]] * COUNT),
)
async def test_cancelled_by_itself(behaviour: Behaviour, ends: list[object], mode: Mode) -> None:
    assert (await same(behaviour, mode)).ends == ends


@each_mode
async def test_cancel_after_the_end_changes_nothing(mode: Mode) -> None:
    tasks: list[asyncio.Task[object]] = []

    async def keep(number: int) -> int:
        tasks.append(current())
        return number

    await hosted(keep, mode)
    assert [task.cancel() for task in tasks] == [False] * COUNT
    assert [task.cancelled() for task in tasks] == [False] * COUNT


# --- The task's own face ---------------------------------------------------------------------------


async def ended(mode: Mode, behaviour: Behaviour) -> "list[asyncio.Task[object]]":
    """Return the tasks of a behaviour that has ended."""
    tasks: list[asyncio.Task[object]] = []

    async def keep(number: int) -> object:
        tasks.append(current())
        return await behaviour(number)

    await hosted(keep, mode)
    return tasks


async def returns(number: int) -> str:
    await asyncio.sleep(0)
    return "value"


async def fails(number: int) -> None:
    await asyncio.sleep(0)
    raise KeyError(number)


@each_mode
async def test_an_ended_task_has_its_result(mode: Mode) -> None:
    (task, *_) = await ended(mode, returns)
    assert (task.done(), task.cancelled(), task.result(), task.exception()) == (
        True,
        False,
        "value",
        None,
    )
    assert await task == "value"


@each_mode
async def test_a_failed_task_raises_its_error(mode: Mode) -> None:
    (task, *_) = await ended(mode, fails)
    assert isinstance(task.exception(), KeyError)
    with pytest.raises(KeyError):
        task.result()
    with pytest.raises(KeyError):
        await task


@each_mode
async def test_a_cancelled_task_raises_that(mode: Mode) -> None:
    (task, *_) = await ended(mode, cancels_itself_then_awaits_silently)
    assert task.cancelled()
    with pytest.raises(asyncio.CancelledError):
        task.result()
    with pytest.raises(asyncio.CancelledError):
        task.exception()


async def cancels_itself_then_awaits_silently(number: int) -> None:
    current().cancel()
    await asyncio.sleep(0)


@each_mode
async def test_an_ended_task_keeps_its_coroutine(mode: Mode) -> None:
    (task, *_) = await ended(mode, returns)
    assert asyncio.iscoroutine(task.get_coro())
    assert task.get_stack() == []


async def watched_by_another_task(number: int) -> object:
    task = current()

    async def watch() -> object:
        done, _ = await asyncio.wait({task}, timeout=1)
        return task in done and task.result()

    watchers[number] = asyncio.create_task(watch())
    await asyncio.sleep(0.005)
    return number


watchers: dict[int, asyncio.Task[object]] = {}


@each_mode
async def test_other_tasks_wait_for_it(mode: Mode) -> None:
    await hosted(watched_by_another_task, mode)
    assert [await watchers.pop(number) for number in range(COUNT)] == [0, 1, 2]


@each_mode
@pytest.mark.parametrize("how", ["await", "shield", "gather", "wait_for"])
async def test_other_tasks_get_its_result_by(how: str, mode: Mode) -> None:
    results: list[asyncio.Task[object]] = []

    async def get(task: "asyncio.Task[object]") -> object:
        if how == "await":
            return await task
        if how == "shield":
            return await asyncio.shield(task)
        if how == "gather":
            return (await asyncio.gather(task))[0]
        return await asyncio.wait_for(task, 1)

    async def share(number: int) -> int:
        results.append(asyncio.create_task(get(current())))
        await asyncio.sleep(0.005)
        return number

    await hosted(share, mode)
    assert [await result for result in results] == [0, 1, 2]


@each_mode
async def test_who_waits_for_it_gets_its_error(mode: Mode) -> None:
    errors: list[asyncio.Task[object]] = []

    async def share(number: int) -> None:
        errors.append(asyncio.create_task(outcome_of(current())))
        await asyncio.sleep(0.005)
        raise KeyError(number)

    await hosted(share, mode)
    assert [await error for error in errors] == [raised(KeyError, number) for number in range(3)]


async def done_callbacks(number: int) -> None:
    task = current()

    def removed(_: object) -> None:
        note("removed", number)

    task.add_done_callback(removed)
    task.add_done_callback(removed)
    task.add_done_callback(lambda done: note("called", number, done.done(), done is task))
    note("there were", task.remove_done_callback(removed), task.remove_done_callback(removed))
    await asyncio.sleep(0)


async def note_late(run: Run) -> Run:
    """Give done callbacks the turns of the loop in which they run."""
    for _ in range(3):
        await asyncio.sleep(0)
    return run


@each_mode
async def test_done_callbacks_run_once_with_the_task(mode: Mode) -> None:
    expected = await note_late(await as_tasks(done_callbacks))
    found = await note_late(await hosted(done_callbacks, mode))
    assert sorted(map(repr, found.notes)) == sorted(map(repr, expected.notes))
    assert ("called", 0, True, True) in found.notes


@each_mode
async def test_a_done_callback_of_an_ended_task_runs_soon(mode: Mode) -> None:
    (task, *_) = await ended(mode, returns)
    called: list[object] = []
    task.add_done_callback(called.append)
    assert called == []
    await until(lambda: called == [task])


@each_mode
async def test_a_done_callback_that_raises_is_reported_and_harms_nobody(mode: Mode) -> None:
    async def bad(number: int) -> int:
        current().add_done_callback(lambda _: [][0])
        await asyncio.sleep(0)
        return number

    with loop_reports() as reports:
        assert (await hosted(bad, mode)).ends == [0, 1, 2]
        await until(lambda: len(reports) == COUNT)
    assert {type(report) for report in reports} == {IndexError}


@each_mode
async def test_it_has_a_stack(mode: Mode) -> None:
    async def look(number: int) -> object:
        printed = io.StringIO()
        current().print_stack(file=printed)
        frames = current().get_stack(limit=1)
        return frames[0].f_code.co_name, "line" in printed.getvalue()

    assert (await same(look, mode)).ends == [("look", True)] * COUNT


@each_mode
async def test_its_repr_tells_its_state(mode: Mode) -> None:
    texts: list[str] = []

    async def look(number: int) -> None:
        current().set_name("mine")
        texts.append(repr(current()))
        current().cancel()
        texts.append(repr(current()))
        current().uncancel()

    await run_one(look, mode)
    assert "pending" in texts[0]
    assert "cancelling" in texts[1]
    assert "name='mine'" in texts[0]
    assert "look()" in texts[0]
    (task, *_) = await ended(mode, returns)
    assert "finished" in repr(task)


@each_mode
@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy, pickle.dumps])
async def test_it_cannot_be_duplicated_by(duplicate: "type[object]", mode: Mode) -> None:
    async def attempt(number: int) -> object:
        with pytest.raises(TypeError, match="cannot pickle"):
            duplicate(current())
        return True

    assert (await same(attempt, mode)).ends == [True] * COUNT


@each_mode
async def test_it_takes_attributes_of_others(mode: Mode) -> None:
    async def mark(number: int) -> object:
        before = getattr(current(), "mark", None)
        current().mark = number  # type: ignore[attr-defined]  # tracing libraries do this
        await asyncio.sleep(0)
        return before, current().mark  # type: ignore[attr-defined]  # as above

    assert (await same(mark, mode)).ends == [(None, number) for number in range(COUNT)]


@pytest.mark.skipif(sys.version_info < (3, 12), reason="tasks have get_context from 3.12 on")
@each_mode
async def test_it_knows_its_context(mode: Mode) -> None:
    async def look(number: int) -> object:
        return type(current().get_context()).__name__  # type: ignore[attr-defined]  # from 3.12 on

    assert (await same(look, mode)).ends == ["Context"] * COUNT


# --- Closing ---------------------------------------------------------------------------------------


async def test_aclose_runs_the_finally_of_a_call_that_will_not_end() -> None:
    left: list[str] = []

    @tool(effects="read")
    async def stubborn() -> None:
        """Hears of no cancellation."""
        try:
            while True:
                try:
                    await asyncio.sleep(1_000)
                except asyncio.CancelledError:
                    left.append("swallowed")
        finally:
            left.append("finally")

    engine = Engine([stubborn])
    batch = engine.submit([Call("stubborn")])
    await asyncio.sleep(0.001)
    await engine.aclose(grace=0.5)
    assert left[-1] == "finally"
    (outcome,) = await batch
    assert (outcome.status, outcome.detached) == ("cancelled", True)


async def test_a_coroutine_that_ignores_its_close_is_reported(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    reports: list[object] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda what: reports.append(what.exc_value))

    @tool(effects="read")
    async def immortal() -> None:
        """Survives its cancellation, and its close once."""
        for _ in range(2):
            with contextlib.suppress(asyncio.CancelledError, GeneratorExit):
                await asyncio.sleep(1_000)
        await asyncio.sleep(1_000)

    engine = Engine([immortal])
    batch = engine.submit([Call("immortal")])
    await asyncio.sleep(0.001)
    await engine.aclose(grace=0.5)
    assert [str(report) for report in reports] == ["coroutine ignored GeneratorExit"]
    assert [outcome.detached for outcome in await batch] == [True]


# --- What differs, and is meant to -----------------------------------------------------------------


async def test_all_tasks_does_not_list_hosted_calls() -> None:
    async def look(number: int) -> bool:
        return current() in asyncio.all_tasks()

    assert (await hosted(look, "call")).ends == [False] * COUNT
    assert (await hosted(look, "task")).ends == [True] * COUNT


async def test_an_unbound_method_of_task_refuses_a_hosted_call() -> None:
    async def attempt(number: int) -> str:
        with pytest.raises(TypeError):
            asyncio.Task.cancel(current())
        return "refused"

    assert (await hosted(attempt, "call")).ends == ["refused"] * COUNT


async def test_no_log_says_that_an_error_was_never_retrieved() -> None:
    with loop_reports() as reports:
        tasks = await ended("call", fails)
        tasks.clear()
        gc.collect()
    assert reports == []
