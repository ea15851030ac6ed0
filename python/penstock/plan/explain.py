"""What a plan can reach: its levels, its critical path, and how many calls it keeps busy."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite

from penstock.calls import Call
from penstock.errors import ConfigError, cut
from penstock.plan import dag
from penstock.plan.dag import Edge

_SHOWN_ROWS = 50
_SHOWN_PATH = 12
_NAME_WIDTH = 32


@dataclass(frozen=True, slots=True)
class Step:
    """One call of an explained plan. Times are seconds, or numbers of calls without latencies.

    Attributes:
        index: its position in the plan.
        id: its id, or its place (`calls[3]`) when it has none.
        tool: the tool's name.
        branch: the branch it belongs to, if any.
        level: 0 without parents, else one above its highest parent.
        parents: positions of the calls it waits for.
        seconds: how long it takes.
        starts: when it can start at best, counted from the start of the plan.
        slack: how much later it may start without making the plan longer.
        critical: whether it is on the critical path.
    """

    index: int
    id: str
    tool: str
    branch: str | None
    level: int
    parents: tuple[int, ...]
    seconds: float
    starts: float
    slack: float
    critical: bool


@dataclass(frozen=True, slots=True)
class Explanation:
    """The answer of `Plan.explain`; `print` it for a table.

    Attributes:
        name: the plan's name.
        steps: one per call, in the order of the plan.
        path: positions of the calls on the critical path, first to last: one of the longest
            chains, which no number of free slots can shorten.
        measured: whether latencies were given; without them every call counts 1.
        unmeasured: tools that no latency was given for, sorted; their calls count as 0 s.
    """

    name: str | None
    steps: tuple[Step, ...]
    path: tuple[int, ...]
    measured: bool
    unmeasured: tuple[str, ...]

    @property
    def critical_path(self) -> tuple[str, ...]:
        """The ids of the calls on the critical path, first to last."""
        return tuple(self.steps[index].id for index in self.path)

    @property
    def levels(self) -> tuple[tuple[str, ...], ...]:
        """The ids of the calls, by level."""
        rows: list[list[str]] = [
            [] for _ in range(max((s.level for s in self.steps), default=-1) + 1)
        ]
        for step in self.steps:
            rows[step.level].append(step.id)
        return tuple(map(tuple, rows))

    @property
    def total(self) -> float:
        """The work: how long the calls take one after the other."""
        return sum(step.seconds for step in self.steps)

    @property
    def best(self) -> float:
        """The best possible time: the length of the critical path."""
        return sum(self.steps[index].seconds for index in self.path)

    @property
    def parallelism(self) -> float:
        """Calls in flight on average at the best possible time; also the best speed-up. At least 1."""
        return max(1.0, self.total / self.best) if self.best else 1.0

    def amount(self, value: float) -> str:
        """Return a time of this explanation for people: `1.25 s`, `3.1 ms`, or `2 calls`."""
        if self.measured:
            return duration(value)
        return f"{value:g} call" + ("" if value == 1 else "s")

    def table(self, rows: int = _SHOWN_ROWS) -> str:
        """Return a text table: a summary, then the first `rows` calls by start and level."""
        lines = [*self._summary(), "", *_columns([_HEAD, *map(self._row, self._by_start()[:rows])])]
        if len(self.steps) > rows:
            lines.append(f"... and {len(self.steps) - rows:,} more calls")
        return "\n".join(lines)

    __str__ = table

    def _by_start(self) -> list[Step]:
        return sorted(self.steps, key=lambda step: (step.starts, step.level, step.index))

    def _row(self, step: Step) -> tuple[str, ...]:
        parents = [self.steps[index].id for index in step.parents]
        waits = ", ".join(plain(id) for id in parents[:3])
        more = f" + {len(parents) - 3} more" if len(parents) > 3 else ""
        times = (self.amount(time) for time in (step.starts, step.seconds, step.slack))
        mark = "*" if step.critical else ""
        return (mark, plain(step.id), plain(step.tool), str(step.level), *times, waits + more)

    def _summary(self) -> Iterator[str]:
        title = f"plan {plain(self.name)}" if self.name else "plan"
        widest = max(map(len, self.levels), default=0)
        yield (
            f"{title}: {len(self.steps):,} calls in {len(self.levels):,} levels, "
            f"the widest has {widest:,}"
        )
        yield (
            f"work {self.amount(self.total)}, at best {self.amount(self.best)}: "
            f"{self.parallelism:.1f} calls in flight on average"
        )
        names = [plain(id) for id in self.critical_path]
        if len(names) > _SHOWN_PATH:
            half = _SHOWN_PATH // 2
            names[half:-half] = [f"({len(names) - 2 * half:,} more)"]
        yield f"critical path (*): {' -> '.join(names) or 'none'}"
        if self.unmeasured:
            yield f"no latency given, counted as 0 s: {', '.join(map(plain, self.unmeasured))}"


_HEAD = ("", "call", "tool", "level", "starts", "takes", "slack", "waits for")


def explain(
    calls: Sequence[Call],
    edges: Sequence[Edge],
    latencies: Mapping[str, float] | None = None,
    *,
    name: str | None = None,
) -> Explanation:
    """Explain checked calls; `Plan.explain` is the door.

    Raises:
        ConfigError: a latency is not a finite number of seconds, 0 or more.
    """
    count = len(calls)
    seconds = [1.0] * count if latencies is None else _seconds(calls, latencies)
    parents: list[list[int]] = [[] for _ in range(count)]
    for parent, child in edges:
        parents[child].append(parent)
    children = dag.successors(count, edges)
    order = dag.order(count, edges)
    starts = _starts(order, parents, seconds)
    # A call's tail is the longest way from its start to the end of the plan.
    tails = [0.0] * count
    for index in reversed(order):
        tails[index] = seconds[index] + max((tails[child] for child in children[index]), default=0)
    path = _critical_path([i for i in order if not parents[i]], children, tails)
    best = tails[path[0]] if path else 0.0
    critical = set(path)
    steps = tuple(
        Step(
            index=index,
            id=dag.label(call, index),
            tool=call.tool,
            branch=call.branch,
            level=level,
            parents=tuple(parents[index]),
            seconds=seconds[index],
            starts=starts[index],
            slack=_slack(best, starts[index] + tails[index]),
            critical=index in critical,
        )
        for index, (call, level) in enumerate(zip(calls, dag.levels(count, edges), strict=True))
    )
    return Explanation(name, steps, path, latencies is not None, _unmeasured(calls, latencies))


def duration(seconds: float) -> str:
    """Return seconds for people, with three digits: `1.25 s`, `3.1 ms`, `40 us`."""
    if seconds >= 100:
        return f"{seconds:,.0f} s"
    # From 0.9995 on, three digits would round up to "1e+03" of the smaller unit.
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("us", 1e-6)):
        if seconds >= 0.9995 * size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds * 1e9:.3g} ns" if seconds >= 1e-9 else "0 s"


def plain(text: str, width: int = _NAME_WIDTH) -> str:
    """Return a name for a table or picture: cut, and without characters that move or hide text."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in cut(text, width))


def _seconds(calls: Sequence[Call], latencies: Mapping[str, float]) -> list[float]:
    _check(latencies)
    by_tool = [latencies.get(call.tool, 0.0) for call in calls]
    return [
        default if call.id is None else latencies.get(call.id, default)
        for call, default in zip(calls, by_tool, strict=True)
    ]


def _check(latencies: object) -> None:
    if not isinstance(latencies, Mapping):
        reason = "must be seconds by call id or by tool, such as {'search': 0.2}"
        raise ConfigError("latencies", latencies, reason)
    for key, value in latencies.items():
        if not (isinstance(value, int | float) and isfinite(value) and value >= 0):
            reason = "a latency is a finite number of seconds, 0 or more"
            raise ConfigError(f"latencies[{key!r}]", value, reason)


def _unmeasured(calls: Sequence[Call], latencies: Mapping[str, float] | None) -> tuple[str, ...]:
    if latencies is None:
        return ()
    unknown = {c.tool for c in calls if c.tool not in latencies and c.id not in latencies}
    return tuple(sorted(unknown))


def _starts(
    order: Sequence[int], parents: Sequence[Sequence[int]], seconds: Sequence[float]
) -> list[float]:
    starts = [0.0] * len(order)
    for index in order:
        starts[index] = max((starts[p] + seconds[p] for p in parents[index]), default=0.0)
    return starts


def _critical_path(
    roots: Sequence[int], children: Sequence[Sequence[int]], tails: Sequence[float]
) -> tuple[int, ...]:
    """The longest chain; the first of equals, so that the same plan gives the same picture."""
    path: list[int] = []
    below = roots
    while below:
        path.append(max(below, key=tails.__getitem__))
        below = children[path[-1]]
    return tuple(path)


def _slack(best: float, through: float) -> float:
    """The time left over; sums of floats in another order differ by less than a billionth."""
    return best - through if best - through > best * 1e-9 else 0.0


def _columns(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
