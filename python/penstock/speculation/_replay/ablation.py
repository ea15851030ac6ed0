"""Ablations: the same evaluation with one thing taken away, or one thing known that is not known yet.

Most names are parts of the predictor, which knows them. The others change how it is evaluated.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace

from penstock._native import Predictor
from penstock.speculation._replay.evaluate import Evaluation

FIXED_P = 0.5
"""What every guess has, where chances are not believed: enough for the gate, as long as waste may be."""

_CHANGES: Mapping[str, Callable[[Evaluation], Evaluation]] = {
    "cache_only": lambda how: replace(how, launches=False),
    "fixed_p": lambda how: replace(how, fixed_p=FIXED_P),
    "shadow": lambda how: replace(how, shadow=True),
    "siblings": lambda how: replace(how, siblings=True),
}

ABLATIONS: tuple[str, ...] = tuple(sorted({*Predictor.parts(), *_CHANGES}))
"""The names, in order."""


def ablated(how: Evaluation, name: str) -> Evaluation:
    """Return the evaluation without a part.

    Args:
        how: the evaluation with everything.
        name: one of `ABLATIONS`.
    """
    change = _CHANGES.get(name)
    return replace(how, off=(*how.off, name)) if change is None else change(how)
