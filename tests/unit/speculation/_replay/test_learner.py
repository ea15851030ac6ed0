from penstock._native import Predictor
from penstock.speculation._replay import learner
from penstock.speculation._replay.timeline import timeline_of
from unit.speculation.conftest import EFFECTS, looked_up


def taught() -> Predictor:
    predictor = Predictor()
    learner.declare(predictor, EFFECTS)
    learner.train(predictor, [timeline_of(looked_up(number), EFFECTS) for number in range(12)])
    return predictor


def test_what_was_learned_is_guessed() -> None:
    predictor = taught()
    timeline = timeline_of(looked_up(99), EFFECTS)
    name = learner.begin(predictor, timeline, learns=False)
    learner.show_inputs(predictor, name, timeline.points[0].inputs)
    best = predictor.predict(name).candidates[0]
    assert (best.tool, best.arguments) == ("find", b'{"id":"A-99"}')
    assert best.key == timeline.points[0].calls[0].key


def test_following_and_scoring_moves_the_calibration_only() -> None:
    predictor = taught()
    before = predictor.statistics()
    learner.follow_and_score(predictor, timeline_of(looked_up(50), EFFECTS))
    after = predictor.statistics()
    assert (after["contexts"], after["templates"]) == (before["contexts"], before["templates"])


def test_no_session_stays_behind() -> None:
    assert taught().statistics()["sessions"] == 0


def test_tools_that_write_are_no_candidates() -> None:
    predictor = Predictor()
    learner.declare(predictor, EFFECTS)
    for number in range(9):
        name = f"s{number}"
        predictor.start(name, tenant="shop", agent="shop", task=name)
        predictor.user(name, "change it")
        predictor.call(name, "change", b"{}")
        predictor.result(name, 0, "ok", b"1")
        predictor.end(name)
    predictor.start("new", tenant="shop", agent="shop", learns=False)
    predictor.user("new", "change it")
    decision = predictor.predict("new")
    assert decision.tools[0][0] == "change"
    assert decision.candidates == ()
