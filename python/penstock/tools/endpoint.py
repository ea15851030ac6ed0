"""Which of its endpoints an attempt of a tool should ask: see `Hedge(endpoints=...)`.

The name is in the context of the attempt, so it is known in coroutines and threads of the call, but not in
another process.
"""

from contextvars import ContextVar

chosen: ContextVar[str | None] = ContextVar("endpoint", default=None)
"""Set by the policy `hedge`, in the context of each attempt."""


def endpoint() -> str | None:
    """Return the endpoint that the running attempt should ask, one of `Hedge.endpoints`.

    None where nobody chose one: in a call without an engine, in a guess, and for a tool without endpoints.

    Example:
        >>> from penstock import Hedge, endpoint, tool
        >>> @tool(effects="read", hedge=Hedge(endpoints=["eu", "us"]))
        ... async def price(item: str) -> str:
        ...     return f"{item} as {endpoint() or 'eu'} has it"
    """
    return chosen.get()
