"""The files that the demo works on: this repository's, or the installed package's own.

A file has the same name in both cases, such as `python/penstock/errors.py`, so that recorded calls
find it wherever Penstock runs. Only listed files can be read: a model's path leads nowhere else.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from penstock.errors import nearest

_PACKAGE = Path(__file__).parents[2]
_PACKAGE_NAME = "python/penstock/"

_SUFFIXES = frozenset({".css", ".html", ".js", ".md", ".py", ".pyi", ".rs", ".toml"})
_LEFT_OUT = frozenset({"__pycache__", "build", "dist", "results", "target"})
_MOST_FILES = 2_000
_MOST_BYTES = 256_000


@dataclass(frozen=True, slots=True)
class Corpus:
    """Text files by name.

    Attributes:
        title: what they are, for people.
        paths: where each file is, sorted by name.
    """

    title: str
    paths: Mapping[str, Path]

    def names(self, folder: str = "") -> list[str]:
        """Return the names below a folder; all of them without one."""
        prefix = f"{folder.strip('/')}/" if folder.strip("/") else ""
        return [name for name in self.paths if name.startswith(prefix)]

    def read(self, name: str) -> bytes:
        """Return what a file holds.

        Raises:
            FileNotFoundError: there is none of that name; says which names are near.
        """
        path = self.paths.get(name)
        if path is None:
            near = " or ".join(nearest(name, self.paths))
            raise FileNotFoundError(f"no file {name!r}{f'; did you mean {near}?' if near else ''}")
        return path.read_bytes()

    def text(self, name: str) -> str:
        """Return what a file says."""
        return self.read(name).decode(errors="replace")

    def search(self, pattern: str, folder: str = "") -> Iterator[tuple[str, int]]:
        """Yield the name of each file that matches, and how often it does.

        Raises:
            ValueError: the pattern is no regular expression.
        """
        try:
            wanted = re.compile(pattern)
        except re.error as error:
            raise ValueError(f"{pattern!r} is no regular expression: {error}") from None
        for name in self.names(folder):
            if found := len(wanted.findall(self.text(name))):
                yield name, found


def find(package: Path = _PACKAGE) -> Corpus:
    """Return the files of the repository that the package lies in, or else of the package.

    Args:
        package: the folder of `penstock`.
    """
    repository = package.parents[1]
    if (repository / "pyproject.toml").is_file() and (repository / "rust").is_dir():
        return Corpus("this repository", _listed(repository, ""))
    return Corpus("the installed package", _listed(package, _PACKAGE_NAME))


def _listed(root: Path, prefix: str) -> dict[str, Path]:
    found = sorted(_walk(root))[:_MOST_FILES]
    return {prefix + path.relative_to(root).as_posix(): path for path in found}


def _walk(folder: Path) -> Iterator[Path]:
    for path in folder.iterdir():
        if path.name.startswith(".") or path.name in _LEFT_OUT or path.is_symlink():
            continue
        if path.is_dir():
            yield from _walk(path)
        elif path.suffix in _SUFFIXES and path.stat().st_size <= _MOST_BYTES:
            yield path
