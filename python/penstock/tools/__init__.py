"""Tools: functions that a model may ask for, and what is known about them.

A tool is a callable with a name, a JSON Schema, one validator and its options. This package does
not run tools (`penstock.engine` does) and knows no provider's wire format (`penstock.formats`).
Read `tool.py` first, then `signature.py` and `schema.py`.
"""

from penstock.tools.endpoint import chosen, endpoint
from penstock.tools.options import Effects, Host
from penstock.tools.resources import broadest_name, names_meet
from penstock.tools.settings import Breaker, Cache, Hedge, Retry, Shed
from penstock.tools.tool import Tool, ToolOptions, tool
from penstock.tools.toolset import Toolset

__all__ = [
    "Breaker",
    "Cache",
    "Effects",
    "Hedge",
    "Host",
    "Retry",
    "Shed",
    "Tool",
    "ToolOptions",
    "Toolset",
    "broadest_name",
    "chosen",
    "endpoint",
    "names_meet",
    "tool",
]
