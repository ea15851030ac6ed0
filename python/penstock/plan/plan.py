"""A plan: an immutable, checked graph of calls."""

from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Self, overload

from penstock.calls import Call
from penstock.errors import ConfigError
from penstock.plan import dag, picture
from penstock.plan.dag import Edge
from penstock.plan.explain import Explanation, explain


@dataclass(frozen=True, slots=True)
class Plan(Sequence[Call]):
    """Calls that wait for each other's values or ends. Valid from the moment it exists.

    It is a sequence of its calls, so that it can be given wherever calls are. Build one call by
    call with `PlanBuilder`, or from calls that exist with `Plan.from_calls`.

    Attributes:
        calls: in the order in which their outcomes come back.
        name: for pictures and logs.
        edges: pairs `(parent, child)` of positions in `calls`, each pair once.

    Raises:
        BadPlan: when made: an unknown parent, an ambiguous one, a cycle, or too many calls.
        ConfigError: when made: something that is no call.
    """

    calls: tuple[Call, ...]
    name: str | None = None
    edges: tuple[Edge, ...] = field(init=False, repr=False, compare=False)
    packed_edges: bytes = field(init=False, repr=False, compare=False)
    """The edges as 32-bit numbers, as the engine takes them: made once, however often it runs."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "calls", _checked(self.calls))
        object.__setattr__(self, "edges", tuple(dag.edges(self.calls)))
        packed = array("I", chain.from_iterable(self.edges)).tobytes()
        object.__setattr__(self, "packed_edges", packed)

    @classmethod
    def from_calls(cls, calls: Iterable[Call], *, name: str | None = None) -> Self:
        """Return the plan of calls that name each other by `Ref` or `after`.

        Raises:
            BadPlan: see `Plan`.
            ConfigError: something that is no call.
        """
        return cls(_checked(calls), name)

    def __len__(self) -> int:
        return len(self.calls)

    def __iter__(self) -> Iterator[Call]:
        return iter(self.calls)

    @overload
    def __getitem__(self, index: int) -> Call: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Call]: ...
    def __getitem__(self, index: int | slice) -> Call | Sequence[Call]:
        return self.calls[index]

    def levels(self) -> tuple[tuple[Call, ...], ...]:
        """Return the calls by level: those without parents, then those one step below, and so on.

        Calls of one level never wait for each other. They do not wait for their whole level
        either: each call starts when its own parents have ended.
        """
        depths = dag.levels(len(self.calls), self.edges)
        rows: list[list[Call]] = [[] for _ in range(max(depths, default=-1) + 1)]
        for call, depth in zip(self.calls, depths, strict=True):
            rows[depth].append(call)
        return tuple(map(tuple, rows))

    def explain(self, latencies: Mapping[str, float] | None = None) -> Explanation:
        """Return levels, critical path, best possible time and parallelism; print it for a table.

        Args:
            latencies: seconds by call id or by tool, the id first; a call with neither counts as
                0 s and is listed as unmeasured. None: every call counts 1.

        Raises:
            ConfigError: a latency is not a finite number of seconds, 0 or more.
        """
        return explain(self.calls, self.edges, latencies, name=self.name)

    def to_dot(self, latencies: Mapping[str, float] | None = None) -> str:
        """Return the plan in the DOT language of Graphviz, the critical path in bold."""
        return picture.dot(self.explain(latencies))

    def to_svg(self, latencies: Mapping[str, float] | None = None) -> str:
        """Return a picture of the plan: one self-contained SVG document, for light and dark.

        Raises:
            ConfigError: the plan has more calls than a picture can show; `explain` can.
        """
        return picture.svg(self.explain(latencies))


def _checked(calls: object) -> tuple[Call, ...]:
    if isinstance(calls, str | bytes) or not isinstance(calls, Iterable):
        raise ConfigError("calls", calls, "must be a list of calls")
    found = tuple(calls)
    for index, call in enumerate(found):
        if not isinstance(call, Call):
            raise ConfigError(f"calls[{index}]", call, "must be a Call, such as Call('search')")
    return found
