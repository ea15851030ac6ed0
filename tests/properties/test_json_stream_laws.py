"""JSON in pieces against orjson on the whole: the same values, the same refusals, wherever it is cut."""

import json
from itertools import cycle

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from penstock import _codec
from penstock._native import JsonStream, is_sound_json
from penstock.errors import BadJson

Told = list[tuple[tuple[str | int, ...], bytes]]

TEXTS = st.text(st.characters(codec="utf-8")) | st.sampled_from(
    ["😀", "é\\", '"', "\x00", "\u2028"]
)
NUMBERS = st.integers(-(2**70), 2**70) | st.floats(allow_nan=False, allow_infinity=False)
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=20,
)
SIZES = st.lists(st.integers(1, 32), min_size=1, max_size=6)


@st.composite
def written(draw: st.DrawFn) -> bytes:
    """A value as some program would write it: with or without escapes and spaces."""
    separators = draw(st.sampled_from([None, (",", ":")]))
    indent = draw(st.sampled_from([None, 1]))
    ascii = draw(st.booleans())
    value = draw(VALUES)
    return json.dumps(value, ensure_ascii=ascii, indent=indent, separators=separators).encode()


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """The same with a byte that is replaced, put in or left out."""
    text = draw(written())
    at = draw(st.integers(0, len(text)))
    return text[:at] + draw(st.binary(max_size=2)) + text[at + draw(st.integers(0, 1)) :]


def pieces(text: bytes, sizes: list[int]) -> list[bytes]:
    found, at = [], 0
    for size in cycle(sizes):
        if at >= len(text):
            return found
        found.append(text[at : at + size])
        at += size
    return found


def read(text: bytes, sizes: list[int], *, arguments: bool = False) -> Told:
    stream = JsonStream(arguments=arguments)
    told = [value for piece in pieces(text, sizes) for value in stream.feed(piece)]
    told += stream.finish()
    assert stream.ended
    return told


def refusal(text: bytes, sizes: list[int]) -> tuple[str, str, int] | None:
    try:
        read(text, sizes)
    except BadJson as error:
        return error.reason, error.path, error.offset
    return None


def inside(value: object, path: tuple[str | int, ...] = ()) -> list[tuple[object, ...]]:
    """Every value with its path, inner ones first."""
    if isinstance(value, dict):
        deeper = [one for key, item in value.items() for one in inside(item, (*path, key))]
    elif isinstance(value, list):
        deeper = [one for at, item in enumerate(value) for one in inside(item, (*path, at))]
    else:
        deeper = []
    return [*deeper, (path, value)]


@given(text=written(), sizes=SIZES)
def test_every_value_of_the_whole_is_told_once_in_order(text: bytes, sizes: list[int]) -> None:
    whole = _codec.decode(text)
    told = [(path, _codec.decode(value)) for path, value in read(text, sizes)]
    assert told == inside(whole)


@given(text=damaged(), sizes=SIZES)
def test_what_orjson_refuses_is_refused(text: bytes, sizes: list[int]) -> None:
    try:
        _codec.decode(text)
    except ValueError:
        with pytest.raises(BadJson):
            read(text, sizes)


@given(text=damaged(), sizes=SIZES)
def test_arguments_are_refused_as_their_check_refuses_them(text: bytes, sizes: list[int]) -> None:
    assume(text.strip(b" \t\r\n"))
    try:
        read(text, sizes, arguments=True)
        sound = True
    except BadJson:
        sound = False
    assert sound == is_sound_json(text)


@given(text=damaged(), sizes=SIZES)
def test_a_cut_changes_neither_the_fault_nor_its_place(text: bytes, sizes: list[int]) -> None:
    assert refusal(text, sizes) == refusal(text, [max(1, len(text))])


@given(value=VALUES, sizes=SIZES)
def test_text_is_read_as_its_utf8(value: object, sizes: list[int]) -> None:
    text = json.dumps(value, ensure_ascii=False)
    stream, told = JsonStream(arguments=False), []
    for at in range(len(text)):
        told += stream.feed(text[at])
    assert told + stream.finish() == read(text.encode(), sizes)
