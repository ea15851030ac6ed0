"""Chaining: a launch that is done is looked beyond, as if its call had been made.

Only what was recorded can be known: a guess has a result if the session makes that call before its next
write. What would have been launched beyond a wrong guess nobody knows; it is charged as many launches as
there were beyond a right one, on average.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from penstock._native import Candidate, Predictor, WasteBudget
from penstock.speculation._replay.timeline import Made, Point
from penstock.speculation.predictor import OutcomeWord

DEPTH = 3
"""Calls that are supposed one after the other, at most."""

BEAM = 4
"""Guesses beyond which is looked, and that are found there."""

LEAST = 0.05
"""Beyond what is less likely than this nothing is looked for: no gate would let it run."""

Supposed = tuple[str, bytes, OutcomeWord, bytes]


@dataclass(frozen=True, slots=True)
class Guess:
    """A candidate, and what comes after it.

    Attributes:
        key: of its call.
        p: the chance that it comes in its step, all supposed calls before it included.
        late_p: the chance that it comes later.
        then: guesses beyond it, if its result is known.
        is_known: whether its result was recorded; None where nobody looks beyond it.
        barred: whether it is never launched where a gate decides, nor anything beyond it.
    """

    key: bytes
    p: float
    late_p: float = 0.0
    then: tuple["Guess", ...] = ()
    is_known: bool | None = None
    barred: bool = False


def alone(candidates: Iterable[Candidate], p: float | None = None) -> tuple[Guess, ...]:
    """Return candidates with nothing beyond them.

    Args:
        candidates: as predicted.
        p: their chance, whatever was predicted; None for that.
    """
    return tuple(
        Guess(each.key, each.p, each.late_p) if p is None else Guess(each.key, p)
        for each in candidates
    )


def coming(points: Sequence[Point]) -> dict[bytes, Made]:
    """Return the calls that are made before the next write: their results are what a launch now gets."""
    ahead = dict[bytes, Made]()
    for point in points:
        for call in point.calls:
            if call.effect == "write":
                return ahead
            if call.key:
                ahead.setdefault(call.key, call)
    return ahead


def looked_beyond(
    predictor: Predictor,
    name: str,
    candidates: Sequence[Candidate],
    ahead: Mapping[bytes, Made],
    above: tuple[Supposed, ...] = (),
    p: float = 1.0,
) -> tuple[Guess, ...]:
    """Return candidates with what is guessed beyond each whose result is known.

    Args:
        predictor: predicts; its session stays as it is.
        name: the session.
        candidates: the likeliest first.
        ahead: the calls with known results.
        above: the calls that are supposed already.
        p: the chance of those.
    """
    found = []
    for rank, candidate in enumerate(candidates):
        both = p * candidate.p
        then: tuple[Guess, ...] = ()
        looks = rank < BEAM and len(above) < DEPTH and both >= LEAST
        made = ahead.get(candidate.key) if looks else None
        if made is not None:
            calls = (*above, (made.tool, made.arguments, made.outcome, made.result))
            decision = predictor.predict_after(name, calls, BEAM)
            then = looked_beyond(predictor, name, decision.candidates, ahead, calls, both)
        late = p * candidate.late_p
        is_known = made is not None if looks else None
        found.append(Guess(candidate.key, both, late, then, is_known))
    return tuple(found)


@dataclass(slots=True)
class Charges:
    """What launches beyond wrong guesses would have cost.

    Attributes:
        right: launches beyond which was looked.
        wrong: launches beyond which would have been looked, had their result been known.
        chained: launches beyond right ones.
    """

    right: int = 0
    wrong: int = 0
    chained: int = 0
    _debt: float = 0.0

    @property
    def charged(self) -> float:
        """Launches beyond wrong ones, as many each as beyond a right one."""
        return self.wrong * self.chained / self.right if self.right else 0.0

    def pay(self, budget: WasteBudget) -> None:
        """A wrong guess runs: take from a waste budget what the launches beyond it would have."""
        self.wrong += 1
        self._debt += self.chained / self.right if self.right else 0.0
        while self._debt >= 1.0 and budget.launch():
            self._debt -= 1.0
