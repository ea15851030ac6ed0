"""The rows about crowds, of crowds that are made up."""

import asyncio

import pytest

from penstock.cli.bench._protocol import Settings
from penstock.cli.bench.limits._workloads import Crowd
from penstock.cli.bench.limits.waiting import BURST, RATE, own_sets, rows_of_a_crowd

SETTINGS = Settings()
GOOD = [Crowd(10_000, 9_960.0, 0, 3.0), Crowd(10_000, 9_950.0, 0, 4.0)]
PLAIN = [Crowd(10_000, 9_970.0, 0, 6.0), Crowd(10_000, 9_970.0, 0, 8.0)]


def verdicts(ours: list[Crowd]) -> list[bool | None]:
    return [row.passed for row in rows_of_a_crowd("wait", SETTINGS, ours, PLAIN, gate_us=4.0)]


def test_a_good_crowd_holds_all_gates() -> None:
    assert verdicts(GOOD) == [True, True, True]


@pytest.mark.parametrize(
    ("bad", "expected"),
    [
        (Crowd(10_000, 9_800.0, 0, 3.0), [False, True, True]),
        (Crowd(10_000, 9_960.0, 1, 3.0), [True, False, True]),
        (Crowd(10_000, 9_960.0, 0, 4.1), [True, True, False]),
    ],
    ids=["too slow", "out of turn", "too dear"],
)
def test_each_gate_is_judged_by_its_own_number(bad: Crowd, expected: list[bool]) -> None:
    assert verdicts([bad, bad]) == expected


def test_one_crowd_out_of_turn_is_not_outvoted() -> None:
    assert verdicts([*GOOD, Crowd(10_000, 9_960.0, 1, 3.0)][1:]) == [True, False, True]


def test_the_cpu_is_compared_within_a_round() -> None:
    cpu = rows_of_a_crowd("wait", SETTINGS, GOOD, PLAIN, gate_us=4.0)[-1]
    assert (cpu.ratio, cpu.value, cpu.unit) == (0.5, 3.5, "us")


async def test_a_thousand_sets_pass_one_limit() -> None:
    subjects = own_sets()
    for subject in subjects[:BURST]:
        subject.end(await subject.take())
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.5 / RATE):
            await subjects[-1].take()
