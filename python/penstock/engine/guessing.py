"""`Guessing`: what an engine does for whoever speculates. It runs guesses, and decides nothing of them.

Ground rules: a guess is a flight that nobody waits for. It runs a tool without its policies, through its
gates and limits, in the last lane, those that are worth more first; where the share that guesses have of a
limit does not pay at once it is rejected. Whoever launched it hears what becomes of it. Only tools with
`effects="read"` are ever run here, whoever asks for what; of staged tools only their `prepare`, see
`staging.py`.
"""

from collections.abc import Callable, Mapping, Sequence
from contextvars import Context
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from penstock._native import Cost, Host, Sketch
from penstock.calls import Call
from penstock.engine.attempts import price_of
from penstock.engine.flights import (
    Flight,
    Flights,
    Guessed,
    Listener,
    Role,
    changes,
    form_of,
    inside,
    number_of,
    role_of,
)
from penstock.engine.staging import Staged
from penstock.errors import EngineClosed, EngineFull, InvalidArguments
from penstock.tools import Tool, Toolset

AnyTool = Tool[..., Any]

Underway = Flight | Staged
"""What runs, or is kept until somebody asks for it."""

FEWEST_RUNS = 5
"""Before so many have ended nobody knows how long a tool takes."""

_GROUP = number_of("guesses")
# Of all tenants: within a group what is worth more goes first, and no tenant's calls are served later
# because of what was guessed for it.


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
    """What is known of a tool.

    Attributes:
        tool: as it was declared.
        breaker_closed: whether its breaker lets calls in; true without one.
    """

    tool: AnyTool
    breaker_closed: bool


class Room(NamedTuple):
    """Places for calls at once: of the engine, a tool, an executor, a limit.

    Attributes:
        bound: how many there are.
        used: how many are taken.
        guesses: by guesses that nobody asked for, of these.
    """

    bound: int
    used: int
    guesses: int


class Strain(NamedTuple):
    """The scarcest limit that a run would pay.

    Attributes:
        units: that the run takes of it.
        seconds_per_unit: in which one flows in; 0 where nothing flows.
        left: what it has of its most, 0 to 1.
    """

    units: int
    seconds_per_unit: float
    left: float


class Pressure(NamedTuple):
    """How much room a run would have.

    Attributes:
        rooms: where it would take a place, if they are bounded.
        strain: None if it would pay no limit.
    """

    rooms: Sequence[Room]
    strain: Strain | None


class Expected(NamedTuple):
    """How long a tool takes, in seconds.

    Attributes:
        latency: of a run.
        overlap: of the part of a run that lies within a wait.
    """

    latency: float
    overlap: float


@dataclass(frozen=True, slots=True)
class Prepared:
    """A call that could be made: its arguments are valid.

    Attributes:
        role: what flights know of its tool.
        arguments: validated, as the host takes them.
        form: the same bytes for the same arguments only.
        cost: of this run; None for what the tool declares.
    """

    role: Role
    arguments: tuple[Any, ...]
    form: bytes
    cost: Cost | None


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
            most: guesses that may be unfinished at once.
        """
        self.clock = flights.clock
        self._flights = flights
        self._host = host
        self._tools = tools
        self._ordinary = ordinary
        self._attempts = attempts
        self._is_closed = is_closed
        self._most = most
        self._prices: dict[str, Callable[[Any], Cost | None]] = {}
        self._unfinished = 0

    def facts(self, name: str) -> Facts | None:
        """Return what is known of a tool; None if the engine has no such tool."""
        if name not in self._tools:
            return None
        return Facts(self._tools[name], self._is_closed(name))

    def expect(self, name: str, waits: Sketch) -> Expected | None:
        """Return how long a tool takes; None while that is unknown, or how long waits are.

        Runs that were stopped or failed are known to have taken longer, and no more.

        Args:
            name: of the tool.
            waits: how long calls came after the moment at which the run would start.
        """
        known = None
        if self._tools[name].commit is not None:
            known = self._host.expect(self._flights.preparing.number(name), waits, FEWEST_RUNS)
        if known is None:  # of a staged tool the best that is known at first
            known = self._host.expect(self._attempts[name], waits, FEWEST_RUNS)
        return None if known is None else Expected(*known)

    def is_dead(self, name: str) -> bool:
        """Return whether what was prepared for a tool could not be undone: it is prepared no more."""
        return self._flights.preparing.is_dead(name)

    def pressure(self, session: Guesser, call: Prepared) -> Pressure:
        """Return how much room a call has that was prepared for a session."""
        number = self._attempts[call.role.tool.name]
        rooms, strain = self._host.pressure(number, _labels(session), call.cost)
        taken = None if strain is None else Strain(*strain)
        return Pressure([Room(*room) for room in rooms], taken)

    def prepare(self, session: Guesser, name: str, arguments: bytes) -> Prepared | None:
        """Return a call that could be made; None if it could not, or cannot be told from others.

        Args:
            session: on whose behalf.
            name: of the tool.
            arguments: a JSON object.
        """
        tool = self._tools[name]
        if tool.effects != "read" and tool.commit is None:
            return None
        try:
            ready = tool.bound(arguments)
        except InvalidArguments:
            return None
        role = role_of(tool, self._ordinary[name])
        form = form_of(session, role, ready)
        if form is None:
            return None
        try:
            cost = self._price(tool)(ready)
        except Exception:  # noqa: BLE001 - what a tool's own function raises is for who really calls it
            return None
        return Prepared(role, ready, form, cost)

    def is_known(self, session: Guesser, call: Prepared) -> bool:
        """Return whether the call would be answered by what runs or is held."""
        role = call.role
        if role.tool.commit is not None:
            return self._flights.preparing.knows(session.number, role.tool.name, call.form)
        return self._flights.table.has(
            session.number, role.number, call.form, role.keep, self.clock()
        )

    def launch(
        self,
        session: Guesser,
        call: Prepared,
        listener: Listener,
        *,
        worth: float = 0.0,
        share: float = 0.1,
    ) -> Underway | None:
        """Run a guess; None if the engine has no room for it, or is closed.

        Args:
            session: on whose behalf.
            call: that was prepared for it.
            listener: hears what becomes of it, perhaps before this returns.
            worth: micro-dollars that it is expected to gain: the least makes room first.
            share: of each limit that guesses may take, 0 to 1.
        """
        if self._unfinished >= self._most or not session.number:
            return None
        tool, role = call.role.tool, call.role
        if tool.commit is not None:
            names = changes(tool, call.arguments)
            return self._flights.preparing.launch(session, tool, call.arguments, names, listener)
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
        guess = Guessed(listener, self._attempts[tool.name], call.cost)
        flight = Flight(number, self.clock(), guess=guess)
        around = session.surroundings.copy()
        around.run(inside.set, (flight,))
        try:
            around.run(self._submit, session, call, flight, guess, worth, share)
        except (EngineFull, EngineClosed):
            self._flights.table.fail(number)
            return None
        return flight

    def cancel(self, flight: Underway, reason: str) -> None:
        """Give a guess up that nobody waits for."""
        if isinstance(flight, Staged):
            self._flights.preparing.let_go(flight, "overtaken")
            return
        self._flights.table.fail(flight.id)
        if flight.batch is not None:
            flight.batch.cancel(reason)

    def sweep(self, session: Guesser) -> None:
        """Let go of what can answer nobody of a session any more: its model starts to generate."""
        self._flights.preparing.settle(session.number)
        self._flights.table.sweep(session.number, self.clock())
        self._flights.let_go()

    def _submit(
        self,
        session: Guesser,
        call: Prepared,
        flight: Flight,
        guess: Guessed,
        worth: float,
        share: float,
    ) -> None:
        tool = call.role.tool

        def starting() -> None:
            self._flights.table.began(flight.id)
            guess.listener.began()

        flight.batch = batch = self._host.guess(
            guess.number,
            Call(tool.name, id=f"guess-{flight.id}"),
            call.arguments,
            starting=starting,
            unheard=guess.unheard,
            worth=worth,
            share=share,
            labels=_labels(session),
            group=_GROUP,
            cost=call.cost,
            timeout=tool.stable_for,  # later its value would answer nobody
        )
        self._flights.follow(flight)
        self._unfinished += 1

        def ended(_waited: object) -> None:
            self._unfinished -= 1
            self._flights.land(flight)

        batch.wait().add_done_callback(ended)

    def _price(self, tool: AnyTool) -> Callable[[Any], Cost | None]:
        if tool.name not in self._prices:
            self._prices[tool.name] = price_of(tool)
        return self._prices[tool.name]


def _labels(session: Guesser) -> tuple[str | None, str | None, None, None]:
    """Whom a guess is charged to: its tenant and agent. What its call has besides it pays itself."""
    return (session.tenant, session.agent, None, None)
