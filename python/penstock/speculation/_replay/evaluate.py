"""The evaluation: train on some, follow the others with a frozen model, add up rows."""

import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from itertools import chain
from typing import Any

from penstock._native import Candidate, Decision, Predictor, WasteBudget
from penstock.errors import InternalError
from penstock.speculation._replay import learner
from penstock.speculation._replay.chain import Charges, Guess, alone, coming, looked_beyond
from penstock.speculation._replay.play import MODES, Mode, play
from penstock.speculation._replay.row import Guessing, Launching, Row, row_of
from penstock.speculation._replay.split import folds_of, groups_of, order_of
from penstock.speculation._replay.timeline import Made, Point, Timeline, timeline_of
from penstock.speculation.traces import Effects, TraceSession

Groups = Sequence[Sequence[TraceSession]]


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What to evaluate, and how.

    Attributes:
        modes: who decides what is launched.
        latencies: seconds that a tool takes.
        online: whether the sessions of a test group train for later groups, once all were scored.
        off: parts of the predictor that are switched off.
        siblings: whether each call of a step is looked for among what is guessed once the calls before it
            are known, as a reply shows them; what is launched is decided before the step all the same.
        fixed_p: the chance that each guess is taken to have; None for what was predicted.
        launches: whether guesses run at all; without, only the cache is left.
        shadow: whether what a new tool's guesses are worth must be seen before `gated` and `engine`
            launch one, as an engine does; a frozen model would never see it of rare tools.
        chain: whether `gated` and `engine` launch beyond launches whose result is known.
    """

    modes: tuple[Mode, ...] = MODES
    latencies: tuple[float, ...] = (0.25, 1.0, 3.0)
    online: bool = False
    off: tuple[str, ...] = ()
    siblings: bool = False
    fixed_p: float | None = None
    launches: bool = True
    chain: bool = False
    shadow: bool = False


@dataclass(slots=True)
class _Family:
    guessing: Guessing = field(default_factory=Guessing)
    launching: dict[Mode, Launching] = field(default_factory=lambda: defaultdict(Launching))
    budgets: dict[Mode, WasteBudget] = field(default_factory=lambda: defaultdict(WasteBudget))
    charges: dict[Mode, Charges] = field(default_factory=lambda: defaultdict(Charges))
    trained: int = 0
    groups: int = 0
    hashes: list[str] = field(default_factory=list)


def evaluate_folds(
    sessions: Sequence[TraceSession], effects: Effects, count: int, how: Evaluation
) -> list[Row]:
    """Score every session by a model of the other folds."""
    folds = folds_of(sessions, count)
    families = defaultdict[str, _Family](_Family)
    for number, fold in enumerate(folds):
        others = chain.from_iterable(chain.from_iterable(folds[:number] + folds[number + 1 :]))
        _evaluate_part(list(others), fold, effects, how, families)
    return _rows(families, effects, how)


def evaluate(
    train: Sequence[TraceSession], test: Sequence[TraceSession], effects: Effects, how: Evaluation
) -> list[Row]:
    """Score all of one by a model of all of the other.

    Args:
        train: sessions to learn; none of them may be a test session's task.
        test: sessions to score.
        effects: what tools do.
        how: modes and latencies.
    """
    families = defaultdict[str, _Family](_Family)
    _evaluate_part(train, groups_of(test), effects, how, families)
    return _rows(families, effects, how)


def _evaluate_part(
    train: Sequence[TraceSession],
    groups: Groups,
    effects: Effects,
    how: Evaluation,
    families: dict[str, _Family],
) -> None:
    predictor = trained(train, effects, how.off)
    before = model_hash(predictor)
    for group in sorted(groups, key=lambda group: min(order_of(session) for session in group)):
        timelines = [timeline_of(session, effects) for session in sorted(group, key=order_of)]
        family = families[group[0].family]
        family.groups += 1
        for timeline in timelines:
            score(predictor, timeline, how, family)
        if how.online:
            learner.train(predictor, timelines)
    after = model_hash(predictor)
    if not how.online and before != after:
        raise InternalError("the model moved while it was tested")
    for name, family in families.items():
        family.trained += sum(session.family == name for session in train)
        family.hashes.append(before)


def trained(train: Iterable[TraceSession], effects: Effects, off: Sequence[str]) -> Predictor:
    """A predictor that learned these sessions, read back from its snapshot."""
    teacher = Predictor(off=list(off))
    learner.declare(teacher, effects)
    train = list(train)
    # Two sources may number one task differently: the group is its name.
    tasks = {session.id: group[0].id for group in groups_of(train) for session in group}
    ordered = sorted(train, key=order_of)
    learner.train(
        teacher, (timeline_of(session, effects, tasks[session.id]) for session in ordered)
    )
    predictor = Predictor(off=list(off))
    predictor.load(teacher.snapshot())
    return predictor


def model_hash(predictor: Predictor) -> str:
    """Identifies what a predictor has learned."""
    return blake2b(predictor.snapshot(), digest_size=8).hexdigest()


def score(predictor: Predictor, timeline: Timeline, how: Evaluation, family: _Family) -> None:
    """Follow one session and add up what each mode makes of the candidates."""
    thoughts = list(_thoughts(predictor, timeline, how, family.guessing))
    family.guessing.add(timeline, [decisions for decisions, _ in thoughts])
    guesses = [guesses for _, guesses in thoughts]
    for mode in how.modes:
        budget, charges = family.budgets[mode], family.charges[mode]
        played = play(mode, timeline, guesses, budget, how.latencies, charges)
        family.launching[mode].add(played)


def _thoughts(
    predictor: Predictor, timeline: Timeline, how: Evaluation, guessing: Guessing
) -> Iterator[tuple[Sequence[Decision], tuple[Guess, ...]]]:
    """Yield for each point what is thought before it and once calls are known, and what may run."""
    name = learner.begin(predictor, timeline, learns=False)
    clock = time.perf_counter_ns
    for number, point in enumerate(timeline.points):
        start = clock()
        learner.show_inputs(predictor, name, point.inputs)
        shown = clock()
        decision = predictor.predict(name, learner.GUESSES)
        predicted = clock()
        guessing.predictions.append(predicted - shown)
        within = _within(predictor, name, point) if how.siblings else ()
        ahead = coming(timeline.points[number:]) if how.chain else None
        yield (decision, *within), _guesses(predictor, name, decision, how, ahead)
        resumed = clock()
        learner.show_point(predictor, name, point)
        guessing.observed_ns += shown - start + clock() - resumed
    guessing.leaves += predictor.leaves(name)
    predictor.forget(name)


def _within(predictor: Predictor, name: str, point: Point) -> Iterator[Decision]:
    known = [(call.tool, call.arguments) for call in point.calls[:-1]]
    for count in range(len(known)):
        yield predictor.predict(name, learner.GUESSES, step=known[: count + 1])


def _guesses(
    predictor: Predictor,
    name: str,
    decision: Decision,
    how: Evaluation,
    ahead: Mapping[bytes, Made] | None,
) -> tuple[Guess, ...]:
    if not how.launches:
        return ()
    if ahead is None:
        guesses = alone(decision.candidates, how.fixed_p)
    else:
        guesses = looked_beyond(predictor, name, decision.candidates, ahead)
    barred = {each.key for each in decision.candidates if _is_barred(each, how)}
    return tuple(replace(each, barred=True) if each.key in barred else each for each in guesses)


def _is_barred(candidate: Candidate, how: Evaluation) -> bool:
    return candidate.scope == "global" or (how.shadow and candidate.shadow)


def _rows(families: dict[str, _Family], effects: Effects, how: Evaluation) -> list[Row]:
    rows = []
    for name, family in sorted(families.items()):
        if name not in effects.families:
            continue  # nobody knows what its tools do: nothing could be launched
        notes: dict[str, Any] = {
            "train_sessions": round(family.trained / max(1, len(family.hashes))),
            "groups": family.groups,
            "online": "group" if how.online else "off",
            "model_hash": "+".join(dict.fromkeys(family.hashes)),
        }
        for mode in how.modes:
            charges = family.charges[mode] if how.chain else None
            rows.append(row_of(name, mode, family.guessing, family.launching[mode], notes, charges))
    return rows


def overlap(train: Iterable[TraceSession], test: Iterable[TraceSession]) -> set[str]:
    """Ids of training sessions that are test sessions too, or of the same task."""
    tested = list(test)
    ids = {session.id for session in tested}
    tasks = {(session.family, session.source, session.task) for session in tested}
    return {
        session.id
        for session in train
        if session.id in ids or (session.family, session.source, session.task) in tasks
    }


_COLD = ((1, 5), (6, 10), (11, 20), (21, None))
"""First and last session of the rows of a cold start."""


def evaluate_cold(sessions: Sequence[TraceSession], effects: Effects, how: Evaluation) -> list[Row]:
    """Begin with nothing, per family: one session a task, each scored and then learned.

    Returns:
        rows of the sessions 1-5, 6-10, 11-20 and from 21 on, in the order of the files.
    """
    firsts = dict[tuple[str, str, str], TraceSession]()
    for session in sessions:
        firsts.setdefault((session.family, session.source, session.task), session)
    families = defaultdict[str, list[TraceSession]](list)
    for session in firsts.values():
        families[session.family].append(session)
    known = {name: each for name, each in families.items() if name in effects.families}
    return [row for name in sorted(known) for row in _cold_rows(name, known[name], effects, how)]


def _cold_rows(
    name: str, sessions: Sequence[TraceSession], effects: Effects, how: Evaluation
) -> Iterator[Row]:
    predictor = Predictor(off=list(how.off))
    learner.declare(predictor, effects)
    for first, last in _COLD:
        family = _Family(hashes=[model_hash(predictor)], trained=first - 1)
        for session in sessions[first - 1 : last]:
            timeline = timeline_of(session, effects)
            score(predictor, timeline, how, family)
            learner.train(predictor, [timeline])
            family.groups += 1
        if family.groups:
            for row in _rows({name: family}, effects, how):
                label = f"{first}-{last}" if last else f"{first}+"
                yield Row(row.family, row.mode, {**row.fields, "cold_sessions": label})
