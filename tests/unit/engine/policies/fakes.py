"""What the tests of policies run on: a tool, an attempt that does as told, services in virtual time."""

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any, TypeVar

from penstock.engine.policies import CallInfo, Ending, Load, ToolView
from penstock.testing import VirtualLoop
from penstock.tools import settings

T = TypeVar("T")


@dataclass
class FakeTool:
    """What a policy reads of a tool."""

    name: str = "search"
    effects: Any = "read"
    service: str | None = "web"
    timeout: float | None = None
    tags: frozenset[str] = frozenset()
    retries: settings.Retry | None = None
    hedge: settings.Hedge | None = None
    cache: settings.Cache | None = None
    coalesce: bool = False
    breaker: settings.Breaker | None = None
    shed: settings.Shed | None = None
    host: Any = "call"
    mutates: tuple[str, ...] | None = None

    @property
    def resources_changed(self) -> Any:
        """What a call changes: the same whatever its arguments are."""
        return None if self.mutates is None else lambda _arguments: self.mutates


@dataclass
class FakeAllowance:
    """A number: what is left."""

    left: float = 100.0
    first_attempts: int = 0

    def first_attempt(self) -> None:
        self.first_attempts += 1
        self.left = min(self.left + 0.1, 100.0)

    def try_spend(self) -> bool:
        pays = self.left >= 1.0
        self.left -= pays
        return pays


@dataclass
class FakeCircuit:
    """A breaker that a test opens and closes."""

    is_closed: bool = True
    retry_at: float | None = None
    changes: bool = False
    refused_starts: list[float] = field(default_factory=list)
    log: list[tuple[str, object]] = field(default_factory=list)

    def check(self, now: float) -> float | None:
        return self.retry_at if self.retry_at is not None and self.retry_at > now else None

    def admit(self, now: float, deadline: float) -> tuple[object | None, float]:
        if self.refused_starts:
            return None, self.refused_starts.pop(0)
        self.log.append(("admit", round(deadline - now, 6)))
        return len(self.log), 0.0

    def record(self, ticket: Any, ending: Ending, now: float, random: float) -> bool:
        self.log.append((ending, ticket))
        return self.changes

    def cancel(self, ticket: Any, now: float) -> None:
        self.log.append(("cancel", ticket))


class FakeServices:
    """The engine's services: the running loop's time, chance as told, everything noted."""

    def __init__(self) -> None:
        """Make services that allow everything."""
        self.chance = 1.0
        self.loads: dict[str, Load] = {}
        self.quantiles: dict[float, float] = {}
        self.allowances: dict[str, FakeAllowance] = {}
        self.circuits: dict[str, FakeCircuit] = {}
        self.told: list[tuple[str, dict[str, object]]] = []
        self.asked: Counter[str] = Counter()
        self.written: list[tuple[tuple[str, ...] | None, bool]] = []

    def wrote(self, info: CallInfo, names: tuple[str, ...] | None) -> None:
        """Note a write, and whether code of it was left running."""
        self.written.append((names, bool(info.tally.left)))

    def clock(self) -> float:
        return asyncio.get_running_loop().time()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    def random(self) -> float:
        return self.chance

    def allowance(self, service: str) -> FakeAllowance:
        return self.allowances.setdefault(service, FakeAllowance())

    def breaker(self, tool: ToolView, endpoint: str | None = None) -> FakeCircuit:
        name = tool.name if endpoint is None else f"{tool.name}@{endpoint}"
        return self.circuits.setdefault(name, FakeCircuit())

    def load(self, tool: str, tenant: str | None = None) -> Load:
        return self.loads.get(tool, Load(tool))

    def quantile(self, tool: str, share: float) -> float | None:
        self.asked["quantile"] += 1
        return self.quantiles.get(share)

    def notify(self, info: CallInfo, what: str, /, **details: object) -> None:
        self.told.append((what, details))

    @property
    def facts(self) -> list[str]:
        """Return what was told, without the details."""
        return [what for what, _details in self.told]


@dataclass
class FakeAttempt:
    """Takes `seconds`, then answers with the next of `answers`: a value, or an error to raise.

    The last answer is given again and again.
    """

    answers: list[object] = field(default_factory=lambda: ["value"])
    seconds: float = 0.0
    ran: list[tuple[float, CallInfo, object]] = field(default_factory=list)
    cancelled: int = 0
    running: int = 0
    most_running: int = 0

    async def __call__(self, info: CallInfo, arguments: object) -> object:
        self.ran.append((asyncio.get_running_loop().time(), info, arguments))
        answer = self.answers[min(len(self.ran), len(self.answers)) - 1]
        self.running += 1
        self.most_running = max(self.most_running, self.running)
        try:
            info.starting()
            await asyncio.sleep(self.seconds)
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        finally:
            self.running -= 1
        if isinstance(answer, BaseException):
            raise answer
        return answer(info, arguments) if isinstance(answer, Callable) else answer  # type: ignore[arg-type]

    @property
    def times(self) -> list[float]:
        """Return when it was run, in seconds since the first time."""
        return [round(time - self.ran[0][0], 6) for time, _info, _arguments in self.ran]


def info(**changes: Any) -> CallInfo:
    """Return a call of the fake tool."""
    return CallInfo(**{"tool": "search", "service": "web", "tenant": "acme"} | changes)


def virtual(story: Coroutine[Any, Any, T]) -> T:
    """Run a story in virtual time, inside a test that is no coroutine itself."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(story)
