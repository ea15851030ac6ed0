"""Each ablation changes one thing, and what it changes can be seen in the rows."""

import pytest

from penstock.speculation import ABLATIONS, Evaluation, Predictor, ablated, evaluate
from unit.speculation.conftest import EFFECTS, call, session

HOW = Evaluation(modes=("top3",), latencies=(1.0,))


def together(number: int) -> object:
    """Find an item, then fetch both of its parts in one step."""
    parts = [f"P{number}x", f"P{number}y"]
    return session(
        number,
        call("find", 0, 0, {"parts": parts}, id=f"A-{number}"),
        call("fetch", 0, 1, part=parts[0]),
        call("fetch", 0, 1, part=parts[1]),
    )


TRAIN = [together(number) for number in range(12)]
TEST = [together(number) for number in range(50, 58)]


@pytest.mark.parametrize("name", Predictor.parts())
def test_a_part_of_the_predictor_is_switched_off_in_it(name: str) -> None:
    assert ablated(HOW, name).off == (name,)
    Predictor(off=[name])


def test_the_names_are_in_order_and_each_once() -> None:
    assert list(ABLATIONS) == sorted(set(ABLATIONS))
    assert set(Predictor.parts()) < set(ABLATIONS)


def test_with_siblings_known_the_second_call_of_a_step_is_found_first() -> None:
    rows = {
        known: evaluate(TRAIN, TEST, EFFECTS, how)[0].fields
        for known, how in ((False, HOW), (True, ablated(HOW, "siblings")))
    }
    assert rows[False]["exact_at_1"] == pytest.approx(2 / 3, abs=1e-3)
    assert rows[True]["exact_at_1"] == 1
    assert rows[True]["model_hash"] == rows[False]["model_hash"]
    assert rows[True]["window_hit"] == rows[False]["window_hit"]


def test_cache_only_launches_nothing() -> None:
    how = Evaluation(modes=("engine",), latencies=(1.0,))
    twice = [
        session(number, call("find", 0, 0, id="A-1"), call("find", 0, 1, id="A-1"))
        for number in range(50, 52)
    ]
    fields = evaluate(TRAIN, twice, EFFECTS, ablated(how, "cache_only"))[0].fields
    assert (fields["window_hit"], fields["cache_hit"], fields["wasted_per_read"]) == (0, 0.5, 0)


def test_with_a_fixed_chance_each_guess_is_launched_while_waste_may_be() -> None:
    how = Evaluation(modes=("gated",), latencies=(1.0,))
    whole = evaluate(TRAIN, TEST, EFFECTS, how)[0].fields
    fixed = evaluate(TRAIN, TEST, EFFECTS, ablated(how, "fixed_p"))[0].fields
    assert fixed["precision"] <= whole["precision"]
    assert fixed["exact_at_1"] == whole["exact_at_1"]


def test_with_shadow_a_tool_that_is_new_launches_nothing() -> None:
    how = Evaluation(modes=("gated", "top3"), latencies=(1.0,))
    few = evaluate(TRAIN, TEST, EFFECTS, ablated(how, "shadow"))
    whole = evaluate(TRAIN, TEST, EFFECTS, how)
    assert whole[0].fields["window_hit"] > few[0].fields["window_hit"]
    assert whole[1].fields["window_hit"] == few[1].fields["window_hit"]
