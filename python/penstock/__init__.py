"""Penstock runs the tool calls of LLM agents in parallel.

As fast as the event loop allows, inside every limit, cancellable, with one outcome for each call.
This is the public door: `from penstock import Call, Engine, tool`. Importing it loads the nouns; what
needs more (pydantic, an event loop) is loaded when its name is first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from penstock._native import Context, cancelled, progress, sleep
from penstock.calls import Call, Outcome, Ref
from penstock.errors import PenstockError
from penstock.events import Event

if TYPE_CHECKING:
    from penstock import formats as formats
    from penstock.engine import Batch, Branch, Engine, Race, run, run_sync
    from penstock.limits import Limit
    from penstock.plan import Plan, PlanBuilder
    from penstock.tools import Tool, Toolset, tool

_HOMES = {
    "Batch": "penstock.engine",
    "Branch": "penstock.engine",
    "Engine": "penstock.engine",
    "Limit": "penstock.limits",
    "Plan": "penstock.plan",
    "PlanBuilder": "penstock.plan",
    "Race": "penstock.engine",
    "Tool": "penstock.tools",
    "Toolset": "penstock.tools",
    "run": "penstock.engine",
    "run_sync": "penstock.engine",
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
