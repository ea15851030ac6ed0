"""Build a plan call by call: the answer of `call` stands for a value that is not there yet."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Protocol

from penstock.calls import Call, Ref
from penstock.errors import BadPlan, ConfigError, cut, shown
from penstock.plan.plan import Plan

# As deep as arguments may be that come from a model.
_MAX_DEPTH = 64


class Named(Protocol):
    """Anything with a tool's name, such as a `Tool`."""

    @property
    def name(self) -> str: ...


class Node:
    """A call of a plan under construction; as an argument of a later call it is its value.

    `node["items"][0]` is a `Ref` to a part of that value. Nodes are made by `PlanBuilder.call`.

    Attributes:
        call: what was added to the plan.
        id: of that call.
        ref: to the whole value.
    """

    __slots__ = ("call", "id", "ref")

    def __init__(self, call: Call, id: str) -> None:
        self.call = call
        self.id = id
        self.ref = Ref(id)

    def __getitem__(self, key: str | int) -> Ref:
        return self.ref[key]

    # Without this, `for x in node` would ask for node[0], node[1], ... and never end.
    __iter__ = None

    def __str__(self) -> str:
        """Raise: a text with the node in it would reach the tool as that text, not as a value."""
        raise TypeError("a Node has no text before its call ran: join the parts in a tool")

    def __format__(self, specification: str) -> str:
        """Raise, as `str` does."""
        return str(self)

    def __repr__(self) -> str:
        return f"<Node {self.id!r} of {self.call.tool!r}>"


class PlanBuilder:
    """A mutable list of calls that becomes a `Plan`.

    Example:
        >>> builder = PlanBuilder("report")
        >>> hits = builder.call("search", query="penstock")
        >>> page = builder.call("fetch", url=hits["items"][0]["url"])
        >>> plan = builder.freeze()
        >>> [call.id for call in plan]
        ['search-1', 'fetch-1']
    """

    def __init__(self, name: str | None = None) -> None:
        self.name = name
        self._calls: dict[str, Call] = {}
        self._made: Counter[str] = Counter()

    def call(
        self,
        tool: str | Named,
        /,
        *,
        id: str | None = None,
        after: Iterable[Node | Ref | Call | str] = (),
        branch: str | None = None,
        priority: int | None = None,
        timeout: float | None = None,
        arguments: Mapping[str, object] | None = None,
        **keywords: object,
    ) -> Node:
        """Add a call and return its node.

        Args:
            tool: its name, or the tool itself.
            id: unique in the plan; None makes one from the tool's name, such as `search-1`.
            after: calls that must have ended well before this one starts, beside those whose
                values it uses; an id may be that of a call that is added later.
            branch: the group it is cancelled or committed with; None: no group.
            priority: 0 (first) to 7; None: the tool's.
            timeout: seconds from the submission of the plan; None: no limit of its own.
            arguments: for parameters that are named like one of the options above.
            **keywords: the tool's arguments; a `Node` or `Ref` at any depth of dicts and lists
                stands for a value.

        Raises:
            BadPlan: the id is taken, an argument is given twice, a node is of another plan, or it
                stands where no value can: as a key.
            ConfigError: `tool`, `after` or `arguments` is something else than said above.
        """
        name = _name(tool)
        id = self._new_id(name) if id is None else id
        if id in self._calls:
            raise BadPlan(id, "id", "another call of this plan has this id; choose a new one")
        values = self._merged(id, _by_name(id, arguments), keywords)
        parents = [self._parent(id, parent) for parent in _several(id, after)]
        added = Call(
            name, values, id=id, priority=priority, branch=branch, timeout=timeout, after=parents
        )
        self._calls[id] = added
        return Node(added, id)

    def freeze(self) -> Plan:
        """Return the plan of the calls so far; more can be added for another plan.

        Raises:
            BadPlan: see `Plan`.
        """
        return Plan(tuple(self._calls.values()), self.name)

    def _new_id(self, tool: str) -> str:
        while True:
            self._made[tool] += 1
            id = f"{tool}-{self._made[tool]}"
            if id not in self._calls:
                return id

    def _merged(
        self, id: str, arguments: Mapping[str, object], keywords: Mapping[str, object]
    ) -> dict[str, object]:
        twice = sorted(arguments.keys() & keywords.keys())
        if twice:
            raise BadPlan(id, f"arguments.{twice[0]}", "is given twice; give it once")
        merged = {**arguments, **keywords}
        return {
            key: self._value(id, _inside(id, "arguments", key), item)
            for key, item in merged.items()
        }

    def _value(self, id: str, field: str, value: object, depth: int = 1) -> object:
        """A copy of an argument with refs for nodes, so that later changes to it change nothing."""
        if depth > _MAX_DEPTH:
            raise BadPlan(id, cut(field), f"is nested deeper than {_MAX_DEPTH} levels")
        match value:
            case Node():
                return self._own(id, field, value).ref
            case dict():
                pairs = ((key, _inside(id, field, key), item) for key, item in value.items())
                return {key: self._value(id, path, item, depth + 1) for key, path, item in pairs}
            case list() | tuple():
                items = ((f"{field}[{at}]", item) for at, item in enumerate(value))
                return [self._value(id, path, item, depth + 1) for path, item in items]
            case _:
                return value

    def _parent(self, id: str, parent: object) -> str:
        match parent:
            case Node():
                return self._own(id, "after", parent).id
            case Ref():
                return parent.call
            case Call(id=str() as named):
                return named
            case str():
                return parent
            case _:
                reason = f"{shown(parent)} names no call; give a node, a ref or an id"
                raise BadPlan(id, "after", reason)

    def _own(self, id: str, field: str, node: Node) -> Node:
        if self._calls.get(node.id) is not node.call:
            raise BadPlan(id, field, f"{node!r} belongs to another plan; add its call to this one")
        return node


def _name(tool: object) -> str:
    name = tool if isinstance(tool, str) else getattr(tool, "name", None)
    if isinstance(name, str):
        return name
    raise ConfigError("tool", tool, "it has no name: decorate it with @tool, or give its name")


def _by_name(id: str, arguments: object) -> Mapping[str, object]:
    if arguments is None:
        return {}
    if isinstance(arguments, Mapping):
        return arguments
    reason = f"call {id!r}: must be the tool's arguments by name, such as {{'query': 'x'}}"
    raise ConfigError("arguments", arguments, reason)


def _several(id: str, after: object) -> Iterable[object]:
    if isinstance(after, str | Node | Ref | Call):
        kind = "id" if isinstance(after, str) else type(after).__name__
        raise ConfigError("after", after, f"call {id!r}: must be a list, not a single {kind}")
    if isinstance(after, Iterable):
        return after
    raise ConfigError("after", after, f"call {id!r}: must be a list of nodes, refs or ids")


def _inside(id: str, field: str, key: object) -> str:
    """The place of the value under `key`, which is told now: nothing is put in its place later."""
    if isinstance(key, Node | Ref):
        raise BadPlan(id, cut(field), f"{key!r} is a key; only values can come from other calls")
    return f"{field}.{key}"
