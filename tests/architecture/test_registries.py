"""Adding a thing is adding one file: a plug-in's file says its name, and nothing names plug-ins."""

import ast
import importlib
from collections import Counter
from collections.abc import Iterator

from architecture.exemptions import Violation, judge
from architecture.tree import PACKAGE, Module, modules, shown

LADDER = 4


def test_no_ladders() -> None:
    """Four comparisons of one variable with strings are a registry in disguise."""
    judge(
        "ladders",
        (
            Violation(f"{shown(module.path)}:{function.name}", f"compares `{what}` {count} times")
            for module in modules()
            for function in ast.walk(module.tree)
            if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
            for what, count in _comparisons(function).items()
            if count >= LADDER
        ),
        says="no `if name == ...` ladders: a registry, or a table of functions",
        helps="a dict from the string to the function; for plug-ins, penstock/_registry.py",
    )


def test_a_ladder_is_seen() -> None:
    """The detector itself: comparisons, membership and `match` count alike."""
    code = "def f(x):\n if x == 'a' or 'b' == x: pass\n match x:\n  case 'c' | 'd': pass"
    (function,) = ast.parse(code).body
    assert isinstance(function, ast.FunctionDef)
    assert _comparisons(function) == {"x": LADDER}


def test_a_plugins_name_is_its_files_name() -> None:
    """For every registry: each file of its folder is listed, by its own name."""
    for variable, registry in _registries():
        names = set(registry.names())
        for source in registry.sources():
            assert source.name in names, f"{variable}: {source} is no name of {sorted(names)}"
            name = getattr(registry.get(source.name), "name", source.name)
            assert name == source.name, f"{variable}: the file {source.name} calls itself {name}"


def test_the_formats_are_a_registry() -> None:
    """Else the loop above would run over nothing."""
    folder = PACKAGE / "formats"
    stems = {path.stem for path in folder.glob("*.py") if not path.stem.startswith("_")}
    listed = [set(registry.names()) for _variable, registry in _registries()]
    assert stems, "formats/ has no plug-in file"
    assert any(stems <= names for names in listed), f"no registry lists the formats {sorted(stems)}"


def _registries() -> Iterator[tuple[str, object]]:
    registry_class = importlib.import_module("penstock._registry").Registry
    for module in modules():
        for name in _assigned_registries(module):
            value = getattr(importlib.import_module(module.name), name)
            assert isinstance(value, registry_class), f"{module.name}.{name} is no Registry"
            yield f"{module.name}.{name}", value


def _assigned_registries(module: Module) -> Iterator[str]:
    for statement in module.tree.body:
        match statement:
            case (
                ast.Assign(targets=[ast.Name(id=name)], value=ast.Call(func=function))
                | ast.AnnAssign(target=ast.Name(id=name), value=ast.Call(func=function))
            ):
                if ast.unparse(function).partition("[")[0].endswith("Registry"):
                    yield name


def _comparisons(function: ast.AST) -> Counter[str]:
    found: Counter[str] = Counter()
    for node in ast.walk(function):
        match node:
            case ast.Compare(left=left, ops=[ast.Eq()], comparators=[right]):
                if _is_string(right):
                    found[ast.unparse(left)] += 1
                elif _is_string(left):
                    found[ast.unparse(right)] += 1
            case ast.Match(subject=subject, cases=cases):
                patterns = [pattern for case in cases for pattern in ast.walk(case.pattern)]
                values = [p for p in patterns if isinstance(p, ast.MatchValue)]
                found[ast.unparse(subject)] += sum(_is_string(p.value) for p in values)
    return +found


def _is_string(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)
