"""The options of `@tool`, checked once: every fault names the option, the value and what is allowed."""

import inspect
import math
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Literal, get_args

from penstock._native import Cost
from penstock.errors import ConfigError, nearest
from penstock.tools import resources
from penstock.tools.signature import innermost, layers

Effects = Literal["read", "idempotent", "once", "compensable"]
"""What a tool does to the world. `once`, the default, is never repeated and never guessed."""

Host = Literal["call", "task", "inline", "thread", "process", "command"]
"""Where a tool runs: on the loop as a light call or a real task, in the pump, in a thread, in a
process, or as the external command that it names."""

Price = Cost | Callable[..., Cost]
"""What a call takes of its limits: always the same, or worked out from its arguments."""

LONGEST_TIMEOUT = 30 * 86_400.0
"""Seconds; the engine's timer wheel reaches no further."""

PRIORITIES = range(8)
"""0 runs first, 7 last."""

_MEDIA_TYPE = re.compile(r"[A-Za-z0-9!#$&^_.+-]{1,60}/[A-Za-z0-9!#$&^_.+-]{1,60}(; ?[ -~]{1,60})?")

MOST_BYTES = 1 << 50
"""Of a result."""

# What every provider and MCP accept in a tool's name; some providers stop at 64 characters.
_NAME = re.compile(r"[A-Za-z0-9_.-]{1,128}")


def refuse_unknown(given: Mapping[str, object], known: Collection[str]) -> None:
    """Raise for the first of the `given` options that a tool does not have."""
    for option, value in given.items():
        if option == "description":
            reason = "is no option: the first paragraph of the docstring is the description"
            raise ConfigError(option, value, reason)
        if option not in known:
            near = nearest(option, known, most=1)
            helps = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(known)}"
            raise ConfigError(option, value, f"is no option of a tool; {helps}")


def name(value: object, function: Callable[..., object]) -> str:
    """Return the name of a tool: the one given, else the function's own."""
    if value is None:
        value = getattr(function, "__name__", None)
    if value is None:
        inner = innermost(function)
        value = inner.__name__ if inner.__name__ != "__call__" else type(function).__name__
    if value == "<lambda>":
        raise ConfigError("name", value, "a lambda has no name of its own; give it name=...")
    if not isinstance(value, str) or not _NAME.fullmatch(value):
        raise ConfigError("name", value, "must be 1 to 128 of the characters A-Z a-z 0-9 _ . -")
    return value


def effects(value: object, tool: str) -> Effects:
    """Return `value` if it is one of the effects."""
    for known in get_args(Effects):
        if value == known:
            return known  # type: ignore[no-any-return]  # get_args forgets the literals
    raise ConfigError("effects", value, f"tool {tool!r}: must be one of {_listed(Effects)}")


def service(value: object, tool: str) -> str | None:
    """Return `value` if it can name a service."""
    if value is None or (isinstance(value, str) and value):
        return value
    raise ConfigError("service", value, f"tool {tool!r}: must be a name or None")


def timeout(value: object, tool: str) -> float | None:
    """Return `value` as seconds."""
    if value is None:
        return None
    reason = f"tool {tool!r}: must be seconds above 0 and at most {LONGEST_TIMEOUT:.0f} (30 days)"
    if isinstance(value, bool) or not isinstance(value, int | float) or math.isnan(value):
        raise ConfigError("timeout", value, reason)
    if not 0 < value <= LONGEST_TIMEOUT:
        raise ConfigError("timeout", value, reason)
    return float(value)


def priority(value: object, tool: str) -> int:
    """Return `value` if it is a priority."""
    if isinstance(value, int) and not isinstance(value, bool) and value in PRIORITIES:
        return value
    raise ConfigError("priority", value, f"tool {tool!r}: must be 0 (first) to 7 (last)")


def concurrency(value: object, tool: str) -> int | None:
    """Return `value` if that many calls can run at once."""
    if value is None or (isinstance(value, int) and not isinstance(value, bool) and value >= 1):
        return value
    raise ConfigError(
        "concurrency", value, f"tool {tool!r}: must be a whole number from 1, or None"
    )


def value_bytes(value: object, tool: str) -> int | None:
    """Return `value` if a result can have that many bytes."""
    if value is None or (type(value) is int and 1 <= value <= MOST_BYTES):
        return value
    raise ConfigError("value_bytes", value, f"tool {tool!r}: must be bytes, from 1, or None")


def media_type(value: object, tool: str) -> str:
    """Return `value` if it is a media type, or empty."""
    if isinstance(value, str) and (not value or _MEDIA_TYPE.fullmatch(value)):
        return value
    reason = f'tool {tool!r}: must be a media type, such as "application/json"'
    raise ConfigError("media_type", value, reason)


def cost(value: object, tool: str) -> Price | None:
    """Return `value` if it is a cost, or something that works one out."""
    if value is None or isinstance(value, Cost) or callable(value):
        return value
    reason = f"tool {tool!r}: must be a Cost, a function of the tool's arguments, or None"
    raise ConfigError("cost", value, reason)


def tags(value: object, tool: str) -> frozenset[str]:
    """Return `value` as a set of tags."""
    if isinstance(value, Iterable) and not isinstance(value, str | bytes):
        found = frozenset(value)
        if all(isinstance(tag, str) and tag for tag in found):
            return found
    raise ConfigError("tags", value, f"tool {tool!r}: must be a collection of names")


def early(
    names: object,
    halves: Mapping[str, object],
    effects: str,
    host: Host,
    tool: str,
) -> tuple[str, ...]:
    """Return the names of the parameters that a preparation waits for; none where it waits for all.

    Args:
        names: as they were given.
        halves: `prepare`, `commit` and `abort`, in this order.
        effects: of the tool.
        host: of the tool.
        tool: its name.
    """
    if not isinstance(names, Iterable) or isinstance(names, str | bytes):
        raise ConfigError("early", names, f"tool {tool!r}: must be a collection of names")
    found = tuple(names)
    for field, value in halves.items():
        if value is not None and not callable(value):
            raise ConfigError(field, value, f"tool {tool!r}: must be a function, or None")
    prepare, commit, abort = halves.values()
    if commit is not None:
        _check_staged(found, halves, effects, tool)
    elif bool(found) != (prepare is not None) or (abort is not None and not found):
        raise ConfigError("early", found, f"tool {tool!r}: give `early` and `prepare` together")
    if prepare is not None and host not in ("call", "task"):
        # Only a coroutine can ask for it.
        raise ConfigError("prepare", prepare, f"tool {tool!r}: not for tools that run as {host!r}")
    return found


def _check_staged(
    early: tuple[str, ...], halves: Mapping[str, object], effects: str, tool: str
) -> None:
    """Raise if a tool with `commit` lacks something, or has too much."""
    where = f"tool {tool!r}:"
    for field in ("prepare", "abort"):
        if halves[field] is None:
            reason = f"{where} `commit` takes what `prepare` staged, and `abort` undoes that: give all three"
            raise ConfigError(field, None, reason)
    if early:
        reason = f"{where} with `commit`, `prepare` gets all arguments: leave `early` out"
        raise ConfigError("early", early, reason)
    if effects == "read":
        reason = f"{where} effects='read' is guessed as it is; leave `commit` out"
        raise ConfigError("commit", halves["commit"], reason)


def early_names(names: tuple[str, ...], parameters: tuple[str, ...], tool: str) -> None:
    """Raise if a preparation waits for a parameter that the tool does not have."""
    for name in names:
        if name not in parameters:
            near = ", ".join(nearest(name, parameters)) or ", ".join(parameters)
            raise ConfigError("early", name, f"tool {tool!r}: no such parameter; it has {near}")


def reads(value: object, effects: str, tool: str) -> tuple[str, ...] | None:
    """Return `value` as the templates of what a tool depends on."""
    found = resources.templates("reads", value, tool)
    if found is not None and effects != "read":
        reason = (
            f"tool {tool!r}: effects={effects!r} is never answered by another call; declare "
            "effects='read' if it changes nothing, or leave reads out"
        )
        raise ConfigError("reads", value, reason)
    return found


def mutates(value: object, effects: str, tool: str) -> tuple[str, ...] | None:
    """Return `value` as the templates of what a tool changes."""
    found = resources.templates("mutates", value, tool)
    if found is not None and effects == "read":
        reason = (
            f"tool {tool!r}: effects='read' changes nothing; leave mutates out, or say what it is"
        )
        raise ConfigError("mutates", value, reason)
    return found


def host(value: object, function: Callable[..., object], tool: str) -> Host:
    """Return where the tool runs: `call` for `async def` and `thread` for `def` unless declared."""
    asynchronous = is_async(function)
    if value is None:
        return "call" if asynchronous else "thread"
    if value not in get_args(Host):
        raise ConfigError("host", value, f"tool {tool!r}: must be one of {_listed(Host)}")
    if asynchronous and value not in ("call", "task"):
        # There nobody would await what it returns.
        verb = "is" if inspect.iscoroutinefunction(function) else "wraps"
        reason = f"tool {tool!r} {verb} an `async def`; it can run as 'call' or 'task'"
        raise ConfigError("host", value, reason)
    return value  # type: ignore[return-value]  # checked against the literals above


def is_async(function: Callable[..., object]) -> bool:
    """Return whether calling `function` gives a coroutine, as far as its definition tells.

    A plain function that wraps an `async def` most often returns the coroutine of that.
    """
    return any(map(inspect.iscoroutinefunction, layers(function)))


def refuse_generators(function: Callable[..., object], tool: str) -> None:
    """Raise if `function` is a plain generator: it would have to run in a thread between its parts."""
    if inspect.isgeneratorfunction(innermost(function)):
        reason = "it is a generator; return a list, or make it an `async def` that yields"
        raise ConfigError("function", tool, reason)


def _listed(literal: object) -> str:
    return ", ".join(repr(option) for option in get_args(literal))
