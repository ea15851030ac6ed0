"""Judges what a rule found against `exemptions.toml`, the one list of exceptions.

A row names a place and a reason. A row that no longer excuses anything fails, so the list shrinks.
"""

import functools
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

EXEMPTIONS = Path(__file__).with_name("exemptions.toml")
RULES = frozenset(
    {
        "deferred_imports",
        "doors",
        "file_size",
        "function_size",
        "hygiene",
        "ladders",
        "mirror",
        "public_door",
        "vendors",
    }
)
SHORTEST_REASON = 20


@dataclass(frozen=True, slots=True)
class Violation:
    """One place that breaks a rule: `place` is what an exemption's `path` or `name` would say."""

    place: str
    what: str


def judge(rule: str, found: Iterable[Violation], *, says: str, helps: str) -> None:
    """Fail for each violation without an exemption, and for each exemption without a violation.

    Args:
        rule: the table in exemptions.toml.
        found: every violation, exempt or not.
        says: the rule in one sentence.
        helps: the command or the change that helps.
    """
    __tracebackhide__ = True  # the complaint is the message; where it was written helps nobody
    found = sorted(found, key=lambda violation: (violation.place, violation.what))
    exempt = rows()[rule]
    wrong = [f"  {v.place}: {v.what}" for v in found if v.place not in exempt]
    stale = sorted(set(exempt) - {violation.place for violation in found})
    complaints = []
    if wrong:
        complaints.append("\n".join([f"{rule}: {says}", *wrong, f"What helps: {helps}"]))
    complaints += [
        f"{rule}: exemptions.toml excuses {place!r}, which breaks the rule no longer. Delete the row."
        for place in stale
    ]
    assert not complaints, "\n" + "\n".join(complaints)


@functools.cache
def rows() -> dict[str, frozenset[str]]:
    """Return the exempt places of every rule; a malformed row fails."""
    tables = tomllib.loads(EXEMPTIONS.read_text(encoding="utf-8"))
    unknown = set(tables) - RULES
    assert not unknown, f"exemptions.toml: no such rule: {sorted(unknown)}; known: {sorted(RULES)}"
    return {rule: frozenset(map(_place, tables.get(rule, []))) for rule in RULES}


def _place(row: dict[str, str]) -> str:
    places = row.keys() - {"reason"}
    assert len(places) == 1, (
        f"exemptions.toml: {row} needs one of `path` and `name`, and a `reason`"
    )
    assert places <= {"path", "name"}, f"exemptions.toml: {row} has unknown keys"
    reason = row.get("reason", "")
    assert len(reason) >= SHORTEST_REASON, (
        f"exemptions.toml: {row}: a reason has {SHORTEST_REASON} characters or more"
    )
    return row[places.pop()]
