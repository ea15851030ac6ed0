"""Penstock runs the tool calls of LLM agents in parallel.

As fast as the event loop allows, inside every limit, cancellable, with one outcome for each call.
This is the public door: `from penstock import Call, Engine, tool`. Importing it loads nothing; a name
loads its package when it is first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from penstock import formats as formats
    from penstock._native import Context, cancelled, progress, sleep
    from penstock.calls import Call, Outcome, Ref
    from penstock.engine import Batch, Branch, Engine, Race, run, run_sync
    from penstock.errors import PenstockError
    from penstock.events import Event
    from penstock.limits import Limit
    from penstock.plan import Plan, PlanBuilder
    from penstock.tools import Tool, Toolset, tool

_HOMES = {
    "Batch": "penstock.engine",
    "Branch": "penstock.engine",
    "Call": "penstock.calls",
    "Context": "penstock._native",
    "Engine": "penstock.engine",
    "Event": "penstock.events",
    "Limit": "penstock.limits",
    "Outcome": "penstock.calls",
    "PenstockError": "penstock.errors",
    "Plan": "penstock.plan",
    "PlanBuilder": "penstock.plan",
    "Race": "penstock.engine",
    "Ref": "penstock.calls",
    "Tool": "penstock.tools",
    "Toolset": "penstock.tools",
    "cancelled": "penstock._native",
    "progress": "penstock._native",
    "run": "penstock.engine",
    "run_sync": "penstock.engine",
    "sleep": "penstock._native",
    "tool": "penstock.tools",
}

__all__ = [
    "Batch",
    "Branch",
    "Call",
    "Context",
    "Engine",
    "Event",
    "Limit",
    "Outcome",
    "PenstockError",
    "Plan",
    "PlanBuilder",
    "Race",
    "Ref",
    "Tool",
    "Toolset",
    "cancelled",
    "formats",
    "progress",
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
