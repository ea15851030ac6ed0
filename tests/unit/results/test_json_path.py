"""`pick`: paths as models write them, and answers they can act on."""

from typing import Any

import pytest

from penstock.results.json_path import pick, reach

VALUE: dict[str, Any] = {
    "items": [{"id": 1, "x-y": "a"}, {"id": 2, "x-y": "b"}, {"id": 3, "x-y": "c"}],
    "meta": {"total": 3, "søk": None, "a.b": {"c": True}},
}


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("meta.total", 3),
        ("$.meta.total", 3),
        ("$", VALUE),
        ("", VALUE),
        ("items[0].id", 1),
        ("items[-1].id", 3),
        ("items[0]['x-y']", "a"),
        ('items[0]["x-y"]', "a"),
        ("items[0].x-y", "a"),
        ("meta['a.b'].c", True),
        ("meta.søk", None),
        ("items[*].id", [1, 2, 3]),
        ("items[1:].id", [2, 3]),
        ("items[:2]['x-y']", ["a", "b"]),
        ("items[5:9]", []),
        ("meta.*", [3, None, {"c": True}]),
    ],
)
def test_a_path_leads_to_its_part(path: str, expected: object) -> None:
    assert pick(VALUE, path) == expected


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("item", "has no 'item'; it has 'items'"),
        ("zzz", "has no 'zzz'; it has 'items', 'meta'"),
        ("items[7]", "items has 3 items, so it has no [7]"),
        ("items.id", "items is a list, so it has no 'id'"),
        ("meta.total.x", "meta.total is a number, so it has no 'x'"),
        ("meta[0]", "meta is an object, so it has no [0]"),
        ("meta.total[*]", "meta.total is a number, so it has no items"),
        ("meta[0:1]", "meta is an object"),
        ("items[", "cannot be read from '['"),
        ("items[?(@.id>1)]", "cannot be read from '[?(@.id>1)]'"),
        ("a" + "[0]" * 100, "cannot be read"),
    ],
)
def test_a_path_that_leads_nowhere_says_what_is_there(path: str, says: str) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - its text is the test
        pick(VALUE, path)
    assert says in str(caught.value)


def test_among_many_keys_none_is_guessed() -> None:
    with pytest.raises(ValueError, match=r"it has 'key0', 'key1', .*'key9'$"):
        pick({f"key{number}": number for number in range(2_000)}, "kez5")


def test_nothing_is_looked_at_before_its_turn() -> None:
    found, many = reach([{"id": 1}, {"id": 2}, "no object"], "[*].id")
    assert many
    assert [next(found), next(found)] == [1, 2]
    with pytest.raises(ValueError, match=r"\[2\] is text, so it has no 'id'"):
        next(found)
