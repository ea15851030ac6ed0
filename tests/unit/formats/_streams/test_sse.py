"""Raw lines of a stream."""

import pytest

from penstock.formats._reply import Unreadable
from penstock.formats._streams.sse import DONE, pieces


@pytest.mark.parametrize(
    "raw", ["", "event: ping", ": comment", "id: 7", "retry: 1", "data:", "\n"]
)
def test_lines_without_data_have_no_pieces(raw: str) -> None:
    assert list(pieces(raw)) == []


@pytest.mark.parametrize(
    "raw", ['data: {"a": 1}', b'data:{"a":1}\r\n\r\n', '{"a": 1}', '\n{"a":1}']
)
def test_data_is_decoded(raw: str | bytes) -> None:
    assert list(pieces(raw)) == [{"a": 1}]


def test_several_lines_are_several_pieces() -> None:
    raw = 'event: a\ndata: {"a": 1}\n\nevent: b\ndata: {"b": 2}\n\ndata: [DONE]\n\n'
    assert list(pieces(raw)) == [{"a": 1}, {"b": 2}, DONE]


def test_a_line_does_not_end_at_characters_that_only_python_ends_lines_at() -> None:
    assert list(pieces('data: {"a": "\u2028\x85\x0b"}'.replace("\x0b", "\\u000b"))) == [
        {"a": "\u2028\x85\x0b"}
    ]


@pytest.mark.parametrize("raw", ["data: {", "data: nope", b"data: \xff", "data: \ud800"])
def test_data_that_is_no_json_is_unreadable(raw: str | bytes) -> None:
    with pytest.raises(Unreadable):
        list(pieces(raw))
