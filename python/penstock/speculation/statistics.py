"""What `engine.speculation.statistics()` answers."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SpeculationStatistics:
    """What guessing did since the first session.

    Attributes:
        mode: "off", "shadow" or "live".
        decisions: times that a model started to generate and something was predicted.
        control: of those, the ones at which nothing was run, to compare with.
        again: times that it was predicted once more, because part of a reply was known.
        launched: guesses that ran, or were to.
        promoted, cancelled, preempted, expired, invalidated, failed: their ends; `preempted` are
            cancelled too.
        contradicted: of the cancelled, those for which something else was spoken while they ran.
        joined: of the promoted, those that were asked for while they ran.
        shadow_hit, shadow_miss: guesses that would have run, and whether the coming step had them.
        saved_seconds: of running that calls were spared.
        wasted_seconds: of running that nobody asked for.
        wasted_microusd: what that cost.
        prediction_seconds: of the processor, to predict what comes.
        ece: how far the chances that were said are from what came true, 0 to 1, on average over ten bins.
        tools_off: tools whose guesses came true much less often than was said, and do not run.
    """

    mode: str
    decisions: int
    control: int
    again: int
    launched: int
    promoted: int
    joined: int
    cancelled: int
    preempted: int
    contradicted: int
    expired: int
    invalidated: int
    failed: int
    shadow_hit: int
    shadow_miss: int
    saved_seconds: float
    wasted_seconds: float
    wasted_microusd: int
    prediction_seconds: float
    ece: float
    tools_off: tuple[str, ...]
