"""Limits: what may start now, who is next, and what calls may cost.

`Limit` and `Budget` are rules, as data; `Limiter` holds them and lets calls in. An engine makes one of
the rules that it is given; programs without an engine use it alone. The decisions are the core's
(`rust/core/src/limit/`): nothing here waits by polling or counts. Read `spec.py` first, then
`limiter.py`.
"""

from penstock._native import Cost, LimitSet, Permit
from penstock.limits.adaptive import Adaptive
from penstock.limits.budget import Budget, usd
from penstock.limits.limiter import Limiter
from penstock.limits.observe import observe
from penstock.limits.scope import scope_parts
from penstock.limits.spec import Limit
from penstock.limits.statistics import LimiterStatistics, LimitStatistics

__all__ = [
    "Adaptive",
    "Budget",
    "Cost",
    "Limit",
    "LimitSet",
    "LimitStatistics",
    "Limiter",
    "LimiterStatistics",
    "Permit",
    "observe",
    "scope_parts",
    "usd",
]
