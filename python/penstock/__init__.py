"""Penstock runs the tool calls of LLM agents in parallel.

As fast as the event loop allows, inside every limit, cancellable, with one outcome for each call.
This is the public door: `from penstock import Call, Engine, tool`. Importing it loads the nouns; what
needs more (pydantic, an event loop) is loaded when its name is first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from penstock._native import Context, cancelled, output, progress, sleep
from penstock.calls import Call, Outcome, Ref
from penstock.errors import PenstockError, RateLimited
from penstock.events import Event

if TYPE_CHECKING:
    from penstock import formats as formats
    from penstock.engine import (
        Batch,
        Branch,
        Command,
        Completed,
        Engine,
        Race,
        prepared,
        run,
        run_sync,
    )
    from penstock.limits import Adaptive, Budget, Cost, Limit, Limiter, observe
    from penstock.plan import Plan, PlanBuilder
    from penstock.results import Results, ResultStore, read_result
    from penstock.tools import Breaker, Cache, Hedge, Retry, Shed, Tool, Toolset, endpoint, tool

_HOMES = {
    "Adaptive": "penstock.limits",
    "Batch": "penstock.engine",
    "Branch": "penstock.engine",
    "Breaker": "penstock.tools",
    "Budget": "penstock.limits",
    "Cache": "penstock.tools",
    "Command": "penstock.engine",
    "Completed": "penstock.engine",
    "Cost": "penstock.limits",
    "Engine": "penstock.engine",
    "Hedge": "penstock.tools",
    "Limit": "penstock.limits",
    "Limiter": "penstock.limits",
    "Plan": "penstock.plan",
    "PlanBuilder": "penstock.plan",
    "Race": "penstock.engine",
    "ResultStore": "penstock.results",
    "Results": "penstock.results",
    "Retry": "penstock.tools",
    "Shed": "penstock.tools",
    "Tool": "penstock.tools",
    "Toolset": "penstock.tools",
    "endpoint": "penstock.tools",
    "observe": "penstock.limits",
    "prepared": "penstock.engine",
    "read_result": "penstock.results",
    "run": "penstock.engine",
    "run_sync": "penstock.engine",
    "tool": "penstock.tools",
}

__all__ = [
    "Adaptive",
    "Batch",
    "Branch",
    "Breaker",
    "Budget",
    "Cache",
    "Call",
    "Command",
    "Completed",
    "Context",
    "Cost",
    "Engine",
    "Event",
    "Hedge",
    "Limit",
    "Limiter",
    "Outcome",
    "PenstockError",
    "Plan",
    "PlanBuilder",
    "Race",
    "RateLimited",
    "Ref",
    "ResultStore",
    "Results",
    "Retry",
    "Shed",
    "Tool",
    "Toolset",
    "cancelled",
    "endpoint",
    "formats",
    "observe",
    "output",
    "prepared",
    "progress",
    "read_result",
    "run",
    "run_sync",
    "sleep",
    "tool",
]


def __getattr__(name: str) -> Any:
    if name == "formats":
        return import_module("penstock.formats")
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
