"""The native half of Penstock: the nouns of the public face, and the host that runs calls.

Written by hand, compared with the binary by stubtest. Private classes of the host are documented
where they are made: `rust/python/src/host/`.
"""

import logging
from asyncio import AbstractEventLoop, Future
from collections.abc import Callable, Coroutine, Generator, Iterator, Mapping, Sequence
from contextvars import Token
from typing import Any, Literal, Self, final

from penstock.errors import PenstockError
from penstock.events import EventType
from penstock.streams import Encoded

__all__ = [
    "Allowance",
    "Batch",
    "Breaker",
    "Call",
    "CallTask",
    "Candidate",
    "Context",
    "Cost",
    "Decision",
    "EngineLog",
    "Event",
    "Flights",
    "Host",
    "Job",
    "JsonStream",
    "Ledger",
    "LimitSet",
    "Limiter",
    "Outcome",
    "Packer",
    "ParcelInfo",
    "Permit",
    "Predictor",
    "RecordInfo",
    "Ref",
    "Scan",
    "Segments",
    "Single",
    "Sketch",
    "Ticket",
    "Unheard",
    "WasteBudget",
    "cancelled",
    "canonical",
    "describe",
    "exceeds",
    "is_control",
    "is_sound_json",
    "measure",
    "needed",
    "observe",
    "output",
    "plain_calls",
    "progress",
    "raw_header",
    "record_bytes",
    "record_head",
    "scan",
    "segment_header",
    "sleep",
    "tell_through",
    "train",
    "value_bytes",
    "weigh",
]

@final
class Ref:
    """A place in a parent's value, used as an argument of a later call.

    `Ref("search", "items.0.url")` and `Ref("search")["items"][0]["url"]` are the same. An empty path
    is the whole value.
    """

    def __new__(cls, call: str, path: str | Sequence[str | int] | None = None) -> Self: ...
    @property
    def call(self) -> str:
        """The id of the parent."""
    @property
    def path(self) -> tuple[str | int, ...]:
        """Keys, indexes and attribute names, outermost first."""
    def __getitem__(self, key: str | int, /) -> Ref: ...
    def __str__(self) -> str: ...
    def __format__(self, form: str, /) -> str: ...
    def __iter__(self) -> Iterator[Any]: ...
    def __hash__(self) -> int: ...
    def __eq__(self, other: object, /) -> bool: ...
    def __ne__(self, other: object, /) -> bool: ...

@final
class Call:
    """One request to run a tool. Arguments stay as they came until the call is about to start."""

    def __new__(
        cls,
        tool: str,
        arguments: bytes | str | Mapping[str, object] | None = None,
        *,
        id: str | None = None,
        priority: int | None = None,
        branch: str | None = None,
        timeout: float | None = None,
        after: Sequence[str | Call] | None = None,
    ) -> Self: ...
    @property
    def tool(self) -> str:
        """The name of the tool."""
    @property
    def arguments(self) -> bytes | dict[str, Any] | None:
        """JSON as the model sent it, or the mapping that was given."""
    @property
    def id(self) -> str | None:
        """The provider's id, or None."""
    @property
    def priority(self) -> int | None:
        """0 (first) to 7 (last); None for that of the batch or of the tool."""
    @property
    def branch(self) -> str | None:
        """The branch of its batch that it belongs to."""
    @property
    def timeout(self) -> float | None:
        """Seconds from submission until the call must have ended."""
    @property
    def after(self) -> tuple[str, ...]:
        """Ids of calls that must have ended well before this one starts."""
    @property
    def refs(self) -> tuple[Ref, ...]:
        """Every `Ref` in the arguments, in the order in which they are met."""
    def replace(self, *, branch: str, prefix: str) -> Call:
        """Return a copy in a branch, its id and those it names prefixed; its outcome is this call's."""

@final
class Outcome:
    """What became of a call. Every call gets exactly one."""

    @staticmethod
    def make(
        call: Call,
        *,
        value: object = None,
        error: BaseException | None = None,
        status: str | None = None,
        index: int = 0,
        submitted: float = 0.0,
        started: float | None = None,
        ended: float = 0.0,
        detached: bool = False,
        late: bool = False,
    ) -> Outcome:
        """Make an outcome by hand; see `penstock.testing.outcome`."""
    @property
    def call(self) -> Call:
        """The call that it answers."""
    @property
    def id(self) -> str:
        """The call's id; a call without one is named by its place in the batch."""
    @property
    def tool(self) -> str:
        """The name of the tool."""
    @property
    def index(self) -> int:
        """The place of the call in its batch."""
    @property
    def status(self) -> Literal["ok", "failed", "rejected", "skipped", "cancelled", "timeout"]:
        """What became of the call, in one word."""
    @property
    def ok(self) -> bool:
        """Whether there is a value."""
    @property
    def value(self) -> Any:
        """What the tool returned; None unless the status is "ok".

        A large value may have left memory, and is read and decoded in place: `await load()` before, if
        that may take long. It is the tool's own object until then, and an equal one afterwards.

        Raises:
            ResultUnreadable: a large value cannot be read back; the operator acts.
        """
    @property
    def ref(self) -> Any:
        """The hold on a large value, a `ResultRef` of `engine.results`; None if the outcome has it."""
    @property
    def where(self) -> Literal["object", "packed", "disk", "remote"]:
        """Where the value is now."""
    @property
    def size(self) -> int:
        """Bytes of the value as JSON, as text or as it is; estimated until they were needed."""
    @property
    def raw(self) -> memoryview:
        """The bytes of the value's JSON, its text or itself, read-only.

        Of a large value that lies on disk as it is, a piece of the file's map: nothing is copied.

        Raises:
            BadValue: it has no JSON form; the author of the tool acts.
            ResultUnreadable: a large value cannot be read back; the operator acts.
        """
    def load(self) -> Coroutine[Any, Any, None]:
        """Fetch and unpack a large value beside the loop, so that `value` only decodes.

        Raises:
            ResultUnreadable: it cannot be read back; the operator acts.
        """
    def preview(self, characters: int) -> str:
        """Return the first characters of what a model would read; loads no more than those.

        Raises:
            BadValue: it has no JSON form; the author of the tool acts.
            ResultUnreadable: a large value cannot be read back; the operator acts.
        """
    @property
    def error(self) -> BaseException | None:
        """The tool's own exception for "failed", a class of `penstock.errors` otherwise."""
    @property
    def attempts(self) -> int:
        """How often the tool's code was started."""
    @property
    def submitted(self) -> float:
        """Monotonic seconds."""
    @property
    def started(self) -> float | None:
        """Monotonic seconds; None for a call that never started."""
    @property
    def ended(self) -> float:
        """Monotonic seconds."""
    @property
    def duration(self) -> float:
        """Seconds from start to end; 0.0 for a call that never started."""
    @property
    def waited(self) -> float:
        """Seconds from submission to start, or to the end of a call that never started."""
    @property
    def detached(self) -> bool:
        """Whether it was delivered while the tool's code was still running."""
    @property
    def late(self) -> bool:
        """Whether the tool ended by itself after it was asked to stop."""
    @property
    def cached(self) -> bool:
        """Whether it came from a cache."""
    @property
    def speculative(self) -> bool:
        """Whether the call ran before it was asked for."""
    @property
    def saved_seconds(self) -> float:
        """Seconds of running that the call was spared, because the value was there or on its way."""
    def unwrap(self) -> Any:
        """Return the value, or raise the error."""
    def moved(self, index: int) -> Outcome:
        """Return the same outcome at another place, as in a longer list of calls."""

@final
class Event:
    """One fact about a call, a batch or an engine. Made once for all who watch."""

    def __new__(
        cls,
        seq: int,
        type: str,
        time: float,
        call: str | None = None,
        index: int | None = None,
        branch: str | None = None,
        data: Mapping[str, Any] | None = None,
        outcome: Outcome | None = None,
        status: str | None = None,
        tool: str | None = None,
        batch: int | None = None,
    ) -> Self: ...
    @property
    def seq(self) -> int:
        """Its number in the stream, from 1: `events(after=event.seq)` goes on behind it."""
    @property
    def type(self) -> EventType:
        """What happened: one of `penstock.events.EventType`."""
    @property
    def time(self) -> float:
        """Seconds on the monotonic clock."""
    @property
    def call(self) -> str | None:
        """The id of the call; None for facts about a whole batch."""
    @property
    def index(self) -> int | None:
        """The place of the call in its batch; None likewise."""
    @property
    def branch(self) -> str | None:
        """The branch of the call, or the one that the event is about."""
    @property
    def tool(self) -> str | None:
        """The tool of the call."""
    @property
    def batch(self) -> int | None:
        """A number of the batch, unique in its engine for as long as the batch runs."""
    @property
    def data(self) -> Mapping[str, Any] | None:
        """What else is known; `penstock.events.SCHEMAS` says what, by type."""
    @property
    def outcome(self) -> Outcome | None:
        """What became of the call, when it has ended; None for those who want no values."""
    @property
    def status(self) -> str | None:
        """The status of the call, when it has ended."""
    @property
    def encoded(self) -> Encoded:
        """The event as JSON and as a server-sent event: made once, whoever asks."""
    def __hash__(self) -> int: ...
    def __eq__(self, other: object, /) -> bool: ...
    def __ne__(self, other: object, /) -> bool: ...

@final
class Context:
    """The call that a tool runs for. A parameter annotated with it receives it."""

    @property
    def call_id(self) -> str:
        """The call's id; a call without one is named by its place in the batch."""
    @property
    def tool(self) -> str:
        """The name of the tool."""
    @property
    def tenant(self) -> str | None:
        """Who the call is charged to, if anybody was named."""
    @property
    def attempt(self) -> int:
        """Which attempt this is, from 1."""
    @property
    def idempotency_key(self) -> str:
        """Stable over the attempts of one call: what a service needs to recognise a repeat."""
    @property
    def deadline(self) -> float | None:
        """Monotonic seconds by which the call must have ended; None if nothing bounds it."""
    @property
    def cancelled(self) -> bool:
        """Whether the call was asked to end."""
    @property
    def log(self) -> logging.LoggerAdapter[logging.Logger]:
        """A logger whose records carry the tool and the call."""
    def progress(self, done: object = None, total: object = None, message: object = None) -> None:
        """Tell the watchers of the batch how far the call is."""
    def output(self, part: object) -> None:
        """Give the watchers of the batch a part of the call's result."""
    def note(self, type: str, data: object = None, attempt: int = 0) -> None:
        """Tell the watchers what the call's policies do. For the layers of a tool, not for tools."""
    def retell(self, unheard: Unheard) -> None:
        """Tell the watchers what a guess has told that the call takes over. Not for tools."""
    def mark(
        self, attempts: int, cached: bool, speculative: bool = False, saved: float = 0.0
    ) -> None:
        """Say what the outcome tells of attempts and caches. For the layers of a tool, not for tools."""

@final
class sleep:  # noqa: N801 - awaited like the function it stands for
    """Sleep, inside a tool on the engine's own timer; anywhere else as `asyncio.sleep` does."""

    def __new__(cls, seconds: float) -> Self: ...
    def __await__(self) -> Generator[Any]: ...

def cancelled() -> bool:
    """Return whether the call that the running code belongs to was asked to end."""

def value_bytes() -> int | None:
    """Return the most bytes that the value of the running call may have; None outside of tools."""

def exceeds(value: object, most: int) -> bool:
    """Return whether a value has more than `most` bytes for sure: for one that was estimated to.

    Looks at all of it, until that is known; one that contains itself has.
    """

def measure(value: object, *, glances: int = 0) -> tuple[int, int]:
    """Return about how many bytes a value has, as JSON, text or itself, and in memory.

    Exact for bytes and ASCII text. Looks at 64 nodes at most, and at 16 even samples of a longer list.

    Args:
        value: anything.
        glances: how often to glance at it before, as at each result: for measuring what that costs.
    """

def is_sound_json(json: bytes) -> bool:
    """Return whether a text is one JSON object that every reader reads alike.

    No key twice in one object, no NaN, no half of a surrogate pair, at most 120 levels.
    """

def observe(
    status: int | None = None,
    retry_after: float | None = None,
    readings: list[tuple[str, int | None, int | None, float | None]] | None = None,
    cost: Cost | int | None = None,
) -> None:
    """Keep what a provider answered to the running call until its limits are settled.

    `penstock.observe` reads headers first. Outside of tools: nothing.
    """

def output(part: object) -> None:
    """Give the watchers of the batch a part of the result of the running call.

    Text, bytes, or a value that has a JSON form. Outside of tools: nothing.
    """

def plain_calls(
    items: list[object], outer: str | None, name: str, arguments: str, id: str
) -> list[Call] | None:
    """Read calls out of decoded JSON where they look as nearly all of them do.

    That is: an object, under `outer` or itself, with a name and arguments that are text, and an id
    beside it. None if an item looks different: then all are to be read with care.
    """

def progress(done: object = None, total: object = None, message: object = None) -> None:
    """Tell the watchers of the batch how far the running call is. Outside of tools: nothing."""

def tell_through(teller: Callable[[str, object], object] | None) -> None:
    """Have what is told where no call is known given to `teller`: in worker processes.

    It gets `("progress", a dict)` and `("output", a part)`, of a size that may be told.
    """

@final
class Batch:
    """The native half of `penstock.engine.Batch`."""

    @property
    def done(self) -> bool: ...
    @property
    def outcomes(self) -> list[Outcome | None]: ...
    @property
    def branches(self) -> list[str]: ...
    @property
    def event_loop(self) -> AbstractEventLoop: ...
    def is_here(self) -> bool: ...
    def result(self) -> list[Outcome]: ...
    def wait(self) -> Future[None]: ...
    def grown(self, after: int) -> Future[None]: ...
    def position(self, after: int | None) -> int: ...
    def read(
        self,
        after: int,
        limit: int,
        kinds: int = 0xFFFF_FFFF,
        calls: bytes | None = None,
        values: bool = True,
    ) -> tuple[Literal["records", "gap", "nothing", "end"], int, list[Event]]: ...
    def snapshot(self) -> tuple[int, bool]: ...
    def fold(self) -> tuple[int, list[tuple[Any, ...]], list[tuple[int, bool]], bool]: ...
    def __len__(self) -> int: ...
    def cancel(self, note: str) -> int: ...
    def cancel_branch(self, name: str, note: str) -> int: ...
    def commit_branch(self, name: str) -> bool: ...
    def release(self, calls: Sequence[int]) -> int: ...
    def cancel_call(self, index: int) -> bool: ...

@final
class EngineLog:
    """The log of a whole engine, written while somebody holds one of these open."""

    def position(self, after: int | None) -> int: ...
    def read(
        self,
        after: int,
        limit: int,
        kinds: int = 0xFFFF_FFFF,
        calls: bytes | None = None,
        values: bool = False,
    ) -> tuple[Literal["records", "gap", "nothing", "end"], int, list[Event]]: ...
    def grown(self, after: int) -> Future[None]: ...
    def range(self) -> tuple[int, int]: ...
    def close(self) -> None: ...
    def __len__(self) -> int: ...

@final
class Job:
    """One call of a plain function, on its way through an executor."""

    def begin(
        self,
    ) -> tuple[Callable[..., object], tuple[Any, ...], dict[str, Any] | None] | None: ...
    def progress(
        self, done: object = None, total: object = None, message: object = None
    ) -> None: ...
    def output(self, part: object) -> None: ...
    def end(
        self, value: object, error: BaseException | None = None
    ) -> Callable[[], object] | None: ...
    @property
    def cancelled(self) -> bool: ...
    @property
    def tool(self) -> str: ...
    @property
    def withdrawn(self) -> bool: ...

@final
class Single:
    """Both ends of one tool's calls that run in their callers' tasks."""

    def __new__(cls, host: Host, tool: int, shown: bool = False) -> Self: ...
    def begin(self) -> float: ...
    def refuse(self, started: float) -> None: ...
    def end(self, started: float) -> None: ...
    def end_raised(self, started: float, error: BaseException) -> None: ...

@final
class Ticket:
    """The place in the lanes of a call that its caller runs itself."""

    @property
    def granted(self) -> Future[None]: ...
    def enter(self) -> Token[object]: ...
    @staticmethod
    def leave(token: Token[object]) -> None: ...
    def refuse(self, error: BaseException) -> None: ...
    def forgo(self, error: BaseException) -> None: ...
    def end(self, value: object, error: BaseException | None = None) -> None: ...

@final
class Flights:
    """Reads of sessions that run, are held or were guessed; times are seconds of one clock.

    `keep` is 0 for values that answer once, 1 for those that answer a session, 2 a tenant.
    """

    def __new__(
        cls, *, max_held: int = 65_536, max_bytes: int = 67_108_864, max_names: int = 100_000
    ) -> Self: ...
    def open(self, tenant: int, shared: int) -> int: ...
    def close(self, session: int) -> None: ...
    def claim(
        self, session: int, tool: int, form: bytes, keep: int, now: float
    ) -> tuple[Literal["miss", "join", "done"], int, bool]: ...
    def has(self, session: int, tool: int, form: bytes, keep: int, now: float) -> bool: ...
    def start(
        self,
        session: int,
        tool: int,
        form: bytes,
        keep: int,
        now: float,
        *,
        names: Sequence[str] | None,
        stable_for: float | None = None,
        guess: bool = False,
    ) -> int | None: ...
    def began(self, id: int) -> None: ...
    def land(self, id: int, bytes: int, now: float) -> bool: ...
    def fail(self, id: int) -> None: ...
    def leave(self, id: int) -> bool: ...
    def write(self, session: int | None, tenant: int, names: Sequence[str] | None) -> None: ...
    def lose(self, session: int | None, tenant: int, names: Sequence[str] | None) -> int: ...
    def found(self, number: int) -> None: ...
    def changed(self, names: Sequence[str], tenant: int | None = None) -> None: ...
    def sweep(self, session: int, now: float) -> None: ...
    def dropped(
        self,
    ) -> list[
        tuple[int, Literal["changed", "expired", "overtaken", "crowded", "closed"], bool, bool]
    ]: ...
    def statistics(self) -> dict[str, int]: ...

@final
class Host:
    """The native half of `penstock.engine.Engine`."""

    def __new__(
        cls,
        event_loop: AbstractEventLoop,
        *,
        max_pending: int,
        max_parallel: int | None,
        slice: float,
        virtual_time: bool,
        edges: Callable[[Sequence[Call]], list[tuple[int, int]]],
        unknown: Callable[[str], Exception],
        history: int | None = None,
    ) -> Self: ...
    def add_executor(
        self, mode: str, start: Callable[[Job], object], cancel: Callable[[Job], object]
    ) -> None: ...
    def add_gate(self, name: str, concurrency: int) -> None: ...
    def use_results(
        self,
        keep: Callable[[object, str, str | None, int, int], object],
        inline_bytes: int,
        value_bytes: int,
    ) -> None: ...
    def hold_results(self) -> None: ...
    def release_results(self) -> None: ...
    def refuse_held(self, held: int, limit: int, retry_after: float) -> int: ...
    def use_limiter(
        self, limiter: Limiter, warn: Callable[[], object], names_batches: bool
    ) -> None: ...
    def add_tool(
        self,
        tool: Any,
        mode: str,
        *,
        gate: str | None = None,
        concurrency: int | None = None,
        cost: Cost | int | None = None,
        limited: bool = False,
        tracked: bool = False,
        hidden: bool = False,
        layers: Callable[[Context, Any], Coroutine[Any, Any, Any]] | None = None,
        attempts: int | None = None,
        session: bool = False,
        alone: bool = False,
    ) -> int: ...
    def submit(
        self,
        calls: Sequence[Call],
        *,
        edges: bytes | None = None,
        timeout: float | None = None,
        fail_fast: bool = False,
        max_parallel: int | None = None,
        priority: int | None = None,
        group: int | None = None,
        labels: tuple[str | None, str | None, str | None, object | None] | None = None,
        watched: bool = True,
        session: bool = False,
        held: Sequence[int] | None = None,
    ) -> Batch: ...
    def ticket(
        self,
        tool: int,
        call: Call,
        *,
        of: Context | None = None,
        number: int = 1,
        hedge: bool = False,
        cost: Cost | int | None = None,
    ) -> Ticket: ...
    def attempt(
        self,
        tool: int,
        call: Call,
        arguments: tuple[Any, ...],
        *,
        of: Context,
        number: int = 1,
        hedge: bool = False,
        cost: Cost | int | None = None,
        starting: Callable[[], object] | None = None,
    ) -> Batch: ...
    @property
    def event_loop(self) -> AbstractEventLoop: ...
    def is_here(self) -> bool: ...
    def fly(self, tool: int, call: Call, arguments: tuple[Any, ...], of: Context) -> Batch: ...
    def promote(self, guess: Batch, of: Context) -> None: ...
    def adopt(
        self, tool: int, of: Context, cost: Cost | int | None = None, taken: float | None = None
    ) -> bool: ...
    def pressure(
        self,
        tool: int,
        labels: tuple[str | None, str | None, str | None, object | None],
        cost: Cost | int | None = None,
    ) -> tuple[list[tuple[int, int, int]], tuple[int, float, float] | None]: ...
    def expect(self, tool: int, waits: Sketch, least: int) -> tuple[float, float] | None: ...
    def guess(
        self,
        tool: int,
        call: Call,
        arguments: tuple[Any, ...],
        *,
        starting: Callable[[], object],
        unheard: Unheard,
        worth: float,
        share: float,
        labels: tuple[str | None, str | None, str | None, object | None] | None = None,
        group: int | None = None,
        cost: Cost | int | None = None,
        timeout: float | None = None,
    ) -> Batch: ...
    def prepare(
        self, tool: int, call: Call, arguments: tuple[Any, ...], starting: Callable[[], object]
    ) -> Batch: ...
    def watch(self) -> EngineLog: ...
    def load(self, tool: int) -> tuple[int, int]: ...
    def quantile(self, tool: int, share: float, least: int) -> float | None: ...
    def when_gone(self, batch: Batch, told: Callable[[], object]) -> bool: ...
    def probe(self) -> str | None: ...
    def room(self) -> Future[None]: ...
    @property
    def pending(self) -> int: ...
    @property
    def unanswered(self) -> int: ...
    @property
    def retry_after(self) -> float: ...
    def statistics(self) -> dict[str, Any]: ...
    def close(self, cancel: bool) -> int: ...
    def give_up(self) -> None: ...
    def is_inside(self) -> bool: ...

@final
class CallTask:
    """What `asyncio.current_task()` answers inside a tool: behaves as `asyncio.Task` does."""

    def __call__(self, future: Any) -> None: ...
    def cancel(self, msg: object = None) -> bool: ...
    def cancelling(self) -> int: ...
    def uncancel(self) -> int: ...
    def done(self) -> bool: ...
    def cancelled(self) -> bool: ...
    def result(self) -> Any: ...
    def exception(self) -> BaseException | None: ...
    def add_done_callback(
        self, callback: Callable[..., object], *, context: Any = None
    ) -> None: ...
    def remove_done_callback(self, callback: Callable[..., object]) -> int: ...
    def get_coro(self) -> Any: ...
    def get_context(self) -> Any: ...
    def get_loop(self) -> AbstractEventLoop: ...
    def get_name(self) -> str: ...
    def set_name(self, value: object) -> None: ...
    def get_stack(self, *, limit: int | None = None) -> list[Any]: ...
    def print_stack(self, *, limit: int | None = None, file: Any = None) -> None: ...
    def __await__(self) -> Generator[Any, None, Any]: ...
    def __iter__(self) -> Generator[Any, None, Any]: ...
    def __reduce__(self) -> Any: ...

@final
class Breaker:
    """The breaker of one tool. Times are seconds on the engine's clock. Any thread may call it.

    Operators read `state` and `statistics()`, and `reset()` it. The other verbs are the policy's;
    `penstock.Breaker` has checked the thresholds. `time` is that of a virtual loop; without it the
    clock is `time.monotonic`'s.
    """

    def __new__(
        cls,
        *,
        failures: float = 0.5,
        slow: float = 0.8,
        min_calls: int = 20,
        consecutive: int = 5,
        open_for: tuple[float, float] = ...,
        time: Callable[[], float] | None = None,
    ) -> Self: ...
    @property
    def state(self) -> Literal["closed", "open", "half_open", "misconfigured"]:
        """The state since the last verb: time alone changes nothing."""
    @property
    def is_closed(self) -> bool:
        """Whether every call is admitted."""
    def check(self, now: float) -> float | None:
        """Return None if a call would be admitted now, else when to ask again."""
    def admit(self, now: float, deadline: float | None = None) -> tuple[int | None, float]:
        """Return a ticket, or None and when to ask again; a probe fails at `deadline`."""
    def record(
        self,
        ticket: int,
        ending: Literal["ok", "slow", "fail", "connect", "ignored", "misconfigured"],
        now: float,
        random: float,
    ) -> bool:
        """Count an end, each ticket once; true if whoever waits should ask again."""
    def cancel(self, ticket: int, now: float) -> None:
        """Count nothing: the call was cancelled."""
    def remote_open(self, now: float) -> None:
        """Halve the thresholds for 30 s: the same breaker of a peer has opened."""
    def reset(self, now: float | None = None) -> None:
        """Close it and forget everything; `now` is read if it is not given."""
    def transitions(self) -> list[tuple[str, str, str, float]]:
        """Return what nobody was told yet: from, to, cause and time, the oldest first."""
    def statistics(self, now: float | None = None) -> dict[str, Any]:
        """Return what it has seen, with the names of the core's `BreakerStatistics`."""

@final
class Allowance:
    """What second attempts of one service are paid from: `rust/core/src/limit/allowance.rs`.

    `time` is `loop.time` of a virtual loop; without it the clock is `time.monotonic`'s.
    """

    def __new__(cls, time: Callable[[], float] | None = None) -> Self: ...
    def first_attempt(self) -> None:
        """Earn: a call was sent for the first time."""
    def try_spend(self) -> bool:
        """Pay for one more attempt; False, and counted, if too little is left."""
    @property
    def available(self) -> int:
        """Attempts that could be paid for now."""
    @property
    def spent(self) -> int:
        """Attempts that were paid for."""
    @property
    def denied(self) -> int:
        """Attempts that were not made, because too little was left."""

@final
class Cost:
    """What a call takes of its limits: one request and nothing else unless said otherwise.

    Each amount is a whole number from 0 to 2**53 - 1.
    """

    def __new__(
        cls,
        requests: int | None = None,
        input_tokens: int | None = None,
        output_tokens: int | None = None,
        microusd: int | None = None,
    ) -> Self: ...
    @property
    def requests(self) -> int:
        """Calls of the service; 1 unless given."""
    @property
    def input_tokens(self) -> int:
        """Tokens that are sent."""
    @property
    def output_tokens(self) -> int:
        """Tokens that come back, at most."""
    @property
    def microusd(self) -> int:
        """Money, in millionths of a dollar."""
    def __hash__(self) -> int: ...
    def __eq__(self, other: object, /) -> bool: ...
    def __ne__(self, other: object, /) -> bool: ...

@final
class LimitSet:
    """The limits that one kind of call must pass, looked up once. False if there are none.

    While it lives, so does what its limits count.
    """

    @property
    def limits(self) -> list[str]:
        """The names of its limits, in the order in which they were given."""
    def __bool__(self) -> bool: ...

@final
class Permit:
    """What a call that its limits let in holds. The first end counts; a later one returns False.

    Dropped without an end, its slots are free and its units stay spent.
    """

    @property
    def cost(self) -> Cost:
        """What was reserved."""
    @property
    def ended(self) -> bool:
        """Whether it was settled, refunded or cancelled."""
    def settle(self, actual: Cost | None = None) -> bool:
        """End a call that took `actual`; as reserved if that is not known."""
    def refund(self) -> bool:
        """End a call that was never sent: everything comes back."""
    def cancel(self, actual: Cost | None = None) -> bool:
        """End a call that was sent and given up: its requests stay spent, its tokens as reported."""
    def extend(self, more: Cost) -> bool:
        """Reserve more for a call that goes on. False if a budget refuses, or the permit has ended."""

@final
class Limiter:
    """The native half of `penstock.limits.Limiter`. Times are seconds on its clock."""

    def __new__(
        cls,
        clock: Callable[[], float] | None = None,
        *,
        max_keys: int = 100_000,
        max_waiting: int = 100_000,
    ) -> Self: ...
    def use_time(self, time: Callable[[], float]) -> None: ...
    def on_warnings(self, warn: Callable[[], object]) -> None: ...
    def add(
        self,
        name: str,
        scope: str,
        *,
        shape: str,
        unit: str,
        n: int,
        max_waiting: int,
        follow: str,
        per: float | None = None,
        burst: int | None = None,
        ends: float | None = None,
        warn: Sequence[float] = ...,
        overrun: str | None = None,
        adaptive: tuple[int, int, str, str] | None = None,
    ) -> int: ...
    def remove(self, rule: int) -> None: ...
    def change(
        self,
        name: str,
        *,
        n: int | None = None,
        per: float | None = None,
        burst: int | None = None,
        revision: int | None = None,
    ) -> None: ...
    def block(self, name: str, seconds: float) -> None: ...
    def roll_in(self, roll: Callable[[], object], seconds: float | None) -> None: ...
    def rolls_due(self) -> list[int]: ...
    def roll(self, rule: int, ends: float) -> None: ...
    def add_owner(self, wake: Callable[[], object]) -> int: ...
    def remove_owner(self, owner: int) -> None: ...
    def next_wake(self) -> float | None: ...
    def resolve(
        self,
        tenant: str | None = None,
        agent: str | None = None,
        service: str | None = None,
        tool: str | None = None,
        model: str | None = None,
        run: str | None = None,
        batch: str | None = None,
    ) -> LimitSet: ...
    def try_take(
        self,
        set: LimitSet,
        cost: Cost | int | None = None,
        lane: int = 4,
        speculative: bool = False,
        *,
        first: bool = False,
    ) -> Permit | None: ...
    def take(
        self,
        set: LimitSet,
        cost: Cost | int,
        lane: int,
        owner: int,
        timeout: float | None = None,
    ) -> Permit | tuple[int, float | None]: ...
    def forget(self, owner: int, token: int) -> None: ...
    def poll(self, owner: int) -> list[tuple[int, Permit | PenstockError]]: ...
    def refusal(self, set: LimitSet, cost: Cost | int) -> PenstockError | None: ...
    def fill(self, set: LimitSet) -> float: ...
    def available_in(self, set: LimitSet, cost: Cost | int) -> tuple[float, str | None] | None: ...
    def observe(
        self,
        target: LimitSet | Permit,
        status: int | None,
        retry_after: float | None,
        readings: list[tuple[str, int | None, int | None, float | None]] | None,
        jitter: float = 0.0,
    ) -> None: ...
    def warnings(self) -> list[tuple[str, str, float]]: ...
    def statistics(self) -> list[dict[str, Any]]: ...

@final
class ParcelInfo:
    """What the header of a parcel says: `describe` gives it."""

    @property
    def codec(self) -> Literal["raw", "zstd"]:
        """How the value is packed. A raw one is `parcel[header_length:length]`, without a copy."""
    @property
    def form(self) -> Literal["bytes", "text", "json"]:
        """What the bytes stand for: themselves, a `str` in UTF-8, an object as JSON."""
    @property
    def media_type(self) -> str:
        """What the tool said that they are; empty if it said nothing."""
    @property
    def dictionary(self) -> int:
        """The id of the dictionary that it needs; 0 is none."""
    @property
    def raw_length(self) -> int:
        """Bytes of the value."""
    @property
    def frames(self) -> int:
        """Frames, each of 1 MiB of the value but the last."""
    @property
    def header_length(self) -> int:
        """Where the payload begins: a multiple of 8."""
    @property
    def length(self) -> int:
        """Bytes of the whole parcel."""

def describe(parcel: bytes | bytearray | memoryview, total: int | None = None) -> ParcelInfo:
    """Return what a parcel's header says; its payload is not looked at.

    Args:
        parcel: all of it, or its beginning.
        total: bytes of all of it, if this is its beginning.

    Raises:
        ResultUnreadable: it is no parcel, or damaged, or torn off; the operator looks at the disk.
    """

def needed(header: bytes, offset: int, length: int) -> tuple[int, int]:
    """Return which bytes of a parcel hold a part of its value, from and to: what `read_part` needs.

    Raises:
        ResultUnreadable: the header is damaged; the operator looks at the disk.
    """

def raw_header(
    value: bytes, media_type: str = "", form: Literal["bytes", "text", "json"] = "bytes"
) -> bytes:
    """Return what to write before `value` to make it a raw parcel, without copying it."""

def train(samples: Sequence[bytes]) -> bytes | None:
    """Return a dictionary for values like these; None if they get less than a tenth smaller.

    Takes about 40 ms without the GIL. The last fifth of the samples judges what the others taught.
    """

@final
class Packer:
    """Packs the values of tools into parcels, and learns of each tool what pays. Any thread may call it.

    Under 32 KiB it works in place with the GIL, above it gives the GIL away. It never moves to another
    thread by itself: on an event loop, hand values above 64 KiB (packing) and 256 KiB (unpacking) to
    a thread. `threads` share the work on one value of more than 1 MiB, while that lasts.
    """

    def __new__(cls, *, threads: int = 2) -> Self: ...
    def pack(
        self,
        value: bytes,
        tool: str = "",
        media_type: str = "",
        *,
        tenant: str = "",
        form: Literal["bytes", "text", "json"] = "bytes",
        purpose: Literal["keep", "wire", "cold"] = "keep",
    ) -> bytes:
        """Return a parcel: packed if it pays, else raw."""
    def try_pack(
        self,
        value: bytes,
        tool: str = "",
        media_type: str = "",
        *,
        tenant: str = "",
        form: Literal["bytes", "text", "json"] = "bytes",
        purpose: Literal["keep", "wire", "cold"] = "keep",
    ) -> bytes | None:
        """Return a parcel, or None if the value is better kept as it is: then nothing was copied."""
    def unpack(
        self, parcel: bytes | bytearray | memoryview, max_bytes: int, *, tenant: str = ""
    ) -> bytes:
        """Return the whole value, checked. Memory is taken once, and at most `max_bytes`.

        Raises:
            DictionaryMissing: fetch it and `know` it, then try again.
            ResultUnreadable: damaged, torn off or too large; the operator looks at the disk.
        """
    def read(
        self, parcel: bytes | bytearray | memoryview, offset: int, length: int, *, tenant: str = ""
    ) -> bytes:
        """Return a part of the value, shorter where it ends; only its frames are unpacked and checked.

        Raises:
            DictionaryMissing: fetch it and `know` it, then try again.
            ResultUnreadable: damaged or torn off; the operator looks at the disk.
        """
    def read_part(
        self, header: bytes, part: bytes, offset: int, length: int, *, tenant: str = ""
    ) -> bytes:
        """Return what `read` returns, from the header and the bytes that `needed` names alone.

        Raises:
            DictionaryMissing: fetch it and `know` it, then try again.
            ResultUnreadable: damaged or torn off; the operator looks at the disk.
        """
    def due(self) -> list[tuple[str, str]]:
        """Return each tenant and tool that has enough samples for a dictionary, once."""
    def train(self, tenant: str, tool: str) -> bytes | None:
        """Return a new dictionary, not yet in use; None if it would gain too little.

        Takes about 40 ms without the GIL. Store it before `use`.
        """
    def use(self, tenant: str, tool: str, dictionary: bytes) -> int:
        """Pack small results of this tool with a dictionary from now on; returns its id."""
    def know(self, tenant: str, dictionary: bytes) -> int:
        """Unpack with a dictionary from now on; returns its id. At most 1,024 are kept."""
    def dictionary(self, tenant: str, id: int) -> bytes | None:
        """Return the bytes of a dictionary that is known."""
    def statistics(self) -> dict[str, int]:
        """Return bytes by codec and side, values that were not packed by reason, and what is held."""

@final
class RecordInfo:
    """One sound record of a segment."""

    @property
    def kind(self) -> Literal["parcel", "dictionary"]:
        """What its body is."""
    @property
    def id(self) -> bytes:
        """The 16 bytes that were given."""
    @property
    def label(self) -> bytes:
        """The owner's own words."""
    @property
    def sealed(self) -> bool:
        """Whether the body is encrypted."""
    @property
    def offset(self) -> int:
        """Where it begins."""
    @property
    def length(self) -> int:
        """Its bytes, with the zeros behind it."""
    @property
    def body_offset(self) -> int:
        """Where its body begins: a multiple of 8."""
    @property
    def body_length(self) -> int:
        """Bytes of its body."""

@final
class Scan:
    """What a segment holds."""

    @property
    def capacity(self) -> int:
        """Bytes of the whole file, as its header says."""
    @property
    def nonce(self) -> int:
        """The number that its records are known by."""
    @property
    def created_ms(self) -> int:
        """Milliseconds since 1970."""
    @property
    def key_id(self) -> str:
        """The key that sealed its bodies; empty if they are not sealed."""
    @property
    def records(self) -> list[RecordInfo]:
        """The sound records, in order."""
    @property
    def broken(self) -> int:
        """Places where something was passed over."""
    @property
    def broken_bytes(self) -> int:
        """Bytes that were passed over."""
    @property
    def end(self) -> int:
        """Behind the last sound record: a multiple of 8."""
    @property
    def torn(self) -> bool:
        """Whether there is anything but zeros behind it."""

def segment_header(capacity: int, nonce: int, created_ms: int, key_id: str = "") -> bytes:
    """Return the 64 bytes that a segment begins with.

    Args:
        capacity: bytes of the whole file.
        nonce: 64 random bits. Only who knows them can make a record of this segment.
        created_ms: milliseconds since 1970.
        key_id: up to 28 ASCII characters that name the key; empty if bodies are not sealed.
    """

def record_head(
    nonce: int,
    kind: Literal["parcel", "dictionary"],
    id: bytes,
    parts: Sequence[bytes],
    *,
    label: bytes = ...,
    sealed: bool = False,
) -> bytes:
    """Return what to write before a record's body, at a multiple of 8; zeros follow to the next one.

    Args:
        nonce: the segment's.
        kind: what the body is.
        id: exactly 16 bytes.
        parts: the pieces of the body, in order.
        label: up to 1,000 bytes that a scan gives back.
        sealed: whether the body is encrypted.
    """

def record_bytes(label_length: int, body_length: int) -> int:
    """Return the bytes of a record in its file."""

def scan(segment: bytes | bytearray | memoryview) -> Scan:
    """Read a whole segment, without the GIL.

    Raises:
        ResultUnreadable: its header is damaged, so nothing in it can be believed.
    """

@final
class Segments:
    """Which spill file has room, what in it is live, and what may go. It opens no file."""

    def __new__(cls, *, segment_bytes: int = 67108864, quota_bytes: int = 4294967296) -> Self: ...
    def place(self, record_bytes: int) -> tuple[int, int, int] | None:
        """Return segment, offset, and the size of the file to make first (0: it is there).

        None if the quota is reached: then nothing has changed.
        """
    def failed(self, segment: int) -> bool:
        """Forget a file that could not be made, with what was placed there."""
    def free(self, segment: int, record_bytes: int) -> bool:
        """Count a record as dead; true if its file is to be removed now."""
    def seal(self) -> int | None:
        """Seal the open segment and return its number."""
    def empty(self) -> list[int]:
        """Return sealed segments without a live record that are not yet `removed`."""
    def removed(self, segment: int) -> bool:
        """Give a file's bytes back to the quota: it is unlinked and its map is closed."""
    def sparse(self) -> list[int]:
        """Return sealed segments that are less than a quarter live, the emptiest first."""
    def lower_quota(self) -> int:
        """Make what is held now the quota, as the disk is full, and return it."""
    def adopt(self, capacity: int, live_bytes: int, records: int) -> int:
        """Take over a sealed file and return its number."""
    def statistics(self) -> dict[str, int]:
        """Return counts of segments, live records and bytes."""

@final
class JsonStream:
    """JSON that comes in pieces: says of every value when it is complete. For one reader at a time.

    A piece may end anywhere: in an escape, a surrogate pair, a character, a number.
    """

    def __new__(
        cls,
        *,
        arguments: bool = True,
        values: bool = True,
        depth: int = 64,
        items: int = 65_536,
        bytes: int = 1_048_576,
    ) -> Self:
        """Make a stream.

        Args:
            arguments: whether it must be an object, or nothing at all; else any JSON.
            values: whether to return values; else only faults and the end are of interest.
            depth: objects and arrays inside each other, the outermost included.
            items: values of any kind.
            bytes: of the whole text.
        """
    def feed(self, piece: bytes | str, /) -> list[tuple[tuple[str | int, ...], bytes]]:
        """Read on. Returns the path and the JSON of each value that is complete now, inner ones first.

        The outermost value has the path `()`. A number is complete with the byte behind it.

        Raises:
            BadJson: the text cannot be read, now and for good; says where; the model acts.
        """
    def finish(self) -> list[tuple[tuple[str | int, ...], bytes]]:
        """Say that there are no more pieces. Returns what that completed.

        Raises:
            BadJson: the text ends too early, or was refused before; the model acts.
        """
    @property
    def ended(self) -> bool:
        """Whether the outermost value is complete."""

@final
class Ledger:
    """What is held where, and what leaves memory next. Entries are numbers that are never reused."""

    def __new__(cls, memory_bytes: int, *, spills: bool = True) -> Self: ...
    def add(self, resident_bytes: int, *, plain: bool) -> int:
        """Return the entry of a new object with one holder. Only a plain one may move."""
    def hold(self, entry: int) -> bool:
        """Add a holder; false if the entry is gone."""
    def release(self, entry: int) -> bool:
        """Take a holder away; true if it was the last one, and the entry is gone."""
    def pin(self, entry: int) -> bool:
        """Keep it where it is; false if the entry is gone."""
    def unpin(self, entry: int) -> bool:
        """Take one pin back; false if it has none, or is gone."""
    def touch(self, entry: int) -> bool:
        """Note that it was used; false if the entry is gone."""
    def next_move(self) -> tuple[int, Literal["packed", "disk"]] | None:
        """Return whom to demote now; it is under way until `moved` or `stuck`."""
    def moved(
        self, entry: int, where: Literal["object", "packed", "disk", "remote"], resident_bytes: int
    ) -> bool:
        """Note where a value is now; false if it was released meanwhile: free what was made of it."""
    def stuck(self, entry: int) -> bool:
        """Note that it could not be moved; false if it was released meanwhile."""
    def set_spills(self, spills: bool) -> None:
        """Say whether anything can go to disk."""
    def where(self, entry: int) -> Literal["object", "packed", "disk", "remote"] | None:
        """Return where a value is; None if its entry is gone."""
    @property
    def held_bytes(self) -> int:
        """Bytes of memory that all entries take now."""
    @property
    def is_full(self) -> bool:
        """Whether too much is held, and nothing can move or is moving."""
    def statistics(self) -> dict[str, int]:
        """Return what is held where, and what was moved."""

@final
class Candidate:
    """A call that may come, as `Predictor.predict` gives it: `rust/core/src/predict/`."""

    @property
    def tool(self) -> str:
        """The tool's name."""
    @property
    def arguments(self) -> bytes:
        """Canonical JSON: keys sorted, no white space."""
    @property
    def key(self) -> bytes:
        """16 bytes: xxh3 of tool and arguments, as `canonical` makes it."""
    @property
    def p(self) -> float:
        """The chance that the coming step has this call, calibrated."""
    @property
    def late_p(self) -> float:
        """The chance that only a later step has it."""
    @property
    def templates(self) -> list[str]:
        """Where each argument comes from: `result text input argument constant closed repeat`."""
    @property
    def confirmed(self) -> int:
        """Real calls of the tenant that had their values from the same places, of the least confirmed."""
    @property
    def scope(self) -> Literal["agent", "tenant", "global"]:
        """Who has been in this situation; `global`: other tenants only."""
    @property
    def shadow(self) -> bool:
        """Whether too little is known of how guesses of its tool come true for one to run."""

@final
class Decision:
    """What is thought at a decision point."""

    @property
    def number(self) -> int:
        """Counts the predictions of the session from 1; `Predictor.score` takes it."""
    @property
    def candidates(self) -> tuple[Candidate, ...]:
        """The likeliest first."""
    @property
    def end_p(self) -> float:
        """The chance that the model answers in words."""
    @property
    def tools(self) -> list[tuple[str, float]]:
        """The chance of each tool to be called next, the likeliest first."""

@final
class Predictor:
    """Learns from conversations and guesses the next calls of each: `rust/core/src/predict/`.

    It is told what happens in the order in which it happens. The calls of a step are open until the
    next `decision`, `user` or `end`. What is told of a session that was not started is not kept.

    Args:
        memory_bytes: model and sessions together, about, by default 64 MiB; what was used longest
            ago leaves.
        off: parts to switch off, to see what they give.

    Raises:
        ConfigError: there is no part of that name.
    """

    def __new__(cls, *, memory_bytes: int = ..., off: Sequence[str] = ...) -> Self: ...
    @staticmethod
    def parts() -> list[str]:
        """The names of the parts that can be switched off."""
    def guess(self, tenant: str, tool: str, guessed: bool) -> None:
        """Say whether a tool may be a candidate; by default each may."""
    def declare(self, tenant: str, tool: str, form: bytes) -> None:
        """Say which form a tool has: its version and schema, in any bytes.

        A tool begins in shadow, and does so again with another form: `Candidate.shadow` is true until
        20 decisions had guesses of it that came true about as often as was said.
        """
    def start(
        self,
        session: str,
        *,
        tenant: str = "",
        agent: str = "",
        task: str = "",
        learns: bool = True,
    ) -> None:
        """Begin a session; one of the same name ends.

        Values never leave the `tenant`; sessions of one `agent` are alike; a constant must be seen in
        three different tasks. A session that does not learn leaves no trace in the model.
        """
    def user(self, session: str, text: str) -> None:
        """The user wrote."""
    def call(self, session: str, tool: str, arguments: bytes) -> None:
        """The model called a tool; `arguments` is a JSON object."""
    def result(
        self, session: str, call: int, outcome: Literal["ok", "empty", "error"], value: bytes
    ) -> None:
        """A call of the open step ended; `call` is its place in the step, `value` JSON.

        Raises:
            ConfigError: the outcome is none of the three words.
        """
    def decision(self, session: str) -> None:
        """The step is over: the model generates again."""
    def end(self, session: str) -> None:
        """The model answered in words."""
    def forget(self, session: str) -> None:
        """End a session and forget what it has seen."""
    def leaves(self, session: str) -> int:
        """How many values the session's index has taken in."""
    def predict(
        self,
        session: str,
        k: int = 8,
        *,
        step: Sequence[tuple[str, bytes]] = ...,
        open: tuple[str, bytes] | None = None,
    ) -> Decision:
        """The likeliest calls of the coming step, at most `k`.

        Args:
            session: one that was started; nothing is predicted for another.
            k: candidates, at most.
            step: calls of the coming step that are known already, in their order: tool and arguments.
                Only further ones are candidates, and `end_p` is the chance that there are none.
            open: the call that is being spoken: its tool and those of its arguments that are closed,
                a JSON object. Only calls of the tool with these arguments are candidates.

        Returns:
            the decision; with `step` or `open` its `number` is 0: it cannot be scored, and predicting
            it has changed nothing.
        """
    def predict_after(
        self,
        session: str,
        calls: Sequence[tuple[str, bytes, Literal["ok", "empty", "error"], bytes]],
        k: int = 4,
    ) -> Decision:
        """The likeliest calls of the step after these, as if they had been made; nothing is changed.

        Args:
            session: one that was started; nothing is predicted for another.
            calls: 1 to 3 calls, made one after the other: tool, arguments, what became of it, and the
                result as JSON. For more nothing is predicted.
            k: candidates, at most, and never more than 4.

        Returns:
            the decision, of number 0: it cannot be scored. The chance of a candidate is that once the
            calls were made; times theirs it is the chance of both.

        Raises:
            ConfigError: an outcome is none of the three words.
        """
    def score(self, session: str, number: int, truth: Sequence[bytes]) -> None:
        """Tell which calls a decision's step had, by their keys; moves the calibration."""
    def snapshot(self) -> bytes:
        """The model as bytes. Equal models give equal bytes; sessions are not in it."""
    def load(self, snapshot: bytes) -> None:
        """Replace the model.

        Raises:
            SnapshotError: wrong magic, version or checksum; nothing was changed.
        """
    def merge(self, snapshot: bytes) -> None:
        """Add what another process learned; the order of merges does not matter.

        Raises:
            SnapshotError: as `load`.
        """
    def statistics(self) -> dict[str, int]:
        """Counts: `tenants sessions contexts templates beyond bytes`."""

@final
class WasteBudget:
    """What a tenant may lose by launches that nobody asks for: 5, +0.3 a real call, at most 50."""

    def __new__(cls) -> Self: ...
    def launch(self) -> bool:
        """Pay 1 for a launch; False, and nothing paid, if there is less."""
    def promoted(self) -> None:
        """A launch was asked for: its 1 comes back."""
    def call(self) -> None:
        """A real call was made."""
    @property
    def left(self) -> float:
        """How many launches could be lost."""

@final
class Sketch:
    """How long something takes: quantiles and means within 3.2 %."""

    def __new__(cls) -> Self: ...
    def record(self, seconds: float, now: float) -> None:
        """Count a duration that ended at `now`."""
    def __len__(self) -> int: ...

@final
class Unheard:
    """What a guess has told before somebody asked for it: 1,024 events and 256 KiB at most."""

    def __new__(cls) -> Self: ...
    def __len__(self) -> int: ...
    @property
    def is_whole(self) -> bool:
        """Whether all that was told is there."""

def canonical(tool: str, arguments: bytes) -> tuple[bytes, bytes] | None:
    """Canonical arguments and key of a call; None if it has none: it is never guessed.

    That is so for what is no JSON object, and for numbers that a double rounds. Defaults of a schema
    and Unicode normal form are the caller's.
    """

def weigh(
    p: float,
    late_p: float = 0.0,
    *,
    overlap: float | None = None,
    latency: float | None = None,
    price: float = 0.0,
    tokens: float = 0.0,
    seconds_per_token: float = 0.0,
    fill: float = 1.0,
    busy: float = 0.0,
    waste_left: float = 18.0,
    value_per_second: float = 1000.0,
    min_p: float = 0.2,
    min_p_priced: float = 0.5,
) -> tuple[Literal["launch", "shadow", "unlikely", "dear"], float]:
    """Weigh one launch: the verdict, and what it is expected to gain, in micro-dollars.

    See `rust/core/src/predict/gate.rs`. Money is in micro-dollars, time in seconds.
    """

def is_control(session: str, number: int, share: float = 0.01) -> bool:
    """Whether a decision point is in the control group, where nothing is launched."""
