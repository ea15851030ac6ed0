"""Coalesce: equal calls at one time are run once, and all of them get its answer.

Ground rules:

- State: for each tool of an engine a dict of flights, one a key; the key is that of `cache`. A flight
  has one leader, which runs the inner layers as if it were alone, and followers, which wait.
- A flight begins with its leader's start and ends when the inner layers have really ended, so that
  one key never runs twice at once.
- The leader's value, or the error of the tool, is everybody's. What happened to the leader alone (it
  was cancelled, its own deadline or budget refused it) is not: then the follower that waited longest
  becomes the leader and runs. So each call runs at most once.
- A call made inside of a run that would, by way of other flights, wait for that same run does not
  follow: it runs by itself, and how deep calls may nest is the engine's to bound.
- Cancellation: a follower just leaves. A leader takes its run with it, and hands the flight on.
- Bound: the followers are calls of the engine, which bounds those.
"""

import asyncio
from collections import OrderedDict
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

from penstock.engine.policies._key import canonical
from penstock.engine.policies._protocol import (
    Arguments,
    CallInfo,
    Policy,
    Run,
    Services,
    Slot,
    ToolView,
)
from penstock.errors import BudgetExceeded, CallCancelled, LimitDeadline, Overloaded

Key = tuple[str | None, bytes]

# The flights whose runs the running code is inside of, the outermost first.
_inside: ContextVar[tuple["_Flight", ...]] = ContextVar("_inside", default=())

# What was refused to the leader because of what it is, not because of what it asked for.
_ITS_OWN = (BudgetExceeded, CallCancelled, LimitDeadline, Overloaded)


class _Lead:
    """What a follower is told instead of an answer: the flight is yours."""


_LEAD = _Lead()


@dataclass(slots=True, eq=False)
class _Flight:
    """One run, and who waits for it.

    Attributes:
        waiting: a future a follower, in the order in which they came; ordered, so that many may
            leave a long run without a trace, each at once.
        awaits: the flights that calls made inside of this run follow.
    """

    waiting: OrderedDict[asyncio.Future[Any], None] = field(default_factory=OrderedDict)
    awaits: list["_Flight"] = field(default_factory=list)

    def would_wait_for(self, outer: "tuple[_Flight, ...]") -> bool:
        """Return whether the end of this run needs the end of one of `outer`."""
        return self in outer or any(inner.would_wait_for(outer) for inner in self.awaits)

    def end(self, value: object, error: BaseException | None) -> None:
        """Give everybody the answer."""
        for follower in self.waiting:
            if follower.done():
                continue
            if error is None:
                follower.set_result(value)
            else:
                follower.set_exception(error)

    def hand_on(self) -> bool:
        """Make the follower that waited longest the leader; False if nobody waits."""
        while self.waiting:
            follower, _ = self.waiting.popitem(last=False)
            if not follower.done():
                follower.set_result(_LEAD)
                return True
        return False


@dataclass(frozen=True, slots=True)
class _Coalescing:
    """The layer of one tool."""

    inner: Run
    services: Services
    flights: dict[Key, _Flight] = field(default_factory=dict)

    async def run(self, info: CallInfo, arguments: Arguments) -> object:
        form = canonical(arguments)
        if form is None:
            self.services.notify(info, "coalesce_unkeyed")
            return await self.inner(info, arguments)
        key = (info.tenant, form)
        flight = self.flights.get(key)
        if flight is None:
            flight = self.flights[key] = _Flight()
        elif flight.would_wait_for(_inside.get()):
            return await self.inner(info, arguments)
        else:
            self.services.notify(info, "coalesced")
            value = await self.follow(key, flight)
            if value is not _LEAD:
                return value
        return await self.lead(key, flight, info, arguments)

    async def follow(self, key: Key, flight: _Flight) -> object:
        answer = asyncio.get_running_loop().create_future()
        flight.waiting[answer] = None
        outer = _inside.get()
        for run in outer:
            run.awaits.append(flight)
        try:
            return await answer
        except asyncio.CancelledError:
            # Made the leader, and cancelled before it could know.
            if answer.done() and not answer.cancelled() and _is_lead(answer):
                self.hand_on(key, flight)
            raise
        finally:
            flight.waiting.pop(answer, None)
            for run in outer:
                run.awaits.remove(flight)

    async def lead(self, key: Key, flight: _Flight, info: CallInfo, arguments: Arguments) -> object:
        token = _inside.set((*_inside.get(), flight))
        try:
            value = await self.inner(info, arguments)
        except _ITS_OWN:
            self.hand_on(key, flight)
            raise
        except Exception as error:
            self.end(key, flight, None, error)
            raise
        except BaseException:
            self.hand_on(key, flight)
            raise
        finally:
            _inside.reset(token)
        self.end(key, flight, value, None)
        return value

    def hand_on(self, key: Key, flight: _Flight) -> None:
        if not flight.hand_on():
            del self.flights[key]

    def end(self, key: Key, flight: _Flight, value: object, error: BaseException | None) -> None:
        del self.flights[key]
        flight.end(value, error)


def _is_lead(answer: asyncio.Future[Any]) -> bool:
    return answer.exception() is None and answer.result() is _LEAD


def build(tool: ToolView, inner: Run, services: Services) -> Run:
    """Return the layer for one tool."""
    return _Coalescing(inner, services).run


POLICY = Policy(
    name="coalesce", slot=Slot.COALESCE, build=build, option="coalesce", effects=("read",)
)
