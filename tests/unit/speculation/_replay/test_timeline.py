from dataclasses import replace

from penstock.speculation._replay.timeline import timeline_of
from unit.speculation.conftest import EFFECTS, call, looked_up, session


def test_a_point_before_each_step_and_one_where_the_model_answers() -> None:
    points = timeline_of(looked_up(1), EFFECTS).points
    assert [[made.tool for made in point.calls] for point in points] == [
        ["find"],
        ["fetch"],
        ["fetch"],
        [],
    ]
    assert [len(point.inputs) for point in points] == [1, 0, 0, 0]
    assert [point.gap for point in points] == [2.0, 2.0, 2.0, 0.0]


def test_calls_of_one_step_are_one_point() -> None:
    both = session(1, call("fetch", 0, 0, part="a"), call("fetch", 0, 0, part="b"))
    assert [len(point.calls) for point in timeline_of(both, EFFECTS).points] == [2, 0]


def test_a_turn_before_any_input_begins_at_the_start() -> None:
    alone = replace(session(1, call("find", -1, 0, id="x")), inputs=())
    points = timeline_of(alone, EFFECTS).points
    assert [(point.inputs, len(point.calls)) for point in points] == [((), 1), ((), 0)]


def test_the_end_of_a_simulated_conversation_is_no_point() -> None:
    talk = replace(session(1), inputs=((0, "Hello"), (1, "Bye ###STOP###")))
    assert [point.inputs for point in timeline_of(talk, EFFECTS).points] == [("Hello",)]


def test_a_cut_call_is_left_out() -> None:
    cut = replace(call("fetch", 0, 0, part="a"), cut=True)
    points = timeline_of(session(1, cut, call("find", 0, 0, id="b")), EFFECTS).points
    assert [made.tool for made in points[0].calls] == ["find"]


def test_keys_do_not_depend_on_how_arguments_are_written() -> None:
    one = session(1, call("fetch", 0, 0, part="a", n=1))
    other = session(1, call("fetch", 0, 0, n=1.0, part="a"))
    keys = [timeline_of(each, EFFECTS).points[0].calls[0].key for each in (one, other)]
    assert keys[0] == keys[1]


def test_a_session_without_gaps_is_not_timed() -> None:
    made = replace(call("find", 0, 0, id="x"), gap_s=None)
    assert not timeline_of(session(1, made), EFFECTS).timed
