"""Finding tools, and their limits, by what people type: `module`, `module:attribute` or `file.py`."""

import importlib
import sys
import traceback
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import click

from penstock.errors import PenstockError, nearest
from penstock.limits import Budget, Limit, scope_parts
from penstock.tools import Tool, Toolset

TOOLS_HELP = (
    "Where the tools are: MODULE, MODULE:NAME or FILE.py. A module stands for all its tools."
)

LIMITS = "limits"
"""The name in a module of tools under which `Limit`s and `Budget`s are found."""


def load_tools(places: Sequence[str]) -> Toolset:
    """Return the tools of all places together. The current directory can be imported from.

    Raises:
        click.UsageError: nothing is there, it cannot be imported, or it holds no tool.
        DuplicateTool: two places have different tools of one name.
    """
    if (here := str(Path.cwd())) not in sys.path:
        sys.path.insert(0, here)
    found = Toolset([_tools(place) for place in places])
    for tool in found:
        _validator_of(tool)
    return found


def load_limits(places: Sequence[str], tools: Toolset) -> list[Limit | Budget]:
    """Return the limits that the modules of all places hold as `limits = [...]`, each once.

    Args:
        places: as for `load_tools`, which comes first.
        tools: those that were chosen; limits of the module's other tools are left out.

    Raises:
        click.UsageError: something else has that name, or is in the list.
    """
    modules = {place.partition(":")[0]: place for place in places}
    found: dict[Limit | Budget, None] = {}
    for name, place in modules.items():
        module = _module(name, place)
        rules, own = _limits(module, place), Toolset(module)
        found |= dict.fromkeys(r for r in rules if _knows(tools, r) or not _knows(own, r))
    return list(found)


def _limits(module: ModuleType, place: str) -> list[Limit | Budget]:
    found = getattr(module, LIMITS, [])
    if isinstance(found, ModuleType) or callable(found):
        return []  # an import or a function of that name: not meant
    if not isinstance(found, list | tuple):
        raise _fault(place, f"its {LIMITS!r} is {type(found).__name__}, not a list of limits")
    for at, rule in enumerate(found):
        if not isinstance(rule, Limit | Budget):
            reason = f"{LIMITS}[{at}] is {type(rule).__name__}, not a Limit or a Budget"
            hint = "; Limit.tiers gives a list: put a * before it" if isinstance(rule, list) else ""
            raise _fault(place, reason + hint)
    return list(found)


def _knows(tools: Toolset, rule: Limit | Budget) -> bool:
    """Whether these are the tools that a limit names; one of no tools at all is a slip."""
    services = {tool.service for tool in tools}
    known: dict[str, Collection[str | None]] = {"tool": tools.names, "service": services}
    return all(
        kind not in known or name is None or name in known[kind]
        for kind, name in scope_parts(rule.scope)
    )


def _tools(place: str) -> Toolset:
    name, _, attribute = place.partition(":")
    module = _module(name, place)
    target: Any = module
    for part in filter(None, attribute.split(".")):
        target = _attribute(target, part, place)
    try:
        found = Toolset(target)
    except PenstockError as fault:
        raise _fault(place, str(fault)) from None
    if not len(found):
        raise _fault(place, _no_tools(target))
    return found


def _module(name: str, place: str) -> ModuleType:
    if name.endswith(".py"):
        path = Path(name).resolve()
        sys.path.insert(0, str(path.parent))
        name = path.stem
    if not name or name.startswith("."):
        reason = "a place starts with the full name of a module, or is a file: tools.py"
        raise _fault(place, f"{reason}, ./tools.py, my.tools or my.tools:search")
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        raise _fault(place, _not_found(name, error)) from None
    except Exception as error:  # noqa: BLE001 - a module may raise anything; its author is told what
        raise _fault(place, _import_failed(name, error)) from None
    except SystemExit as error:
        raise _fault(place, f"importing {name!r} ended the program ({error.code!r})") from None


def _not_found(name: str, error: ModuleNotFoundError) -> str:
    missing = error.name or ""
    if missing != name and not name.startswith(f"{missing}."):
        return f"{name!r} imports {missing!r}, which is not installed"
    files = [path.stem for path in Path.cwd().glob("*.py")]
    return f"there is no module {missing!r} here or on the path{_near(missing, files)}"


def _import_failed(name: str, error: Exception) -> str:
    here = str(Path.cwd())
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if frame.filename.startswith(here)]
    where = f" ({Path(own[-1].filename).name}, line {own[-1].lineno})" if own else ""
    return f"importing {name!r} failed: {type(error).__name__}: {error}{where}"


def _attribute(target: object, part: str, place: str) -> Any:
    try:
        return getattr(target, part)
    except AttributeError:
        name = getattr(target, "__name__", type(target).__name__)
        near = _near(part, list(_candidates(target)))
        raise _fault(place, f"{name!r} has no {part!r}{near}") from None


def _candidates(target: object) -> Iterator[str]:
    """The names in a module that may be meant: its own functions, and what holds tools."""
    for name, value in vars(target).items() if hasattr(target, "__dict__") else ():
        own = getattr(value, "__module__", None) == getattr(target, "__name__", "")
        if not name.startswith("_") and (isinstance(value, Tool | Toolset | list) or own):
            yield name


def _no_tools(target: object) -> str:
    functions = [
        name
        for name in _candidates(target)
        if callable(value := getattr(target, name)) and not isinstance(value, type)
    ]
    if not isinstance(target, ModuleType) or not functions:
        return "there are no tools in it"
    return f"it has no tools. Put @tool before its functions, or name one: {_places(target, functions)}"


def _places(module: ModuleType, functions: Sequence[str]) -> str:
    others = f" (or {', '.join(functions[1:5])})" if functions[1:] else ""
    return f"{module.__name__}:{functions[0]}{others}"


def _validator_of(tool: Tool[..., Any]) -> None:
    """Build what is built late, so that an annotation that leads nowhere shows now."""
    try:
        tool.validator  # noqa: B018 - see above
    except PenstockError as fault:
        raise click.UsageError(str(fault)) from None


def _near(name: str, known: Sequence[str]) -> str:
    near = nearest(name, known)
    return f"; did you mean {' or '.join(map(repr, near))}?" if near else ""


def _fault(place: str, reason: str) -> click.UsageError:
    return click.UsageError(f"tools {place!r}: {reason}", click.get_current_context(silent=True))
