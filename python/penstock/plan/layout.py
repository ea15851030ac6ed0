"""Where the boxes of a plan's picture stand: columns by level, few crossings, short lines.

The layered method of Sugiyama, Tagawa and Toda (1981) in its plain form: order each column by the
mean place of its neighbours, then place it as near to them as the boxes allow. Graphviz does this
better, but it is a program to install; the Python packages that do it need it or a compiler.
"""

from bisect import bisect_right, insort
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise

from penstock.plan import dag
from penstock.plan.dag import Edge

Point = tuple[float, float]

_SWEEPS = 12
_GAP = 14.0
_BEND_GAP = 7.0
_COLUMN_GAP = 64.0


@dataclass(frozen=True, slots=True)
class Layout:
    """A drawing, with its top left corner at 0, 0.

    Attributes:
        width: of everything.
        height: of everything.
        boxes: the top left corner and the width of each box, by position. The boxes of a column
            are equally wide, or lines that leave a narrow one would run behind its neighbours.
        routes: for each edge the points that its line goes through; the lines between them run
            through the free space between two columns or straight through a column.
    """

    width: float
    height: float
    boxes: list[tuple[float, float, float]]
    routes: dict[Edge, list[Point]]


class _Graph:
    """Boxes, and one bend for each column that an edge runs through.

    All long edges of one parent share their bends, so that a value which many calls use leaves as
    one line. A vertex is a box below `count`, else a bend.
    """

    def __init__(self, depths: Sequence[int], edges: Sequence[Edge]) -> None:
        self.count = len(depths)
        self.columns: list[list[int]] = [[] for _ in range(max(depths, default=-1) + 1)]
        self.before: list[list[int]] = [[] for _ in depths]
        self.behind: list[list[int]] = [[] for _ in depths]
        self.chains: dict[Edge, list[int]] = {}
        children = dag.successors(self.count, edges)
        for parent in _reading_order(depths, children):
            self.columns[depths[parent]].append(parent)
            chain = [parent]
            for child in sorted(children[parent], key=depths.__getitem__):
                while depths[parent] + len(chain) < depths[child]:
                    chain.append(self._bend(chain[-1], depths[parent] + len(chain)))
                self._link(chain[-1], child)
                self.chains[parent, child] = [*chain, child]

    def _bend(self, vertex: int, column: int) -> int:
        bend = len(self.before)
        self.before.append([])
        self.behind.append([])
        self.columns[column].append(bend)
        self._link(vertex, bend)
        return bend

    def _link(self, left: int, right: int) -> None:
        self.behind[left].append(right)
        self.before[right].append(left)


def bends(depths: Sequence[int], edges: Sequence[Edge]) -> int:
    """Return how many bends a drawing needs, without drawing it."""
    furthest = dict[int, int]()
    for parent, child in edges:
        furthest[parent] = max(furthest.get(parent, 0), depths[child] - depths[parent] - 1)
    return sum(furthest.values())


def lay_out(
    depths: Sequence[int], edges: Sequence[Edge], widths: Sequence[float], height: float
) -> Layout:
    """Place boxes in columns from left to right.

    Args:
        depths: the column of each box; a parent's is lower than its child's.
        edges: pairs `(parent, child)` of boxes.
        widths: that the boxes need.
        height: of every box.
    """
    graph = _Graph(depths, edges)
    _order_columns(graph)
    middles = _middles(graph, height)
    across = [max(widths[v] for v in column if v < graph.count) for column in graph.columns]
    lefts = [0.0, *accumulate(width + _COLUMN_GAP for width in across)]
    top = min(middles, default=0) - height / 2
    boxes = [
        (lefts[depth], middles[box] - height / 2 - top, across[depth])
        for box, depth in enumerate(depths)
    ]
    routes: dict[Edge, list[Point]] = {}
    for (parent, child), chain in graph.chains.items():
        line = [(lefts[depths[parent]] + across[depths[parent]], middles[parent] - top)]
        for column, vertex in enumerate(chain[1:], depths[parent] + 1):
            line.append((lefts[column], middles[vertex] - top))
            if vertex != child:
                line.append((lefts[column] + across[column], middles[vertex] - top))
        routes[parent, child] = line
    bottom = max(middles, default=0) - top + height / 2
    return Layout(max(0.0, lefts[-1] - _COLUMN_GAP), bottom, boxes, routes)


def _reading_order(depths: Sequence[int], children: Sequence[Sequence[int]]) -> list[int]:
    """Boxes depth first, so that relatives start out as neighbours."""
    seen = [False] * len(depths)
    found: list[int] = []
    stack = [box for box in reversed(range(len(depths))) if depths[box] == 0]
    while stack:
        box = stack.pop()
        if not seen[box]:
            seen[box] = True
            found.append(box)
            stack += reversed(children[box])
    return found


def _order_columns(graph: _Graph) -> None:
    """Sort each column by the mean place of its neighbours, there and back; keep the best order."""
    best, fewest = [list(column) for column in graph.columns], _crossings(graph)
    for sweep in range(_SWEEPS):
        if not fewest:
            break
        forward = sweep % 2 == 0
        columns = graph.columns[1:] if forward else graph.columns[-2::-1]
        neighbours = graph.before if forward else graph.behind
        places = _places(graph)
        for column in columns:
            wishes = {v: _mean([places[n] for n in neighbours[v]], places[v]) for v in column}
            column.sort(key=wishes.__getitem__)
            _number(column, places)
        crossings = _crossings(graph)
        if crossings < fewest:
            best, fewest = [list(column) for column in graph.columns], crossings
    graph.columns = best


def _places(graph: _Graph) -> list[float]:
    """Each vertex's place in its column, from 0 to 1, so that columns of any length compare."""
    places = [0.0] * len(graph.before)
    for column in graph.columns:
        _number(column, places)
    return places


def _number(column: Sequence[int], places: list[float]) -> None:
    for place, vertex in enumerate(column):
        places[vertex] = (place + 0.5) / len(column)


def _crossings(graph: _Graph) -> int:
    places = _places(graph)
    total = 0
    for column in graph.columns[:-1]:
        ends: list[float] = []
        for vertex in column:
            behind = sorted(places[v] for v in graph.behind[vertex])
            total += sum(len(ends) - bisect_right(ends, end) for end in behind)
            for end in behind:
                insort(ends, end)
    return total


def _middles(graph: _Graph, height: float) -> list[float]:
    """The vertical middle of each vertex: near its neighbours, with its distance to the next."""
    halves = [
        height / 2 + _GAP / 2 if v < graph.count else _BEND_GAP for v in range(len(graph.before))
    ]
    middles = [0.0] * len(halves)
    offsets: list[list[float]] = []
    for column in graph.columns:
        distances = (halves[above] + halves[below] for above, below in pairwise(column))
        offsets.append(list(accumulate(distances, initial=0.0)))
        for vertex, place in zip(column, offsets[-1], strict=True):
            middles[vertex] = place - offsets[-1][-1] / 2
    for sweep in range(_SWEEPS):
        numbered = list(zip(graph.columns, offsets, strict=True))
        for column, offset in numbered if sweep % 2 == 0 else reversed(numbered):
            wishes = [_wish(graph, vertex, middles) for vertex in column]
            for vertex, middle in zip(column, _spread(wishes, offset), strict=True):
                middles[vertex] = middle
    return middles


def _wish(graph: _Graph, vertex: int, middles: Sequence[float]) -> float:
    neighbours = [middles[v] for v in (*graph.before[vertex], *graph.behind[vertex])]
    return _mean(neighbours, middles[vertex])


def _spread(wishes: Sequence[float], offsets: Sequence[float]) -> list[float]:
    """The places nearest to the wishes (least squares) that keep the order and the distances.

    Isotonic regression by pooling adjacent violators: without its offset, each place must not be
    above the one before it; those that are share their mean.
    """
    pools: list[tuple[float, int]] = []
    for wish, offset in zip(wishes, offsets, strict=True):
        total, size = wish - offset, 1
        while pools and pools[-1][0] / pools[-1][1] > total / size:
            above, members = pools.pop()
            total, size = total + above, size + members
        pools.append((total, size))
    bases = [total / size for total, size in pools for _ in range(size)]
    return [base + offset for base, offset in zip(bases, offsets, strict=True)]


def _mean(values: Sequence[float], default: float) -> float:
    return sum(values) / len(values) if values else default
