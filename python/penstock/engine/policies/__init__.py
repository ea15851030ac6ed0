"""Policies: behaviours around a call, built into a tool's path only where the tool uses them.

Each file is one policy, with its `POLICY`; the entry points `penstock.policy` of other packages are
found alike. From the outermost to the innermost: cache, coalesce, shed, timeout (of all attempts),
retry, hedge, breaker; limits and the timeout of one attempt are the scheduler's. This package runs
no tool and knows no scheduler: it is given an attempt. Read `_protocol.py` first, then `retry.py`.
"""

from penstock.engine.policies._compose import compose, is_layered
from penstock.engine.policies._key import canonical
from penstock.engine.policies._protocol import (
    Allowance,
    Arguments,
    CallInfo,
    Circuit,
    Ending,
    Load,
    Policy,
    Run,
    Services,
    Slot,
    Tally,
    ToolView,
)

__all__ = [
    "Allowance",
    "Arguments",
    "CallInfo",
    "Circuit",
    "Ending",
    "Load",
    "Policy",
    "Run",
    "Services",
    "Slot",
    "Tally",
    "ToolView",
    "canonical",
    "compose",
    "is_layered",
]
