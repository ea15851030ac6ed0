"""What an engine gives to the policies of its tools: time, chance, and what their calls share."""

import random
import time
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from penstock._native import Allowance, Breaker, Context, Host, sleep
from penstock.engine.attempts import HostedCall
from penstock.engine.flights import Flights, number_of
from penstock.engine.limiting import Room
from penstock.engine.policies import CallInfo, Load, ToolView
from penstock.engine.waiting import Waiting
from penstock.streams import error_record
from penstock.tools import settings

FEWEST_ATTEMPTS = 50
"""Before so many have ended, a quantile of their durations says little."""


class EngineServices:
    """The `Services` of one engine; see the protocol for what each method promises."""

    def __init__(self, virtual_time: Callable[[], float] | None, waiting: Waiting) -> None:
        """Make the services of an engine.

        Args:
            virtual_time: the time of a virtual loop; None for `time.monotonic`.
            waiting: counts the attempts that wait.
        """
        self.clock = virtual_time or time.monotonic
        self.counts: Counter[tuple[str, str]] = Counter()
        """How often what happened to which tool, as policies notified it."""
        self.breakers: dict[str, Breaker] = {}
        """By the name of the tool; of an endpoint, `tool@endpoint`."""
        self.flights: Flights | None = None
        """What sessions know, once there is one."""
        self._time = virtual_time
        self._waiting = waiting
        self._allowances: dict[str, Allowance] = {}
        self._measured: dict[str, Callable[[], tuple[int, int]]] = {}
        self._quantiles: dict[str, Callable[[float], float | None]] = {}
        self._bounds: dict[str, int | None] = {}
        self._rooms: dict[str, Room] = {}

    def measure(
        self,
        host: Host,
        tool: str,
        number: int,
        concurrency: int | None = None,
        room: Room | None = None,
    ) -> None:
        """Let policies ask how the attempts of a tool fare.

        Args:
            host: counts them.
            tool: the name of the tool.
            number: of its attempts in the host.
            concurrency: how many may run at once; None for any number.
            room: says of a tenant in how many seconds its limits would let a call start, and which
                limit binds; None if no limit speaks of the tool.
        """
        if room is not None:
            self._rooms[tool] = room
        self._measured[tool] = lambda: host.load(number)
        self._bounds[tool] = concurrency
        self._quantiles[tool] = lambda share: host.quantile(number, share, FEWEST_ATTEMPTS)

    def statistics(self) -> dict[tuple[str, str], int]:
        """Return how often what happened to which tool."""
        return dict(self.counts)

    async def sleep(self, seconds: float) -> None:
        """Sleep on the engine's timer."""
        await sleep(max(seconds, 0.0))

    def random(self) -> float:
        """Return a number from 0 to 1, 1 excluded."""
        return random.random()  # noqa: S311 - spreads retries, keeps no secret

    def allowance(self, service: str) -> Allowance:
        """Return the allowance of a service."""
        if service not in self._allowances:
            self._allowances[service] = Allowance(self._time)
        return self._allowances[service]

    def breaker(self, tool: ToolView, endpoint: str | None = None) -> Breaker:
        """Return the breaker of a tool, or of one of its endpoints: `tool@endpoint`."""
        name = tool.name if endpoint is None else f"{tool.name}@{endpoint}"
        if name not in self.breakers:
            self.breakers[name] = _breaker(tool.breaker or settings.Breaker(), self._time)
        return self.breakers[name]

    def load(self, tool: str, tenant: str | None = None) -> Load:
        """Return how much of a tool waits now, and whether its limits let a tenant start a call."""
        in_flight, _ = self._measured[tool]()
        waiting = self._waiting.count(tool, places=self._bounds[tool])
        usual = self._quantiles[tool](0.5) or 0.0
        drain_time = waiting * usual / max(in_flight, 1)
        room = self._rooms.get(tool)
        found = (0.0, None) if room is None else room(tenant)
        if found is None:
            return Load(tool, waiting, drain_time, full=True)
        return Load(tool, waiting, drain_time, payable_in=found[0])

    def quantile(self, tool: str, share: float) -> float | None:
        """Return the seconds within which this share of attempts end."""
        return self._quantiles[tool](share)

    def wrote(self, info: CallInfo, names: tuple[str, ...] | None) -> None:
        """Tell sessions that a write starts or ends; or, what it has left running."""
        if self.flights is not None:
            self.flights.wrote(None, number_of(info.tenant), names, left=info.tally.left)

    def notify(self, info: CallInfo, what: str, /, **details: object) -> None:
        """Count what happened, and tell those who watch the call."""
        self.counts[info.tool, what] += 1
        if isinstance(info, HostedCall) and info.context is not None:
            _tell(info.context, info.attempt, what, details)


def _tell(context: Context, attempt: int, what: str, details: Mapping[str, object]) -> None:
    if what == "retrying":
        wait, error = details.get("wait"), details.get("error")
        data = {
            "attempt": attempt,
            "wait_ms": wait * 1e3 if isinstance(wait, float | int) else 0.0,
            "error": error_record(error if isinstance(error, BaseException) else None),
        }
        context.note("call.retrying", data)
    elif what == "hedged":
        context.note("call.hedged", {"attempt": attempt})


def _breaker(wanted: settings.Breaker, time: Callable[[], float] | None) -> Breaker:
    options: dict[str, Any] = {
        "failures": wanted.failures,
        "slow": wanted.slow,
        "min_calls": wanted.min_calls,
        "consecutive": wanted.consecutive,
        "open_for": wanted.open_for,
    }
    return Breaker(time=time, **options)
