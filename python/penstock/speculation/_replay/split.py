"""Who is scored by a model of whom: groups that share a task, and folds of groups.

Two sessions belong together if they have the same source and task, or the same first call with
arguments, as far as that call is rare: two sources number the same tasks differently, and a first call
that a tenth of a family makes says nothing.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence

from penstock._codec import encode
from penstock._native import canonical
from penstock.speculation.traces import TraceSession

_COMMON_SHARE = 0.1
_COMMON_LEAST = 2


def order_of(session: TraceSession) -> bytes:
    """The place of a session among others: the xxh3 of its id, which no file order moves."""
    made = canonical(session.id, b"{}")
    return made[1] if made else b""


def groups_of(sessions: Iterable[TraceSession]) -> list[list[TraceSession]]:
    """Partition sessions so that no task is in two groups.

    Returns:
        groups, each in the order of `order_of`, largest first, then by lowest session id.
    """
    families = defaultdict[str, list[TraceSession]](list)
    for session in sessions:
        families[session.family].append(session)
    groups = [group for family in families.values() for group in _family_groups(family)]
    return sorted(groups, key=lambda group: (-len(group), min(each.id for each in group)))


def folds_of(sessions: Iterable[TraceSession], count: int) -> list[list[list[TraceSession]]]:
    """Deal groups into folds, per family: the largest group first into the smallest fold.

    Returns:
        `count` folds, each a list of groups; some are empty if a family has few groups.
    """
    folds: list[list[list[TraceSession]]] = [[] for _ in range(count)]
    sizes = defaultdict[str, list[int]](lambda: [0] * count)
    for group in groups_of(sessions):
        size = sizes[group[0].family]
        smallest = size.index(min(size))
        size[smallest] += len(group)
        folds[smallest].append(group)
    return folds


def _family_groups(sessions: Sequence[TraceSession]) -> list[list[TraceSession]]:
    parents = list(range(len(sessions)))
    for places in _alike(sessions):
        for place in places[1:]:
            parents[_root(parents, place)] = _root(parents, places[0])
    groups = defaultdict[int, list[TraceSession]](list)
    for place, session in enumerate(sessions):
        groups[_root(parents, place)].append(session)
    return [sorted(group, key=order_of) for group in groups.values()]


def _alike(sessions: Sequence[TraceSession]) -> Iterable[list[int]]:
    tasks = defaultdict[tuple[str, str], list[int]](list)
    firsts = defaultdict[object, list[int]](list)
    for place, session in enumerate(sessions):
        tasks[session.source, session.task].append(place)
        if session.calls:
            call = session.calls[0]
            firsts[call.tool, canonical(call.tool, encode(call.arguments))].append(place)
    yield from tasks.values()
    rare = max(_COMMON_LEAST, _COMMON_SHARE * len(sessions))
    yield from (places for places in firsts.values() if len(places) <= rare)


def _root(parents: list[int], place: int) -> int:
    while parents[place] != place:
        parents[place] = parents[parents[place]]
        place = parents[place]
    return place
