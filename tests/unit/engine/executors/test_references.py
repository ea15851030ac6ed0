"""How workers find the function of a tool."""

import functools
from collections.abc import Callable
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from contracts import executor_tools as tools
from penstock.engine.executors._references import Reference, can_import_main, refer
from penstock.errors import ConfigError
from penstock.tools import tool


class Box:
    """Holds functions."""

    @staticmethod
    def static() -> str:
        """Be found through the class."""
        return "static"

    @classmethod
    def of_class(cls) -> str:
        """Be found through the class, bound."""
        return cls.__name__

    def method(self) -> str:
        """Be found, but not bound to the right object."""
        return "method"

    def __call__(self) -> str:
        return "called"


@tool
def decorated() -> str:
    """Leave a Tool in the module."""
    return "decorated"


def logged(function: Callable[..., str]) -> Callable[..., str]:
    @functools.wraps(function)
    def call(*arguments: Any) -> str:
        return function(*arguments)

    return call


@tool
@logged
def wrapped() -> str:
    """Be found as what it wraps says."""
    return "wrapped"


def test_a_function_is_found_by_its_name() -> None:
    reference = refer(tool(tools.echo, name="other"))
    assert reference == Reference("other", tools.__name__, "echo")
    assert reference.resolve() is tools.echo


@pytest.mark.parametrize(
    ("given", "value"),
    [
        (decorated, "decorated"),
        (wrapped, "wrapped"),
        (decorated.replace(name="again"), "decorated"),
        (tool(Box.static), "static"),
        (tool(Box.of_class), "Box"),
    ],
)
def test_what_a_module_holds_is_found(given: Any, value: str) -> None:
    assert refer(given).resolve()() == value


@pytest.mark.parametrize(
    ("function", "reason"),
    [
        (lambda: None, "top level"),
        (Box().method, "bound method"),
        (Box(), "without a name"),
        (functools.partial(tools.echo, 1), "without a name"),
    ],
)
def test_what_has_no_name_is_refused(function: Callable[..., object], reason: str) -> None:
    with pytest.raises(ConfigError, match=reason):
        refer(tool(function, name="work"))


def test_a_name_that_means_something_else_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    before = tool(tools.echo)
    monkeypatch.setattr(tools, "echo", tools.fail)
    with pytest.raises(ConfigError, match="not what is found"):
        refer(before)
    monkeypatch.delattr(tools, "echo")
    with pytest.raises(ConfigError, match="is not found as"):
        refer(before)


def test_a_name_that_cannot_be_called_is_told() -> None:
    with pytest.raises(TypeError, match="is a int"):
        Reference("work", tools.__name__, "LOADED_IN").resolve()


@pytest.mark.parametrize(
    ("spec", "file", "possible"),
    [
        (None, "script.py", True),
        (None, None, False),
        ("package.module", "module.py", True),
        ("package.__main__", "__main__.py", False),
        ("__main__", "__main__.py", False),
    ],
)
def test_some_main_modules_can_be_imported(
    spec: str | None, file: str | None, possible: bool
) -> None:
    main = ModuleType("__main__")
    main.__spec__ = spec and SimpleNamespace(name=spec)  # type: ignore[assignment]
    main.__file__ = file
    assert can_import_main(main) is possible
