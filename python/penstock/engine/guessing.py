"""`Guessing`: what an engine does for whoever speculates. It runs guesses, and decides nothing of them.

Ground rules: a guess is a flight that nobody waits for. It runs a tool without its policies, through its
gates and limits, in the last lane; where a limit does not pay at once it is rejected. Whoever launched it
hears what becomes of it. Only tools with `effects="read"` are ever run here, whoever asks for what.
"""

from collections.abc import Callable, Mapping
from contextvars import Context
from dataclasses import dataclass
from typing import Any, Protocol

from penstock._native import Host
from penstock.calls import Call
from penstock.engine.attempts import price_of
from penstock.engine.flights import Flight, Flights, Listener, Role, form_of, inside, role_of
from penstock.errors import EngineClosed, EngineFull, InvalidArguments
from penstock.tools import Tool, Toolset

AnyTool = Tool[..., Any]

FEWEST_RUNS = 5
"""Before so many have ended nobody knows how long a tool takes."""


class Guesser(Protocol):
    """On whose behalf a guess is run: a session."""

    @property
    def number(self) -> int: ...
    @property
    def tenant_number(self) -> int: ...
    @property
    def shared_form(self) -> bytes: ...
    @property
    def tenant(self) -> str | None: ...
    @property
    def agent(self) -> str | None: ...
    @property
    def surroundings(self) -> Context: ...


@dataclass(frozen=True, slots=True)
class Facts:
    """How a tool fares now.

    Attributes:
        tool: as it was declared.
        latency: seconds that half of its runs take at most; None while that is unknown.
        in_flight: runs of it now, guesses included.
        bound: runs of it at once; None for any number.
        breaker_closed: whether its breaker lets calls in; true without one.
    """

    tool: AnyTool
    latency: float | None
    in_flight: int
    bound: int | None
    breaker_closed: bool


@dataclass(frozen=True, slots=True)
class Prepared:
    """A call that could be made: its arguments are valid.

    Attributes:
        role: what flights know of its tool.
        arguments: validated, as the host takes them.
        form: the same bytes for the same arguments only.
    """

    role: Role
    arguments: tuple[Any, ...]
    form: bytes


class Guessing:
    """See the ground rules."""

    def __init__(
        self,
        flights: Flights,
        host: Host,
        tools: Toolset,
        *,
        ordinary: Mapping[str, int],
        attempts: Mapping[str, int],
        is_closed: Callable[[str], bool],
        bound: int | None,
        most: int,
    ) -> None:
        """Be ready to run guesses.

        Args:
            flights: of the engine.
            host: of the engine.
            tools: of the engine.
            ordinary: numbers of their calls in the host.
            attempts: numbers of what runs them without policies.
            is_closed: whether the breaker of a tool lets calls in.
            bound: calls of the engine in flight at once; None for any number.
            most: guesses that may be unfinished at once.
        """
        self.clock = flights.clock
        self._flights = flights
        self._host = host
        self._tools = tools
        self._ordinary = ordinary
        self._attempts = attempts
        self._is_closed = is_closed
        self._bound = bound
        self._most = most
        self._prices: dict[str, Callable[[Any], Any]] = {}
        self._unfinished = 0

    def facts(self, name: str) -> Facts | None:
        """Return how a tool fares; None if the engine has no such tool."""
        if name not in self._tools:
            return None
        tool = self._tools[name]
        number = self._attempts[name]
        in_flight, _ = self._host.load(number)
        bounds = [bound for bound in (tool.concurrency, self._bound) if bound is not None]
        latency = self._host.quantile(number, 0.5, FEWEST_RUNS)
        bound = min(bounds, default=None)
        return Facts(tool, latency, in_flight, bound, self._is_closed(name))

    def prepare(self, session: Guesser, name: str, arguments: bytes) -> Prepared | None:
        """Return a call that could be made; None if it could not, or cannot be told from others.

        Args:
            session: on whose behalf.
            name: of the tool.
            arguments: a JSON object.
        """
        tool = self._tools[name]
        if tool.effects != "read":
            return None
        try:
            first, named = tool.validate(arguments)
        except InvalidArguments:
            return None
        values = (*first, *(named.pop(parameter) for parameter in tool.parameters[len(first) :]))
        role = role_of(tool, self._ordinary[name])
        ready = (values, named) if tool.extras else values
        form = form_of(session, role, ready)
        return None if form is None else Prepared(role, ready, form)

    def is_known(self, session: Guesser, call: Prepared) -> bool:
        """Return whether the call would be answered by what runs or is held."""
        role = call.role
        return self._flights.table.has(
            session.number, role.number, call.form, role.keep, self.clock()
        )

    def launch(self, session: Guesser, call: Prepared, listener: Listener) -> Flight | None:
        """Run a guess; None if the engine has no room for it, or is closed.

        Args:
            session: on whose behalf.
            call: that was prepared for it.
            listener: hears what becomes of it, perhaps before this returns.
        """
        if self._unfinished >= self._most or not session.number:
            return None
        tool, role = call.role.tool, call.role
        names = None if tool.resources_read is None else tool.resources_read(call.arguments)
        number = self._flights.table.start(
            session.number,
            role.number,
            call.form,
            role.keep,
            self.clock(),
            names=names,
            stable_for=tool.stable_for,
            guess=True,
        )
        if number is None:
            return None
        flight = Flight(number, self.clock(), listener=listener)
        around = session.surroundings.copy()
        around.run(inside.set, (flight,))
        try:
            around.run(self._submit, session, call, flight)
        except (EngineFull, EngineClosed):
            self._flights.table.fail(number)
            return None
        return flight

    def cancel(self, flight: Flight, reason: str) -> None:
        """Give a guess up that nobody waits for."""
        self._flights.table.fail(flight.id)
        if flight.batch is not None:
            flight.batch.cancel(reason)

    def sweep(self, session: Guesser) -> None:
        """Let go of what can answer nobody of a session any more."""
        self._flights.table.sweep(session.number, self.clock())
        self._flights.let_go()

    def _submit(self, session: Guesser, call: Prepared, flight: Flight) -> None:
        tool, listener = call.role.tool, flight.listener

        def starting() -> None:
            self._flights.table.began(flight.id)
            if listener is not None:
                listener.began()

        flight.batch = batch = self._host.guess(
            self._attempts[tool.name],
            Call(tool.name, id=f"guess-{flight.id}"),
            call.arguments,
            starting=starting,
            labels=(session.tenant, session.agent, None, None),
            group=None if session.tenant is None else hash(session.tenant) & 0xFFFF_FFFF_FFFF_FFFF,
            cost=self._price(tool)(call.arguments),
            timeout=tool.stable_for,  # later its value would answer nobody
        )
        self._flights.follow(flight)
        self._unfinished += 1

        def ended(_waited: object) -> None:
            self._unfinished -= 1
            self._flights.land(flight)

        batch.wait().add_done_callback(ended)

    def _price(self, tool: AnyTool) -> Callable[[Any], Any]:
        if tool.name not in self._prices:
            self._prices[tool.name] = price_of(tool)
        return self._prices[tool.name]
