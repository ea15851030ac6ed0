"""`limit-wait`: 1,000 tasks that wait for one limit of 10,000 a second; `limit-fronts`, each by a set of its own.

Each task takes ten units, one by one, so that as many wait at any time. The rate is that beyond the
burst. CPU is that of the whole process a grant, the tasks' own steps included.
"""

import gc
import statistics
from collections.abc import AsyncIterator, Callable
from functools import partial

from penstock.cli.bench._frame import spread
from penstock.cli.bench._protocol import Result, Rows, Settings
from penstock.cli.bench.limits._subjects import our_rate, plain_rate
from penstock.cli.bench.limits._workloads import BucketShape, Crowd, Subject, crowd
from penstock.limits import Limit, Limiter, Permit

RATE = 10_000
BURST = 100
TASKS = 1_000
TAKES = 10
ROUNDS = 3


async def measure(settings: Settings) -> AsyncIterator[Result]:
    ours, plain = list[Crowd](), list[Crowd]()
    for _ in range(settings.rounds(ROUNDS)):
        plain.append(await one_crowd(lambda: [plain_rate(RATE, BURST)]))
        ours.append(await one_crowd(lambda: [our_rate(RATE, BURST)]))
    for row in rows_of_a_crowd("limit-wait", settings, ours, plain, gate_us=4.0):
        yield row
    fronts = [await one_crowd(own_sets) for _ in range(settings.rounds(ROUNDS))]
    yield cpu_row("limit-fronts", settings, fronts, ours, "one set for all", gate_us=10.0)


async def one_crowd(make: Callable[[], list[Subject]]) -> Crowd:
    """A crowd before full limiters, after what the last one left behind was collected."""
    gc.collect()
    return await crowd(make(), tasks=TASKS, takes=TAKES)


def own_sets() -> list[Subject]:
    """A set for each task, with a limit of its own, and the one limit that all share."""
    limiter = Limiter(
        [
            Limit.rate("service:shared", RATE, burst=BURST),
            Limit.rate("tenant:*", RATE, burst=BURST),
        ]
    )
    sets = [limiter.resolve(tenant=f"tenant-{n}", service="shared") for n in range(TASKS)]
    shape = BucketShape(RATE, BURST)
    return [Subject(shape, partial(limiter.take, set_), end=Permit.settle) for set_ in sets]


def rows_of_a_crowd(
    name: str, settings: Settings, ours: list[Crowd], plain: list[Crowd], gate_us: float
) -> list[Result]:
    """The rate, the grants out of turn and the CPU of crowds, the last against the baseline's."""
    rates, plain_rates = [found.rate for found in ours], [found.rate for found in plain]
    granted = ours[0].granted
    rate = Result(
        row=name,
        n=granted,
        loop=settings.loop,
        value=statistics.median(rates),
        unit="/s",
        gate=9_900.0,
        at_least=True,
        baseline=f"plain Python: {statistics.median(plain_rates):,.0f} /s",
        spread=spread(rates),
    )
    order = Result(
        row=f"{name}-order",
        n=granted,
        loop=settings.loop,
        value=max(found.inversions for found in ours),
        unit="calls",
        gate=0.0,
        baseline=f"plain Python: {max(found.inversions for found in plain)} out of turn",
    )
    cpu = cpu_row(f"{name}-cpu", settings, ours, plain, "plain Python", gate_us)
    return [rate, order, cpu]


def cpu_row(
    name: str,
    settings: Settings,
    ours: list[Crowd],
    others: list[Crowd],
    baseline: str,
    gate_us: float,
) -> Result:
    """Microseconds of CPU a grant."""
    used = [found.cpu_us for found in ours]
    ratios = [one.cpu_us / other.cpu_us for one, other in zip(ours, others, strict=True)]
    return Result(
        row=name,
        n=ours[0].granted,
        loop=settings.loop,
        value=statistics.median(used),
        unit="us",
        gate=gate_us,
        ratio=statistics.median(ratios),
        ns_per_call=statistics.median(used) * 1e3,
        baseline=baseline,
        baseline_ns=statistics.median(found.cpu_us for found in others) * 1e3,
        spread=spread(used),
    )


ROWS = Rows("waiting", measure)
