"""One name in every tree: a module's path tells its test's path, a binding's name its core's."""

from collections.abc import Iterator
from pathlib import Path

from architecture.exemptions import Violation, judge
from architecture.tree import PACKAGE, ROOT, RUST, Module, code_lines, files, modules, shown

UNIT = ROOT / "tests" / "unit"
NEEDS_TEST_FROM = 40
# Code lines; a door imports and names, the rare `__getattr__` included.
LONGEST_DOOR = 40

# What the binding crate has of its own (style: what belongs where). Everything else is a core name.
BINDINGS_OWN = {"lib", "error", "convert", "calls", "host"}


def test_each_module_has_its_test_file() -> None:
    """From 40 code lines on; below, the tests of its users are enough."""
    judge(
        "mirror",
        [
            *_modules_without_test(),
            *_tests_without_module(),
            *_bindings_without_core(),
            *_core_without_test(),
        ],
        says="the trees of sources, tests and bindings have the same names",
        helps="python/penstock/a/b.py is tested by tests/unit/a/test_b.py (`_b.py` too)",
    )


def test_doors_hold_names_only() -> None:
    """An `__init__.py` has no test file of its own, so it must have nothing to test."""
    long = [m.name for m in modules() if m.is_door and code_lines(m.tree) > LONGEST_DOOR]
    assert not long, f"mirror: move code out of the __init__.py of {long}, into files with tests"


def test_unit_tests_exist() -> None:
    """Else the comparison would be one of empty sets."""
    assert files(".py", under=UNIT)
    assert files(".rs", under=RUST / "core")


def _modules_without_test() -> Iterator[Violation]:
    for module in modules():
        test = _test_of(module)
        if not module.is_door and code_lines(module.tree) > NEEDS_TEST_FROM and not test.exists():
            yield Violation(shown(module.path), f"has no {shown(test)}")


def _test_of(module: Module) -> Path:
    folder = module.path.relative_to(PACKAGE).parent
    return UNIT / folder / f"test_{module.path.stem.lstrip('_')}.py"


def _tests_without_module() -> Iterator[Violation]:
    tested = {_test_of(module) for module in modules()}
    for path in files(".py", under=UNIT):
        if path.name.startswith("test_") and path not in tested:
            yield Violation(shown(path), "tests no module of that name")


def _bindings_without_core() -> Iterator[Violation]:
    core = {path.stem for path in (RUST / "core" / "src").iterdir()}
    for path in sorted((RUST / "python" / "src").iterdir()):
        if path.stem not in core | BINDINGS_OWN:
            yield Violation(shown(path), "binds no module of penstock-core")


def _core_without_test() -> Iterator[Violation]:
    tests = RUST / "core" / "tests"
    for folder in sorted(path for path in (RUST / "core" / "src").iterdir() if path.is_dir()):
        if not any(
            (tests / name).exists() for name in (f"{folder.name}.rs", f"{folder.name}/main.rs")
        ):
            yield Violation(shown(folder), f"has no rust/core/tests/{folder.name}.rs")
