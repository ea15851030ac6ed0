"""The invented sessions: what a model could guess, at the pace of recorded ones."""

from penstock.cli.bench.speculation_load._shop import EFFECTS, GAPS, sessions


def test_the_same_seed_gives_the_same_sessions() -> None:
    assert sessions(20) == sessions(20)
    assert sessions(20, seed=1) != sessions(20, seed=2)


def test_a_few_more_change_no_session_before() -> None:
    assert sessions(5) == sessions(10)[:5]


def test_what_is_asked_for_was_named_before() -> None:
    for session in sessions(50):
        told = " ".join(text for _, text in session.inputs)
        for call in session.calls:
            (value,) = call.arguments.values()
            assert value in told
            told += str(call.result)


def test_every_third_session_changes_something_and_looks_again() -> None:
    for number, session in enumerate(sessions(12)):
        tools = [call.tool for call in session.calls]
        assert (tools[-2:] == ["cancel_order", "get_order"]) == (number % 3 == 0)
        assert all(tool in EFFECTS.families["shop"] for tool in tools)


def test_times_are_within_those_recorded() -> None:
    gaps = [call.gap_s for session in sessions(200) for call in session.calls]
    assert all(gap is not None and GAPS[0] <= gap <= GAPS[-1] for gap in gaps)
    assert sorted(GAPS) == list(GAPS)
