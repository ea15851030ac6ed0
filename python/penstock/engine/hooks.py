"""What an engine tells a speculator, and what it does for one. The engine imports none.

A speculator watches sessions and starts guesses. It is made by the option `speculation` of an engine,
when the first session is opened, and hears of sessions, of their steps and of what became of them. Each
method returns at once and raises nothing.
"""

from collections.abc import Sequence
from contextvars import Context
from typing import Protocol

from penstock.calls import Call, Outcome
from penstock.engine.guessing import Guessing
from penstock.formats import ReplyEvent


class Talk(Protocol):
    """What a speculator sees of a session."""

    @property
    def id(self) -> str:
        """As its user named it."""

    @property
    def tenant(self) -> str | None:
        """Whom its calls are charged to."""

    @property
    def agent(self) -> str | None:
        """Which agent it is."""

    @property
    def number(self) -> int:
        """In the engine's flights; 0 while it is not remembered."""

    @property
    def tenant_number(self) -> int:
        """Its tenant, for what is changed."""

    @property
    def shared_form(self) -> bytes:
        """Its tenant and principal as bytes."""

    @property
    def surroundings(self) -> Context:
        """The context of its last step."""


class Listener(Protocol):
    """Hears one reply of a session while it is spoken."""

    def heard(self, events: Sequence[ReplyEvent]) -> None:
        """A piece of it was read, and this became certain; calls that may start have been started."""


class Speculator(Protocol):
    """Hears what happens in sessions."""

    @property
    def early_writes(self) -> bool:
        """Whether replies of sessions start other tools than reads at once, unless they say themselves."""

    def opened(self, session: Talk) -> None:
        """A session begins: the model starts to generate."""

    def user(self, session: Talk, text: str) -> None:
        """The user said something: the model starts to generate."""

    def answered(self, session: Talk) -> None:
        """The model answered in words, and calls nothing more for now."""

    def speaking(self, session: Talk) -> Listener | None:
        """A reply of the model begins to come: return who hears of it, None for nobody."""

    def asked(self, session: Talk, calls: Sequence[Call]) -> None:
        """The model asked for these calls: a step begins."""

    def ended(self, session: Talk, outcomes: Sequence[Outcome]) -> None:
        """All calls of a step have ended, in the order of the calls.

        The model starts to generate, unless the session's number is 0: then `closed` follows.
        """

    def closed(self, session: Talk) -> None:
        """A session ended, or its memory was given up."""

    def close(self) -> None:
        """The engine closes: guess nothing more, and cancel what is guessed."""

    def statistics(self) -> object:
        """Return counts."""

    def explain(self, session: str) -> object:
        """Return what was decided about guesses of a session lately, and why."""


class SpeculationOption(Protocol):
    """The option `speculation` of an engine."""

    def build(self, guessing: Guessing) -> Speculator:
        """Return what speculates for one engine.

        Args:
            guessing: what the engine does for it.
        """
