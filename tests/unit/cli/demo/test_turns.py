import pytest

from penstock import formats
from penstock.calls import Call, Ref
from penstock.cli.demo.turns import TURNS, Turn, plan_steps

each_turn = pytest.mark.parametrize("turn", TURNS, ids=lambda turn: turn.name)


@each_turn
def test_the_reply_is_recognised_as_its_format(turn: Turn) -> None:
    assert formats.detect(turn.reply).name == turn.format


@each_turn
def test_every_call_is_expected_to_end_in_some_way(turn: Turn) -> None:
    calls = len(turn.calls())
    assert sum(turn.expected.values()) == calls
    assert sum(turn.expected_in_turn.values()) in (0, calls)


@each_turn
def test_ids_are_as_providers_make_them(turn: Turn) -> None:
    ids = [call.id for call in turn.calls()]
    assert None not in ids
    assert len(set(ids)) == len(ids)


def test_the_models_speak_beside_their_calls() -> None:
    assert sum(bool(turn.wire.text(turn.reply)) for turn in TURNS) == 5


def test_the_steps_of_a_plan_become_calls_with_refs() -> None:
    steps = """{"steps": [
        {"id": "a", "tool": "search", "arguments": {"pattern": "x"}},
        {"id": "b", "tool": "parse", "arguments": {"all": [{"$ref": "a.files.0.path"}, 1]}}
    ]}"""
    first, second = plan_steps(Call("submit_plan", steps))
    assert (first.id, first.tool, first.arguments) == ("a", "search", {"pattern": "x"})
    assert second.refs == (Ref("a", "files.0.path"),)
