"""What the error of a tool says: may it pass, when to ask again, and what the service answered.

Read from attributes, so that no client library is imported: `retryable`, `retry_after`, `status` or
`status_code`, the same of `.response`, and its headers. Clients wrap what the network raised, so its
failures are also looked for in what an error was raised `from`.
"""

import errno
import math
import socket
from collections.abc import Iterator, Mapping
from typing import Any

from penstock.limits import headers

LONGEST_HINT = 3600.0
"""Seconds; a service that asks for more is asked again after an hour."""

# What the same request may well not get a moment later.
_PASSING_STATUSES = frozenset({408, 425, 429, 500, 502, 503, 504})

_DEEPEST_CAUSE = 5  # httpx: its own, httpcore's, anyio's, the loop's

_NETWORK = frozenset(
    {errno.ENETDOWN, errno.ENETUNREACH, errno.ENETRESET, errno.EHOSTDOWN, errno.EHOSTUNREACH}
)


def may_pass(error: Exception) -> bool:
    """Return whether the same call may succeed a little later.

    What the error says of itself counts first, then what the service answered, then whether the
    network failed. Everything else is taken for a fault of the call or of the tool.
    """
    says = getattr(error, "retryable", None)
    if isinstance(says, bool):
        return says
    answered = status(error)
    if answered is not None:
        return answered in _PASSING_STATUSES
    return never_reached(error) or any(isinstance(e, TimeoutError) for e in _causes(error))


def never_reached(error: BaseException) -> bool:
    """Return whether a connection was refused, broken, or found no way."""
    return any(_is_of_the_network(cause) for cause in _causes(error))


def _is_of_the_network(error: BaseException) -> bool:
    if isinstance(error, socket.gaierror):
        return error.errno == socket.EAI_AGAIN
    if isinstance(error, ConnectionError):
        return True
    return isinstance(error, OSError) and error.errno in _NETWORK


def status(error: BaseException) -> int | None:
    """Return the HTTP status that an error stands for, if it does."""
    for holder in (error, getattr(error, "response", None)):
        for name in ("status", "status_code"):
            found = getattr(holder, name, None)
            if isinstance(found, int) and 100 <= found <= 599:
                return int(found)
    return None


def retry_after(error: BaseException) -> float | None:
    """Return the seconds after which the service wants to be asked again, if it said so."""
    found: Any = getattr(error, "retry_after", None)
    if found is None:
        answered = getattr(getattr(error, "response", None), "headers", None)
        is_known = isinstance(answered, Mapping)
        return headers.parse_headers(None, answered).retry_after if is_known else None
    try:
        seconds = float(found)
    except (TypeError, ValueError):
        return None
    return min(seconds, LONGEST_HINT) if math.isfinite(seconds) and seconds >= 0 else None


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and what it was raised from, as far as anybody wraps."""
    cause: BaseException | None = error
    for _ in range(_DEEPEST_CAUSE):
        if cause is None:
            return
        yield cause
        cause = cause.__cause__
