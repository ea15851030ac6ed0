"""Frames: what comes out is what went in, however it was cut on the way."""

import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.engine.executors import _frames as module
from penstock.engine.executors._frames import Frames, FrameTooLong, pack


@given(st.lists(st.binary(max_size=50), max_size=8), st.lists(st.integers(1, 40), min_size=1))
def test_any_cuts_give_the_same_values(values: list[bytes], cuts: list[int]) -> None:
    stream = b"".join(map(pack, values))
    frames, found, at = Frames(), [], 0
    while at < len(stream):
        for size in cuts:
            bodies = frames.cut(stream[at : at + size])
            found += [pickle.loads(body) for body in bodies]  # noqa: S301
            at += size
    assert found == values


def test_a_value_may_have_so_many_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_BYTES", 100)
    assert pack(b"x" * 50)
    with pytest.raises(FrameTooLong, match="at most 100"):
        pack(b"x" * 100)


def test_who_announces_too_much_is_no_peer(monkeypatch: pytest.MonkeyPatch) -> None:
    frame = pack(b"x" * 200)
    monkeypatch.setattr(module, "MOST_BYTES", 100)
    with pytest.raises(FrameTooLong, match="announces"):
        Frames().cut(frame)


def test_what_cannot_be_pickled_raises() -> None:
    with pytest.raises(Exception, match="pickle"):
        pack(lambda: None)
