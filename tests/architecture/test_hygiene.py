"""What never belongs into the project: somebody's registry, somebody's home, a heavy file."""

import re
from collections.abc import Iterator
from pathlib import Path

from architecture.exemptions import Violation, judge
from architecture.tree import project_files, shown

# Written so that this file does not contain what it looks for.
REGISTRY = re.compile(
    r"(?:\b(?:test\.)?pypi\.org|pythonhosted\.org|\b(?:index|static)?\.?crates\.io|registry\.npmjs"
    r"|--(?:extra-)?index-url[ =]|--find-links[ =])"
)
HOME = re.compile(r"(?<![\w.])/(?:home/[a-z]|Users/[A-Za-z]|root/|work/)")
CARGO_SOURCE = re.compile(r'^source = "registry\+.*"$')
LARGEST = 500_000
VAGUE = {"utils", "util"}


def test_hygiene() -> None:
    assert len(project_files()) > 50, "git lists hardly any file: is this a clone?"
    judge(
        "hygiene",
        (violation for path in project_files() for violation in _violations(path)),
        says="no registry, no home path, no file over 500 KB, no `utils`",
        helps="name packages, not places; measure instead of storing; name a file after its noun",
    )


def test_the_patterns_see_what_they_look_for() -> None:
    assert REGISTRY.search("https://" + "pypi" + ".org/simple")
    assert REGISTRY.search("https://index." + "crates" + ".io")
    assert HOME.search('path = "/' + 'home/somebody/x"')
    assert not HOME.search("https://example.org/home/page")


def _violations(path: Path) -> Iterator[Violation]:
    place, content = shown(path), path.read_bytes()
    if len(content) > LARGEST:
        yield Violation(place, f"{len(content):,} bytes, {LARGEST:,} at most")
    if VAGUE & {part.partition(".")[0].lstrip("_") for part in Path(place).parts}:
        yield Violation(place, "a name that says nothing")
    if b"\0" in content:
        return
    for number, line in enumerate(content.decode("utf-8").splitlines(), 1):
        if REGISTRY.search(line) and not (path.name == "Cargo.lock" and CARGO_SOURCE.match(line)):
            yield Violation(place, f"line {number} names a package registry")
        if HOME.search(line):
            yield Violation(place, f"line {number} names a place on somebody's machine")
