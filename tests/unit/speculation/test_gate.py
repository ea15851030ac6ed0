"""What is worth it, with what the engine knows."""

from dataclasses import dataclass
from typing import Any

import pytest

from penstock import tool
from penstock._native import Sketch
from penstock.engine import Expected, Prepared, Pressure, Room, Strain
from penstock.engine.flights import role_of
from penstock.speculation import Speculation
from penstock.speculation.gate import FEWEST_WAITS, MOST_WAITS, Gate, Offer
from unit.speculation.scripted import Guessed, guess


@tool(effects="read")
async def look() -> None: ...


CALL = Prepared(role_of(look, 1), (), b"", None)
FREE = Pressure([], None)


@dataclass
class Talker:
    """A session's agent; the rest of it is not looked at."""

    agent: str | None = "a"


class Known:
    """An engine whose runs take 1 s, of which as much is hidden as waits say."""

    def __init__(self, pressure: Pressure = FREE) -> None:
        self.now = 0.0
        self.seen: list[int] = []
        self._pressure = pressure

    def clock(self) -> float:
        return self.now

    def expect(self, name: str, waits: Sketch) -> Expected | None:
        self.seen.append(len(waits))
        return Expected(1.0, 0.5) if len(waits) else None

    def pressure(self, session: object, call: object) -> Pressure:
        return self._pressure


def gate_of(known: Known, **options: Any) -> Gate:
    return Gate(Speculation(**options), known)  # type: ignore[arg-type]  # as much as it needs


def weighed(gate: Gate, candidate: Guessed, after: str | None = None) -> Offer:
    return gate.weigh(Talker(), after, candidate, CALL, 18.0)  # type: ignore[arg-type]  # an agent


def test_before_anybody_waited_it_is_shadow() -> None:
    gate = gate_of(Known())
    assert weighed(gate, guess("look")).verdict == "shadow"
    gate.waited("other", None, 1.0)
    assert weighed(gate, guess("look")).verdict == "shadow"
    gate.waited("a", None, 1.0)
    assert weighed(gate, guess("look")).verdict == "launch"


def test_it_is_worth_what_is_hidden_now_and_what_is_spared_later() -> None:
    gate = gate_of(Known(), value_per_second=1_000.0)
    gate.waited("a", None, 1.0)
    assert weighed(gate, Guessed("look", b"{}", 0.6, 0.2)).worth == pytest.approx(500.0)


def test_waits_behind_one_tool_are_asked_once_there_are_some() -> None:
    known = Known()
    gate = gate_of(known)
    for number in range(FEWEST_WAITS):
        gate.waited("a", "look", 1.0)
        gate.waited("a", "other", 1.0)
        weighed(gate, guess("look"), after="look")
        expected = 2 * (number + 1) if number + 1 < FEWEST_WAITS else FEWEST_WAITS
        assert known.seen[-1] == expected
    weighed(gate, guess("look"), after="unknown")
    assert known.seen[-1] == 2 * FEWEST_WAITS


def test_an_unusual_wait_counts_for_its_own_place_only() -> None:
    known = Known()
    gate = gate_of(known)
    gate.waited("a", "look", 1.0)
    for _ in range(FEWEST_WAITS + 1):
        gate.waited("a", "", 0.1, is_usual=False)
    weighed(gate, guess("look"), after="unknown")
    weighed(gate, guess("look"), after="")
    assert known.seen[-2:] == [1, FEWEST_WAITS + 1]


def test_no_more_waits_are_kept_than_there_is_room_for() -> None:
    gate = gate_of(Known())
    gate.waited("a", None, 1.0)
    for number in range(MOST_WAITS):
        gate.waited(str(number), None, 1.0)
    assert weighed(gate, guess("look")).verdict == "shadow"


@pytest.mark.parametrize(
    ("left", "verdict"), [(0.7, "launch"), (0.45, "launch"), (0.25, "dear"), (0.2, "dear")]
)
def test_the_scarcest_limit_is_paid(left: float, verdict: str) -> None:
    gate = gate_of(Known(Pressure([], Strain(2, 0.1, left))))
    gate.waited("a", None, 1.0)
    offer = weighed(gate, guess("look", 0.9))
    assert offer.verdict == verdict
    if 0.2 < left < 0.7:  # 450 for the time, less what two tokens are worth
        assert offer.worth == pytest.approx(450 - 2 * 100 * (0.7 - left) / (left - 0.2))


@pytest.mark.parametrize(
    ("rooms", "verdict"),
    [
        ([Room(10, 1, 1)], "launch"),
        ([Room(10, 3, 0)], "launch"),
        ([Room(10, 4, 0)], "dear"),
        ([Room(10, 9, 6), Room(100, 2, 0)], "launch"),
        ([Room(100, 2, 0), Room(10, 8, 0)], "dear"),
        ([Room(0, 0, 0)], "dear"),
    ],
)
def test_real_calls_in_the_fullest_room_make_places_dear(rooms: list[Room], verdict: str) -> None:
    gate = gate_of(Known(Pressure(rooms, None)))
    gate.waited("a", None, 1.0)
    assert weighed(gate, guess("look", 0.9)).verdict == verdict


@pytest.mark.parametrize(
    ("room", "own", "has_place"),
    [
        (Room(10, 0, 0), 0, True),
        (Room(10, 0, 0), 1, True),
        (Room(10, 0, 0), 2, False),  # a fifth of ten
        (Room(10, 8, 0), 0, True),
        (Room(10, 9, 0), 0, False),  # the last place is for real calls
        (Room(10, 8, 1), 1, True),
        (Room(10, 8, 0), 1, False),  # its own is not in flight yet
        (Room(1, 0, 0), 0, False),
    ],
)
def test_guesses_leave_a_place_and_have_their_share(room: Room, own: int, has_place: bool) -> None:
    assert Offer("launch", 1.0, Pressure([room], None)).has_place(own, 0.2) is has_place


def test_where_there_is_no_bound_there_is_a_place() -> None:
    assert Offer("launch", 1.0, FREE).has_place(1_000, 0.0)
