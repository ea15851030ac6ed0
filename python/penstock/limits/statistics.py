"""Figures of a limiter, as they were at one moment."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class LimitStatistics:
    """One limit or budget in one of its scopes.

    Attributes:
        name: of the limit.
        scope: with a value in the place of `*`.
        used: units that are spent or held now.
        spent: of a budget, what calls have really cost; 0 for limits.
        most: the burst, `n`, the slots, or the amount.
        waiting: calls that wait for it.
        granted: calls that it let in since it was made, as the figures below.
        refused: calls that it refused.
        refunded: permits that were given back unused.
        dropped: permits that were lost without an end.
        blocked_for: seconds for which nobody may pass; None if it is not blocked.
        ramp: how many times dearer a unit is after a provider refused calls; 1 is usual.
        resets_in: seconds until a calendar window or a budget is whole again; None for the others.
    """

    name: str
    scope: str
    used: int
    spent: int
    most: int
    waiting: int
    granted: int
    refused: int
    refunded: int
    dropped: int
    blocked_for: float | None
    ramp: int
    resets_in: float | None


@dataclass(frozen=True, slots=True)
class LimiterStatistics:
    """All limits of a limiter.

    Attributes:
        limits: a row for each limit and scope that was met, in the order of the limits.
        header_errors: fields of providers' answers that could not be read.
    """

    limits: tuple[LimitStatistics, ...]
    header_errors: int
