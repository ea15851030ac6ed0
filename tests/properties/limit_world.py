"""A world for the laws of limits: two engines and a program share a limiter, and a ledger sees all.

The ledger books what started, when and for how much, by nothing but what the tools and the program see
of themselves. In the end it must agree with the limiter, to the unit.
"""

import asyncio
import math
from collections import Counter, defaultdict
from collections.abc import Callable, Coroutine, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, TypeVar

import penstock
from penstock import Batch, Budget, Call, Cost, Engine, Limit, Limiter, Retry, tool
from penstock.errors import ConfigError, LimitError, PenstockError, RateLimited
from penstock.limits import LimitStatistics, Permit
from penstock.testing import VirtualLoop
from penstock.tools import Tool

T = TypeVar("T")

TENANTS = ("acme", "other")
LONG_ENOUGH = 4_000.0
"""Seconds after which every block, ramp and window is over."""

EPSILON = 1e-6

RATE = Limit.rate("service:s", 20, burst=6, name="rate")
WINDOW = Limit.window("tool:plain", 7, per=2.0, name="window")
TOKENS = Limit.tokens("service:s", 400, per=5.0, name="tokens")
SLOTS = Limit.concurrency("service:s", 3, name="slots")
EACH = Limit.concurrency("tenant:*", 2, name="each")
MONEY = Budget.money("service:s", "0.004", name="money")
SWIFT = Limit.rate("tool:swift", 200, burst=40, name="swift")
"""Of a tool that no slots bound, so that alike calls of it take from their limits together."""
LIMITS = (RATE, WINDOW, TOKENS, SLOTS, EACH, MONEY, SWIFT)
CHANGEABLE = {
    "rate": (1, 20, 300),
    "window": (1, 7, 30),
    "tokens": (100, 400),
    "slots": (0, 1, 5),
    "swift": (20, 200),
}


@dataclass
class Deed:
    """What a call does once it runs."""

    key: int
    tenant: str | None
    reserved: Cost
    seconds: float = 0.0
    actual: Cost | None = None
    refused_for: float | None = None
    fails: bool = False


@dataclass
class Start:
    """One start of one attempt, and what it was charged in the end."""

    name: str
    tenant: str | None
    at: float
    reserved: Cost
    charged: Cost
    ended: float | None = None
    permit: Permit | None = None
    was_sent: bool = True

    def meets(self, limit: Limit | Budget) -> bool:
        """Whether the limit speaks of it."""
        if limit is EACH:
            return self.tenant is not None
        names = {WINDOW.name: self.name == "plain", SWIFT.name: self.name == "swift"}
        return names.get(limit.name, self.name != "swift")


@dataclass
class Ledger:
    """All that started, and what must not have."""

    starts: list[Start] = field(default_factory=list)
    inside: Counter[str] = field(default_factory=Counter)
    complaints: list[str] = field(default_factory=list)
    blocks: list[tuple[Limit, float, float]] = field(default_factory=list)
    most: dict[str, int] = field(default_factory=dict)
    """The largest `n` that each limit has ever had."""
    slots: int = SLOTS.n
    """The most slots since time last passed."""

    def begin(self, start: Start) -> None:
        """A call starts: its slots are free, and nothing blocks it."""
        self.starts.append(start)
        if start.meets(SLOTS):
            self.inside[SLOTS.name] += 1
            if self.inside[SLOTS.name] > self.slots:
                self.complaints.append(f"{self.inside[SLOTS.name]} at once in {self.slots} slots")
        if start.tenant is not None:
            self.inside[start.tenant] += 1
            if self.inside[start.tenant] > EACH.n:
                self.complaints.append(f"{self.inside[start.tenant]} at once of {start.tenant}")
        for limit, since, until in self.blocks:
            if start.meets(limit) and since + EPSILON < start.at < until - EPSILON:
                self.complaints.append(f"{start}, {limit.name} is blocked {since} to {until}")

    def end(self, start: Start, at: float) -> None:
        """Its code has really ended."""
        start.ended = at
        if start.meets(SLOTS):
            self.inside[SLOTS.name] -= 1
        if start.tenant is not None:
            self.inside[start.tenant] -= 1


def _of(limit: Limit | Budget, cost: Cost) -> int:
    match limit.unit:
        case "requests":
            return cost.requests
        case "microusd":
            return cost.microusd
        case _:
            return cost.input_tokens + cost.output_tokens


class World:
    """The loop, the limiter, the engines and the ledger of one example."""

    def __init__(self) -> None:
        """Make all of it, with nothing going on."""
        self.loop = VirtualLoop()
        self.ledger = Ledger()
        self.deeds: dict[int, Deed] = {}
        self.batches: list[tuple[Batch, list[Deed]]] = []
        self.waits: list[asyncio.Task[Any]] = []
        self.held: list[tuple[Permit, Start]] = []
        self.loop.set_exception_handler(
            lambda _loop, context: self.ledger.complaints.append(f"the loop caught {context}")
        )
        self.limiter = self.drive(self._limiter())
        self.engines = [self._engine() for _ in range(2)]

    async def _limiter(self) -> Limiter:
        return Limiter(LIMITS)

    def _engine(self) -> Engine:
        return Engine(list(self._tools()), limits=self.limiter, max_parallel=20)

    def drive(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return self.loop.run_until_complete(coroutine)

    # What may run.

    def _tools(self) -> Iterator[Tool[..., Any]]:
        async def plain(key: int) -> int:
            return await self._run("plain", key)

        async def priced(key: int) -> int:
            return await self._run("priced", key)

        async def again(key: int) -> int:
            return await self._run("again", key)

        async def task(key: int) -> int:
            return await self._run("task", key)

        async def swift(key: int) -> int:
            return await self._run("swift", key)

        def inline(key: int) -> int:
            return self._run_at_once("inline", key)

        def price(key: int) -> Cost:
            return self.deeds[key].reserved

        retry = Retry(attempts=3, wait="constant", base=0.2, on=(ConnectionError,))
        yield tool(service="s", cost=COSTS["plain"])(plain)
        yield tool(service="s", cost=price)(priced)
        yield tool(service="s", effects="read", cost=COSTS["again"], retries=retry)(again)
        yield tool(service="s", host="task", cost=COSTS["task"], concurrency=2)(task)
        yield tool(service="s", host="inline", cost=COSTS["inline"])(inline)
        yield tool(cost=COSTS["swift"])(swift)

    def _begin(self, name: str, key: int) -> tuple[Deed, Start]:
        deed = self.deeds[key]
        charged = deed.reserved if deed.actual is None else deed.actual
        start = Start(name, deed.tenant, self.loop.time(), deed.reserved, deed.reserved)
        self.ledger.begin(start)
        if deed.actual is not None:
            penstock.observe(cost=deed.actual)
            start.charged = charged
        return deed, start

    def _answer(self, name: str, deed: Deed) -> int:
        if deed.refused_for is not None:
            now = self.loop.time()
            for limit in (SWIFT,) if name == "swift" else (RATE, TOKENS):
                self.ledger.blocks.append((limit, now, now + deed.refused_for))
            raise RateLimited(deed.refused_for)
        if deed.fails:
            raise ConnectionError
        return deed.key

    async def _run(self, name: str, key: int) -> int:
        deed, start = self._begin(name, key)
        try:
            if deed.seconds:
                await penstock.sleep(deed.seconds)
            return self._answer(name, deed)
        except asyncio.CancelledError:
            # It was sent: its request is spent whatever it said of itself.
            charged = start.charged
            start.charged = Cost(
                max(start.reserved.requests, charged.requests),
                charged.input_tokens,
                charged.output_tokens,
                charged.microusd,
            )
            raise
        finally:
            self.ledger.end(start, self.loop.time())

    def _run_at_once(self, name: str, key: int) -> int:
        deed, start = self._begin(name, key)
        try:
            return self._answer(name, deed)
        finally:
            self.ledger.end(start, self.loop.time())

    # What may happen.

    def submit(self, engine: int, rows: list[dict[str, Any]], options: dict[str, Any]) -> None:
        """Submit calls, each a tool and its deed."""
        calls, deeds = [], []
        for row in rows:
            name, timeout = row["tool"], row["timeout"]
            deed = self._deed(options.get("tenant"), row)
            deeds.append(deed)
            calls.append(Call(name, {"key": deed.key}, timeout=timeout, priority=row["priority"]))

        async def start() -> None:
            self.batches.append((self.engines[engine].submit(calls, **options), deeds))

        self.drive(start())

    def _deed(self, tenant: str | None, row: dict[str, Any]) -> Deed:
        key = len(self.deeds)
        reserved = row["price"] if row["tool"] == "priced" else COSTS[row["tool"]]
        deed = Deed(
            key, tenant, reserved, row["seconds"], row["actual"], row["refused"], row["fails"]
        )
        self.deeds[key] = deed
        return deed

    def call(self, engine: int, row: dict[str, Any]) -> None:
        """Have a task of the program's own make one call."""
        deed = self._deed(None, row)

        async def call() -> None:
            with suppress(PenstockError, ConnectionError):
                await self.engines[engine].call(row["tool"], key=deed.key)

        self._in_task(call)

    def take(self, tenant: str | None, cost: Cost, deadline: float | None, name: str) -> None:
        """Have the program take a permit, and keep it."""

        async def take() -> None:
            found = self.limiter.resolve(tool=name, service="s", tenant=tenant)
            until = None if deadline is None else self.loop.time() + deadline
            try:
                permit = await self.limiter.take(found, cost, deadline=until)
            except LimitError:
                return
            self._hold(permit, name, tenant, cost)

        self._in_task(take)

    def try_take(self, tenant: str | None, cost: Cost, name: str) -> None:
        """Take a permit at once, or not."""
        found = self.limiter.resolve(tool=name, service="s", tenant=tenant)
        with suppress(LimitError):
            permit = self.limiter.try_take(found, cost)
            if permit is not None:
                self._hold(permit, name, tenant, cost)

    def _hold(self, permit: Permit, name: str, tenant: str | None, cost: Cost) -> None:
        start = Start(name, tenant, self.loop.time(), cost, cost, permit)
        self.ledger.begin(start)
        self.held.append((permit, start))

    def end_permit(self, index: int, how: str, actual: Cost | None) -> None:
        """End a permit that the program holds, in one of the ways there are."""
        permit, start = self.held.pop(index)
        self.ledger.end(start, self.loop.time())
        start.permit = None
        if how == "drop":
            del permit
            return
        if how == "refund":
            assert permit.refund()
            start.charged, start.was_sent = Cost(requests=0), False
        elif how == "cancel":
            assert permit.cancel(actual)
            if actual is not None:
                start.charged = Cost(
                    max(start.reserved.requests, actual.requests),
                    actual.input_tokens,
                    actual.output_tokens,
                    actual.microusd,
                )
        else:
            assert permit.settle(actual)
            start.charged = start.reserved if actual is None else actual
        assert not permit.settle()
        assert not permit.refund()
        assert not permit.cancel()

    def change(self, name: str, n: int) -> None:
        """Change a limit at run time."""
        known = self.ledger.most
        known[name] = max(known.get(name, 0), n)
        if name == SLOTS.name:
            self.ledger.slots = max(self.ledger.slots, n)
        with suppress(ConfigError):
            self.limiter.change(name, n=n)

    def block(self, name: str, seconds: float) -> None:
        """Let nobody pass a limit for a while."""
        now = self.loop.time()
        self.limiter.block(name, seconds)
        (limit,) = [limit for limit in LIMITS if isinstance(limit, Limit) and limit.name == name]
        self.ledger.blocks.append((limit, now, now + seconds))

    def _in_task(self, run: Callable[[], Coroutine[Any, Any, None]]) -> None:
        async def start() -> None:
            self.waits.append(self.loop.create_task(run()))

        self.drive(start())

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.drive(asyncio.sleep(seconds))
        if seconds:
            self.ledger.slots = self._slots()

    def _slots(self) -> int:
        (slots,) = [rule for rule in self.limiter.limits if rule.name == SLOTS.name]
        assert isinstance(slots, Limit)
        return slots.n

    def reopen(self, engine: int) -> None:
        """Close an engine, whatever it does, and make another."""
        self.drive(self.engines[engine].aclose())
        self.engines[engine] = self._engine()

    # What must be true.

    def finish(self) -> None:
        """Let everything come to its end, and audit."""
        if not self._slots():
            self.change(SLOTS.name, 1)
        while self.held:
            self.end_permit(0, "settle", None)
            self.advance(0.5)
        self.drive(self._all_end())
        for engine in self.engines:
            self.drive(engine.aclose())
        self.advance(LONG_ENOUGH)
        self._audit()
        self.drive(self.limiter.aclose())
        self.loop.close()

    async def _all_end(self) -> None:
        """Nothing hangs: budgets refuse, blocks and windows end, slots come free."""
        until = self.loop.time() + LONG_ENOUGH
        while self.held or not self._all_done():
            assert self.loop.time() < until, "something hangs"
            while self.held:
                self.end_permit(0, "settle", None)
            await asyncio.sleep(0.5)
        for batch, _deeds in self.batches:
            for outcome in await batch:
                expected: tuple[type[BaseException], ...] = (ConnectionError, RateLimited)
                if outcome.attempts:  # its code ran, and was refused another attempt
                    expected = (*expected, LimitError)
                if outcome.status == "failed":
                    assert isinstance(outcome.error, expected), outcome
        for wait in self.waits:
            assert wait.cancelled() or wait.exception() is None, wait

    def _all_done(self) -> bool:
        waits = all(wait.done() for wait in self.waits)
        return waits and all(batch.done for batch, _deeds in self.batches)

    def _audit(self) -> None:
        rows: dict[str, list[LimitStatistics]] = defaultdict(list)
        for row in self.limiter.statistics().limits:
            rows[row.name].append(row)
            assert row.waiting == 0, row
            assert row.blocked_for is None, row
            assert row.used == row.spent, row  # only a budget has spent something for good
        (money,) = rows[MONEY.name] or [None]
        if money is not None:
            met = [start for start in self.ledger.starts if start.meets(MONEY)]
            spent = sum(start.charged.microusd for start in met)
            assert money.used == spent, (money, spent)
        for limit in (RATE, TOKENS, SLOTS, WINDOW, MONEY, SWIFT):
            for row in rows[limit.name]:
                met = [s for s in self.ledger.starts if s.meets(limit) and s.was_sent]
                assert row.granted - row.refunded == len(met), (row, len(met))
        for limit in (RATE, TOKENS, WINDOW, SWIFT):
            self._bound_holds(limit)
        assert not any(self.ledger.inside.values())
        assert not self.ledger.complaints

    def _bound_holds(self, limit: Limit) -> None:
        """No window of the history has more than the promise, at the largest size it ever had.

        It counts what was reserved; what comes back in a window may be taken again in it.
        """
        n = max(limit.n, self.ledger.most.get(limit.name, 0))
        burst = limit.burst
        largest = Limit(
            limit.name, limit.scope, limit.shape, limit.unit, n, per=limit.per, burst=burst
        )
        met = [start for start in self.ledger.starts if start.meets(limit)]
        for since in {start.at for start in met}:
            for until in {start.at for start in met if start.at >= since}:
                total = sum(_net(limit, start, since, until) for start in met)
                width = until - since
                if limit.shape == "window":
                    width = math.nextafter(width, math.inf)
                assert total <= largest.bound(width), (limit, since, until, total)


def _net(limit: Limit, start: Start, since: float, until: float) -> int:
    """What a start adds to a window of time: its reserve, or less what came back."""
    reserved = _of(limit, start.reserved)
    back = max(0, reserved - _of(limit, start.charged))
    ended = until if start.ended is None else start.ended
    began_inside, ended_inside = since <= start.at <= until, since <= ended <= until
    return reserved * began_inside - back * (began_inside or ended_inside)


COSTS = {
    "plain": Cost(),
    "again": Cost(requests=2, microusd=50),
    "task": Cost(input_tokens=30, output_tokens=10, microusd=100),
    "inline": Cost(requests=1, microusd=10),
    "swift": Cost(),
}
