"""`observe`: what a tool tells of its provider's answer, so that the limits of its call hear of it."""

from collections.abc import Iterable

from penstock._native import Cost
from penstock._native import observe as tell_limits
from penstock.errors import ConfigError
from penstock.limits.headers import TABLES, Feedback, Headers, HeaderTable, parse_headers


def observe(
    status: int | None = None,
    headers: Headers | None = None,
    *,
    cost: Cost | None = None,
    tables: Iterable[HeaderTable] = TABLES,
) -> Feedback:
    """Tell the limits of the running call what its provider answered, and what the call took.

    A 429 blocks them for as long as it says; headers lower what is left; the cost is what the budgets
    are charged when the call ends. Outside of a tool, and for a call without limits, it only reads.
    Never raises for what a server sent.

    Args:
        status: the HTTP status.
        headers: a mapping or pairs.
        cost: what the call really took; as reserved if nobody says.
        tables: what this provider calls its headers.

    Returns:
        What was read.

    Raises:
        ConfigError: the cost is something else; the tool's author acts.
    """
    if cost is not None and not isinstance(cost, Cost):
        raise ConfigError("cost", cost, "must be a Cost: a number does not say of what")
    feedback = parse_headers(status, headers, tables)
    tell_limits(feedback.status, feedback.retry_after, feedback.readings() or None, cost)
    return feedback
