"""Feeds a predictor: sessions to learn from, sessions that it only follows.

A training session is gone through twice. The first time the predictor only follows it, and its guesses
are scored: chances are calibrated with what was predicted before the session was known. The second
time it learns.
"""

from collections.abc import Iterable, Sequence

from penstock._native import Predictor
from penstock.speculation._replay.timeline import Made, Point, Timeline
from penstock.speculation.traces import Effects

GUESSES = 8


def declare(predictor: Predictor, effects: Effects) -> None:
    """Tell the predictor which tools are never launched."""
    for family, tools in effects.families.items():
        for tool, effect in tools.items():
            predictor.guess(family, tool, effect == "read")


def train(predictor: Predictor, timelines: Iterable[Timeline]) -> None:
    """Learn sessions one after the other, as they come."""
    for timeline in timelines:
        follow_and_score(predictor, timeline)
        learn(predictor, timeline)


def learn(predictor: Predictor, timeline: Timeline) -> None:
    """Learn one session."""
    name = begin(predictor, timeline, learns=True)
    for point in timeline.points:
        show_inputs(predictor, name, point.inputs)
        show_step(predictor, name, point.calls)
        if not point.calls:
            predictor.end(name)
    predictor.forget(name)


def follow_and_score(predictor: Predictor, timeline: Timeline) -> None:
    """Predict one session that is not learned yet, and calibrate with what came true."""
    name = begin(predictor, timeline, learns=False)
    for point in timeline.points:
        show_inputs(predictor, name, point.inputs)
        decision = predictor.predict(name, GUESSES)
        predictor.score(name, decision.number, [call.key for call in point.calls if call.key])
        show_point(predictor, name, point)
    predictor.forget(name)


def begin(predictor: Predictor, timeline: Timeline, *, learns: bool) -> str:
    """Start a session of the predictor; the scopes are the family and the domain."""
    session = timeline.session
    predictor.start(
        session.id,
        tenant=session.family,
        agent=session.domain,
        task=timeline.group or f"{session.source} {session.task}",
        learns=learns,
    )
    return session.id


def show_inputs(predictor: Predictor, name: str, inputs: Iterable[str]) -> None:
    """What the user wrote before a decision point; then the point itself."""
    for text in inputs:
        predictor.user(name, text)
    predictor.decision(name)


def show_point(predictor: Predictor, name: str, point: Point) -> None:
    """What a decision point became."""
    show_step(predictor, name, point.calls)
    if not point.calls:
        predictor.end(name)


def show_step(predictor: Predictor, name: str, calls: Sequence[Made]) -> None:
    """The calls of one step, then all results."""
    for call in calls:
        predictor.call(name, call.tool, call.arguments)
    for index, call in enumerate(calls):
        predictor.result(name, index, call.outcome, call.result)
    predictor.decision(name)
