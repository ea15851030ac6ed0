"""The graph of a batch: ids become edges between positions, and every fault is found before it runs.

An edge is a pair `(parent, child)` of positions in the sequence of calls. A batch nearly always
lists parents before their children, and then one linear pass proves that there is no cycle; only an
edge that points backward costs a topological sort, which is `graphlib`'s.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from difflib import get_close_matches
from graphlib import CycleError, TopologicalSorter
from itertools import islice, starmap
from operator import lt

from penstock.calls import Call, Ref
from penstock.errors import BadPlan

Edge = tuple[int, int]

MAX_CALLS = 1_000_000
MAX_EDGES = 16_000_000

# Comparing a misspelt id with a million others would take minutes to make an error's text nicer.
_COMPARED_IDS = 1_000


def edges(calls: Sequence[Call]) -> list[Edge]:
    """Return who waits for whom in a batch, by a `Ref` in the arguments or by `after`.

    Args:
        calls: in any order; a parent may come after its child. A call without an id cannot be
            named, and several calls may share an id as long as no call names it.

    Returns:
        Pairs `(parent, child)` of positions in `calls`, each pair once, in no order to rely on.

    Raises:
        BadPlan: a call names itself, or an id that none or several of the calls have; the calls
            wait for each other in a circle; or there are more than 1,000,000 calls or 16,000,000
            edges. The caller must mend the batch.
    """
    if len(calls) > MAX_CALLS:
        raise BadPlan("", "calls", f"{len(calls):,} calls are more than {MAX_CALLS:,}; split them")
    positions = _positions(calls)
    try:
        pairs = [
            (positions[ref.call], child) for child, call in enumerate(calls) for ref in call.refs
        ]
        pairs += [(positions[id], child) for child, call in enumerate(calls) for id in call.after]
    except KeyError:
        raise _bad_parent(calls, positions) from None
    if len(pairs) > MAX_EDGES:
        raise BadPlan("", "calls", f"{len(pairs):,} edges are more than {MAX_EDGES:,}; split them")
    if not _forward(pairs):
        _check_acyclic(calls, pairs)
    return list(dict.fromkeys(pairs))


def order(count: int, edges: Sequence[Edge]) -> Sequence[int]:
    """Return all positions below `count` so that each comes after its parents. No cycles, please."""
    return range(count) if _forward(edges) else tuple(_sorter(edges, count).static_order())


def levels(count: int, edges: Sequence[Edge]) -> list[int]:
    """Return the level of each position: 0 without parents, else one above its highest parent."""
    found = [0] * count
    children = successors(count, edges)
    for parent in order(count, edges):
        below = found[parent] + 1
        for child in children[parent]:
            if found[child] < below:
                found[child] = below
    return found


def successors(count: int, edges: Iterable[Edge]) -> list[list[int]]:
    """Return the children of each position, in the order of the edges."""
    children: list[list[int]] = [[] for _ in range(count)]
    for parent, child in edges:
        children[parent].append(child)
    return children


def label(call: Call, index: int) -> str:
    """Return how errors and pictures name a call: its id, or its place when it has none."""
    return f"calls[{index}]" if call.id is None else call.id


def _positions(calls: Sequence[Call]) -> dict[str | None, int]:
    """The position of each id that exactly one call has."""
    ids = [call.id for call in calls]
    positions: dict[str | None, int] = dict(zip(ids, range(len(ids)), strict=True))
    if len(positions) < len(ids):
        for id, count in Counter(ids).items():
            if count > 1:
                del positions[id]
    positions.pop(None, None)
    return positions


def _forward(pairs: Iterable[Edge]) -> bool:
    """Whether every parent comes before its child, which rules out a cycle."""
    return all(starmap(lt, pairs))


def _sorter(pairs: Iterable[Edge], count: int = 0) -> TopologicalSorter[int]:
    sorter = TopologicalSorter(dict.fromkeys(range(count), ()))
    for parent, child in pairs:
        sorter.add(child, parent)
    return sorter


def _check_acyclic(calls: Sequence[Call], pairs: Iterable[Edge]) -> None:
    try:
        _sorter(pairs).prepare()
    except CycleError as error:
        # graphlib lists a cycle from parent to child, the first position again at the end.
        circle: list[int] = error.args[1]
        reason = (
            "the calls wait for each other in a circle" if len(circle) > 2 else "waits for itself"
        )
        path = tuple(label(calls[index], index) for index in circle)
        raise BadPlan(path[1], _field(calls[circle[1]], path[0]), reason, path) from None


def _bad_parent(calls: Sequence[Call], positions: dict[str | None, int]) -> BadPlan:
    """The error for the first call that names an id which does not stand for exactly one call."""
    index, call, id = next(
        (index, call, id)
        for index, call in enumerate(calls)
        for id in [*call.after, *(ref.call for ref in call.refs)]
        if id not in positions
    )
    same = sum(call.id == id for call in calls)
    if same:
        reason = f"{same} calls have the id {id!r}; give the one that is meant an id of its own"
    else:
        known = [known for known in islice(positions, _COMPARED_IDS) if known is not None]
        near = " or ".join(map(repr, get_close_matches(id, known)))
        reason = f"no call has the id {id!r}" + (f"; did you mean {near}?" if near else "")
    return BadPlan(label(call, index), _field(call, id), reason)


def _field(call: Call, id: str) -> str:
    """Where a call names `id`: `after`, or the path to the `Ref` in its arguments."""
    if id in call.after:
        return "after"
    return next((path for path, ref in _refs("arguments", call.arguments) if ref.call == id), "")


def _refs(path: str, value: object) -> Iterator[tuple[str, Ref]]:
    if isinstance(value, Ref):
        yield path, value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _refs(f"{path}.{key}", item)
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            yield from _refs(f"{path}[{index}]", item)
