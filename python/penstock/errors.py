"""The error tree: every error that Penstock raises or puts into an outcome.

Each class has a stable `code`, says whether the same call may succeed later (`retryable`) and who
must act (`who`), and keeps what it knows in typed fields. Native code builds these classes with
positional fields, in the order in which they are declared here.
"""

import difflib
import re
import reprlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

__all__ = [
    "BadJson",
    "BadPlan",
    "BadPlugin",
    "BadReply",
    "BadValue",
    "BreakerOpen",
    "BudgetExceeded",
    "CallCancelled",
    "CallSkipped",
    "CallTimeout",
    "CommandFailed",
    "ConfigError",
    "Deadlock",
    "DictionaryMissing",
    "DuplicatePlugin",
    "DuplicateTool",
    "EngineClosed",
    "EngineFull",
    "ExecutorFailed",
    "Fault",
    "InternalError",
    "InvalidArguments",
    "LimitBackendAway",
    "LimitDeadline",
    "LimitError",
    "LimitExceeded",
    "LimitImpossible",
    "LimitQueueFull",
    "MissingExtra",
    "Overloaded",
    "PenstockError",
    "RateLimited",
    "ReplyClosed",
    "ResultTooLarge",
    "ResultUnreadable",
    "ResultsFull",
    "SessionClosed",
    "SnapshotError",
    "StreamExpired",
    "StreamPosition",
    "TooDeep",
    "TooManyDetached",
    "TraceError",
    "TransferFailed",
    "UnknownPlugin",
    "UnknownTool",
    "UnresolvedRef",
    "Who",
    "WorkerDied",
    "WouldDeadlock",
    "WrongThread",
    "cut",
    "extend_path",
    "nearest",
    "shown",
    "sounds_secret",
]

Who = Literal["caller", "operator", "tool_author", "model", "penstock"]

SHOWN_CHARACTERS = 200
"""How much of a value an error shows: enough to recognise it, too little to flood a log."""

_SHOWN_ENDS = 5

# `password='...'`, `"api_key": "..."` and `https://user:password@host` in a shown value.
_HIDDEN = (
    r"[\w-]*(?:passwo?r?d|secret|token|(?:api|secret|private)[_-]?key|authorization|credentials?)"
)
_HIDDEN_FIELD = re.compile(rf"(?i)(?:^|\.){_HIDDEN}$")
_HIDDEN_PAIR = re.compile(rf"(?i)(\b{_HIDDEN}['\"]?\s*[:=]\s*)(?:'[^']*'?|\"[^\"]*\"?|[^\s,)}}]+)")
_HIDDEN_URL = re.compile(r"(://)[^/\s'\"@]+@")


def shown(value: object, *, field: str = "") -> str:
    """Return `value` as an error may show it: its repr, cut, with secrets masked.

    Args:
        value: anything; a broken `__repr__` is survived.
        field: the name or path of the field it came from; a name such as `api_key` hides it all.
    """
    if sounds_secret(field):
        return "***"
    try:
        text = _shortener.repr(value)
    except (AttributeError, TypeError, ValueError):  # such as a whole number of 10,000 digits
        text = f"<{type(value).__name__}>"
    return cut(_HIDDEN_URL.sub(r"\1***@", _HIDDEN_PAIR.sub(r"\1***", text)))


def sounds_secret(name: str) -> bool:
    """Return whether the name or path of a field says that its value is secret, such as `api_key`."""
    return _HIDDEN_FIELD.search(name) is not None


def cut(text: str, limit: int = SHOWN_CHARACTERS) -> str:
    """Return `text`, or its first `limit - 1` characters and an ellipsis."""
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _ends(names: Sequence[str]) -> list[str]:
    """The first and last of many names, each cut, and how many are between them."""
    hidden = len(names) - 2 * _SHOWN_ENDS
    if hidden < 2:
        return [cut(name) for name in names]
    first, last = map(cut, names[:_SHOWN_ENDS]), map(cut, names[-_SHOWN_ENDS:])
    return [*first, f"… {hidden:,} more …", *last]


def _make_shortener() -> reprlib.Repr:
    shortener = reprlib.Repr()
    shortener.maxlevel = 4
    shortener.maxstring = shortener.maxother = shortener.maxlong = SHOWN_CHARACTERS
    shortener.maxdict = shortener.maxlist = shortener.maxtuple = shortener.maxset = 10
    return shortener


# reprlib looks at a few items only, so that showing a value of 10 MB costs no more than a small one.
_shortener = _make_shortener()


def nearest(name: str, known: Iterable[str], *, most: int = 3) -> tuple[str, ...]:
    """Return the known names that `name` may stand for, best first.

    Case and the way words are joined do not count (`getWeather` is `get_weather`), because that is
    how models get names wrong most often.
    """
    by_letters: dict[str, str] = {}
    for candidate in known:
        by_letters.setdefault(_letters(candidate), candidate)
    # A model may send a name of any length, and difflib takes the square of it.
    found = difflib.get_close_matches(_letters(name[:SHOWN_CHARACTERS]), by_letters, n=most)
    return tuple(by_letters[letters] for letters in found)


def _letters(name: str) -> str:
    return "".join(letter for letter in name.lower() if letter.isalnum())


def _did_you_mean(near: tuple[str, ...]) -> str:
    return f" Did you mean {' or '.join(repr(name) for name in near)}?" if near else ""


_PLAIN_NAME = re.compile(r"[^\W\d]\w*")


def extend_path(path: str, part: str | int) -> str:
    """Return the path of an item: `items`, then `items[2]`, `items[2].name`, `headers['x-y']`."""
    if isinstance(part, str) and _PLAIN_NAME.fullmatch(part):
        return f"{path}.{part}" if path else part
    return f"{path}[{part!r}]"


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong with the arguments of a call.

    Attributes:
        path: where, such as `days` or `items[2].name`; empty for the arguments as a whole.
        problem: what was wrong.
        allowed: what is allowed; empty if the problem says it.
        value: the value that was found, shortened; empty if there was none.
    """

    path: str
    problem: str
    allowed: str = ""
    value: str = ""

    def __str__(self) -> str:
        text = f"{self.path}: {self.problem}" if self.path else self.problem
        if self.allowed:
            text += f"; allowed: {self.allowed}"
        return f"{text} (got {self.value})" if self.value else text


class PenstockError(Exception):
    """The base of every error of Penstock."""

    code: ClassVar[str] = "penstock_error"
    retryable: ClassVar[bool] = False
    who: ClassVar[Who] = "penstock"

    __match_args__: ClassVar[tuple[str, ...]] = ()

    def __post_init__(self) -> None:
        # Pickle rebuilds an exception from `args`; a dataclass called by keyword leaves them empty.
        self.args = tuple(getattr(self, name) for name in self.__match_args__)

    def for_model(self) -> str:
        """Return a text for a model: what it can act on, without anything internal."""
        return str(self)


@dataclass(eq=False, repr=False)
class ConfigError(PenstockError, ValueError):
    """An option has a value that cannot work."""

    code: ClassVar[str] = "bad_config"
    who: ClassVar[Who] = "caller"

    field: str
    value: object
    reason: str

    def __str__(self) -> str:
        return f"{self.field}={shown(self.value, field=self.field)}: {self.reason}"

    def for_model(self) -> str:
        return "The tool is not configured correctly; this call cannot succeed as it is."


@dataclass(eq=False, repr=False)
class UnknownTool(PenstockError, LookupError):
    """A call names a tool that is not there."""

    code: ClassVar[str] = "unknown_tool"
    who: ClassVar[Who] = "model"

    name: str
    near: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"There is no tool named {shown(self.name)}.{_did_you_mean(self.near)}"


@dataclass(eq=False, repr=False)
class DuplicateTool(PenstockError, ValueError):
    """Two different tools have one name."""

    code: ClassVar[str] = "duplicate_tool"
    who: ClassVar[Who] = "caller"

    name: str

    def __str__(self) -> str:
        return (
            f"Two tools are named {shown(self.name)}. "
            "Give one another name, with @tool(name=...) or Toolset.prefix()."
        )


@dataclass(eq=False, repr=False)
class InvalidArguments(PenstockError, ValueError):
    """The arguments of a call do not fit the tool. The tool was not run."""

    code: ClassVar[str] = "invalid_arguments"
    who: ClassVar[Who] = "model"

    tool: str
    faults: tuple[Fault, ...]

    def __str__(self) -> str:
        lines = "".join(f"\n- {fault}" for fault in self.faults)
        return f"The arguments of {shown(self.tool)} are not valid:{lines}"


@dataclass(eq=False, repr=False)
class BadJson(PenstockError, ValueError):
    """A text that comes in pieces is no JSON that can be read on."""

    code: ClassVar[str] = "bad_json"
    who: ClassVar[Who] = "model"

    reason: str
    path: str
    offset: int

    def __str__(self) -> str:
        place = f"byte {self.offset}" + (f", in {shown(self.path)}" if self.path else "")
        return f"The JSON cannot be read: {cut(self.reason)} ({place})"


@dataclass(eq=False, repr=False)
class BadReply(PenstockError, ValueError):
    """A model's reply cannot be read as what its format says it is."""

    code: ClassVar[str] = "bad_reply"
    who: ClassVar[Who] = "model"

    format: str
    path: str
    reason: str

    def __str__(self) -> str:
        place = f" at {self.path}" if self.path else ""
        return f"Not a reply in the format {self.format}{place}: {self.reason}"


@dataclass(eq=False, repr=False)
class BadPlan(PenstockError, ValueError):
    """The calls of a plan or batch cannot be put in an order. None of them was run."""

    code: ClassVar[str] = "bad_plan"
    who: ClassVar[Who] = "caller"

    call: str
    field: str
    reason: str
    cycle: tuple[str, ...] = ()

    def __str__(self) -> str:
        # A fault of the whole batch has no call.
        places = [f"Call {shown(self.call)}"] if self.call else ["The batch"]
        places += [cut(self.field)] if self.field else []
        cycle = f" ({' -> '.join(_ends(self.cycle))})" if self.cycle else ""
        return f"{', '.join(places)}: {self.reason}{cycle}"


@dataclass(eq=False, repr=False)
class UnresolvedRef(PenstockError, LookupError):
    """A `Ref` points to something that its parent's value does not have."""

    code: ClassVar[str] = "unresolved_ref"
    who: ClassVar[Who] = "caller"

    call: str
    path: str
    reason: str

    def __str__(self) -> str:
        place = f" at {cut(self.path)}" if self.path else ""
        return f"The value of call {shown(self.call)} has nothing to use{place}: {self.reason}"


@dataclass(eq=False, repr=False)
class EngineFull(PenstockError):
    """The engine holds as many waiting calls as it may. Nothing of the batch was taken."""

    code: ClassVar[str] = "engine_full"
    retryable: ClassVar[bool] = True
    who: ClassVar[Who] = "operator"

    pending: int
    max_pending: int
    retry_after: float

    def __str__(self) -> str:
        return (
            f"{self.pending} calls are pending, max_pending={self.max_pending}. Try again in "
            f"{self.retry_after:.3g} s, submit with wait=True, or raise max_pending."
        )

    def for_model(self) -> str:
        return f"The system is busy. Try again in {self.retry_after:.3g} s."


@dataclass(eq=False, repr=False)
class EngineClosed(PenstockError, RuntimeError):
    """The engine does not take calls: it was not opened, or is closing or closed."""

    code: ClassVar[str] = "engine_closed"
    who: ClassVar[Who] = "caller"

    state: str

    def __str__(self) -> str:
        return f"The engine is {self.state}. Use it inside `async with Engine(...)`."

    def for_model(self) -> str:
        return "The system is shutting down and takes no more calls."


@dataclass(eq=False, repr=False)
class ReplyClosed(PenstockError, RuntimeError):
    """A model's reply is fed or asked for outcomes, but it has ended or was discarded."""

    code: ClassVar[str] = "reply_closed"
    who: ClassVar[Who] = "caller"

    reason: str

    def __str__(self) -> str:
        return f"The reply takes nothing more: {cut(self.reason)}"


@dataclass(eq=False, repr=False)
class SessionClosed(PenstockError, RuntimeError):
    """A session is used that was closed."""

    code: ClassVar[str] = "session_closed"
    who: ClassVar[Who] = "caller"

    session: str

    def __str__(self) -> str:
        return (
            f"The session {shown(self.session)} was closed. `engine.session` begins a new one, "
            "also with the same id."
        )


@dataclass(eq=False, repr=False)
class WrongThread(PenstockError, RuntimeError):
    """Something that belongs to the engine's event loop was used in another thread."""

    code: ClassVar[str] = "wrong_thread"
    who: ClassVar[Who] = "caller"

    what: str

    def __str__(self) -> str:
        return (
            f"{self.what} was used outside the thread of its event loop. "
            "Use loop.call_soon_threadsafe() or asyncio.run_coroutine_threadsafe()."
        )

    def for_model(self) -> str:
        return "The tool could not be run. The arguments are not the cause."


@dataclass(eq=False, repr=False)
class CallTimeout(PenstockError, TimeoutError):
    """A call did not end in time and was cancelled."""

    code: ClassVar[str] = "call_timeout"
    retryable: ClassVar[bool] = True
    who: ClassVar[Who] = "operator"

    tool: str
    seconds: float

    def __str__(self) -> str:
        return f"{shown(self.tool)} did not end within {self.seconds:.6g} s."


@dataclass(eq=False, repr=False)
class CallCancelled(PenstockError):
    """A call was cancelled before it ended."""

    code: ClassVar[str] = "call_cancelled"
    who: ClassVar[Who] = "caller"

    tool: str
    reason: str

    def __str__(self) -> str:
        return f"The call of {shown(self.tool)} was cancelled: {cut(self.reason)}"


@dataclass(eq=False, repr=False)
class CallSkipped(PenstockError):
    """A call was not run because a call that it needs did not succeed."""

    code: ClassVar[str] = "call_skipped"
    who: ClassVar[Who] = "caller"

    tool: str
    parent: str

    def __str__(self) -> str:
        return (
            f"{shown(self.tool)} was not run: it needs the call {shown(self.parent)}, "
            "which did not succeed."
        )


@dataclass(eq=False, repr=False)
class WouldDeadlock(PenstockError):
    """A call would wait for a slot that only its own ancestors hold."""

    code: ClassVar[str] = "would_deadlock"
    who: ClassVar[Who] = "tool_author"

    tool: str
    gate: str

    def __str__(self) -> str:
        return (
            f"{shown(self.tool)} would wait forever: only calls that it runs inside of can free "
            f"what it waits for: {self.gate}. Give it more room, or do not wait from within."
        )

    def for_model(self) -> str:
        return f"{shown(self.tool)} cannot be run from inside itself."


@dataclass(eq=False, repr=False)
class TooManyDetached(PenstockError):
    """Too many cancelled calls of a tool are still running."""

    code: ClassVar[str] = "too_many_detached"
    retryable: ClassVar[bool] = True
    who: ClassVar[Who] = "tool_author"

    tool: str
    limit: int

    def __str__(self) -> str:
        return (
            f"{self.limit} cancelled calls of {shown(self.tool)} have not ended. "
            "The tool must stop when it is cancelled; until some end, new calls are refused."
        )

    def for_model(self) -> str:
        return f"{shown(self.tool)} is overloaded. Try again later."


@dataclass(eq=False, repr=False)
class TooDeep(PenstockError, RecursionError):
    """Tools called tools too many levels deep."""

    code: ClassVar[str] = "too_deep"
    who: ClassVar[Who] = "tool_author"

    tool: str
    limit: int

    def __str__(self) -> str:
        return (
            f"{shown(self.tool)} is called more than {self.limit} levels deep inside other calls."
        )


@dataclass(eq=False, repr=False)
class InternalError(PenstockError, RuntimeError):
    """A bug in Penstock."""

    code: ClassVar[str] = "internal_error"
    who: ClassVar[Who] = "penstock"

    what: str

    def __str__(self) -> str:
        return f"Bug in Penstock: {cut(self.what, 1000)}. Please report it with the traceback."

    def for_model(self) -> str:
        return "The tool could not be run because of an internal error."


def _later(retry_after: float | None) -> str:
    """When to try again, as a sentence; nothing if nobody knows."""
    return "" if retry_after is None else f" Try again in {retry_after:.3g} s."


@dataclass(eq=False, repr=False)
class LimitError(PenstockError):
    """The base of what a limit answers: it names the limit and the scope that it counts for."""

    code: ClassVar[str] = "limit"
    who: ClassVar[Who] = "caller"

    limit: str
    scope: str
    retry_after: float | None = None

    def for_model(self) -> str:
        return f"A limit of the service was reached; nothing ran.{_later(self.retry_after)}"


@dataclass(eq=False, repr=False)
class LimitExceeded(LimitError):
    """A limit cannot pay now, and nobody waits for it. Nothing was spent."""

    code: ClassVar[str] = "quota_exceeded"
    retryable: ClassVar[bool] = True

    def __str__(self) -> str:
        return f"{shown(self.limit)} ({self.scope}) is used up.{_later(self.retry_after)}"


@dataclass(eq=False, repr=False)
class LimitQueueFull(LimitError):
    """As many calls wait for a limit as may. Nothing was spent."""

    code: ClassVar[str] = "limit_queue_full"
    retryable: ClassVar[bool] = True

    waiting: int = 0

    def __str__(self) -> str:
        return (
            f"{self.waiting} calls wait for {shown(self.limit)} ({self.scope}), max_waiting of "
            f"that limit.{_later(self.retry_after)}"
        )


@dataclass(eq=False, repr=False)
class LimitDeadline(LimitError):
    """A call would get its turn at a limit only after its deadline. Nothing was spent."""

    code: ClassVar[str] = "limit_deadline"

    def __str__(self) -> str:
        return (
            f"{shown(self.limit)} ({self.scope}) has no turn for this call before its deadline."
            f"{_later(self.retry_after)}"
        )


@dataclass(eq=False, repr=False)
class LimitImpossible(LimitError):
    """A call costs more than a limit ever gives at once: it would wait for ever."""

    code: ClassVar[str] = "limit_impossible"
    who: ClassVar[Who] = "operator"

    cost: int = 0
    most: int = 0

    def __str__(self) -> str:
        return (
            f"The call costs {self.cost:,} of {shown(self.limit)} ({self.scope}), which gives at "
            f"most {self.most:,} at once. Split the call, or raise `burst` or `n` of that limit."
        )

    def for_model(self) -> str:
        return "The call is too large for a limit of the service. Ask for less at once."


@dataclass(eq=False, repr=False)
class BudgetExceeded(LimitError):
    """What a call may cost is not left in a budget. Nothing was spent.

    Amounts are in the budget's own unit: millionths of a dollar, or tokens.
    """

    code: ClassVar[str] = "budget_exceeded"

    remaining: int = 0
    resets_at: float | None = None
    unit: Literal["microusd", "tokens"] = "microusd"

    def __str__(self) -> str:
        money = self.unit == "microusd"
        left = f"${self.remaining / 1e6:.6g}" if money else f"{self.remaining:,} tokens"
        text = f"The budget {shown(self.limit)} ({self.scope}) has {left} left"
        return f"{text}: too little for this call.{_later(self.retry_after)}"

    def for_model(self) -> str:
        return "The budget is spent. Finish with what you have, without further calls of this kind."


@dataclass(eq=False, repr=False)
class LimitBackendAway(LimitError):
    """The backend that shares a limit between processes cannot be reached."""

    code: ClassVar[str] = "backend_away"
    retryable: ClassVar[bool] = True
    who: ClassVar[Who] = "operator"

    def __str__(self) -> str:
        return (
            f"The backend of {shown(self.limit)} ({self.scope}) is away, and its lease is spent."
            f"{_later(self.retry_after)}"
        )


@dataclass(eq=False, repr=False)
class RateLimited(LimitError):
    """A service said that it was asked too often. For tools to raise: `RateLimited(2.5)`.

    Attributes:
        retry_after: seconds, if the service said so.
        limit, scope: empty when a tool raises it.
    """

    code: ClassVar[str] = "rate_limited"
    retryable: ClassVar[bool] = True

    __match_args__: ClassVar[tuple[str, ...]] = ("retry_after", "limit", "scope")

    def __init__(self, retry_after: float | None = None, limit: str = "", scope: str = "") -> None:
        super().__init__(limit, scope, retry_after)

    def __str__(self) -> str:
        return f"The service was asked too often.{_later(self.retry_after)}"


@dataclass(eq=False, repr=False)
class BreakerOpen(PenstockError):
    """A service failed too often just now, so that nobody asks it for a while."""

    code: ClassVar[str] = "breaker_open"
    retryable: ClassVar[bool] = True
    who: ClassVar[Who] = "operator"

    breaker: str
    retry_after: float | None = None

    def __str__(self) -> str:
        return f"The breaker {shown(self.breaker)} is open.{_later(self.retry_after)}"

    def for_model(self) -> str:
        return f"The service of this tool is failing.{_later(self.retry_after)}"


@dataclass(eq=False, repr=False)
class Overloaded(PenstockError):
    """Too many calls of a tool wait already, so that this one was turned away at once."""

    code: ClassVar[str] = "overloaded"
    retryable: ClassVar[bool] = True
    who: ClassVar[Who] = "operator"

    tool: str
    waiting: int
    retry_after: float | None = None

    def __str__(self) -> str:
        return f"{self.waiting} calls of {shown(self.tool)} wait.{_later(self.retry_after)}"

    def for_model(self) -> str:
        return f"The tool is overloaded.{_later(self.retry_after)}"


@dataclass(eq=False, repr=False)
class StreamPosition(PenstockError, ValueError):
    """A watcher wants to begin where its stream has not come yet."""

    code: ClassVar[str] = "stream_position"
    who: ClassVar[Who] = "caller"

    after: object
    newest: int

    def __str__(self) -> str:
        return (
            f"after={shown(self.after)}: a stream begins behind an event that it has: "
            f"0 to {self.newest}, or -1 for from now."
        )


@dataclass(eq=False, repr=False)
class StreamExpired(PenstockError, LookupError):
    """The events of a stream are gone."""

    code: ClassVar[str] = "stream_expired"
    who: ClassVar[Who] = "caller"

    reason: str

    def __str__(self) -> str:
        return f"The events cannot be read any more: {self.reason}."


@dataclass(eq=False, repr=False)
class UnknownPlugin(PenstockError, LookupError):
    """No file and no entry point has the name that was asked for."""

    code: ClassVar[str] = "unknown_plugin"
    who: ClassVar[Who] = "caller"

    kind: str
    name: str
    near: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"There is no {self.kind} named {shown(self.name)}.{_did_you_mean(self.near)}"


@dataclass(eq=False, repr=False)
class DuplicatePlugin(PenstockError, ValueError):
    """Two places provide a plug-in of one name."""

    code: ClassVar[str] = "duplicate_plugin"
    who: ClassVar[Who] = "operator"

    kind: str
    name: str
    origins: tuple[str, ...]

    def __str__(self) -> str:
        return (
            f"The {self.kind} {shown(self.name)} comes from {' and from '.join(self.origins)}. "
            "Remove or rename one."
        )


@dataclass(eq=False, repr=False)
class BadPlugin(PenstockError, TypeError):
    """A plug-in was found, and it is not what its folder or entry point promises."""

    code: ClassVar[str] = "bad_plugin"
    who: ClassVar[Who] = "tool_author"

    kind: str
    name: str
    origin: str
    constant: str
    expected: str
    reason: str

    def __str__(self) -> str:
        return (
            f"The {self.kind} {shown(self.name)} of {self.origin} cannot be used: {self.reason}. "
            f"It must define {self.constant}, a {self.expected}."
        )


@dataclass(eq=False, repr=False)
class MissingExtra(PenstockError, ImportError):
    """A plug-in needs a package that is not installed."""

    code: ClassVar[str] = "missing_extra"
    who: ClassVar[Who] = "operator"

    kind: str
    name: str
    package: str
    install: str

    def __str__(self) -> str:
        return (
            f"The {self.kind} {shown(self.name)} needs the package {self.package!r}, "
            f"which is not installed. Run: {self.install}"
        )


@dataclass(eq=False, repr=False)
class WorkerDied(PenstockError):
    """The process that ran a call ended before the call did. Other calls were not harmed."""

    code: ClassVar[str] = "worker_died"
    retryable: ClassVar[bool] = True
    who: ClassVar[Who] = "tool_author"

    tool: str
    signal: str
    exit_code: int | None = None

    def __str__(self) -> str:
        end = f"ended with exit code {self.exit_code}"
        if self.signal:
            end = f"was ended by {self.signal}{_SIGNAL_MEANINGS.get(self.signal, '')}"
        return f"The process that ran {shown(self.tool)} {end}. The call may have had effects."

    def for_model(self) -> str:
        return f"{shown(self.tool)} crashed. It may have done a part of its work."


_SIGNAL_MEANINGS = {
    "SIGKILL": " (when nobody sent it: the system, out of memory)",
    "SIGSEGV": " (a fault in native code)",
    "SIGXCPU": " (the call used up its seconds of processor)",
}


@dataclass(eq=False, repr=False)
class ExecutorFailed(PenstockError, RuntimeError):
    """What should run a call could not be started, or was lost. The tool is not the cause."""

    code: ClassVar[str] = "executor_failed"
    retryable: ClassVar[bool] = True
    who: ClassVar[Who] = "operator"

    executor: str
    reason: str

    def __str__(self) -> str:
        return (
            f"The executor {shown(self.executor)} could not run the call: {cut(self.reason, 1000)}"
        )

    def for_model(self) -> str:
        return "The tool could not be run. The arguments are not the cause."


@dataclass(eq=False, repr=False)
class TransferFailed(PenstockError, TypeError):
    """The arguments, the value or the error of a call cannot go from process to process."""

    code: ClassVar[str] = "transfer_failed"
    who: ClassVar[Who] = "tool_author"

    tool: str
    what: str
    reason: str

    def __str__(self) -> str:
        return (
            f"The {self.what} of {shown(self.tool)} cannot be sent between processes: "
            f"{cut(self.reason, 1000)}"
        )

    def for_model(self) -> str:
        return f"{shown(self.tool)} cannot pass on its {self.what}."


@dataclass(eq=False, repr=False)
class CommandFailed(PenstockError):
    """A program that a tool ran did not do what it should."""

    code: ClassVar[str] = "command_failed"
    who: ClassVar[Who] = "tool_author"

    program: str
    returncode: int | None
    stderr: str
    reason: str = ""

    def __str__(self) -> str:
        why = self.reason or f"ended with exit code {self.returncode}"
        said = f": {cut(self.stderr, 1000)}" if self.stderr else ""
        return f"{shown(self.program)} {why}{said}"

    def for_model(self) -> str:
        return f"The program behind the tool {self.reason or 'failed'}."


@dataclass(eq=False, repr=False)
class BadValue(PenstockError, TypeError):
    """The value of a tool holds something that JSON cannot express."""

    code: ClassVar[str] = "bad_value"
    who: ClassVar[Who] = "tool_author"

    path: str
    type: str
    reason: str

    def __str__(self) -> str:
        place = f" at {cut(self.path)}" if self.path else ""
        return f"A value of type {self.type}{place} cannot be written as JSON: {self.reason}"

    def for_model(self) -> str:
        return "The tool ran, but its result cannot be shown."


@dataclass(eq=False, repr=False)
class Deadlock(PenstockError, RuntimeError):
    """On a virtual event loop nothing is ready, no timer is set, and nothing comes from outside."""

    code: ClassVar[str] = "deadlock"
    who: ClassVar[Who] = "caller"

    seconds: float

    def __str__(self) -> str:
        return (
            "The program hangs: nothing is ready, no timer is set, and nothing woke the loop for "
            f"{self.seconds:g} s. Something awaits what nobody will do."
        )


@dataclass(eq=False, repr=False)
class ResultTooLarge(PenstockError, ValueError):
    """A tool returned more than a value may have. The value was dropped."""

    code: ClassVar[str] = "result_too_large"
    who: ClassVar[Who] = "tool_author"

    size: int
    limit: int

    def __str__(self) -> str:
        return (
            f"The value has {self.size:,} bytes, value_bytes={self.limit:,}. Return less, give it "
            "out in parts while it grows, or raise value_bytes."
        )

    def for_model(self) -> str:
        return f"The result has {self.size:,} bytes: too large. Ask for a smaller part of it."


@dataclass(eq=False, repr=False)
class ResultUnreadable(PenstockError, RuntimeError):
    """A value that had left memory cannot be read back. Other values were not harmed.

    Attributes:
        reason: what is wrong with its bytes, or with where they lie.
        result: which value; empty if whoever reads does not know.
    """

    code: ClassVar[str] = "result_unreadable"
    who: ClassVar[Who] = "operator"

    reason: str
    result: str = ""

    def __str__(self) -> str:
        name = f"The result {shown(self.result)}" if self.result else "A result"
        return f"{name} cannot be read: {cut(self.reason, 1000)}"

    def for_model(self) -> str:
        return (
            "The result was stored and cannot be read any more. Make the call again if it may be."
        )


@dataclass(eq=False, repr=False)
class DictionaryMissing(ResultUnreadable):
    """A packed value needs a dictionary that is not here. Where that is, it can be read.

    Attributes:
        reason: the same in words.
        dictionary: its id.
        result: which value; empty if whoever reads does not know.
    """

    code: ClassVar[str] = "dictionary_missing"

    dictionary: int = 0

    __match_args__: ClassVar[tuple[str, ...]] = ("reason", "dictionary", "result")

    def __init__(self, reason: str, dictionary: int, result: str = "") -> None:
        super().__init__(reason, result)
        self.dictionary = dictionary
        self.args = (reason, dictionary, result)


@dataclass(eq=False, repr=False)
class ResultsFull(PenstockError):
    """Values of earlier calls fill the memory and the disk that results may use."""

    code: ClassVar[str] = "results_full"
    retryable: ClassVar[bool] = True
    who: ClassVar[Who] = "operator"

    held: int
    limit: int
    retry_after: float | None = None

    def __str__(self) -> str:
        return (
            f"Results hold {self.held:,} bytes of memory, memory_bytes={self.limit:,}, and nothing "
            "of it can go to disk. Let go of outcomes that you have read, or raise memory_bytes or "
            f"disk_bytes.{_later(self.retry_after)}"
        )

    def for_model(self) -> str:
        return f"The system is busy.{_later(self.retry_after)}"


@dataclass(eq=False, repr=False)
class SnapshotError(PenstockError, ValueError):
    """Bytes that are no snapshot of a predictor, or not one that this release reads.

    The predictor that was to read them is as it was before.
    """

    code: ClassVar[str] = "bad_snapshot"
    who: ClassVar[Who] = "operator"

    reason: str

    def __str__(self) -> str:
        return (
            f"This is no snapshot of a predictor: {cut(self.reason, 1000)}. Nothing was changed; "
            "without a snapshot it learns from the start."
        )


@dataclass(eq=False, repr=False)
class TraceError(PenstockError, ValueError):
    """A line of a recorded session cannot be used.

    Attributes:
        file: its name.
        line: counted from 1; 0 if it is the file or the folder as a whole.
        field: what is wrong in the line; empty if it is the line as a whole.
        reason: what is wrong.
    """

    code: ClassVar[str] = "bad_trace"
    who: ClassVar[Who] = "caller"

    file: str
    line: int
    field: str
    reason: str

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        where = f"{place}, field {self.field!r}" if self.field else place
        return f"{where}: {cut(self.reason, 1000)}"
