"""The documents: links lead somewhere, Python blocks run, tables equal the tree, pages are fresh."""

import ast
import asyncio
import doctest
import importlib
import inspect
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from sybil import Document, Example
from sybil.parsers.markdown import CodeBlockParser

from architecture.tree import PACKAGE, ROOT, Module, files, modules, shown, text

LINK = re.compile(
    r"(?<!!)\[[^]\n]*\]\((?P<target>[^)\s]+)[^)]*\)|!\[[^]\n]*\]\((?P<image>[^)\s]+)\)"
)
HEADING = re.compile(r"^#{1,6} +(.*?)\s*$", re.MULTILINE)
FENCE = re.compile(r"^( *)```.*?^\1```", re.MULTILINE | re.DOTALL)
FIRST_PAGES = ("README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md")
EXPECTED_PAGES = (*FIRST_PAGES, "docs/start.md", "docs/glossary.md")

PAGES = files(".md")
PAGES_WITH_PYTHON = [p for p in PAGES if re.search(r"^ *```(python|py)\b", text(p), re.MULTILINE)]
MODULES_WITH_EXAMPLES = [module for module in modules() if ">>> " in text(module.path)]


@pytest.mark.parametrize("page", EXPECTED_PAGES)
def test_the_page_exists(page: str) -> None:
    assert ROOT / page in PAGES, f"docs: {page} is missing"


def test_contributing_is_short() -> None:
    assert text(ROOT / "CONTRIBUTING.md").count("\n") <= 120


def test_the_architecture_page_is_short() -> None:
    assert text(ROOT / "ARCHITECTURE.md").count("\n") <= 300


@pytest.mark.parametrize("page", PAGES, ids=shown)
def test_links_resolve(page: Path) -> None:
    broken = [target for target in _links(page) if not _resolves(page, target)]
    assert not broken, f"docs: {shown(page)} links to what does not exist: {broken}"


def test_the_readme_shows_code() -> None:
    """Else the next test would run over nothing."""
    assert ROOT / "README.md" in PAGES_WITH_PYTHON


@pytest.mark.timeout(60)
@pytest.mark.parametrize("page", PAGES_WITH_PYTHON, ids=shown)
def test_python_blocks_run(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The blocks of a page run top to bottom, in one namespace and on one loop.

    A block may `await` at its top level. What a reader need not see goes into a comment:
    `<!-- invisible-code-block: python`.
    """
    monkeypatch.chdir(tmp_path)
    with asyncio.Runner() as runner:
        document = Document(text(page), str(page))
        monkeypatch.setitem(sys.modules, "example", module := ModuleType("example"))
        document.namespace = vars(module)  # a real module: `@tool` resolves annotations in it
        parser = CodeBlockParser(language="python", evaluator=lambda block: _run(runner, block))
        for region in parser(document):
            document.add(region)
        examples = list(document.examples())
        assert examples, f"docs: no block of {shown(page)} was understood"
        for example in examples:
            example.evaluate()


@pytest.mark.parametrize("module", MODULES_WITH_EXAMPLES, ids=lambda module: module.name)
def test_docstring_examples_run(module: Module) -> None:
    results = doctest.testmod(importlib.import_module(module.name), report=True)
    assert results.attempted, f"docs: doctest finds no example of {module.name}"
    assert not results.failed, f"docs: an example of {module.name} is wrong; see above"


def test_the_package_table_equals_the_folders() -> None:
    """ARCHITECTURE.md has one row per package: `| `engine/` | what it is | ... |`."""
    rows = re.findall(
        r"^\| *`(?:python/penstock/)?(\w+)/?` *\|", text(ROOT / "ARCHITECTURE.md"), re.MULTILINE
    )
    folders = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    assert set(rows) & folders, "docs: ARCHITECTURE.md has no table row with a package"
    missing, gone = (
        folders - set(rows),
        {r for r in rows if not (PACKAGE / r).exists()} - {"penstock"},
    )
    gone = {row for row in gone if not (PACKAGE / f"{row}.py").exists()}
    assert not missing, f"docs: ARCHITECTURE.md has no row for {sorted(missing)}"
    assert not gone, f"docs: ARCHITECTURE.md has rows for {sorted(gone)}, which do not exist"


@pytest.mark.timeout(60)
def test_generated_pages_are_fresh() -> None:
    run = subprocess.run(
        [sys.executable, "docs/generate.py", "--check"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, f"docs: make docs\n{run.stdout}{run.stderr}"


def test_decisions_are_numbered_and_short() -> None:
    pages = sorted((ROOT / "docs" / "decisions").glob("*.md"))
    numbers = [page.name.partition("-")[0] for page in pages]
    assert numbers == [f"{i:04}" for i in range(1, len(pages) + 1)], f"decisions: gaps in {numbers}"
    long = [shown(page) for page in pages if text(page).count("\n") > 60]
    assert not long, f"decisions: 60 lines at most: {long}"


def _run(runner: asyncio.Runner, block: Example) -> None:
    document = block.document
    first_line = block.line + block.parsed.line_offset
    code = compile(
        "\n" * first_line + block.parsed,
        block.path,
        "exec",
        flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT,
        dont_inherit=True,
    )
    result = eval(code, document.namespace)  # noqa: S307 - our own documents
    if inspect.isawaitable(result):
        runner.run(_awaited(result))


async def _awaited(result: object) -> None:
    await result  # type: ignore[misc]


def _links(page: Path) -> Iterator[str]:
    for found in LINK.finditer(FENCE.sub("", text(page))):
        target = found["target"] or found["image"]
        if not re.match(r"[a-z]+:", target):
            yield target


def _resolves(page: Path, target: str) -> bool:
    name, _, anchor = target.partition("#")
    path = (page.parent / name).resolve() if name else page
    if not path.exists():
        return False
    return not anchor or path.suffix != ".md" or anchor in _anchors(path)


def _anchors(page: Path) -> set[str]:
    headings = HEADING.findall(FENCE.sub("", text(page)))
    return {
        re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings
    }
