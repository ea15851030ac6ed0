import os

import pytest

from penstock.cli import checks
from penstock.cli.checks import Finding
from penstock.errors import BadPlugin, MissingExtra


def found(check, name: str) -> list[Finding]:
    return [finding for finding in check() if finding.name == name]


def test_a_call_comes_through_on_each_loop() -> None:
    states = [(finding.area, finding.state) for finding in found(checks.check_engine, "one call")]
    assert states == [("engine on uvloop", "fine"), ("engine on asyncio", "fine")]


def test_every_plugin_is_loaded() -> None:
    names = {finding.name for finding in checks.check_plugins() if finding.state == "fine"}
    assert {"anthropic", "run", "noop"} <= names


@pytest.mark.parametrize(
    ("fault", "state"),
    [
        (BadPlugin("format", "anthropic", "somewhere", "FORMAT", "Format", "no"), "broken"),
        (MissingExtra("format", "anthropic", "thing", "pip install thing"), "note"),
    ],
)
def test_a_plugin_that_cannot_be_used_says_why(monkeypatch, fault, state) -> None:
    formats = checks.REGISTRIES[0]
    monkeypatch.setattr(checks, "REGISTRIES", (formats,))
    monkeypatch.setattr(formats, "_faults", {"anthropic": fault})
    monkeypatch.setattr(formats, "get", lambda name: name)
    (finding,) = found(checks.check_plugins, "anthropic")
    assert (finding.state, finding.says) == (state, str(fault))


def test_extras_are_found_in_the_metadata() -> None:
    areas = {(finding.name, finding.says.partition(" ")[0]) for finding in checks.check_extras()}
    assert {("cli", "click"), ("cli", "rich"), ("demo", "aiohttp")} <= areas


def test_a_missing_extra_is_a_note_with_its_command(monkeypatch) -> None:
    needs = ["orjson>=3", 'not-installed-anywhere>=1 ; extra == "far"']
    monkeypatch.setattr(checks.metadata, "requires", lambda _: needs)
    (finding,) = checks.check_extras()
    assert finding.state == "note"
    assert finding.helps == "pip install 'penstock[far]'"


def test_an_extension_older_than_its_sources_is_noted(monkeypatch, tmp_path) -> None:
    package = tmp_path / "python" / "penstock"
    package.mkdir(parents=True)
    extension = package / "_native.so"
    extension.write_bytes(b"")
    source = tmp_path / "rust" / "core" / "src" / "lib.rs"
    source.parent.mkdir(parents=True)
    source.write_text("")
    monkeypatch.setattr(checks._native, "__file__", str(extension))
    # Said, and not left to the tick of the clock in which each was written.
    built = extension.stat().st_mtime
    os.utime(source, (built - 60, built - 60))
    assert not found(checks.check_native, "sources")
    os.utime(source, (built + 60, built + 60))
    (finding,) = found(checks.check_native, "sources")
    assert (finding.state, finding.helps) == ("note", "make setup")


def test_a_check_that_fails_is_a_finding_beside_the_others(monkeypatch) -> None:
    def check_first():
        yield Finding("first", "one", "fine", "is there")
        raise OSError("gone")

    monkeypatch.setattr(checks, "CHECKS", (check_first,))
    findings = list(checks.all_findings())
    assert [finding.state for finding in findings] == ["fine", "broken"]
    assert findings[1].says == "OSError: gone"
