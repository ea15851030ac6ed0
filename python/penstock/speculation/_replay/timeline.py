"""What is known when: a recorded session as decision points.

A point knows the inputs since the point before it; its truth is the calls of the coming step, or none
if the model answered in words. Everything that tells the truth lies behind the point.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from penstock._codec import encode
from penstock._native import canonical
from penstock.speculation.predictor import OutcomeWord, outcome_word
from penstock.speculation.traces import Effect, Effects, TraceCall, TraceSession

OVER = ("###STOP###", "###TRANSFER###", "###OUT-OF-SCOPE###")
"""A simulated user ends a conversation with one of these; nobody answers."""


@dataclass(frozen=True, slots=True)
class Made:
    """A call as the replay needs it: its bytes and key, what it does, what became of it, and how soon."""

    tool: str
    arguments: bytes
    key: bytes
    effect: Effect
    outcome: OutcomeWord
    result: bytes
    latency: float | None = None


@dataclass(frozen=True, slots=True)
class Point:
    """A moment at which the model starts to generate.

    Attributes:
        inputs: what the user wrote since the point before.
        calls: the coming step; empty where the truth is END.
        gap: seconds that the model takes.
    """

    inputs: tuple[str, ...]
    calls: tuple[Made, ...]
    gap: float


@dataclass(frozen=True, slots=True)
class Timeline:
    """A session's points, in order; `timed` if gaps were recorded; `group` names its task."""

    session: TraceSession
    points: tuple[Point, ...]
    timed: bool
    group: str = ""


def timeline_of(session: TraceSession, effects: Effects, group: str = "") -> Timeline:
    """The decision points of a session."""
    made = tuple(_points(session, effects))
    timed = any(call.gap_s is not None for call in session.calls)
    return Timeline(session, made, timed, group)


def _points(session: TraceSession, effects: Effects) -> Iterator[Point]:
    steps = _steps(session.calls)
    texts = defaultdict[int, list[str]](list)
    for turn, text in session.inputs:
        texts[turn].append(text)
    for turn in sorted({*steps, *texts}):
        inputs = tuple(texts[turn])
        for calls in steps[turn]:
            made = tuple(_made(call, session.family, effects) for call in calls if not call.cut)
            yield Point(inputs, made, calls[0].gap_s or 0.0)
            inputs = ()
        if steps[turn] or not any(mark in text for text in inputs for mark in OVER):
            yield Point(inputs, (), 0.0)


def _steps(calls: Sequence[TraceCall]) -> defaultdict[int, list[list[TraceCall]]]:
    steps = defaultdict[tuple[int, int], list[TraceCall]](list)
    for call in calls:
        steps[call.turn, call.step].append(call)
    turns = defaultdict[int, list[list[TraceCall]]](list)
    for (turn, _), made in sorted(steps.items()):
        turns[turn].append(made)
    return turns


def _made(call: TraceCall, family: str, effects: Effects) -> Made:
    arguments = encode(call.arguments)
    canonical_form = canonical(call.tool, arguments)
    bytes_, key = canonical_form or (arguments, b"")
    outcome = outcome_word(call.result, error=call.error)
    effect = effects.of(family, call.tool)
    return Made(call.tool, bytes_, key, effect, outcome, encode(call.result), call.latency)
