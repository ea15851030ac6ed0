"""Sizes are aims of the house (files of 150 to 300 lines, functions under 25); these are the walls."""

import ast
from collections.abc import Iterator
from pathlib import Path

from architecture.exemptions import Violation, judge
from architecture.tree import PACKAGE, ROOT, RUST, files, parsed, shown, text

FILE_LINES = 600
RUST_FILE_LINES = 700  # with its `mod tests`
TEST_FILE_LINES = 900
FUNCTION_LINES = 60  # of Rust functions, clippy.toml says the same
HELP = "split it along a noun; a row with a reason in exemptions.toml beats a `part2`"


def test_files_are_short() -> None:
    """And the ten largest are printed, because a wall is the wrong moment to look first."""
    lines = {path: text(path).count("\n") for path in (*files(".py"), *files(".rs", under=RUST))}
    largest = sorted(lines, key=lambda path: lines[path], reverse=True)[:10]
    print("The ten largest files:", *(f"{lines[p]:5} {shown(p)}" for p in largest), sep="\n")
    judge(
        "file_size",
        (
            Violation(shown(path), f"{count} lines, {_wall(path)} at most")
            for path, count in lines.items()
            if count > _wall(path)
        ),
        says="a file is read in one sitting",
        helps=HELP,
    )


def test_functions_are_short() -> None:
    """Python's; clippy's `too_many_lines` measures Rust's."""
    judge(
        "function_size",
        (
            Violation(f"{shown(path)}:{name}", f"{count} lines, {FUNCTION_LINES} at most")
            for path in files(".py")
            for name, count in _functions(path)
            if count > FUNCTION_LINES
        ),
        says="a function is seen in one screen",
        helps=HELP,
    )


def test_the_package_is_measured() -> None:
    """The walls look at every file: the door itself is among them."""
    assert PACKAGE / "__init__.py" in files(".py")


def _wall(path: Path) -> int:
    if path.suffix == ".rs":
        return TEST_FILE_LINES if "tests" in path.parts else RUST_FILE_LINES
    return TEST_FILE_LINES if path.is_relative_to(ROOT / "tests") else FILE_LINES


def _functions(path: Path) -> Iterator[tuple[str, int]]:
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name, (node.end_lineno or node.lineno) - node.lineno + 1
