"""What a worker's tools tell, thinned."""

import os
import pickle
import threading
import time
from typing import Any

import pytest

from penstock.engine.executors._frames import Frames, FrameTooLong
from penstock.engine.executors._telling import Teller, Told


class Engine:
    """The other end of the socket."""

    def __init__(self) -> None:
        self.frames = Frames()
        self.told: list[Any] = []

    def send(self, frame: bytes) -> None:
        for body in self.frames.cut(frame):
            mark, progress, output = Told(*pickle.loads(body))  # noqa: S301
            assert mark == "told"
            self.told += [] if progress is None else [pickle.loads(progress)]  # noqa: S301
            self.told += [pickle.loads(part) for part in output]  # noqa: S301


@pytest.fixture
def engine() -> Engine:
    return Engine()


@pytest.fixture
def clock() -> list[float]:
    return [1.0]


@pytest.fixture
def teller(engine: Engine, clock: list[float], monkeypatch: pytest.MonkeyPatch) -> Teller:
    monkeypatch.setattr(Teller, "_flush_in", lambda *_: None)  # no time passes by itself
    made = Teller(engine.send, lambda: clock[0])
    made.open()
    return made


def test_what_is_told_now_and_then_is_sent_at_once(
    engine: Engine, teller: Teller, clock: list[float]
) -> None:
    for done in range(3):
        teller("progress", {"done": done})
        clock[0] += 0.01
    assert engine.told == [{"done": 0}, {"done": 1}, {"done": 2}]


def test_of_a_flood_the_first_and_the_last_progress_are_sent(
    engine: Engine, teller: Teller
) -> None:
    for done in range(1_000):
        teller("progress", {"done": done})
    teller.close()
    assert engine.told == [{"done": 0}, {"done": 999}]


def test_output_is_joined_and_none_is_lost(engine: Engine, teller: Teller) -> None:
    parts = [f"part {number}, " for number in range(2_000)]
    sent: list[int] = []
    send = teller._send
    teller._send = lambda frame: (sent.append(1), send(frame))
    for part in parts:
        teller("output", part)
    teller.close()
    assert engine.told == parts
    assert len(sent) < 20


def test_nothing_is_told_between_calls(engine: Engine, teller: Teller) -> None:
    teller.close()
    teller("progress", {"done": 1})
    assert engine.told == []


def test_what_was_held_is_not_told_of_the_next_call(engine: Engine, teller: Teller) -> None:
    for call in range(2):
        teller.open()
        teller("output", call)
        teller("output", str(call))
        teller.close()
    assert engine.told == [0, "0", 1, "1"]


def test_a_child_process_tells_nothing(
    engine: Engine, teller: Teller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "getpid", lambda: -1)
    teller("output", "from a child")
    teller.close()
    assert engine.told == []


def test_nothing_follows_half_a_frame(engine: Engine, teller: Teller) -> None:
    def interrupted(_frame: bytes) -> None:
        raise SystemExit

    send, teller._send = teller._send, interrupted
    with pytest.raises(SystemExit):
        teller("output", "one")
    teller._send = send
    teller("output", "two")
    teller.close()
    assert engine.told == []


def test_what_no_frame_can_have_is_refused(
    engine: Engine, teller: Teller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("penstock.engine.executors._frames.MOST_BYTES", 1_000)
    with pytest.raises(FrameTooLong):
        teller("output", "x" * 5_000)
    teller("output", "short")
    teller.close()
    assert engine.told == ["short"]


def test_what_cannot_be_pickled_is_refused(teller: Teller) -> None:
    with pytest.raises(TypeError):
        teller("output", threading.Lock())


def test_what_is_held_is_sent_by_itself(engine: Engine) -> None:
    teller = Teller(engine.send)
    teller.open()
    teller("progress", {"done": 1})
    teller("progress", {"done": 2})
    until = time.monotonic() + 10.0
    while len(engine.told) < 2:
        assert time.monotonic() < until
        time.sleep(0.001)
    teller.close()
    assert engine.told == [{"done": 1}, {"done": 2}]
