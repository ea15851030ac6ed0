"""Two ways to write one call are one; two calls are never one."""

import unicodedata
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from penstock import tool
from penstock._codec import encode
from penstock._native import canonical
from penstock.speculation.settle import settled


class Page(BaseModel):
    """A part of a list."""

    size: int = 10
    after: str | None = None


@tool
async def find(name: str, page: Page, limit: float = 5, order: str = "új") -> None: ...


def key(value: Any) -> bytes:
    made = canonical("find", encode(settled(value, find.schema)))
    assert made is not None
    return made[1]


texts = st.text("aé\u0301ü\u0308Å한", max_size=4)
WHOLE = {"name": "é", "page": {"size": 10, "after": None}, "limit": 5, "order": "új"}


def test_defaults_are_filled_in_at_every_depth() -> None:
    assert settled({"name": "x", "page": {}}, find.schema) == {**WHOLE, "name": "x"}


@given(
    st.sets(st.sampled_from(["limit", "order"])),
    st.sets(st.sampled_from(["size", "after"])),
    st.sampled_from(["NFC", "NFD"]),
    st.booleans(),
    st.randoms(),
)
def test_each_way_to_write_a_call_has_one_key(gone, deep, form, floating, random) -> None:
    page = {name: value for name, value in WHOLE["page"].items() if name not in deep}
    page = {name: float(v) if floating and v == 10 else v for name, v in page.items()}
    written = {**WHOLE, "page": page, "name": unicodedata.normalize(form, WHOLE["name"])}
    items = [(name, value) for name, value in written.items() if name not in gone]
    random.shuffle(items)
    assert key(dict(items)) == key(WHOLE)


@given(texts, texts, st.integers(0, 3), st.integers(0, 3))
def test_different_calls_have_different_keys(one: str, other: str, few: int, many: int) -> None:
    same = unicodedata.normalize("NFC", one) == unicodedata.normalize("NFC", other)
    calls = ({"name": one, "page": {"size": few}}, {"name": other, "page": {"size": many}})
    assert (key(calls[0]) == key(calls[1])) == (same and few == many)


@given(texts, st.integers())
def test_settling_twice_changes_nothing_more(name: str, size: int) -> None:
    once = settled({"name": name, "page": {"size": size}, "more": [name]}, find.schema)
    assert settled(once, find.schema) == once


def test_what_is_given_is_left_as_it_is() -> None:
    given_ = {"name": "e\u0301", "page": {}}
    settled(given_, find.schema)
    assert given_ == {"name": "e\u0301", "page": {}}


def test_a_schema_that_goes_round_ends() -> None:
    schema = {"$ref": "#/$defs/A", "$defs": {"A": {"$ref": "#/$defs/A"}}}
    assert settled({"a": 1}, schema) == {"a": 1}
    assert settled({"a": 1}, {"properties": {"a": True, "b": {"$ref": "#/$defs/none"}}}) == {"a": 1}
