"""The predictor that learns, as `Guesser`: events to the verbs of the native `Predictor`."""

from collections.abc import Sequence
from typing import assert_never

from penstock._native import Candidate, Predictor, canonical
from penstock.speculation._protocol import Answered, Asked, Closed, Ended, Event, Opened, Said


class Learned:
    """Learns from every session that it hears of, and scores what it said before each step."""

    def __init__(self, predictor: Predictor) -> None:
        """Feed a predictor.

        Args:
            predictor: perhaps with a snapshot loaded.
        """
        self._predictor = predictor
        self._decided: dict[str, int] = {}

    def observe(self, session: str, event: Event, now_ns: int) -> None:
        """Hear what happened."""
        predictor = self._predictor
        match event:
            case Opened(tenant, agent):
                predictor.start(session, tenant=tenant, agent=agent, task=session)
                predictor.decision(session)
            case Said(text):
                predictor.user(session, text)
                predictor.decision(session)
            case Asked(calls):
                self._score(session, calls)
                for tool, arguments in calls:
                    predictor.call(session, tool, arguments)
            case Ended(results):
                for index, (word, value) in enumerate(results):
                    predictor.result(session, index, word, value)
                predictor.decision(session)
            case Answered():
                self._score(session, ())
                predictor.end(session)
            case Closed():
                self._decided.pop(session, None)
                predictor.forget(session)
            case _ as never:
                assert_never(never)

    def predict(self, session: str, k: int = 8) -> Sequence[Candidate]:
        """Return calls that may come next, the likeliest first."""
        decision = self._predictor.predict(session, k)
        self._decided[session] = decision.number
        return decision.candidates

    def _score(self, session: str, calls: Sequence[tuple[str, bytes]]) -> None:
        number = self._decided.pop(session, None)
        if number is None:
            return
        found = (canonical(tool, arguments) for tool, arguments in calls)
        self._predictor.score(session, number, [known[1] for known in found if known])
