"""Outcomes made by hand, to test what reads them."""

from penstock.calls import Call, Outcome


def outcome(
    call: Call,
    *,
    value: object = None,
    error: BaseException | None = None,
    status: str | None = None,
    index: int = 0,
    submitted: float = 0.0,
    started: float | None = None,
    ended: float = 0.0,
    detached: bool = False,
    late: bool = False,
) -> Outcome:
    """Return an outcome as the engine would have made it.

    Args:
        call: the call that it answers.
        value: what the tool returned.
        error: what it raised instead.
        status: "ok" without an error and "failed" with one, unless given.
        index: the place of the call in its batch.
        submitted: monotonic seconds, above 0.
        started: likewise; None for never.
        ended: likewise.
        detached: the flag.
        late: the flag.
    """
    return Outcome.make(
        call,
        value=value,
        error=error,
        status=status,
        index=index,
        submitted=submitted,
        started=started,
        ended=ended,
        detached=detached,
        late=late,
    )
