"""The evaluation is honest: frozen, split by task, the same whatever the order of the files."""

from collections.abc import Sequence
from typing import Any

import pytest

from penstock.speculation import (
    Effects,
    Evaluation,
    Predictor,
    Row,
    TraceSession,
    evaluate,
    evaluate_cold,
    evaluate_folds,
    overlap,
)
from penstock.speculation._replay import learner
from penstock.speculation._replay.evaluate import model_hash, trained
from penstock.speculation._replay.timeline import timeline_of
from unit.speculation.conftest import EFFECTS, looked_up

HOW = Evaluation(modes=("top3", "oracle"), latencies=(1.0,))
TRAIN = [looked_up(number) for number in range(12)]
TEST = [looked_up(number) for number in range(50, 58)]
TIMES = {"prediction_us", "prediction_us_p99", "observe_us"}


def timeless(rows: Sequence[Row]) -> list[dict[str, Any]]:
    return [
        {name: value for name, value in row.as_record().items() if name not in TIMES}
        for row in rows
    ]


def test_what_was_learned_is_found_in_new_tasks() -> None:
    rows = {row.mode: row.fields for row in evaluate(TRAIN, TEST, EFFECTS, HOW)}
    assert rows["oracle"]["window_hit"] == 1
    assert rows["top3"]["exact_at_1"] == 1
    assert (rows["top3"]["train_sessions"], rows["top3"]["test_sessions"]) == (12, 8)


def test_shuffled_test_sessions_give_equal_rows(
    recorded: tuple[list[TraceSession], Effects],
) -> None:
    sessions, effects = recorded
    rows = timeless(evaluate_folds(sessions, effects, 3, Evaluation()))
    assert rows == timeless(evaluate_folds(sessions[::-1], effects, 3, Evaluation()))
    assert {row["family"] for row in rows} == {"airline", "bfcl"}
    assert timeless(evaluate(TRAIN[::-1], TEST[::-1], EFFECTS, HOW)) == timeless(
        evaluate(TRAIN, TEST, EFFECTS, HOW)
    )


def test_testing_leaves_the_model_as_it_was() -> None:
    rows = evaluate(TRAIN, TEST, EFFECTS, HOW)
    assert rows[0].fields["model_hash"] == model_hash(trained(TRAIN, EFFECTS, ()))


def test_online_learning_moves_the_model_between_groups_only() -> None:
    online = Evaluation(modes=("top3",), latencies=(1.0,), online=True)
    cold = evaluate([], TEST, EFFECTS, HOW)[0].fields
    warm = evaluate([], TEST, EFFECTS, online)[0].fields
    assert cold["exact_at_1"] == 0
    assert 0 < warm["exact_at_1"] < 1
    assert warm["online"] == "group"


def test_a_cold_start_learns_each_session_after_it_was_scored() -> None:
    rows = evaluate_cold([*TRAIN, *TRAIN], EFFECTS, HOW)
    top3 = [row.fields for row in rows if row.mode == "top3"]
    assert [row["cold_sessions"] for row in top3] == ["1-5", "6-10", "11-20"]
    assert [row["test_sessions"] for row in top3] == [5, 5, 2]
    assert top3[0]["exact_at_1"] < top3[1]["exact_at_1"]


def test_an_equal_session_or_task_overlaps() -> None:
    assert overlap(TRAIN, TRAIN[:2]) == {"shop/0", "shop/1"}
    assert overlap([looked_up(1, "a")], [looked_up(2, "a")]) == {"shop/1"}
    assert overlap(TRAIN, TEST) == set()


def test_a_family_without_effects_has_no_row() -> None:
    assert evaluate(TRAIN, TEST, Effects({}), HOW) == []


def test_noise_after_a_step_leaves_earlier_candidates_equal() -> None:
    predictor = trained(TRAIN, EFFECTS, ())

    def candidates(story: TraceSession) -> list[list[bytes]]:
        timeline = timeline_of(story, EFFECTS)
        name = learner.begin(predictor, timeline, learns=False)
        keys = []
        for point in timeline.points:
            learner.show_inputs(predictor, name, point.inputs)
            keys.append([guess.key for guess in predictor.predict(name).candidates])
            learner.show_point(predictor, name, point)
        return keys

    whole, noisy = looked_up(70), looked_up(71)
    mixed = TraceSession(
        whole.id, "hand", "shop", "70", whole.inputs, (whole.calls[0], *noisy.calls[1:])
    )
    assert candidates(mixed)[:2] == candidates(whole)[:2]


def test_a_switched_off_part_is_switched_off() -> None:
    parts = Evaluation(modes=("top3",), off=("templates",))
    assert evaluate(TRAIN, TEST, EFFECTS, parts)[0].fields["exact_at_1"] < 1


def test_each_label_of_nestful_becomes_a_template(
    recorded: tuple[list[TraceSession], Effects],
) -> None:
    """`$label.field$` is what a call's result had in that field: one example is enough."""
    nested = [each for each in recorded[0] if each.family == "nestful"]
    assert nested
    for story in nested:
        assert _references(story), "the sample has a call that uses another one's result"
        assert _missed(story) == []


def _references(story: TraceSession) -> list[tuple[int, str]]:
    return [
        (place, value)
        for place, made in enumerate(story.calls)
        for value in made.arguments.values()
        if isinstance(value, str) and value.startswith("$var") and value.endswith("$")
    ]


def _missed(story: TraceSession) -> list[str]:
    """Learn a story whose results are unique, then follow it with other results."""
    predictor = Predictor()
    for run in range(4):
        _follow(predictor, story, run, learns=True)
    return _follow(predictor, story, 99, learns=False)


def _follow(predictor: Predictor, story: TraceSession, run: int, *, learns: bool) -> list[str]:
    from penstock._codec import encode

    name = f"run-{run}"
    predictor.start(name, tenant="n", agent="n", task=name, learns=learns)
    missed = []
    for place, made in enumerate(story.calls, 1):
        filled = {key: _filled(value, run) for key, value in made.arguments.items()}
        candidates = predictor.predict(name).candidates
        if not learns and filled != dict(made.arguments):
            arguments = [guess.arguments for guess in candidates if guess.tool == made.tool]
            if encode(dict(sorted(filled.items()))) not in arguments:
                missed.append(made.tool)
        predictor.call(name, made.tool, encode(filled))
        fields = {
            value.split(".", 1)[1].rstrip("$")
            for _, value in _references(story)
            if f"$var{place}." in value
        }
        result = {field: f"value-{run}-{place}-{field}" for field in fields}
        predictor.result(name, 0, "ok", encode(result or None))
        predictor.decision(name)
    predictor.forget(name)
    return missed


def _filled(value: Any, run: int) -> Any:
    if isinstance(value, str) and value.startswith("$var") and value.endswith("$"):
        place, field = value.strip("$").removeprefix("var").split(".", 1)
        return f"value-{run}-{place}-{field}"
    return value


def test_a_wrong_number_of_parts_is_refused() -> None:
    with pytest.raises(ValueError, match="must be one of"):
        trained([], EFFECTS, ("nothing",))
