"""The options of an engine and of a batch, and their checks."""

from collections.abc import Iterable, Mapping
from typing import Literal, TypedDict, cast, get_args

import penstock.results as stores
from penstock.engine.hooks import SpeculationOption
from penstock.engine.limiting import BatchBudget, check_scopes
from penstock.errors import ConfigError, nearest
from penstock.limits import Budget, Limit, Limiter
from penstock.results import Results
from penstock.tools import Toolset

OnError = Literal["continue", "fail_fast"]

Labels = tuple[str | None, str | None, str | None, BatchBudget | None]
"""Tenant, agent, run, and the batch's budget."""


class BatchOptions(TypedDict, total=False):
    """Options of one batch; each is described at `Engine.submit`."""

    timeout: float | None
    on_error: OnError
    max_parallel: int | None
    priority: int | None
    tenant: str | None
    agent: str | None
    run: str | None
    budget: Budget | None


class NativeOptions(TypedDict, total=False):
    """The same as the native host takes them."""

    timeout: float | None
    fail_fast: bool
    max_parallel: int | None
    priority: int | None
    group: int | None
    labels: Labels | None
    held: list[int]


def to_native(options: BatchOptions, budget: BatchBudget | None = None) -> NativeOptions:
    """Return the options for the host; it checks `timeout` and `priority` itself.

    Args:
        options: as the caller gave them.
        budget: what was made of the option of that name.

    Raises:
        ConfigError: an option has a value that it cannot have; the caller acts.
    """
    unknown = sorted(options.keys() - BatchOptions.__annotations__.keys())
    if unknown:
        near = ", ".join(nearest(unknown[0], BatchOptions.__annotations__))
        known = ", ".join(BatchOptions.__annotations__)
        reason = f"did you mean {near}?" if near else f"the options of a batch are {known}"
        raise ConfigError(unknown[0], options[unknown[0]], f"no such option: {reason}")  # type: ignore[literal-required]  # not one of its keys
    on_error = options.get("on_error", "continue")
    if on_error not in get_args(OnError):
        raise ConfigError("on_error", on_error, 'either "continue" or "fail_fast"')
    max_parallel = options.get("max_parallel")
    if max_parallel is not None:
        check_count("max_parallel", max_parallel)
    return {
        "timeout": options.get("timeout"),
        "fail_fast": on_error == "fail_fast",
        "max_parallel": max_parallel,
        "priority": options.get("priority"),
        "group": _group(options.get("tenant")),
        "labels": _labels(options, budget),
    }


def check_count(field: str, value: object, *, least: int = 1, most: int = 2**32 - 1) -> int:
    """Return a whole number from `least` to `most`, or raise `ConfigError` naming the field."""
    if type(value) is not int or not least <= value <= most:
        raise ConfigError(field, value, f"a whole number from {least:,} to {most:,}")
    return value


def check_optional(
    field: str, value: object, *, least: int = 1, most: int = 2**32 - 1
) -> int | None:
    """Return the same, or None, which is any number."""
    return None if value is None else check_count(field, value, least=least, most=most)


def check_seconds(field: str, value: object, *, least: float, most: float) -> float:
    """Return a number of seconds from `least` to `most`, or raise `ConfigError` naming the field."""
    if type(value) not in {int, float} or not least <= cast(float, value) <= most:
        raise ConfigError(field, value, f"seconds from {least:g} to {most:g}")
    return cast(float, value)


def check_limits(
    limits: Iterable[Limit | Budget] | Limiter, tools: Toolset
) -> tuple[Limit | Budget, ...] | Limiter:
    """Return the limits that somebody shares, or those of this engine alone, checked."""
    if isinstance(limits, Limiter):
        return limits
    rules = Limiter(limits).limits  # made to be asked for faults: its loop is not known yet
    check_scopes(rules, tools)
    return rules


def check_results(results: object) -> "Results | stores.ResultStore | None":
    """Return settings of a store, or the store itself, or raise `ConfigError`."""
    if results is None or isinstance(results, Results):
        return results
    if isinstance(results, stores.ResultStore):  # loaded by naming it
        return results
    raise ConfigError("results", results, "a Results(...), a ResultStore or None")


def check_workers(**workers: int | None) -> Mapping[str, int | None]:
    """Return the workers of each host mode, or raise `ConfigError`."""
    fields = {"thread": "threads", "process": "processes", "command": "commands"}
    return {
        mode: check_optional(fields[mode], count, most=1_024) for mode, count in workers.items()
    }


def check_speculation(speculation: SpeculationOption | None) -> SpeculationOption | None:
    """Return what speculates, or raise `ConfigError`."""
    if speculation is not None and not hasattr(speculation, "build"):
        reason = "a Speculation(...) of penstock.speculation, or None"
        raise ConfigError("speculation", speculation, reason)
    return speculation


def _labels(options: BatchOptions, budget: BatchBudget | None) -> Labels | None:
    """Who the calls are charged to; None if nobody was named."""
    names = [options.get(field) for field in ("tenant", "agent", "run")]
    for field, name in zip(("tenant", "agent", "run"), names, strict=True):
        if name is not None and (not isinstance(name, str) or not 1 <= len(name) <= 256):
            raise ConfigError(field, name, "a name of 1 to 256 characters")
    tenant, agent, run = (cast(str | None, name) for name in names)
    labels = (tenant, agent, run, budget)
    return labels if any(labels) else None


def _group(tenant: object) -> int | None:
    """Whom the work is charged to. Two tenants that collide share fairly as one: harmless."""
    if tenant is None:
        return None
    return hash(tenant) & 0xFFFF_FFFF_FFFF_FFFF
