"""Runs one coroutine function as tasks of asyncio's own and as hosted calls, and tells what came out.

A behaviour is an `async def` of one number. It is run for 0, 1 and 2 at once. What it `note`s is
compared in order; what it returns or raises is compared call by call.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Literal

import pytest

from penstock import Call, Engine, Outcome, tool
from penstock.errors import CallCancelled

Behaviour = Callable[[int], Coroutine[Any, Any, object]]
Mode = Literal["task", "call"]
COUNT = 3

each_mode = pytest.mark.parametrize("mode", ["call", "task"])

_notes: ContextVar[list[object]] = ContextVar("notes")
# An object's own name and place, which differ between a task and a call.
_IDENTITY = re.compile(r"<(CallTask|Task|Future|_GatheringFuture) .*>")


@dataclass
class Run:
    """What one way of running a behaviour gave.

    Attributes:
        ends: for each number what it returned, or an exception as `raised` spells it.
        notes: what was noted, in order.
    """

    ends: list[object] = field(default_factory=list)
    notes: list[object] = field(default_factory=list)


def note(*event: object) -> None:
    """Write an event into the order that is compared."""
    _notes.get().append(event)


def raised(error: type[BaseException], *args: object) -> tuple[object, ...]:
    """Return how a run spells a behaviour that raised."""
    return ("raised", error, args)


CANCELLED = ("cancelled",)


async def as_tasks(behaviour: Behaviour, *, cancel_after: float | None = None) -> Run:
    """Run a behaviour in tasks of asyncio's own; with `cancel_after`, cancel them so much later."""
    run = Run()
    reset = _notes.set(run.notes)
    tasks = [asyncio.create_task(behaviour(number)) for number in range(COUNT)]
    _notes.reset(reset)
    if cancel_after is not None:
        await asyncio.sleep(cancel_after)
        for task in tasks:
            task.cancel()
    await asyncio.wait(tasks)
    run.ends = [_end(task) for task in tasks]
    return run


async def hosted(
    behaviour: Behaviour, mode: Mode, *, cancel_after: float | None = None, **options: Any
) -> Run:
    """Run a behaviour as calls of an engine; `options` are the tool's."""
    run = Run()
    made = tool(behaviour, host=mode, **options)
    async with Engine([made]) as engine:
        reset = _notes.set(run.notes)
        batch = engine.submit([Call(made.name, {"number": number}) for number in range(COUNT)])
        _notes.reset(reset)
        if cancel_after is not None:
            await asyncio.sleep(cancel_after)
            batch.cancel()
        run.ends = [_end_of_call(outcome) for outcome in await batch]
    return run


async def same(behaviour: Behaviour, mode: Mode, **options: Any) -> Run:
    """Return what a behaviour gives, having proved that hosted calls give what tasks give."""
    expected = await as_tasks(behaviour, **options)
    found = await hosted(behaviour, mode, **options)
    assert found == expected, f"\nhosted: {found}\ntasks:  {expected}"
    return found


async def run_one(behaviour: Behaviour, mode: Mode, **options: Any) -> Outcome:
    """Run a behaviour once, hosted."""
    made = tool(behaviour, host=mode, **options)
    async with Engine([made]) as engine:
        (outcome,) = await engine.run([Call(made.name, {"number": 0})])
    return outcome


async def until(condition: Callable[[], bool]) -> None:
    """Let the loop go on until something holds, for a second at most."""
    for _ in range(1_000):
        if condition():
            return
        await asyncio.sleep(0.001)
    raise AssertionError("it did not happen")


@contextmanager
def loop_reports() -> Iterator[list[BaseException]]:
    """Collect what the loop's exception handler is told, instead of failing the test."""
    loop, reports = asyncio.get_running_loop(), list[BaseException]()
    before = loop.get_exception_handler()
    loop.set_exception_handler(lambda _, told: reports.append(told["exception"]))
    try:
        yield reports
    finally:
        loop.set_exception_handler(before)


def table(*rows: tuple[Behaviour, Sequence[object] | object]) -> Any:
    """Parametrise a test by behaviours and what they give: one value for all numbers, or a list."""
    spelled = [
        (behaviour, ends if isinstance(ends, list) else [ends] * COUNT) for behaviour, ends in rows
    ]
    names = [behaviour.__name__ for behaviour, _ in spelled]
    return pytest.mark.parametrize(("behaviour", "ends"), spelled, ids=names)


async def outcome_of(awaitable: Awaitable[object]) -> object:
    """Return what awaiting gives, spelled as ends are."""
    try:
        return await awaitable
    except BaseException as error:  # noqa: BLE001 - whatever it is, it is compared
        return _spell(error)


def _end(task: asyncio.Task[object]) -> object:
    if task.cancelled():
        return CANCELLED
    error = task.exception()
    return task.result() if error is None else _spell(error)


def _end_of_call(outcome: Outcome) -> object:
    if outcome.status == "cancelled":
        assert isinstance(outcome.error, CallCancelled)
        return CANCELLED
    return outcome.value if outcome.error is None else _spell(outcome.error)


def _spell(error: BaseException) -> tuple[object, ...]:
    args = [_IDENTITY.sub("<it>", arg) if isinstance(arg, str) else arg for arg in error.args]
    return raised(type(error), *args)
