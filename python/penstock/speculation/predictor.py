"""The predictor's door: what it is told, and what it answers.

The class is native; this file is where its name lives, and where an outcome is put into the three words
that it knows.
"""

from typing import Literal

from penstock._native import Predictor

__all__ = ["OutcomeWord", "Predictor", "outcome_word"]

_NOTHING: tuple[object, ...] = (None, "", [], {})


OutcomeWord = Literal["ok", "empty", "error"]


def outcome_word(value: object, *, error: bool) -> OutcomeWord:
    """Say what became of a call: an error, nothing at all, or something.

    Args:
        value: the decoded result.
        error: whether the tool answered with an error.
    """
    if error:
        return "error"
    # By type too: 0 and False are values, though they equal nothing.
    is_nothing = any(type(value) is type(nothing) and value == nothing for nothing in _NOTHING)
    return "empty" if is_nothing else "ok"
