"""What the rules look at: the project's files and their syntax trees.

A file that cannot be read or parsed fails the rule that asked, by name; nothing is skipped.
"""

import ast
import functools
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "python" / "penstock"
RUST = ROOT / "rust"


def shown(path: Path) -> str:
    """Return the path as messages and exemptions write it: from the root, with slashes."""
    return path.relative_to(ROOT).as_posix()


@functools.cache
def project_files() -> tuple[Path, ...]:
    """Return every file that is, or would be, part of the project: what git does not ignore."""
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    paths = sorted(ROOT / name for name in listing.split("\0") if name)
    return tuple(path for path in paths if path.is_file())


def files(suffix: str, *, under: Path = ROOT) -> tuple[Path, ...]:
    """Return the project's files with this suffix below a folder; none at all is a failure."""
    found = tuple(p for p in project_files() if p.suffix == suffix and p.is_relative_to(under))
    assert found, f"no {suffix} file under {shown(under)}: the rule would pass without looking"
    return found


@functools.cache
def text(path: Path) -> str:
    """Return the text of a project file, which is UTF-8."""
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise AssertionError(f"{shown(path)} is not UTF-8: {error}") from error


@functools.cache
def parsed(path: Path) -> ast.Module:
    """Return the syntax tree of a Python file."""
    try:
        return ast.parse(text(path), filename=str(path))
    except SyntaxError as error:
        raise AssertionError(
            f"{shown(path)}:{error.lineno} cannot be parsed: {error.msg}"
        ) from error


@dataclass(frozen=True, slots=True)
class Module:
    """One source file of the package, with the name it is imported by."""

    path: Path
    name: str

    @property
    def is_door(self) -> bool:
        """Whether it is a package's `__init__.py`."""
        return self.path.stem == "__init__"

    @property
    def parts(self) -> tuple[str, ...]:
        """Return the name below `penstock`: `("engine", "batch")`; the door itself has none."""
        return tuple(self.name.split(".")[1:])

    @property
    def tree(self) -> ast.Module:
        """Return its syntax tree."""
        return parsed(self.path)


def modules() -> tuple[Module, ...]:
    """Return every Python source file of the package."""
    return tuple(Module(path, _import_name(path)) for path in files(".py", under=PACKAGE))


def _import_name(path: Path) -> str:
    parts = list(path.relative_to(PACKAGE.parent).with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@dataclass(frozen=True, slots=True)
class Import:
    """One import statement's target, and where it stands."""

    module: str
    names: tuple[str, ...]
    line: int
    function: str | None


def imports(tree: ast.Module) -> Iterator[Import]:
    """Yield every import of a file, also those under `if TYPE_CHECKING` and inside functions."""
    yield from _imports_below(tree, function=None)


def _imports_below(node: ast.AST, *, function: str | None) -> Iterator[Import]:
    for child in ast.iter_child_nodes(node):
        match child:
            case ast.Import(names=names):
                for alias in names:
                    yield Import(alias.name, (), child.lineno, function)
            case ast.ImportFrom(module=module, names=names):
                yield Import(module or "", tuple(a.name for a in names), child.lineno, function)
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                yield from _imports_below(child, function=name)
            case _:
                yield from _imports_below(child, function=function)


def code_lines(tree: ast.Module) -> int:
    """Return how many lines hold code: no blank line, comment, docstring or import counts."""
    lines: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.expr | ast.stmt) and not _is_silent(node):
            lines.add(node.lineno)
    return len(lines)


def _is_silent(node: ast.AST) -> bool:
    match node:
        case ast.Import() | ast.ImportFrom():
            return True
        case ast.Expr(value=ast.Constant(value=str())) | ast.Constant(value=str()):
            return True
        case _:
            return False
