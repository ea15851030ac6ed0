"""Tools that do what the laws of the engine are about, and a witness who watches them do it.

Each call has a key. A tool tells the witness when its code starts, goes on and ends; the witness
knows the batch of the call and complains about whatever the engine promised would not happen.
"""

import asyncio
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

import penstock
from penstock import Batch, Call, Engine, Outcome, tool
from penstock._native import Job
from penstock.engine import executors
from penstock.engine.executors.thread import run_job
from penstock.errors import EngineClosed, EngineFull
from penstock.tools import Tool

SWALLOW_SECONDS = 2.0
IN_COROUTINES = (
    "return",
    "yield",
    "sleep",
    "wait",
    "swallow",
    "raise",
    "raise_base",
    "interrupt",
    "nest",
    "cancel_own",
    "bad_arguments",
)
IN_FUNCTIONS = ("return", "raise", "raise_base", "interrupt", "cancel_own")
IN_THREADS = ("return", "raise", "block")

current: ContextVar["Submission | None"] = ContextVar("current", default=None)


class Failure(Exception):
    """What a tool raises."""


class BaseFailure(BaseException):
    """What a tool raises that is no Exception."""


class PromptThreads:
    """Threads in the place of the pool's, which make the same happen at the same moment each time.

    A job is over when `start` returns, unless it blocks: then it is over when it is released.
    """

    workers = 2

    def __init__(self) -> None:
        """Make no thread yet."""
        self._blocked = threading.Semaphore(0)
        self._released = threading.Event()
        self._threads: list[threading.Thread] = []

    def start(self, job: Job) -> None:
        thread = threading.Thread(target=run_job, args=(job,))
        thread.start()
        while thread.is_alive() and not self._blocked.acquire(timeout=0.0005):
            pass
        self._threads.append(thread)

    def block(self) -> None:
        """Called by a tool in a thread: wait for the release."""
        released = self._released
        self._blocked.release()
        assert released.wait(10)

    def release(self) -> None:
        self._released.set()
        self._released = threading.Event()
        for thread in self._threads:
            thread.join()
        self._threads.clear()

    def statistics(self) -> None: ...

    def cancel(self, job: Job) -> None: ...

    def close(self) -> None: ...

    async def wait_closed(self) -> None: ...

    def forget(self) -> None: ...

    @contextmanager
    def installed(self) -> Iterator[None]:
        """Be what runs the jobs of engines that are put together inside of this block."""
        factory = replace(executors.get("thread"), make=lambda _options: self)
        serving = executors.serving
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(
                executors, "serving", lambda mode: factory if mode == "thread" else serving(mode)
            )
            yield


@dataclass
class Submission:
    """A batch as the one who submitted it knows it."""

    calls: Sequence[Call]
    keys: list[int]
    parents: list[list[int]]
    batch: Batch | None = None
    waiter: "asyncio.Task[list[Outcome]] | None" = None

    def outcome(self, key: int) -> Outcome | None:
        """Return the outcome of a call so far."""
        if self.batch is None:
            return None
        return self.batch.outcomes[self.keys.index(key)]


@dataclass
class Witness:
    """Sees the code of all tools of one engine."""

    limits: dict[str, int]
    started: Counter[int] = field(default_factory=Counter)
    ended: dict[int, str] = field(default_factory=dict)
    inside: Counter[str] = field(default_factory=Counter)
    interrupts: int = 0
    complaints: list[str] = field(default_factory=list)
    engine: Engine | None = None
    threads: PromptThreads = field(default_factory=PromptThreads)

    def complain(self, text: str) -> None:
        self.complaints.append(text)

    @contextmanager
    def watching(self, name: str, key: int) -> Iterator[None]:
        """The code of a call, from its first line to its last."""
        submission = current.get()
        self.started[key] += 1
        if self.started[key] > 1:
            self.complain(f"call {key} was started twice")
        if submission is not None:
            self._parents_are_ok(submission, key)
        gates = [gate for gate in (name, "service" if name == "pair" else "", "all") if gate]
        self.inside.update(gates)
        for gate in gates:
            if self.inside[gate] > self.limits.get(gate, 1_000):
                self.complain(f"{self.inside[gate]} calls inside gate {gate}")
        how = "returned"
        try:
            yield
        except BaseException as error:
            how = type(error).__name__
            raise
        finally:
            self.goes_on(key)
            self.inside.subtract(gates)
            self.ended[key] = how

    def goes_on(self, key: int) -> None:
        """A call has its outcome only when its code is over, or the outcome says detached."""
        submission = current.get()
        outcome = submission.outcome(key) if submission else None
        if outcome is not None and not outcome.detached:
            self.complain(f"call {key} goes on after its outcome {outcome}")

    def _parents_are_ok(self, submission: Submission, key: int) -> None:
        if submission.batch is None:
            return
        for parent in submission.parents[submission.keys.index(key)]:
            outcome = submission.outcome(submission.keys[parent])
            if outcome is None or not outcome.ok:
                self.complain(f"call {key} started, its parent has {outcome}")

    async def act(self, kind: str, key: int, seconds: float) -> None:
        """Do what the kind says; what is left out is done by the tool's return."""
        if kind == "yield":
            await asyncio.sleep(0)
        elif kind == "sleep":
            await penstock.sleep(seconds)
        elif kind == "wait":
            await asyncio.sleep(seconds)
        elif kind == "swallow":
            await self._swallow(key)
        elif kind == "nest":
            await self._nest(key)
        elif kind == "close":
            await self._engine.aclose()
        else:
            self.act_at_once(kind)
            await asyncio.sleep(0)

    def act_at_once(self, kind: str) -> None:
        """Do what needs no waiting."""
        if kind == "raise":
            raise Failure("as asked")
        if kind == "raise_base":
            raise BaseFailure("as asked")
        if kind == "interrupt":
            self.interrupts += 1
            raise KeyboardInterrupt
        submission = current.get()
        if kind == "cancel_own" and submission is not None and submission.batch is not None:
            submission.batch.cancel()

    @property
    def _engine(self) -> Engine:
        assert self.engine is not None
        return self.engine

    async def _swallow(self, key: int) -> None:
        loop = asyncio.get_running_loop()
        until = loop.time() + SWALLOW_SECONDS
        while loop.time() < until:
            try:
                await penstock.sleep(0.3)
            except asyncio.CancelledError:
                self.goes_on(key)

    async def _nest(self, key: int) -> None:
        token = current.set(None)
        call = Call("free", {"key": -key, "kind": "wait", "seconds": 0.1})
        try:
            outcomes = await self._engine.run([call])
            assert len(outcomes) == 1
        except (EngineClosed, EngineFull):
            pass  # the engine closes, or is full: a clear error, and this call goes on
        finally:
            current.reset(token)


def tools_of(witness: Witness) -> list[Tool[..., Any]]:
    """Return the tools, one a gate and host mode."""

    def coroutine_tool(name: str, **options: Any) -> Tool[..., Any]:
        async def run(key: int, kind: str, seconds: float = 0.0, given: object = None) -> int:
            with witness.watching(name, key):
                await witness.act(kind, key, seconds)
                return key

        return tool(name=name, **options)(run)

    def plain_tool(name: str, **options: Any) -> Tool[..., Any]:
        def run(key: int, kind: str, seconds: float = 0.0, given: object = None) -> int:
            with witness.watching(name, key):
                witness.act_at_once(kind)
                return key

        return tool(name=name, **options)(run)

    def threaded(key: int, kind: str, seconds: float = 0.0, given: object = None) -> int:
        witness.started[key] += 1
        if kind == "raise":
            raise Failure("as asked")
        if kind == "block":
            witness.threads.block()
        return key

    return [
        coroutine_tool("free"),
        coroutine_tool("narrow", concurrency=1),
        coroutine_tool("pair", concurrency=3, service="db"),
        coroutine_tool("timed", timeout=0.2),
        coroutine_tool("task", host="task"),
        plain_tool("inline", host="inline"),
        tool(name="thread")(threaded),
    ]
