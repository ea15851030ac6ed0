"""What was decided about guesses, and why: one record a decision, in a ring."""

from collections import deque
from dataclasses import dataclass

MOST = 10_000
"""Records that are kept."""


@dataclass(frozen=True, slots=True)
class Record:
    """One decision about one guess.

    Attributes:
        at: seconds on the engine's clock.
        session: whose.
        tool: which; the arguments are not kept, they may be secret.
        p: how likely it was.
        verdict: "launch", "shadow", or why not: a rule of `safety.py`, a verdict of the gate ("unlikely",
            "dear"), "known", "control", "window", "slots", "waste", "drift", "dead_letter" (what was
            prepared for one could not be undone), "full".
    """

    at: float
    session: str
    tool: str
    p: float
    verdict: str


class Audit:
    """The latest records of one engine."""

    def __init__(self, most: int = MOST) -> None:
        """Keep nothing yet."""
        self._records: deque[Record] = deque(maxlen=most)

    def note(self, record: Record) -> None:
        """Keep a record; the oldest goes when there are too many."""
        self._records.append(record)

    def of(self, session: str) -> list[Record]:
        """Return the records of a session that are kept, the oldest first."""
        return [record for record in self._records if record.session == session]
