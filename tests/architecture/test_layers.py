"""Who may import whom: layers, no cycles, packages by their doors, imports at the top of a file."""

import re
import subprocess
import sys
from collections.abc import Iterator

from architecture.exemptions import Violation, judge
from architecture.tree import ROOT, Import, Module, imports, modules, shown

LINT_IMPORTS = "from importlinter.cli import lint_imports_command; lint_imports_command()"


def test_layers_and_cycles() -> None:
    """import-linter's contracts in pyproject.toml hold, deferred imports included."""
    run = subprocess.run(
        [sys.executable, "-c", LINT_IMPORTS, "--no-logo", "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    report = run.stdout + run.stderr
    assert run.returncode == 0, f"layers: see [tool.importlinter] in pyproject.toml\n{report}"
    assert re.search(r"Contracts: 2 kept, 0 broken", report), report


def test_a_layer_that_exists_is_no_longer_optional() -> None:
    """`(name)` in the layers is for a package that has no file yet."""
    configuration = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    optional = set(re.findall(r"\((\w+)\)", configuration.partition("layers = [")[2]))
    existing = {module.parts[0] for module in modules() if module.parts}
    # The compiled module has no source file, so to import-linter it never exists.
    assert not optional & existing - {"_native"}, (
        f"layers: take the parentheses off {sorted(optional & existing)} in pyproject.toml"
    )


def test_no_inner_file_imports_the_public_door() -> None:
    """`penstock` itself is for users; inside, a name comes from where it lives."""
    judge(
        "public_door",
        (
            Violation(shown(module.path), f"line {found.line} imports from `penstock`")
            for module, found in _imports_of_the_package()
            if found.module == "penstock"
            and module.name != "penstock"
            and set(found.names) != {"_native"}
        ),
        says="no inner file imports from `penstock` itself, which loads everything",
        helps="write `from penstock.calls import Call` instead of `from penstock import Call`",
    )


def test_another_package_is_imported_by_its_door() -> None:
    """`from penstock.limits import Limit`, never `from penstock.limits.limit import Limit`."""
    judge(
        "doors",
        (
            Violation(shown(module.path), f"line {found.line} reaches into {found.module}")
            for module, found in _imports_of_the_package()
            if _reaches_inside(module, found)
        ),
        says="another package is imported by its door, a sibling by its full name",
        helps="import the name from the package, and let its __init__.py export it",
    )


def test_imports_stand_at_the_top() -> None:
    """Functions import in `__getattr__` doors and in `_registry.py` only."""
    judge(
        "deferred_imports",
        (
            Violation(
                shown(module.path), f"{found.function} imports {found.module}, line {found.line}"
            )
            for module in modules()
            for found in imports(module.tree)
            if found.function not in {None, "__getattr__"} and module.name != "penstock._registry"
        ),
        says="a function imports only as `__getattr__` of a door, or in _registry.py",
        helps="move the import to the top; if that closes a cycle, the layers are wrong",
    )


def _imports_of_the_package() -> Iterator[tuple[Module, Import]]:
    found = [(m, i) for m in modules() for i in imports(m.tree) if _is_ours(i)]
    assert found, "nothing imports anything of penstock: the rule would pass without looking"
    yield from found


def _is_ours(found: Import) -> bool:
    return found.module == "penstock" or found.module.startswith("penstock.")


def _reaches_inside(module: Module, found: Import) -> bool:
    target = found.module.split(".")[1:]
    own = module.parts[:1]
    # The public door may reach inside: it is the one place that knows where everything lives.
    return len(target) > 1 and module.name != "penstock" and tuple(target[:1]) != own
