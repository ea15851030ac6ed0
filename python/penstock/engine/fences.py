"""Fences: in one step, a call waits for the writes before it that name a resource that it names, too.

| who | waits for |
|---|---|
| a call whose tool says what it reads or changes | each earlier call that says that it changes one of these |
| a call of a tool that says nothing | nobody, and nobody for it |
| a call whose arguments are wrong | nobody: it will be rejected |

Ground rules:

- State: for each name that is changed its calls without an end, and those who wait behind them; all by
  the places of the calls in their step. Pure: nothing here starts, awaits or cancels.
- Only who comes before is waited for, so there is no circle. Whoever was rejected, cancelled or skipped has
  ended, too: a fence keeps an order, it passes no failure on.
- While a reply is spoken, what an open call will change is not known: who may meet it waits until it is.
- A call of a step that is held takes nothing, and ends as any call that has not started. What orders its
  calls itself, a plan or calls with `after` or `Ref`, has no fences.
- Cost: nothing where no tool of the engine says what it changes; else a name is looked up per call. Bound:
  the calls of the step.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from heapq import heappop, heappush
from typing import Any

from penstock._native import Batch as NativeBatch
from penstock.calls import Call
from penstock.errors import BadValue, InvalidArguments
from penstock.events import RECORDED
from penstock.plan import Plan
from penstock.tools import Tool, Toolset, broadest_name, names_meet

ANYTHING = ("*",)
"""What a call names that names too much."""

_ENDS = 1 << RECORDED.index("call.ended")
_PAGE = 1_024


@dataclass(slots=True, eq=False)
class _Waiting:
    """A call, and how many things it waits for."""

    place: int
    names: tuple[str, ...]
    left: int = 0

    def __lt__(self, other: "_Waiting") -> bool:
        return self.place < other.place


@dataclass(slots=True, eq=False)
class _Name:
    """The calls that change one name and have no end yet, and those behind the first of them."""

    text: str
    live: set[int] = field(default_factory=set)
    order: list[int] = field(default_factory=list)
    behind: list[_Waiting] = field(default_factory=list)

    def first(self) -> int | None:
        while self.order and self.order[0] not in self.live:
            heappop(self.order)
        return self.order[0] if self.order else None


@dataclass(slots=True, eq=False)
class _Open:
    """A write that is being spoken: what it may change, and who waits to hear that."""

    names: tuple[str, ...]
    behind: list[_Waiting] = field(default_factory=list)


class Fences:
    """Which calls of one step wait for which. See the ground rules."""

    def __init__(self, tools: Toolset) -> None:
        """Begin a step without calls.

        Args:
            tools: of the engine.
        """
        self._tools = tools
        self._names: dict[str, _Name] = {}
        self._broad: list[_Name] = []
        self._open: dict[int, _Open] = {}
        self._changing: dict[int, list[_Name]] = {}
        self._held: dict[int, _Waiting] = {}

    def begin(self, place: int, tool: str) -> None:
        """A call has begun, its arguments are still to come. Places grow with the order of the calls."""
        if tool in self._tools.fencing:
            self._open[place] = _Open(tuple(map(broadest_name, self._tools[tool].mutates or ())))

    def add(self, place: int, call: Call) -> list[int]:
        """Take up a call that is complete; the latest of its place counts.

        Returns:
            Those that waited to hear what it changes, and may start now.
        """
        behind = self._leave(place)
        if place in self._open:
            behind += self._open.pop(place).behind
        self._held.pop(place, None)
        known = call.tool in self._tools
        names, changed = names_of(self._tools[call.tool], call) if known else ((), ())
        self._wait(_Waiting(place, names))
        self._change(place, changed)
        for waiting in behind:
            self._look(waiting, changed)
        return [free for waiting in behind for free in self._less(waiting)]

    def is_held(self, place: int) -> bool:
        """Return whether a call waits."""
        return place in self._held

    def end(self, place: int) -> list[int]:
        """A call has ended; return those that may start now, in order."""
        self._held.pop(place, None)
        return sorted(free for waiting in self._leave(place) for free in self._less(waiting))

    def _leave(self, place: int) -> list[_Waiting]:
        """A call changes nothing any more; return those who are behind it no longer, once a name."""
        found: list[_Waiting] = []
        for name in self._changing.pop(place, ()):
            name.live.discard(place)
            first = name.first()
            while name.behind and (first is None or name.behind[0].place <= first):
                found.append(heappop(name.behind))
        return found

    def _wait(self, waiting: _Waiting) -> None:
        for name in self._meeting(waiting.names):
            first = name.first()
            if first is not None and first < waiting.place:
                waiting.left += 1
                heappush(name.behind, waiting)
        for place, open in self._open.items():
            if place < waiting.place and _any_meet(open.names, waiting.names):
                waiting.left += 1
                open.behind.append(waiting)
        if waiting.left:
            self._held[waiting.place] = waiting

    def _change(self, place: int, changed: tuple[str, ...]) -> None:
        for text in changed:
            name = self._names.get(text)
            if name is None:
                name = self._names[text] = _Name(text)
                if text.endswith("*"):
                    self._broad.append(name)
            name.live.add(place)
            heappush(name.order, place)
            self._changing.setdefault(place, []).append(name)

    def _look(self, waiting: _Waiting, changed: tuple[str, ...]) -> None:
        """A call that waited to hear what an earlier one changes waits for that, if it has to."""
        for text in changed:
            if any(names_meet(text, own) for own in waiting.names):
                waiting.left += 1
                heappush(self._names[text].behind, waiting)

    def _meeting(self, names: tuple[str, ...]) -> Iterable[_Name]:
        """The names that are changed and meet one of these, each once."""
        if any(name.endswith("*") for name in names):
            return [known for known in self._names.values() if _any_meet((known.text,), names)]
        found = {id(self._names[name]): self._names[name] for name in names if name in self._names}
        found.update({id(it): it for it in self._broad if _any_meet((it.text,), names)})
        return found.values()

    def _less(self, waiting: _Waiting) -> list[int]:
        waiting.left -= 1
        if waiting.left or self._held.get(waiting.place) is not waiting:
            return []
        del self._held[waiting.place]
        return [waiting.place]


def names_of(tool: Tool[..., Any], call: Call) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return what a call reads or changes, and what of that it changes; nothing if it does not say."""
    if not tool.reads and not tool.mutates:
        return (), ()
    try:
        arguments = tool.bound(call.arguments or {})
    except (InvalidArguments, BadValue):
        return (), ()
    reads = _named(tool.resources_read, arguments)
    changes = _named(tool.resources_changed, arguments)
    return tuple(dict.fromkeys(reads + changes)), changes


class Fenced:
    """A step that is one batch: what of it is held until its time has come. Made by `fence`."""

    def __init__(self, fences: Fences, held: list[int]) -> None:
        self._fences = fences
        self.held = held

    def follow(self, batch: NativeBatch) -> None:
        """Release what is held when its time has come. The batch is a watched one."""

        def ended(place: int) -> None:
            if free := self._fences.end(place):
                batch.release(free)

        follow(batch, ended)


def fence(calls: Sequence[Call] | Plan, tools: Toolset) -> Fenced | None:
    """Return what of a step has to wait; None if nothing has to."""
    if not tools.fencing or len(calls) < 2 or isinstance(calls, Plan):
        return None
    if any(map(_is_bound, calls)) or not any(call.tool in tools.fencing for call in calls):
        return None
    fences = Fences(tools)
    for place, call in enumerate(calls):
        fences.add(place, call)
    held = [place for place in range(len(calls)) if fences.is_held(place)]
    return Fenced(fences, held) if held else None


def follow(batch: NativeBatch, ended: Callable[[int], None]) -> None:
    """Have somebody told of each end of a watched batch, by its place, soon after it.

    Needs no task: the log says when to look again.
    """
    _Follower(batch, ended).look()


class _Follower:
    def __init__(self, batch: NativeBatch, ended: Callable[[int], None]) -> None:
        self._batch = batch
        self._ended = ended
        self._position = 0
        self._told = set[int]()

    def look(self, _grown: object = None) -> None:
        seen = "records"
        while seen in ("records", "gap"):
            seen, self._position, events = self._batch.read(self._position, _PAGE, _ENDS)
            for event in events:
                if event.index is not None:
                    self._tell(event.index)
            if seen in ("gap", "end"):  # what the log has forgotten, the batch still knows
                self._tell_all()
        if seen == "nothing":
            self._batch.grown(self._position).add_done_callback(self.look)

    def _tell(self, place: int) -> None:
        if place not in self._told:
            self._told.add(place)
            self._ended(place)

    def _tell_all(self) -> None:
        for place, outcome in enumerate(self._batch.outcomes):
            if outcome is not None:
                self._tell(place)


def _is_bound(call: object) -> bool:
    """Whether a call orders itself, or is none, which the host will say."""
    return not isinstance(call, Call) or bool(call.after or call.refs)


def _any_meet(some: Sequence[str], others: Sequence[str]) -> bool:
    return any(names_meet(one, other) for one in some for other in others)


def _named(names: Any, arguments: Any) -> tuple[str, ...]:
    if names is None:
        return ()
    found: tuple[str, ...] | None = names(arguments)
    return ANYTHING if found is None else found
