"""The predictor that learns, as `Guesser`: events to the verbs of the native `Predictor`."""

from collections.abc import Iterator, Sequence
from typing import assert_never

from penstock._native import Candidate, Predictor, canonical
from penstock.speculation._protocol import (
    Answered,
    Asked,
    Closed,
    Ended,
    Event,
    Opened,
    Said,
    Spoken,
)
from penstock.speculation.told import Told, ToolOf

MOST_DECLARED = 100_000
"""Tools of tenants whose form is known to be said."""


class Learned:
    """Learns from every session that it hears of, and scores what it said before each step."""

    def __init__(self, predictor: Predictor, tool_of: ToolOf = lambda _name: None) -> None:
        """Feed a predictor.

        Args:
            predictor: perhaps with a snapshot loaded.
            tool_of: finds a tool, whose schema says what is secret and what its defaults are; without,
                names alone say that.
        """
        self._predictor = predictor
        self._told = Told(tool_of)
        self._decided: dict[str, int] = {}
        self._tenants: dict[str, str] = {}
        self._asked: dict[str, tuple[str, ...]] = {}
        self._declared: dict[tuple[str, str], bytes] = {}

    def observe(self, session: str, event: Event, now_ns: int) -> None:
        """Hear what happened."""
        predictor = self._predictor
        match event:
            case Opened(tenant, agent):
                self._tenants[session] = tenant
                predictor.start(session, tenant=tenant, agent=agent, task=session)
                predictor.decision(session)
            case Said(text):
                predictor.user(session, self._told.text(session, text))
                predictor.decision(session)
            case Asked(calls):
                self._call(session, calls)
            case Ended(results):
                asked = self._asked.pop(session, ())
                for index, (word, value) in enumerate(results):
                    tool = asked[index] if index < len(asked) else ""
                    predictor.result(session, index, word, self._told.result(session, tool, value))
                predictor.decision(session)
            case Answered():
                self._score(session, ())
                predictor.end(session)
            case Closed():
                for kept in (self._decided, self._tenants, self._asked):
                    kept.pop(session, None)
                self._told.forget(session)
                predictor.forget(session)
            case _ as never:
                assert_never(never)

    def predict(
        self,
        session: str,
        k: int = 8,
        *,
        step: Sequence[Spoken] = (),
        open: Spoken | None = None,
    ) -> Sequence[Candidate]:
        """Return calls that may come next, the likeliest first: see `Guesser`."""
        if step or open is not None:
            return self._predict_rest(session, k, step, open)
        decision = self._predictor.predict(session, k)
        self._decided[session] = decision.number
        return decision.candidates

    def _predict_rest(
        self, session: str, k: int, step: Sequence[Spoken], open: Spoken | None
    ) -> Sequence[Candidate]:
        """Guess while a reply is spoken. Not to be scored: what is scored was said before the step."""
        if open is not None and not self._told.call(session, *open)[1]:
            return ()  # it has a secret: nobody could fill that in
        told = [(tool, self._told.call(session, tool, given)[0]) for tool, given in step]
        return self._predictor.predict(session, k, step=told, open=open).candidates

    def _call(self, session: str, calls: Sequence[tuple[str, bytes]]) -> None:
        told = [(tool, *self._told.call(session, tool, given)) for tool, given in calls]
        tenant = self._tenants.get(session, "")
        for tool, _, whole in told:
            self._declare(tenant, tool)
            if not whole:
                self._predictor.guess(tenant, tool, guessed=False)
        self._asked[session] = tuple(tool for tool, _, _ in told)
        self._score(session, tuple((tool, given) for tool, given, whole in told if whole))
        for tool, given, _ in told:
            self._predictor.call(session, tool, given)

    def _declare(self, tenant: str, tool: str) -> None:
        """Say which schema a tool has, when it is first called in a tenant."""
        form = self._told.form(tool).digest
        if form and self._declared.get((tenant, tool)) != form:
            if len(self._declared) >= MOST_DECLARED:
                self._declared.clear()  # to say it again does no harm
            self._declared[tenant, tool] = form
            self._predictor.declare(tenant, tool, form)

    def _score(self, session: str, calls: Sequence[tuple[str, bytes]]) -> None:
        number = self._decided.pop(session, None)
        if number is not None:
            self._predictor.score(session, number, list(_keys(calls)))


def _keys(calls: Sequence[tuple[str, bytes]]) -> Iterator[bytes]:
    for tool, arguments in calls:
        known = canonical(tool, arguments)
        if known is not None:
            yield known[1]
