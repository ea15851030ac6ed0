"""How a worker process finds the function of a tool: by its module and its name there."""

import importlib
import sys
from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType

from penstock.engine.executors._protocol import AnyTool
from penstock.errors import ConfigError
from penstock.tools import Tool

MAIN = "__main__"


@dataclass(frozen=True, slots=True)
class Reference:
    """Where the function of a tool is.

    Attributes:
        tool: the tool's name.
        module: the module, as it is imported.
        path: the names inside the module, joined by dots.
    """

    tool: str
    module: str
    path: str

    def resolve(self) -> Callable[..., object]:
        """Import the module, and return the function.

        Raises:
            Exception: whatever the import raises; AttributeError if the name is not there.
        """
        found: object = importlib.import_module(self.module)
        for name in self.path.split("."):
            found = getattr(found, name)
        # `@tool` leaves a Tool in the place of the function.
        function = found.function if isinstance(found, Tool) else found
        if not callable(function):
            raise TypeError(f"{self.module}.{self.path} is a {type(function).__name__}")
        return function


def refer(tool: AnyTool) -> Reference:
    """Return where a tool's function is found.

    Raises:
        ConfigError: another process cannot find it by its name; the author of the tool acts.
    """
    function = tool.function
    module = getattr(function, "__module__", None)
    path = getattr(function, "__qualname__", None)
    if not isinstance(module, str) or not isinstance(path, str):
        raise _refused(tool, "is an object without a name of its own: make it a plain function")
    if "<lambda>" in path or "<locals>" in path:
        raise _refused(tool, f"is {path}: move it to the top level of a module")
    if module == MAIN:
        _check_main(tool)
    reference = Reference(tool.name, module, path)
    try:
        found = reference.resolve()
    except Exception as error:
        raise _refused(tool, f"is not found as {module}.{path}: {error}") from error
    if found != function:
        raise _refused(tool, f"is not what is found as {module}.{path}, such as a bound method")
    return reference


def _check_main(tool: AnyTool) -> None:
    if not can_import_main(sys.modules[MAIN]):
        where = "in an interactive session, a notebook or a __main__.py"
        raise _refused(tool, f"was defined {where}: move it to a module of its own")


def can_import_main(main: ModuleType) -> bool:
    """Return whether another process can import the program's main module."""
    spec = getattr(main, "__spec__", None)
    if spec is not None:
        return bool(spec.name.split(".")[-1] != MAIN)
    return getattr(main, "__file__", None) is not None


def _refused(tool: AnyTool, reason: str) -> ConfigError:
    return ConfigError(
        "host",
        tool.host,
        f"tool {tool.name!r}: worker processes import the function, and it {reason}",
    )
