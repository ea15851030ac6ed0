"""Arguments by JSON path."""

import pytest

from penstock.formats._reply import Unreadable
from penstock.formats._streams.partial import PartialArguments, parse, place

PATHS = {
    "$.city": ("city",),
    "$.a.b[0].c": ("a", "b", 0, "c"),
    "$['a b'][\"c.d\"]": ("a b", "c.d"),
    "$['it\\'s']": ("it's",),
    "$['']": ("",),
    "$.größe": ("größe",),
}


@pytest.mark.parametrize("path", PATHS)
def test_a_path_of_one_place_is_read(path: str) -> None:
    assert parse(path) == PATHS[path]


@pytest.mark.parametrize(
    "path", ["", "$", "city", "$.", "$..a", "$[*]", "$[-1]", "$.a[", "$.a" * 99]
)
def test_another_path_is_refused(path: str) -> None:
    with pytest.raises(Unreadable):
        parse(path)


def test_what_is_on_the_way_is_made() -> None:
    root: dict[str, object] = {}
    place(root, ("a", 0, "b"), 1)
    place(root, ("a", 0, "c"), 2)
    place(root, ("a", 1), 3)
    assert root == {"a": [{"b": 1, "c": 2}, 3]}


def test_a_place_may_be_set_again() -> None:
    root: dict[str, object] = {"a": [1]}
    place(root, ("a", 0), 2)
    place(root, ("a",), 3)
    assert root == {"a": 3}


@pytest.mark.parametrize("path", [("a", 7), ("a", "b"), (0,), ("b", "c")])
def test_a_gap_and_a_wrong_step_are_refused(path: tuple[str | int, ...]) -> None:
    with pytest.raises(Unreadable):
        place({"a": [1], "b": 2}, path, 0)


def test_an_empty_piece_ends_a_text() -> None:
    values = PartialArguments()
    values.set({"jsonPath": "$.a", "stringValue": "x", "willContinue": True}, 0, [])
    values.set({"jsonPath": "$.a"}, 0, [])
    assert values.whole() == {"a": "x"}


@pytest.mark.parametrize(("given", "kept"), [(3.0, "3"), (0.5, "0.5"), (1e300, "1e+300")])
def test_whole_numbers_are_shown_as_such(given: float, kept: str) -> None:
    values = PartialArguments()
    values.set({"jsonPath": "$.a", "numberValue": given}, 0, [])
    assert str(values.whole()["a"]) == kept
