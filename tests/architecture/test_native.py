"""The Rust border: the stub tells the truth, classes are frozen, `unsafe` has one home."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from architecture.tree import ROOT, RUST, files, shown, text

BINDINGS = RUST / "python" / "src"
HOST = BINDINGS / "host"
PYCLASS = re.compile(r"#\[pyclass\b(?P<options>\([^]]*\))?\s*\]")


@pytest.mark.timeout(180)
def test_the_stub_equals_the_binary() -> None:
    """Mypy's stubtest compares every name, signature and default with the compiled module."""
    run = subprocess.run(
        [sys.executable, "-m", "mypy.stubtest", "penstock._native"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, (
        f"native: correct python/penstock/_native.pyi (or make setup, if Rust changed)\n"
        f"{run.stdout}{run.stderr}"
    )


def test_every_pyclass_is_frozen() -> None:
    """Without `frozen`, two threads may borrow one object and raise out of nowhere."""
    classes = [(path, found) for path in _bindings() for found in PYCLASS.finditer(text(path))]
    assert classes, "native: no #[pyclass] found; the rule would pass without looking"
    open_ones = [
        f"{shown(path)}:{text(path).count(chr(10), 0, found.start()) + 1}"
        for path, found in classes
        if not re.search(r"\bfrozen\b", found["options"] or "")
    ]
    assert not open_ones, f"native: write #[pyclass(frozen, ...)]: {open_ones}"


def test_the_module_says_that_it_needs_no_gil() -> None:
    assert re.search(r"#\[pymodule\(.*gil_used = false", text(BINDINGS / "lib.rs"))


def test_unsafe_lives_in_the_host_only() -> None:
    strays = [
        f"{shown(path)}:{number}: {line.strip()}"
        for path in files(".rs", under=RUST)
        if not path.is_relative_to(HOST)
        for number, line in enumerate(_code(path).splitlines(), 1)
        if re.search(r"\bunsafe\b|allow\(unsafe_code|expect\(unsafe_code", line)
    ]
    assert not strays, "native: `unsafe` is at home in rust/python/src/host/:\n" + "\n".join(strays)


def test_the_crates_forbid_what_they_should() -> None:
    assert "#![forbid(unsafe_code)]" in text(RUST / "core" / "src" / "lib.rs")
    assert "#![deny(unsafe_code)]" in text(BINDINGS / "lib.rs")


def test_unsafe_files_open_with_their_invariants() -> None:
    """Each `// SAFETY:` names one of them, so the file's head must number them."""
    bare = [
        shown(path)
        for path in _host_files()
        if re.search(r"\bunsafe\b", _code(path)) and not re.search(r"(?m)^//! +1\. ", text(path))
    ]
    assert not bare, f"native: open with numbered invariants (`//! 1. ...`): {bare}"


def test_the_core_knows_nothing_of_python() -> None:
    manifest = text(RUST / "core" / "Cargo.toml")
    assert "pyo3" not in manifest
    assert "penstock-core" in text(RUST / "python" / "Cargo.toml")


def test_the_bindings_have_no_tests_of_their_own() -> None:
    """They would never run: `make test` runs the core's, an extension module cannot be linked."""
    inside = [shown(path) for path in _bindings() if "#[test]" in text(path)]
    assert not inside, f"native: test the core in Rust and the bindings from Python: {inside}"


def _bindings() -> tuple[Path, ...]:
    return files(".rs", under=BINDINGS)


def _host_files() -> Iterator[Path]:
    yield from files(".rs", under=HOST)


def _code(path: Path) -> str:
    """Return the file without its comments; the line numbers stay."""
    return re.sub(r"//[^\n]*", "", text(path))
