"""What is done with a limiter: calls that need not wait, a crowd that waits, a pace that must be kept.

Ground rules: imports the standard library only, for `benches/rivals/limits/` runs this very file in
environments without Penstock. A limiter is seen as a `Subject`. A crowd that makes no progress is left
after `PATIENCE`, and what it got until then counts.
"""

import asyncio
import itertools
import math
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

PATIENCE = 3.0
"""Seconds after which a crowd that still waits is sent home."""


class Shape(Protocol):
    """What a limiter promises."""

    def most(self, seconds: float) -> float:
        """The most units that any period of these seconds may admit."""

    def soonest(self, units: int) -> float:
        """Seconds from the moment at which it is empty until it can have admitted these units."""


@dataclass(frozen=True, slots=True)
class BucketShape:
    """A token bucket: `rate` units a second, `burst` at once."""

    rate: float
    burst: int

    def most(self, seconds: float) -> float:
        return self.burst + self.rate * seconds

    def soonest(self, units: int) -> float:
        return units / self.rate


@dataclass(frozen=True, slots=True)
class WindowShape:
    """A window: `n` units in any `per` seconds."""

    n: int
    per: float

    def most(self, seconds: float) -> float:
        return self.n * max(1, math.ceil(seconds / self.per))

    def soonest(self, units: int) -> float:
        return math.ceil(units / self.n) * self.per


def drop(permit: object) -> None:
    """Leaves a permit to the collector: what is left to do where permits have no end."""


@dataclass(frozen=True, slots=True)
class Subject:
    """A limiter, full and ready to be measured.

    Attributes:
        shape: what it promises.
        take: waits for a permit, for one unit or the number given.
        try_take: takes a permit or returns something false; None if the limiter cannot.
        end: what is done with a permit; dropped by default.
    """

    shape: Shape
    take: Callable[..., Awaitable[Any]]
    try_take: Callable[[], object] | None = None
    end: Callable[[Any], object] = drop


@dataclass(frozen=True, slots=True)
class Crowd:
    """How a crowd fared: units a second beyond the burst, grants out of turn, CPU a grant."""

    granted: int
    rate: float
    inversions: int
    cpu_us: float


@dataclass(frozen=True, slots=True)
class Pace:
    """How many units a full limiter gave, how many it may give, and the fullest second's excess."""

    granted: int
    ideal: float
    excess: float


def ns_a_try(subject: Subject, count: int) -> float:
    """Nanoseconds of a decision that is a yes; the permits are kept, and ended off the clock."""
    try_take = subject.try_take
    assert try_take is not None  # noqa: S101 (who asks knows)
    started = time.perf_counter_ns()
    permits = [try_take() for _ in itertools.repeat(None, count)]
    taken = time.perf_counter_ns() - started
    _end_all(subject, permits)
    return taken / count


async def ns_a_take(subject: Subject, count: int) -> float:
    """The same of a call that may wait but need not."""
    take = subject.take
    started = time.perf_counter_ns()
    permits = [await take() for _ in itertools.repeat(None, count)]
    taken = time.perf_counter_ns() - started
    _end_all(subject, permits)
    return taken / count


def _end_all(subject: Subject, permits: Sequence[object]) -> None:
    for permit in permits:
        subject.end(permit)


async def crowd(subjects: Sequence[Subject], tasks: int, takes: int) -> Crowd:
    """Lets `tasks` tasks take `takes` units each, as quickly as they get them.

    Args:
        subjects: whom they ask; the tasks are dealt round over them. All share one limit.
        tasks: how many wait at any time.
        takes: units that each takes, one by one.
    """
    arrivals, order, moments = itertools.count(), list[int](), list[float]()

    async def one(subject: Subject) -> None:
        for _ in range(takes):
            number = next(arrivals)
            permit = await subject.take()
            order.append(number)
            moments.append(time.perf_counter())
            subject.end(permit)

    started, cpu = time.perf_counter(), time.process_time()
    chosen = itertools.islice(itertools.cycle(subjects), tasks)
    await _within(PATIENCE, [one(subject) for subject in chosen])
    cpu = time.process_time() - cpu
    elapsed = moments[-1] - started
    beyond = len(order) - subjects[0].shape.most(0.0)
    return Crowd(len(order), beyond / elapsed, inversions(order), cpu / len(order) * 1e6)


async def pace(subject: Subject, seconds: float, tasks: int = 100) -> Pace:
    """Counts what a full limiter gives `tasks` tasks that never stop asking."""
    moments = list[float]()
    started = time.perf_counter()

    async def one() -> None:
        while time.perf_counter() < started + seconds:  # one that never waits has to end as well
            permit = await subject.take()
            moments.append(time.perf_counter())
            subject.end(permit)

    await _within(seconds, [one() for _ in range(tasks)])
    granted = sum(moment < started + seconds for moment in moments)
    fullest = max(in_any(moments, window) - subject.shape.most(window) for window in (0.1, 1.0))
    return Pace(granted, subject.shape.most(seconds), fullest)


async def after_cancel(subject: Subject) -> float:
    """How late, in seconds, the last call comes when 80 of 100 that waited before it were cancelled."""
    await _drain(subject)
    started = time.perf_counter()
    waiting = [asyncio.create_task(_take(subject)) for _ in range(100)]
    await asyncio.sleep(0)
    for index, task in enumerate(waiting):
        if index % 5:
            task.cancel()
    left = [*waiting[::5], *(asyncio.create_task(_take(subject)) for _ in range(5))]
    await asyncio.wait(left, timeout=PATIENCE)
    elapsed = time.perf_counter() - started
    await _send_home([*waiting, *left])
    return elapsed - subject.shape.soonest(len(left))


async def big_call(subject: Subject, units: int) -> float:
    """How late, in seconds, a call of many units is served that came when 50 of one unit waited.

    Five more of one unit come each millisecond, more than the limit admits.
    """
    await _drain(subject)
    started = time.perf_counter()
    singles = [asyncio.create_task(_take(subject)) for _ in range(50)]
    await asyncio.sleep(0)
    big = asyncio.create_task(_take(subject, units))
    while not big.done() and time.perf_counter() < started + PATIENCE:
        await asyncio.sleep(0.001)
        singles += [asyncio.create_task(_take(subject)) for _ in range(5)]
    elapsed = (big.result() if big.done() else time.perf_counter()) - started
    await _send_home([*singles, big])
    return elapsed - subject.shape.soonest(50 + units)


def inversions(order: Sequence[int]) -> int:
    """How many were granted after somebody who came later."""
    latest, count = -1, 0
    for number in order:
        if number < latest:
            count += 1
        latest = max(latest, number)
    return count


def in_any(moments: Sequence[float], seconds: float) -> int:
    """The most moments that lie within any period of these seconds."""
    starts: Iterator[float] = iter(moments)
    first, most, left = next(starts), 0, 0
    for count, moment in enumerate(moments, start=1):
        while moment - first >= seconds:
            first, left = next(starts), left + 1
        most = max(most, count - left)
    return most


async def _drain(subject: Subject) -> None:
    for _ in range(int(subject.shape.most(0.0))):
        subject.end(await subject.take())


async def _take(subject: Subject, units: int = 1) -> float:
    """Takes units, and returns the moment at which it had them."""
    permit = await subject.take(units)
    moment = time.perf_counter()
    subject.end(permit)
    return moment


async def _within(seconds: float, work: Sequence[Coroutine[Any, Any, None]]) -> None:
    tasks = [asyncio.create_task(one) for one in work]
    await asyncio.wait(tasks, timeout=seconds)
    await _send_home(tasks)


async def _send_home(tasks: Sequence["asyncio.Task[Any]"]) -> None:
    """Ends tasks that may still wait; what failed otherwise than by that is raised."""
    for task in tasks:
        task.cancel()
    for end in await asyncio.gather(*tasks, return_exceptions=True):
        if isinstance(end, Exception):
            raise end
