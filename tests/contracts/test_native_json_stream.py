"""`JsonStream` from Python: what it returns, what it raises, and who may use it when."""

import gc

import pytest

from penstock._native import JsonStream
from penstock.errors import BadJson, WrongThread


def test_each_piece_returns_what_it_completed() -> None:
    stream = JsonStream()
    assert stream.feed('{"a": [1, "x') == [(("a", 0), b"1")]
    assert stream.feed(b'y"], "b": 2') == [(("a", 1), b'"xy"'), (("a",), b'[1, "xy"]')]
    assert not stream.ended
    assert stream.feed("}") == [(("b",), b"2"), ((), b'{"a": [1, "xy"], "b": 2}')]
    assert stream.ended


def test_who_wants_the_end_only_gets_no_values() -> None:
    stream = JsonStream(values=False)
    assert stream.feed('{"a": [1, 2]}') == []
    assert stream.ended
    with pytest.raises(BadJson):
        stream.feed("x")


def test_nothing_at_all_is_an_empty_object() -> None:
    stream = JsonStream()
    assert stream.finish() == []
    assert stream.ended


def test_a_fault_says_what_and_where_and_stays() -> None:
    stream = JsonStream()
    for _ in range(2):
        with pytest.raises(BadJson) as caught:
            stream.feed('{"a": {"b": nul}}')
        assert (caught.value.path, caught.value.offset) == ("a.b", 15)


@pytest.mark.parametrize("text", ['{"a": "\ud83d"}', '{"\udfff": 1}'])
def test_text_with_half_a_pair_is_bad_json(text: str) -> None:
    with pytest.raises(BadJson):
        JsonStream().feed(text)


def test_limits_are_the_callers() -> None:
    for limits, text in (({"depth": 1}, '{"a": []}'), ({"items": 1}, '{"a": 1}')):
        with pytest.raises(BadJson):
            JsonStream(**limits).feed(text)
    with pytest.raises(BadJson):
        JsonStream(bytes=3).feed('{"a"')


def test_other_types_are_refused() -> None:
    with pytest.raises(TypeError):
        JsonStream().feed(7)  # type: ignore[arg-type]  # that is the test


def test_a_destructor_that_meets_a_stream_at_work_is_told_so() -> None:
    stream, met = JsonStream(arguments=False), []

    class Nosy:
        def __init__(self) -> None:
            self.itself = self

        def __del__(self) -> None:
            try:
                stream.feed("0")
            except (WrongThread, BadJson) as error:
                met.append(error)

    threshold = gc.get_threshold()
    gc.set_threshold(1)
    try:
        Nosy()
        stream.feed("[" + ",".join(["[1]"] * 2_000) + "]")
    finally:
        gc.set_threshold(*threshold)
    assert stream.ended
