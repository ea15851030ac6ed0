"""`Toolset`: tools by name, in the order in which they were given."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from types import ModuleType
from typing import Any

from penstock.errors import ConfigError, DuplicateTool, UnknownTool, nearest
from penstock.tools.signature import unbound
from penstock.tools.tool import Tool, tool

AnyTool = Tool[..., Any]
Source = AnyTool | Callable[..., Any] | ModuleType | Iterable[Any]
"""What tools can be taken from; an iterable holds sources again."""


class Toolset(Iterable[AnyTool]):
    """An immutable set of tools.

    Example:
        >>> from penstock.tools import Toolset, tool
        >>> @tool(tags=["weather"])
        ... async def forecast(city: str) -> str: ...
        >>> Toolset([forecast]).prefix("met_").names
        ('met_forecast',)
    """

    __slots__ = ("_fencing", "_tools")

    def __init__(self, sources: Source = ()) -> None:
        """Take tools from `sources`.

        Args:
            sources: a tool, a function (it becomes a tool with the default options), a toolset, a
                module (all tools among its names), or an iterable of these.

        Raises:
            DuplicateTool: two different tools have one name; the same tool twice counts once.
            ConfigError: something that no tool can be taken from, or a method that is not bound.
        """
        self._tools: dict[str, AnyTool] = {}
        for found in _tools(sources):
            _check_bound(found)
            if self._tools.setdefault(found.name, found) is not found:
                raise DuplicateTool(found.name)
        self._fencing = frozenset(found.name for found in self if found.mutates)

    def __iter__(self) -> Iterator[AnyTool]:
        return iter(self._tools.values())

    def __len__(self) -> int:
        return len(self._tools)

    def __contains__(self, name: object) -> bool:
        return name in self._tools or any(name is found for found in self)

    def __getitem__(self, name: str) -> AnyTool:
        """Return the tool of that name.

        Raises:
            UnknownTool: with the nearest names; usually the model acts.
        """
        try:
            return self._tools[name]
        except KeyError:
            raise UnknownTool(name, self.near(name)) from None

    def __or__(self, other: Source) -> "Toolset":
        """Return the tools of both."""
        return Toolset([self, other])

    def __repr__(self) -> str:
        return f"Toolset({', '.join(self._tools)})"

    @property
    def names(self) -> tuple[str, ...]:
        """The names, in order."""
        return tuple(self._tools)

    @property
    def fencing(self) -> frozenset[str]:
        """The names of those that say what they change: see `penstock.engine.fences`."""
        return self._fencing

    def near(self, name: str) -> tuple[str, ...]:
        """Return up to three known names that `name` may stand for, best first."""
        return nearest(name, self._tools)

    def filter(self, *, tags: Iterable[str]) -> "Toolset":
        """Return the tools that have all of `tags`."""
        wanted = frozenset([tags] if isinstance(tags, str) else tags)
        return Toolset([found for found in self if wanted <= found.tags])

    def only(self, names: Iterable[str]) -> "Toolset":
        """Return the tools of these names, in the order of `names`; `UnknownTool` for another."""
        return Toolset([self[name] for name in _names(names)])

    def without(self, names: Iterable[str]) -> "Toolset":
        """Return the other tools; `UnknownTool` for a name that is not there."""
        unwanted = {self[name].name for name in _names(names)}
        return Toolset([found for found in self if found.name not in unwanted])

    def prefix(self, text: str) -> "Toolset":
        """Return the tools under new names, `text` before each."""
        return Toolset([found.replace(name=text + found.name) for found in self])


def _names(names: Iterable[str]) -> list[str]:
    return [names] if isinstance(names, str) else list(names)


def _check_bound(found: AnyTool) -> None:
    """A tool of a class body becomes one that can run when an instance binds it."""
    if first := unbound(found.function):
        *_, owner, method = found.function.__qualname__.split(".")
        reason = f"its first parameter is `{first}`: give a bound method, `{owner}().{method}`"
        raise ConfigError("tools", found.name, reason)


def _tools(source: object) -> Iterator[AnyTool]:
    if isinstance(source, Tool):
        yield source
    elif isinstance(source, ModuleType):
        yield from (value for value in vars(source).values() if isinstance(value, Tool))
    elif isinstance(source, Iterable) and not isinstance(source, str | bytes | Mapping | type):
        for inner in source:
            yield from _tools(inner)
    elif callable(source):
        yield tool(source)
    else:
        raise ConfigError("tools", source, "must be tools, functions, toolsets or modules")
