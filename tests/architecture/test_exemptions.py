"""The judge itself: a rule must be able to fail, and an exemption must be able to go stale."""

from pathlib import Path

import pytest

from architecture import exemptions
from architecture.exemptions import Violation, judge


def given_rows(monkeypatch: pytest.MonkeyPatch, *places: str) -> None:
    everything = dict.fromkeys(exemptions.RULES, frozenset[str]())
    everything["file_size"] = frozenset(places)
    monkeypatch.setattr(exemptions, "rows", lambda: everything)


def judge_one(*found: Violation) -> None:
    judge("file_size", found, says="files are short", helps="split it")


def test_a_violation_fails_with_its_place_and_what_helps(monkeypatch: pytest.MonkeyPatch) -> None:
    given_rows(monkeypatch)
    with pytest.raises(AssertionError, match=r"(?s)files are short.*a.py: long.*split it"):
        judge_one(Violation("a.py", "long"))


def test_an_exempt_violation_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    given_rows(monkeypatch, "a.py")
    judge_one(Violation("a.py", "long"))


def test_an_exemption_that_excuses_nothing_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    given_rows(monkeypatch, "a.py", "gone.py")
    with pytest.raises(AssertionError, match=r"'gone\.py', which breaks the rule no longer"):
        judge_one(Violation("a.py", "long"))


@pytest.mark.parametrize(
    "text",
    [
        '[[no_such_rule]]\npath = "a.py"\nreason = "long enough to be a reason"',
        '[[file_size]]\npath = "a.py"\nreason = "short"',
        '[[file_size]]\nreason = "long enough to be a reason"',
        '[[file_size]]\nplace = "a.py"\nreason = "long enough to be a reason"',
    ],
    ids=["unknown rule", "short reason", "no place", "unknown key"],
)
def test_a_malformed_row_fails(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "exemptions.toml"
    file.write_text(text)
    monkeypatch.setattr(exemptions, "EXEMPTIONS", file)
    with pytest.raises(AssertionError, match=r"exemptions\.toml"):
        exemptions.rows.__wrapped__()
