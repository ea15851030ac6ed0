"""The public face changes on purpose only, and each of its names says what it is for."""

import importlib
import inspect
from collections.abc import Iterator

from architecture.public_api import (
    LISTING,
    doors,
    listing,
    public_members,
    public_names,
)


def test_the_listing_is_current() -> None:
    """A difference here is a change that users will meet: it belongs into CHANGELOG.md."""
    written, now = (
        set(LISTING.read_text(encoding="utf-8").splitlines()),
        set(listing().splitlines()),
    )
    changes = [f"  - {line}" for line in sorted(written - now)]
    changes += [f"  + {line}" for line in sorted(now - written)]
    assert not changes, "public_api.txt: make api, and read its diff:\n" + "\n".join(changes)


def test_every_public_name_has_a_docstring() -> None:
    bare = sorted(_without_docstring())
    assert not bare, "public_api: a public name says what the caller gets:\n  " + "\n  ".join(bare)


def test_the_door_opens_the_engine() -> None:
    """The names of the README's first screen: else an empty door would pass every rule here."""
    door = importlib.import_module("penstock").__all__
    assert {"Call", "Engine", "Outcome", "PenstockError", "Ref", "tool"} <= set(door)


def test_every_door_lists_its_names() -> None:
    missing = [m for m in doors() if not hasattr(importlib.import_module(m), "__all__")]
    assert not missing, f"public_api: give each of these an `__all__`: {missing}"


def test_doors_name_what_exists() -> None:
    """A lazy door may promise a name that it cannot fetch; getattr finds out."""
    assert list(public_names())


def _without_docstring() -> Iterator[str]:
    for name, value in public_names():
        if not (inspect.isclass(value) or inspect.isroutine(value)):
            continue
        if not inspect.getdoc(value):
            yield name
        if inspect.isclass(value):
            yield from (
                f"{name}.{attribute}"
                for attribute, member in public_members(value)
                if _is_documentable(member) and not inspect.getdoc(member)
            )


def _is_documentable(member: object) -> bool:
    return inspect.isroutine(member) or isinstance(member, property | classmethod | staticmethod)
