"""What a predictor is told, and what it answers. `learned.py` is the one that learns; tests have scripts."""

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

Word = Literal["ok", "empty", "error"]
"""What became of a call: "ok", "empty" or "error"."""


@dataclass(frozen=True, slots=True)
class Opened:
    """A session begins."""

    tenant: str
    agent: str


@dataclass(frozen=True, slots=True)
class Said:
    """The user said something."""

    text: str


@dataclass(frozen=True, slots=True)
class Asked:
    """The model asked for these calls at once: names of tools, and arguments as JSON objects."""

    calls: tuple[tuple[str, bytes], ...]


@dataclass(frozen=True, slots=True)
class Ended:
    """What became of the calls of a step, in their order, and their values as JSON."""

    results: tuple[tuple[Word, bytes], ...]


@dataclass(frozen=True, slots=True)
class Answered:
    """The model answered in words."""


@dataclass(frozen=True, slots=True)
class Closed:
    """The session is over, or was forgotten."""


Event = Opened | Said | Asked | Ended | Answered | Closed


class Candidate(Protocol):
    """A call that may come. Native ones have more."""

    @property
    def tool(self) -> str:
        """The name of the tool."""

    @property
    def arguments(self) -> bytes:
        """A JSON object."""

    @property
    def p(self) -> float:
        """The chance that the coming step has the call."""

    @property
    def late_p(self) -> float:
        """The chance that only a later step has it."""


Spoken = tuple[str, bytes]
"""A call, or what is known of one: its tool, and arguments as a JSON object."""


class Guesser(Protocol):
    """Guesses the next calls of sessions. Only what really happened is told.

    One whose `predict` takes no `step` and `open` is asked at decision points only.
    """

    def observe(self, session: str, event: Event, now_ns: int) -> None:
        """Hear what happened in a session."""

    def predict(
        self,
        session: str,
        k: int = 8,
        *,
        step: Sequence[Spoken] = (),
        open: Spoken | None = None,
    ) -> Sequence[Candidate]:
        """Return calls that may come next, the likeliest first.

        Args:
            session: which.
            k: how many, at most.
            step: calls of the coming step that are known already: which may come besides?
            open: the call that is being spoken, with those of its arguments that have closed: which
                may it be? None for none.
        """


def hears_steps(predict: Callable[..., object]) -> bool:
    """Return whether what predicts can be asked while a reply is spoken."""
    try:
        known = inspect.signature(predict).parameters
    except (TypeError, ValueError):
        return False
    return "step" in known and "open" in known
