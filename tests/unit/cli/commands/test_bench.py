from collections.abc import Iterable

import pytest

from penstock.cli.bench import Result, Settings
from penstock.cli.commands import bench

ROWS = {
    "dag": [Result(row="dag", n=1000, loop="uvloop", value=0.1, gate=0.15, ratio=0.1)],
    "noop": [
        Result(
            row="noop", n=1000, loop="uvloop", value=0.2, gate=0.15, ratio=0.2, baseline="gather"
        ),
        Result(row="noop_plain", n=1000, loop="uvloop", value=3.0, ns_per_call=25_000.0),
    ],
    "waiting": [
        Result(
            row="waiting",
            n=1000,
            loop="uvloop",
            value=9_975.0,
            unit="/s",
            gate=9_900.0,
            at_least=True,
        )
    ],
}
SUITES = {"hot": ("dag", "noop"), "limits": ("waiting",)}


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, Settings]]:
    """Measure nothing; return what would have been measured."""
    seen: list[tuple[str, Settings]] = []

    def measure(groups: Iterable[str], settings: Settings) -> list[Result]:
        seen.extend((group, settings) for group in groups)
        return [result for group in groups for result in ROWS[group]]

    monkeypatch.setattr(bench.rows, "SUITES", SUITES)
    monkeypatch.setattr(bench.rows, "names", SUITES.__getitem__)
    monkeypatch.setattr(bench.rows, "measure", measure)
    return seen


def test_a_missed_gate_is_exit_code_1(penstock, asked) -> None:
    printed = penstock("bench", "noop")
    assert printed.code == 1
    assert "MISS" in printed.out
    assert "0 of 1 gates hold; missed: noop" in printed.out


def test_gates_that_hold_are_exit_code_0(penstock, asked) -> None:
    printed = penstock("bench", "dag")
    assert printed.code == 0
    assert "1 of 1 gates hold" in printed.out


@pytest.mark.parametrize("groups", [[], ["hot"], ["dag", "hot"], ["dag", "noop", "dag"]])
def test_each_group_is_measured_once(penstock, asked, groups) -> None:
    penstock("bench", *groups)
    assert [group for group, _ in asked] == ["dag", "noop"]


@pytest.mark.parametrize("groups", [["limits"], ["waiting"]])
def test_a_suite_stands_for_its_groups(penstock, asked, groups) -> None:
    penstock("bench", *groups)
    assert [group for group, _ in asked] == ["waiting"]


def test_a_rate_is_shown_whole_beside_the_least_it_may_be(penstock, asked) -> None:
    printed = penstock("bench", "waiting")
    assert "9,975 /s  at least 9900 /s" in printed.out
    assert printed.code == 0


def test_no_group_is_in_two_suites() -> None:
    named = [name for suite in bench.rows.SUITES for name in bench.rows.names(suite)]
    assert len(set(named)) == len(named)


def test_no_group_is_called_like_a_suite() -> None:
    named = {name for suite in bench.rows.SUITES for name in bench.rows.names(suite)}
    assert named.isdisjoint(bench.rows.SUITES)


def test_json_lines_are_the_records(penstock, asked) -> None:
    printed = penstock("bench", "hot", "--json")
    assert printed.code == 1
    assert [record["row"] for record in printed.records] == ["dag", "noop", "noop_plain"]
    assert [record["pass"] for record in printed.records] == [True, False, None]


def test_the_settings_are_passed_on(penstock, asked) -> None:
    penstock("bench", "dag", "--loop", "asyncio", "--quick")
    assert asked == [("dag", Settings(loop="asyncio", quick=True))]


def test_an_unknown_group_is_exit_code_2_with_the_nearest(penstock, asked) -> None:
    printed = penstock("bench", "nop")
    assert printed.code == 2
    assert "Did you mean 'noop'" in printed.err
    assert not asked
