"""Plug-ins by name: one file of a folder, or an entry point of another package, is one plug-in.

Ground rules:

- State: the plug-ins that were loaded and the last fault of each name. Both are written under one
  lock, by `get` alone; a loaded plug-in is read without the lock, and is never unloaded.
- Listing imports no plug-in. A plug-in is imported when it is first asked for, once, whatever the
  number of threads. The lock is held meanwhile and is re-entrant: a plug-in may ask the registry
  for another one while it is imported.
- A fault belongs to one name. It is raised by each `get` of that name, shown by `sources`, and
  harms no other name; what was missing may be installed and asked for again.
- A file of the folder wins over an entry point of its name, so that installing a package cannot
  replace what Penstock itself brings; `sources` reports it.
- Entry points are read by a miss or by listing, never by an import or a hit: reading the metadata
  of all installed packages takes tens of milliseconds, and importing its reader ten.
"""

import importlib
import importlib.util
import pkgutil
import re
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from types import ModuleType
from typing import Generic, TypeVar

from penstock.errors import (
    BadPlugin,
    DuplicatePlugin,
    MissingExtra,
    PenstockError,
    UnknownPlugin,
    nearest,
)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Source:
    """Where one plug-in comes from, for `penstock doctor`.

    Attributes:
        name: what `get` takes.
        origin: the module, or the entry point and its distribution.
        loaded: whether it was asked for and is ready.
        error: why it cannot be used, as far as is known.
    """

    name: str
    origin: str
    loaded: bool
    error: PenstockError | None


@dataclass(frozen=True, slots=True)
class _Place:
    """Something that can be loaded: a module of the folder, or an entry point."""

    name: str
    origin: str
    is_file: bool
    load: Callable[[], object]


class Registry(Generic[T]):
    """The plug-ins of one kind.

    Example:
        >>> from penstock.formats import Format
        >>> formats = Registry("format", "penstock.formats", "FORMAT", Format)
        >>> formats.get("anthropic").name
        'anthropic'
    """

    def __init__(
        self, kind: str, package: str, constant: str, type_: type[T], depth: int = 1
    ) -> None:
        """Describe a registry; nothing is read or imported.

        Args:
            kind: what one plug-in is, such as `format`; entry points are in `penstock.<kind>`.
            package: the folder, as a module name. Files and sub-packages that start with `_` are
                not plug-ins.
            constant: the name in each file that holds the plug-in.
            type_: what the constant must be an instance of.
            depth: 1, or 2 for `area.name`, where only what lies in a sub-package counts.
        """
        self.kind = kind
        self._package = package
        self._constant = constant
        self._type = type_
        self._depth = depth
        self._lock = threading.RLock()
        self._loaded: dict[str, T] = {}
        self._faults: dict[str, PenstockError] = {}

    def names(self) -> tuple[str, ...]:
        """Return every name, sorted; imports no plug-in."""
        return tuple(sorted({place.name for place in self._places()}))

    def get(self, name: str) -> T:
        """Return the plug-in of this name; the first time imports it.

        Raises:
            UnknownPlugin: nothing has this name; the caller acts.
            DuplicatePlugin: two entry points have it; the operator removes one.
            BadPlugin: it cannot be imported or is not what it must be; its author acts.
            MissingExtra: it needs a package that is not installed; the operator acts.
        """
        found = self._loaded.get(name)
        return self._load(name) if found is None else found

    def sources(self) -> tuple[Source, ...]:
        """Return where each plug-in comes from, by name; two origins of one name are two rows."""
        by_name: dict[str, list[_Place]] = {}
        for place in self._places():
            by_name.setdefault(place.name, []).append(place)
        return tuple(row for name in sorted(by_name) for row in self._rows(name, by_name[name]))

    def _rows(self, name: str, places: list[_Place]) -> Iterator[Source]:
        doubt = self._duplicate(name, places) if len(places) > 1 else None
        for place in places:
            # `get` takes the file, if there is one, and else the only entry point.
            taken = place is places[0] and (place.is_file or doubt is None)
            error = self._faults.get(name) if taken else doubt
            yield Source(name, place.origin, taken and name in self._loaded, error)

    def _load(self, name: str) -> T:
        with self._lock:
            if name in self._loaded:  # by another thread, while this one waited
                return self._loaded[name]
            try:
                plugin = self._checked(self._find(name))
            except PenstockError as fault:
                self._faults[name] = fault
                raise
            self._faults.pop(name, None)
            self._loaded[name] = plugin
            return plugin

    def _find(self, name: str) -> _Place:
        importlib.invalidate_caches()  # a file may be younger than the finder's listing
        for place in self._files():
            if place.name == name:
                return place
        places = [place for place in self._entry_points() if place.name == name]
        if not places:
            raise UnknownPlugin(self.kind, name, nearest(name, self.names()))
        if len(places) > 1:
            raise self._duplicate(name, places)
        return places[0]

    def _checked(self, place: _Place) -> T:
        try:
            found = place.load()
        except PenstockError:
            raise
        except ModuleNotFoundError as error:
            raise self._missing(place, error) from error
        except Exception as error:
            raise self._bad(place, f"{type(error).__name__} at import: {error}") from error
        if isinstance(found, ModuleType):
            if not hasattr(found, self._constant):
                raise self._bad(place, f"it has no {self._constant}")
            found = getattr(found, self._constant)
        if not isinstance(found, self._type):
            raise self._bad(place, f"its {self._constant} is a {type(found).__name__}")
        return found

    def _missing(self, place: _Place, error: ModuleNotFoundError) -> PenstockError:
        package = (error.name or "").partition(".")[0]
        own = self._package.partition(".")[0]
        if not package or package == own:
            return self._bad(place, str(error))
        return MissingExtra(self.kind, place.name, package, _installation(own, package))

    def _bad(self, place: _Place, reason: str) -> BadPlugin:
        expected = self._type.__name__
        return BadPlugin(self.kind, place.name, place.origin, self._constant, expected, reason)

    def _duplicate(self, name: str, places: list[_Place]) -> DuplicatePlugin:
        return DuplicatePlugin(self.kind, name, tuple(sorted(place.origin for place in places)))

    def _places(self) -> list[_Place]:
        """Return all plug-ins, those of the folder first."""
        return [*self._files(), *self._entry_points()]

    def _files(self) -> Iterator[_Place]:
        yield from self._files_below(self._package, self._depth)

    def _files_below(self, package: str, depth: int) -> Iterator[_Place]:
        spec = importlib.util.find_spec(package)
        locations = spec.submodule_search_locations if spec else None
        for _, name, is_package in pkgutil.iter_modules(locations or []):
            module = f"{package}.{name}"
            if name.startswith("_"):
                continue
            if depth == 1:
                load = partial(importlib.import_module, module)
                yield _Place(module.removeprefix(f"{self._package}."), module, True, load)
            elif is_package:
                yield from self._files_below(module, depth - 1)

    def _entry_points(self) -> Iterator[_Place]:
        from importlib import metadata

        for entry in metadata.entry_points(group=f"penstock.{self.kind}"):
            distribution = f" ({entry.dist.name} {entry.dist.version})" if entry.dist else ""
            origin = f"entry point {entry.value}{distribution}"
            yield _Place(entry.name, origin, False, entry.load)


def _installation(own: str, package: str) -> str:
    """Return the command that installs `package`: by the extra that brings it, if one does."""
    from importlib import metadata

    try:
        requirements = metadata.requires(own) or []
    except metadata.PackageNotFoundError:
        requirements = []
    for requirement in requirements:
        name, _, marker = requirement.partition(";")
        extra = re.search(r"extra\s*==\s*['\"]([^'\"]+)", marker)
        if extra and _normal(re.split(r"[^\w.-]", name.strip())[0]) == _normal(package):
            return f"pip install '{own}[{extra[1]}]'"
    return f"pip install {package}"


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
