from penstock.speculation._replay.split import folds_of, groups_of, order_of
from unit.speculation.conftest import call, looked_up, session


def ids(groups: list[list]) -> list[set[str]]:
    return [{each.id for each in group} for group in groups]


def test_sessions_of_one_task_are_one_group() -> None:
    groups = groups_of([looked_up(1, "a"), looked_up(2, "a"), looked_up(3, "b")])
    assert ids(groups) == [{"shop/1", "shop/2"}, {"shop/3"}]


def test_a_rare_first_call_joins_tasks_that_are_numbered_differently() -> None:
    alike = [session(number, call("find", 0, 0, id="same")) for number in (1, 2)]
    assert ids(groups_of([*alike, looked_up(3)])) == [{"shop/1", "shop/2"}, {"shop/3"}]


def test_a_common_first_call_joins_nothing() -> None:
    alike = [session(number, call("find", 0, 0, id="same")) for number in range(3)]
    assert len(groups_of(alike)) == 3


def test_the_order_of_files_does_not_matter() -> None:
    sessions = [looked_up(number, str(number // 2)) for number in range(9)]
    assert groups_of(sessions) == groups_of(sessions[::-1])
    assert folds_of(sessions, 3) == folds_of(sessions[::-1], 3)


def test_each_session_is_in_one_fold_and_folds_are_even() -> None:
    sessions = [looked_up(number, str(number // 2)) for number in range(12)]
    folds = folds_of(sessions, 3)
    sizes = [sum(len(group) for group in fold) for fold in folds]
    assert sizes == [4, 4, 4]
    dealt = [each.id for fold in folds for group in fold for each in group]
    assert sorted(dealt) == sorted(each.id for each in sessions)


def test_a_session_without_calls_has_its_task() -> None:
    assert len(groups_of([session(1), session(2, task="1")])) == 1
    assert order_of(session(1)) != order_of(session(2))
