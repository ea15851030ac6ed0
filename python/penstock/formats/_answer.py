"""Writing what became of a call, for a model to read: the steps that all formats share."""

from penstock._codec import decode, encode_text
from penstock.calls import Outcome
from penstock.errors import PenstockError, ResultUnreadable
from penstock.formats._reply import sendable

ERROR_CHARACTERS = 2_000
"""How much of a tool's own error a model gets to read."""

# What a broken `__str__` or `__repr__`, a value that no JSON can hold and one that cannot be read back
# are known to raise.
_BROKEN = (TypeError, ValueError, AttributeError, LookupError, RuntimeError, ResultUnreadable)

_PLAIN = (bool, int, type(None))


def answer(outcome: Outcome) -> tuple[str, bool]:
    """Return what the model is told, and whether the call went well.

    A value that is text is told as it is, any other as JSON. A value that cannot be JSON is an
    error: the answers to the other calls do not suffer for it.
    """
    if not outcome.ok:
        return error_text(outcome), False
    try:
        value = outcome.value
        return (sendable(value) if isinstance(value, str) else encode_text(value)), True
    except _BROKEN as error:
        return _unwritable(error), False


def json_answer(outcome: Outcome) -> tuple[object, bool]:
    """Return the same as `answer`, with the value as decoded JSON and not as text."""
    if outcome.ok and outcome.ref is None and type(outcome.value) in _PLAIN:
        return outcome.value, True
    text, ok = answer(outcome)
    if not ok or isinstance(outcome.value, str):
        return text, ok
    return decode(text), ok


def error_text(outcome: Outcome) -> str:
    """Return what the model is told about a call that did not go well."""
    error = outcome.error
    if isinstance(error, PenstockError):
        return sendable(error.for_model())
    if error is None:
        return f"The call ended as {outcome.status}."
    kind = type(error).__name__
    try:
        message = str(error)
    except _BROKEN:
        message = ""
    return sendable(f"{kind}: {message}" if message else kind)[:ERROR_CHARACTERS]


def _unwritable(error: Exception) -> str:
    if isinstance(error, PenstockError):
        return error.for_model()
    return f"The tool ran, but its result cannot be shown: {type(error).__name__}"
