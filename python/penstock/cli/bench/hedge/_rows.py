"""The rows that hedges have in common."""

from penstock.cli.bench._frame import p99
from penstock.cli.bench._protocol import Result, Settings
from penstock.cli.bench.hedge._mix import EXTRA, Seen

GATE = 0.30
"""Of the p99 without hedges: 70 % less."""


def tail(
    settings: Settings, row: str, ours: list[float], plain: list[float], gate: float | None = GATE
) -> Result:
    """The p99 of calls, or of whole fan-outs, against that without hedges."""
    ratio = p99(ours) / p99(plain)
    return Result(
        row=row,
        n=len(ours),
        loop=settings.loop,
        value=ratio,
        ratio=ratio,
        gate=gate,
        baseline=f"no hedge: {p99(plain) * 1e3:.0f} ms, hedged: {p99(ours) * 1e3:.0f} ms",
    )


def load(settings: Settings, row: str, seen: Seen) -> Result:
    """What hedges added to the load, the calls before those that count included."""
    return Result(
        row=row,
        n=seen.asked,
        loop=settings.loop,
        value=seen.extra,
        unit="%",
        gate=EXTRA * 100,
        baseline="one attempt a call",
    )
