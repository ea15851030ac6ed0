"""What a tool asks of the policies: one frozen record a policy, checked when it is made.

`@tool` also takes short forms (`retries=2`, `hedge=True`, `cache=60.0`, `breaker=True`, `shed=500`).
The functions below turn them into records, and hold the rule of effects: what may be repeated or
answered from another call is for the author of a tool to say, and `once`, the default, says no.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, cast, get_args

from penstock.errors import ConfigError

Wait = Literal["full_jitter", "exponential", "linear", "constant", "immediate"]
"""How the pause before a retry grows."""

Sharing = Literal["session", "tenant"]
"""Whom the value of a read answers in sessions, until something that it read was changed."""

LONGEST = 30 * 86_400.0
"""Seconds; the engine's timer wheel reaches no further."""

MOST_ATTEMPTS = 100
MOST_ENDPOINTS, LONGEST_NAME = 16, 256

MOST_PRICE = 1_000_000_000
"""Micro-dollars."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """Run a call again when it failed of something that may pass.

    A hint of the service ("retry after 2 s") wins over a shorter pause. Every retry also takes from
    the allowance of its service, so that a service that is down is not hit harder.

    Attributes:
        attempts: runs in all, the first included, 1 to 100.
        wait: how the pause grows with the number of retries, k from 0: `full_jitter` is a random
            part of `exponential`, which is `base * 2**k`; `linear` is `base * (k + 1)`; `constant`
            is `base`; `immediate` is no pause.
        base: seconds, above 0.
        most: seconds; no pause is longer, but for a hint of the service.
        on: errors to try again after; None for those that say so themselves (`retryable`), broken
            and refused connections, timeouts, and answers such as 503.
        total: seconds for all attempts and pauses together; None for no bound but the call's own.

    Raises:
        ConfigError: a field has a value that cannot work; the author of the tool acts.
    """

    attempts: int = 3
    wait: Wait = "full_jitter"
    base: float = 0.1
    most: float = 30.0
    on: tuple[type[Exception], ...] | None = None
    total: float | None = None

    def __post_init__(self) -> None:
        _check_count("attempts", self.attempts, least=1, most=MOST_ATTEMPTS)
        _check_word("wait", self.wait, get_args(Wait))
        _check_seconds("base", self.base)
        _check_seconds("most", self.most)
        if self.most < self.base:
            raise ConfigError("most", self.most, f"is below base={self.base:g}; raise it")
        if self.on is not None:
            _check_errors(self.on)
        if self.total is not None:
            _check_seconds("total", self.total)


@dataclass(frozen=True, slots=True, kw_only=True)
class Hedge:
    """Start a second attempt when the first takes unusually long; the first good answer wins.

    Attributes:
        after: seconds before another attempt starts; None to learn them: the time within which all
            but the share `extra` of the calls end, after the first 50 calls.
        extra: the share of calls that may cost another attempt, above 0 and at most 1.
        floor: seconds; a learned time is never shorter.
        max_attempts: attempts of one call in all, 2 to 10.
        endpoints: names of 2 to 16 places that answer alike, such as regions or hosts: the tool asks the one
            that `penstock.endpoint()` names. Calls take turns, and another attempt goes to another one.
            Each is timed for itself, and has a breaker of its own if the tool has one. None for one place.

    Raises:
        ConfigError: a field has a value that cannot work; the author of the tool acts.
    """

    after: float | None = None
    extra: float = 0.05
    floor: float = 0.001
    max_attempts: int = 3
    endpoints: Sequence[str] | None = None

    def __post_init__(self) -> None:
        if self.after is not None:
            _check_seconds("after", self.after)
        _check_share("extra", self.extra)
        _check_seconds("floor", self.floor)
        _check_count("max_attempts", self.max_attempts, least=2, most=10)
        if self.endpoints is not None:
            _check_endpoints(self.endpoints)
            object.__setattr__(self, "endpoints", tuple(self.endpoints))


@dataclass(frozen=True, slots=True)
class Cache:
    """Answer a call from the value of an equal one. Errors are never kept.

    Attributes:
        ttl: seconds for which a value is good.
        entries: values of one tool; beyond them the oldest goes.
        bytes: of the values of one tool, written as JSON; likewise.
        scope: who shares a value: the calls of one `tenant`, or `all`.

    Raises:
        ConfigError: a field has a value that cannot work; the author of the tool acts.
    """

    ttl: float
    entries: int = 1_000
    bytes: int = 16 << 20
    scope: Literal["tenant", "all"] = "tenant"

    def __post_init__(self) -> None:
        _check_seconds("ttl", self.ttl)
        _check_count("entries", self.entries, least=1, most=2**31)
        _check_count("bytes", self.bytes, least=1, most=2**53)
        _check_word("scope", self.scope, ("tenant", "all"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Breaker:
    """Stop calling a tool that keeps failing; try again a little, then more.

    Attributes:
        failures: the share of failed calls in ten seconds at which it opens, above 0, at most 1.
        slow: the same for calls that took longer than `slow_after`.
        slow_after: seconds from which a call counts as slow; None for never.
        min_calls: calls in ten seconds below which a share says nothing.
        consecutive: failed connections in a row at which it opens whatever the share.
        open_for: seconds that it stays open: the first time, and at most.
        on_open: what a call then does: `fail` at once, or `park` until it may try.

    Raises:
        ConfigError: a field has a value that cannot work; the author of the tool acts.
    """

    failures: float = 0.5
    slow: float = 0.8
    slow_after: float | None = None
    min_calls: int = 20
    consecutive: int = 5
    open_for: tuple[float, float] = (1.0, 60.0)
    on_open: Literal["fail", "park"] = "fail"

    def __post_init__(self) -> None:
        _check_share("failures", self.failures)
        _check_share("slow", self.slow)
        if self.slow_after is not None:
            _check_seconds("slow_after", self.slow_after)
        _check_count("min_calls", self.min_calls, least=1, most=2**20)
        _check_count("consecutive", self.consecutive, least=1, most=2**20)
        _check_open_for(self.open_for)
        _check_word("on_open", self.on_open, ("fail", "park"))


@dataclass(frozen=True, slots=True)
class Shed:
    """Refuse a call at once when it could only wait in vain.

    Attributes:
        max_waiting: calls of the tool that may wait; one more is refused.
        deadline: also refuse a call whose deadline comes before those in front of it are done.

    Raises:
        ConfigError: a field has a value that cannot work; the author of the tool acts.
    """

    max_waiting: int = 1_000
    deadline: bool = True

    def __post_init__(self) -> None:
        _check_count("max_waiting", self.max_waiting, least=1, most=2**30)
        if type(self.deadline) is not bool:
            raise ConfigError("deadline", self.deadline, "must be True or False")


def retries(value: object, effects: str, tool: str) -> Retry | None:
    """Return the option `retries` as a record: a number counts the attempts after the first."""
    if value is None or (type(value) is int and value == 0):
        return None
    if type(value) is int and 0 < value < MOST_ATTEMPTS:
        value = Retry(attempts=value + 1)
    if not isinstance(value, Retry):
        reason = f"tool {tool!r}: must be 0 to {MOST_ATTEMPTS - 1} retries, a Retry(...) or None"
        raise ConfigError("retries", value, reason)
    _refuse_repeats("retries", value, effects, tool)
    return value


def hedge(value: object, effects: str, tool: str, host: str = "call") -> Hedge | None:
    """Return the option `hedge` as a record; True is a `Hedge` that learns when to start."""
    value = Hedge() if value is True else value
    if value is None or value is False:
        return None
    if not isinstance(value, Hedge):
        raise ConfigError("hedge", value, f"tool {tool!r}: must be True, False or a Hedge(...)")
    _refuse_repeats("hedge", value, effects, tool)
    if value.endpoints is not None and host in ("process", "command"):
        reason = (
            f"tool {tool!r}: host={host!r} is another process, which does not hear which one to ask"
        )
        raise ConfigError("endpoints", value.endpoints, reason)
    return value


def cache(value: object, effects: str, tool: str) -> Cache | Sharing | None:
    """Return the option `cache`: a number is a record with the seconds that a value is good."""
    if value is None:
        return None
    if value in get_args(Sharing):
        _refuse_sharing("cache", value, effects, tool)
        return cast("Sharing", value)
    if isinstance(value, int | float) and not isinstance(value, bool):
        try:
            value = Cache(value)
        except ConfigError as error:
            raise ConfigError("cache", value, f"tool {tool!r}: {error.reason}") from None
    if not isinstance(value, Cache):
        reason = f"tool {tool!r}: must be seconds, a Cache(...), 'session' or 'tenant'"
        raise ConfigError("cache", value, reason)
    _refuse_sharing("cache", value, effects, tool)
    return value


def coalesce(value: object, effects: str, tool: str) -> bool:
    """Return the option `coalesce`: whether equal calls at one time are run once."""
    if type(value) is not bool:
        raise ConfigError("coalesce", value, f"tool {tool!r}: must be True or False")
    if value:
        _refuse_sharing("coalesce", value, effects, tool)
    return value


def breaker(value: object, tool: str) -> Breaker | None:
    """Return the option `breaker` as a record; True is a `Breaker` with its defaults."""
    value = Breaker() if value is True else value
    if value is None or value is False:
        return None
    if not isinstance(value, Breaker):
        raise ConfigError("breaker", value, f"tool {tool!r}: must be True, False or a Breaker(...)")
    return value


def shed(value: object, tool: str) -> Shed | None:
    """Return the option `shed` as a record: a number is the calls that may wait."""
    if value is None:
        return None
    if type(value) is int:
        try:
            value = Shed(value)
        except ConfigError as error:
            raise ConfigError("shed", value, f"tool {tool!r}: {error.reason}") from None
    if not isinstance(value, Shed):
        raise ConfigError("shed", value, f"tool {tool!r}: must be a number of calls or a Shed(...)")
    return value


def stable_for(value: object, cache: object, effects: str, tool: str) -> float | None:
    """Return the option `stable_for`: seconds for which a value is good if nobody says otherwise."""
    if value is None:
        if cache == "tenant":
            reason = (
                f"tool {tool!r}: cache='tenant' answers other sessions, whose changes may not be "
                "known; say with stable_for=seconds how long a value is good"
            )
            raise ConfigError("stable_for", value, reason)
        return None
    try:
        _check_seconds("stable_for", value)
    except ConfigError as error:
        raise ConfigError("stable_for", value, f"tool {tool!r}: {error.reason}") from None
    _refuse_sharing("stable_for", value, effects, tool)
    return float(cast("float", value))


def speculate(value: object, effects: str, tool: str) -> bool | None:
    """Return the option `speculate`: None leaves it to the rules, True and False do not."""
    if value is not None and type(value) is not bool:
        raise ConfigError("speculate", value, f"tool {tool!r}: must be True, False or None")
    if value:
        _refuse_sharing("speculate", value, effects, tool)
    return value


def price(value: object, tool: str) -> int:
    """Return the option `price`: micro-dollars of one call."""
    if type(value) is not int or not 0 <= value <= MOST_PRICE:
        reason = f"tool {tool!r}: must be whole micro-dollars of one call, 0 to {MOST_PRICE:,}"
        raise ConfigError("price", value, reason)
    return value


def _refuse_repeats(option: str, value: object, effects: str, tool: str) -> None:
    """A second run is harmless only if the tool says so."""
    if effects not in ("read", "idempotent"):
        reason = (
            f"tool {tool!r}: effects={effects!r} is never repeated; declare effects='idempotent' "
            f"or 'read' if it may be, or leave {option} out"
        )
        raise ConfigError(option, value, reason)


def _refuse_sharing(option: str, value: object, effects: str, tool: str) -> None:
    """A call that is answered by another one's value does not happen: only a reading may not."""
    if effects != "read":
        reason = (
            f"tool {tool!r}: effects={effects!r} must happen each time it is asked for; declare "
            f"effects='read' if it changes nothing, or leave {option} out"
        )
        raise ConfigError(option, value, reason)


def _check_count(field: str, value: object, *, least: int, most: int) -> None:
    if type(value) is not int or not least <= value <= most:
        raise ConfigError(field, value, f"must be a whole number from {least} to {most:,}")


def _check_seconds(field: str, value: object) -> None:
    if not _is_number(value) or not 0 < value <= LONGEST:  # type: ignore[operator]  # a number
        raise ConfigError(field, value, f"must be seconds above 0, at most {LONGEST:.0f} (30 days)")


def _check_share(field: str, value: object) -> None:
    if not _is_number(value) or not 0 < value <= 1:  # type: ignore[operator]  # a number
        raise ConfigError(field, value, "must be a share above 0 and at most 1")


def _check_endpoints(value: object) -> None:
    is_list = isinstance(value, Sequence) and not isinstance(value, str | bytes)
    names = list(value) if is_list else []  # type: ignore[call-overload]  # a sequence
    are_names = all(isinstance(name, str) and 1 <= len(name) <= LONGEST_NAME for name in names)
    if not 2 <= len(names) <= MOST_ENDPOINTS or not are_names or len(set(names)) < len(names):
        reason = f"must be 2 to {MOST_ENDPOINTS} different names of 1 to {LONGEST_NAME} characters, or None"
        raise ConfigError("endpoints", value, reason)


def _check_word(field: str, value: object, words: tuple[str, ...]) -> None:
    if value not in words:
        raise ConfigError(field, value, f"must be one of {', '.join(map(repr, words))}")


def _check_open_for(value: object) -> None:
    is_pair = isinstance(value, tuple) and len(value) == 2 and all(map(_is_number, value))
    if not is_pair or not 0 < value[0] <= value[1] <= LONGEST:  # type: ignore[index]  # a pair
        reason = "must be two numbers of seconds above 0, at first and at most: (1.0, 60.0)"
        raise ConfigError("open_for", value, reason)


def _check_errors(value: object) -> None:
    if not isinstance(value, tuple) or not value or not all(map(_is_error, value)):
        # A cancelled call must end, so what is no Exception is not for retries.
        reason = "must be a tuple of subclasses of Exception, or None for those that may pass"
        raise ConfigError("on", value, reason)


def _is_error(value: object) -> bool:
    return isinstance(value, type) and issubclass(value, Exception)


def _is_number(value: object) -> bool:
    return type(value) in (int, float) and math.isfinite(value)  # type: ignore[arg-type]  # a number
