"""A predictor that says what it was told to say, and keeps what it heard."""

from collections.abc import Sequence
from dataclasses import dataclass

from penstock._codec import encode
from penstock.speculation._protocol import Event, Spoken


@dataclass(frozen=True)
class Guessed:
    """A candidate."""

    tool: str
    arguments: bytes = b"{}"
    p: float = 0.9
    late_p: float = 0.0


def guess(tool: str, p: float = 0.9, **arguments: object) -> Guessed:
    """Return a candidate for a call."""
    return Guessed(tool, encode(arguments), p)


class Scripted:
    """Answers each decision point with the next line of its script; then with nothing.

    While a reply is spoken it says the lines of `again`.
    """

    def __init__(self, *script: Sequence[Guessed]) -> None:
        """Make it with what it says, one line a decision point."""
        self.script = list(script)
        self.again: list[Sequence[Guessed]] = []
        self.asked: list[tuple[Sequence[Spoken], Spoken | None]] = []
        self.heard: list[Event] = []

    def observe(self, session: str, event: Event, now_ns: int) -> None:
        """Keep what happened."""
        self.heard.append(event)

    def predict(
        self,
        session: str,
        k: int = 8,
        *,
        step: Sequence[Spoken] = (),
        open: Spoken | None = None,
    ) -> Sequence[Guessed]:
        """Say the next line."""
        if step or open is not None:
            self.asked.append((step, open))
            return self.again.pop(0) if self.again else ()
        return self.script.pop(0) if self.script else ()
