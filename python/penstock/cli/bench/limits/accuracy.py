"""`limit-accuracy`: what a limit of 1,000 a second and 100 at once really gives.

Over 2 s against what it may give, and in the fullest tenth and whole second (`-window`); how late
the last call comes when 80 of 100 before it were cancelled (`-cancel`); how late a call of 100 units
comes when 50 single ones wait before it and five more come each millisecond (`-big`).
"""

from collections.abc import AsyncIterator, Awaitable, Callable

from penstock.cli.bench._frame import spread
from penstock.cli.bench._protocol import Result, Rows, Settings, Unit
from penstock.cli.bench.limits._subjects import our_rate, plain_rate
from penstock.cli.bench.limits._workloads import Subject, after_cancel, big_call, pace

RATE = 1_000
BURST = 100
SECONDS = 2.0
ROUNDS = 3

Make = Callable[[int, int], Subject]


async def measure(settings: Settings) -> AsyncIterator[Result]:
    yield await compare(settings, "limit-accuracy", off_by, "%", gate=0.5)
    # Half a unit: the moments are read a little after the decisions.
    yield await compare(settings, "limit-accuracy-window", excess, "calls", gate=0.5)
    yield await compare(settings, "limit-accuracy-cancel", late_after_cancel, "ms", gate=10.0)
    yield await compare(settings, "limit-accuracy-big", late_big_call, "ms", gate=10.0)


async def compare(
    settings: Settings,
    row: str,
    find: Callable[[Make], Awaitable[float]],
    unit: Unit,
    gate: float,
) -> Result:
    """Ours and the baseline's in turn; of ours, the worst counts, for an exact limit has no luck."""
    ours, plain = list[float](), list[float]()
    for _ in range(settings.rounds(ROUNDS)):
        plain.append(await find(plain_rate))
        ours.append(await find(our_rate))
    return Result(
        row=row,
        n=len(ours),
        loop=settings.loop,
        value=max(ours),
        unit=unit,
        gate=gate,
        baseline=f"plain Python: {max(plain):.3g} {unit}",
        spread=spread(ours),
    )


async def off_by(make: Make) -> float:
    """Per cent between what it gave in two seconds and what it may give."""
    found = await pace(make(RATE, BURST), SECONDS)
    return abs(found.granted - found.ideal) / found.ideal * 100


async def excess(make: Make) -> float:
    """Units above the bound in the fullest tenth of a second or second."""
    return (await pace(make(RATE, BURST), SECONDS)).excess


async def late_after_cancel(make: Make) -> float:
    """Milliseconds; few units at once, so that none can be saved up meanwhile."""
    return await after_cancel(make(200, 5)) * 1e3


async def late_big_call(make: Make) -> float:
    """Milliseconds."""
    return await big_call(make(RATE, BURST), BURST) * 1e3


ROWS = Rows("accuracy", measure)
