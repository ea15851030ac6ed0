"""The public face as text: every public name with its signature, every error with its code.

`make api` runs this file and renews `public_api.txt`; test_public_api.py compares the two.
"""

import enum
import importlib
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

from architecture.tree import modules

LISTING = Path(__file__).with_name("public_api.txt")
# Their files are public by being there: `formats.openai_chat.parse`.
PLUGIN_FOLDERS = ("formats",)
PLUGIN_PATHS = {tuple(folder.split(".")) for folder in PLUGIN_FOLDERS}
OF_EVERY_ERROR = {"code", "retryable", "who", "for_model"}
HEADER = (
    "# Every public name. Renewed by `make api`; a line that goes or changes breaks somebody.\n"
)


def listing() -> str:
    """Return the whole listing, one sorted line per name."""
    return HEADER + "".join(f"{line}\n" for line in sorted(_lines()))


def doors() -> tuple[str, ...]:
    """Return the modules that users import from: `penstock`, its packages and its nouns."""
    names = (module.name for module in modules() if len(module.parts) <= 1)
    return tuple(name for name in names if "._" not in name)


def public_modules() -> tuple[str, ...]:
    """Return the doors, and the plug-ins that are reached as attributes of theirs."""
    names = (module.name for module in modules() if module.parts[:-1] in PLUGIN_PATHS)
    return (*doors(), *(name for name in names if "._" not in name))


def public_names() -> Iterator[tuple[str, object]]:
    """Yield `(dotted name, object)` for each name in the `__all__` of each public module."""
    for name in public_modules():
        module = importlib.import_module(name)
        for attribute in exported(module):
            yield f"{name}.{attribute}", getattr(module, attribute)


def exported(module: ModuleType) -> tuple[str, ...]:
    """Return `__all__`, or for a module without one the public names that it defines itself."""
    if hasattr(module, "__all__"):
        return tuple(module.__all__)
    return tuple(
        name
        for name, value in vars(module).items()
        if not name.startswith("_") and getattr(value, "__module__", None) == module.__name__
    )


def home_of(name: str, value: object) -> str:
    """Return the dotted name under which a value is documented: its own door's, not a second one.

    Args:
        name: the name that it was found by, such as `penstock.Call`.
        value: the object.
    """
    others = (door for door in doors() if door != "penstock")
    attribute = name.rpartition(".")[2]
    homes = (d for d in others if attribute in exported(importlib.import_module(d)))
    is_alias = name.count(".") == 1 and (inspect.isclass(value) or inspect.isroutine(value))
    return next((f"{home}.{attribute}" for home in homes), name) if is_alias else name


def public_members(kind: type) -> Iterator[tuple[str, object]]:
    """Yield the public methods and properties that a class defines, or takes from one of ours."""
    for name in dir(kind):
        if name.startswith("_"):
            continue
        # What pydantic or Exception bring is documented there.
        owner = next((base for base in kind.__mro__ if name in vars(base)), kind)
        if owner.__module__.partition(".")[0] == "penstock":
            yield name, inspect.getattr_static(kind, name)


def _lines() -> Iterator[str]:
    for name, value in public_names():
        if (home := home_of(name, value)) != name:
            yield f"{name} is {home}"
        elif inspect.isclass(value):
            yield f"{name}{signature(value)}{_kind_of_class(value)}"
            yield from _member_lines(name, value)
        elif callable(value):
            yield f"{name}{signature(value)}{_is_async(value)}"
        else:
            yield f"{name}: {type(value).__name__}"


def _kind_of_class(kind: type) -> str:
    if not issubclass(kind, BaseException):
        return " class"
    facts = (f"{fact}={getattr(kind, fact, None)}" for fact in ("code", "retryable", "who"))
    return f" error {' '.join(facts)}"


def _member_lines(name: str, kind: type) -> Iterator[str]:
    if issubclass(kind, enum.Enum):
        yield from (f"{name}.{member.name} = {member.value!r}" for member in kind)
        return
    for attribute, member in public_members(kind):
        if issubclass(kind, BaseException) and attribute in OF_EVERY_ERROR:
            continue
        wrapped = isinstance(member, classmethod | staticmethod)
        function = member.__func__ if wrapped else member
        is_method = callable(function) and not inspect.isclass(function)
        suffix = f"{signature(function)}{_is_async(function)}" if is_method else ""
        yield f"{name}.{attribute}{suffix}"


def _is_async(value: object) -> str:
    if inspect.isasyncgenfunction(value):
        return " async iterator"
    return " async" if inspect.iscoroutinefunction(value) else ""


def signature(value: object) -> str:
    """Return the parameters of a class or function, without their types."""
    try:
        found = inspect.signature(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):  # native code without a text signature
        return "(?)"
    # Parameters without their types: typing_api.py holds those, and each Python prints them anew.
    bare = [p.replace(annotation=inspect.Parameter.empty) for p in found.parameters.values()]
    text = str(inspect.Signature(bare))
    return re.sub(r"=<[^<>]*(?:<[^<>]*>[^<>]*)*>", "=...", text)


if __name__ == "__main__":
    LISTING.write_text(listing(), encoding="utf-8")
    print(f"wrote {LISTING.name}: {listing().count(chr(10)) - 1} names")
