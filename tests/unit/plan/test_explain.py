import math
from typing import Any

import pytest

from penstock.calls import Call
from penstock.errors import ConfigError
from penstock.plan import Plan
from penstock.plan.explain import duration, plain


def fork() -> Plan:
    """A search, then a slow and a quick fetch, then a sum of both; and a call on its own."""
    return Plan.from_calls(
        [
            Call("search", id="s"),
            Call("fetch", id="slow", after=["s"]),
            Call("fetch", id="quick", after=["s"]),
            Call("sum", id="sum", after=["slow", "quick"]),
            Call("alone", id="alone"),
        ],
        name="fork",
    )


LATENCIES = {"search": 1.0, "fetch": 2.0, "quick": 0.5, "sum": 1.0, "alone": 0.25}


def test_the_critical_path_is_the_longest_chain_in_seconds() -> None:
    assert fork().explain(LATENCIES).critical_path == ("s", "slow", "sum")


def test_the_best_time_is_the_length_of_the_critical_path() -> None:
    assert fork().explain(LATENCIES).best == 4.0


def test_the_total_is_the_time_one_after_the_other() -> None:
    assert fork().explain(LATENCIES).total == 4.75


def test_parallelism_is_work_over_best_time() -> None:
    assert fork().explain(LATENCIES).parallelism == 4.75 / 4.0


def test_an_id_counts_before_its_tool() -> None:
    assert [step.seconds for step in fork().explain(LATENCIES).steps] == [1.0, 2.0, 0.5, 1.0, 0.25]


def test_slack_is_how_much_later_a_call_may_start() -> None:
    assert [step.slack for step in fork().explain(LATENCIES).steps] == [0.0, 0.0, 1.5, 0.0, 3.75]


def test_a_call_starts_when_its_last_parent_ends() -> None:
    assert [step.starts for step in fork().explain(LATENCIES).steps] == [0.0, 1.0, 1.0, 3.0, 0.0]


def test_without_latencies_every_call_counts_one() -> None:
    explanation = fork().explain()
    assert (explanation.best, explanation.total, explanation.measured) == (3.0, 5.0, False)


def test_tools_without_a_latency_are_listed_and_count_nothing() -> None:
    explanation = fork().explain({"slow": 2.0, "sum": 1.0})
    assert explanation.unmeasured == ("alone", "fetch", "search")
    assert explanation.best == 3.0


@pytest.mark.parametrize("bad", [-1.0, math.nan, math.inf])
def test_a_latency_that_is_no_duration_is_refused(bad: float) -> None:
    with pytest.raises(ConfigError, match=r"latencies\['fetch'\]"):
        fork().explain({"fetch": bad})


def test_equal_chains_give_the_first_one() -> None:
    plan = Plan.from_calls([Call("t", id="a"), Call("t", id="b")])
    assert plan.explain().critical_path == ("a",)


def test_an_empty_plan_has_an_empty_explanation() -> None:
    explanation = Plan(()).explain({})
    assert (explanation.critical_path, explanation.levels, explanation.parallelism) == ((), (), 1.0)
    assert "0 calls" in str(explanation)


def test_the_table_names_work_path_and_parents() -> None:
    text = str(fork().explain(LATENCIES))
    assert "plan fork: 5 calls in 3 levels, the widest has 2" in text
    assert "critical path (*): s -> slow -> sum" in text
    assert "slow, quick" in text


def test_a_long_table_is_cut() -> None:
    text = Plan.from_calls([Call("t", id=str(i)) for i in range(60)]).explain().table(rows=10)
    assert text.endswith("... and 50 more calls")
    assert len(text.splitlines()) < 20


def test_a_long_path_is_cut_in_the_middle() -> None:
    chain = [Call("t", id="0"), *(Call("t", id=str(i), after=[str(i - 1)]) for i in range(1, 40))]
    assert "5 -> (28 more) -> 34" in str(Plan.from_calls(chain).explain())


def test_names_cannot_break_the_table() -> None:
    plan = Plan.from_calls([Call("a\nb", id="\x1b[31mred\u202e")])
    assert all(line.isprintable() for line in str(plan.explain()).splitlines())


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0, "0 s"),
        (4e-5, "40 us"),
        (0.0031, "3.1 ms"),
        (0.9999, "1 s"),
        (1.25, "1.25 s"),
        (99.99, "100 s"),
        (12_345.6, "12,346 s"),
    ],
)
def test_durations_have_three_digits(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_plain_names_are_cut_and_printable() -> None:
    assert plain("a\x00b" + "c" * 99, width=6) == "a\N{REPLACEMENT CHARACTER}bcc…"


@pytest.mark.parametrize(
    ("latencies", "field"), [(3, "latencies"), ({"echo": "1"}, "latencies['echo']")]
)
def test_latencies_are_numbers_by_name(latencies: Any, field: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Plan.from_calls([Call("echo")]).explain(latencies)
    assert caught.value.field == field
