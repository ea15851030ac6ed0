"""What is never guessed. Pure checks, in one order; what none of them allows is refused.

| rule | refuses |
|---|---|
| `closing` | anything, while the engine or the session closes |
| `effects` | tools that are not `effects="read"`; of staged ones only `prepare` is run |
| `declared` | tools with `speculate=False` |
| `name` | a read whose name says that it changes something, without `speculate=True`; a staged tool has said how |
| `approval` | tools whose calls need a confirmation (tag `approval`) |
| `open_world` | tools that reach beyond the tenant (tag `open_world`), without `speculate=True` |
| `taint` | a value from outside that would go outside again, unless people's calls confirmed that often |
| `scope` | guesses of a model that knows no session of this tenant |
| `breaker` | tools whose breaker is open, or that were told to wait less than 30 s ago |
| `budget` | what would cost more than is left for guesses |
| `arguments` | arguments that a real call could not have |
"""

import re
from dataclasses import dataclass
from typing import Literal

from penstock.tools import Effects

Rule = Literal[
    "closing",
    "effects",
    "declared",
    "name",
    "approval",
    "open_world",
    "taint",
    "scope",
    "breaker",
    "budget",
    "arguments",
]

AFTER_REFUSAL = 30.0
"""Seconds without guesses after a service said that it is asked too often."""

CONFIRMED = 20
"""Real calls of a tenant that took a value from outside to outside, before a guess may."""

_CHANGES = frozenset(
    """
    add approve archive assign book buy cancel charge checkout clear close commit confirm create
    debit delete deploy disable drop edit email enable exchange execute grant insert install
    invite issue kill lock mail merge modify move notify patch pay place post publish purchase
    push put refund register reject remove rename replace reset restart restore return revoke
    run save schedule sell send set share ship sign start stop submit subscribe transfer
    truncate uninstall unlock unsubscribe update upgrade upload void withdraw write
    """.split()  # noqa: SIM905 - read as a text
)
_WORDS = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+")


@dataclass(frozen=True, slots=True)
class Guess:
    """What is asked about one guess.

    Attributes:
        tool: the name.
        effects, speculate, price: as the tool declares.
        needs_approval: whether a person must confirm its calls.
        is_open_world: whether it reaches beyond what the tenant owns.
        is_tainted: whether the session has seen values from outside.
        confirmed: real calls of the tenant that had their value from the same place.
        is_of_tenant: whether the guess is from what this tenant's sessions taught.
        breaker_closed: whether its breaker lets calls in.
        refused_ago: seconds since it was told to wait; None if it never was.
        budget_left: micro-dollars left for guesses.
        is_valid: whether a real call could have its arguments.
        is_closing: whether the engine or the session closes.
        is_staged: whether it has a `prepare` that may be run and undone.
    """

    tool: str
    effects: Effects
    speculate: bool | None
    price: int
    needs_approval: bool
    is_open_world: bool
    is_tainted: bool
    confirmed: int
    is_of_tenant: bool
    breaker_closed: bool
    refused_ago: float | None
    budget_left: int
    is_valid: bool
    is_closing: bool
    is_staged: bool = False


def refusal(guess: Guess) -> Rule | None:
    """Return the first rule that forbids a guess; None if all allow it."""
    for rule, holds in _judged(guess):
        if not holds:
            return rule
    return None


def sounds_like_a_write(name: str) -> bool:
    """Return whether the first word of a name says that something is changed.

    Only the first: `get_payment_status` reads, `pay_invoice` does not.
    """
    words = _WORDS.findall(name.rpartition(".")[2])
    return bool(words) and words[0].lower() in _CHANGES


def _judged(guess: Guess) -> tuple[tuple[Rule, bool], ...]:
    wanted = guess.speculate is True
    leaves = guess.is_open_world and guess.is_tainted
    waits = guess.refused_ago is not None and guess.refused_ago < AFTER_REFUSAL
    return (
        ("closing", not guess.is_closing),
        ("effects", guess.effects == "read" or guess.is_staged),
        ("declared", guess.speculate is not False),
        ("name", wanted or guess.is_staged or not sounds_like_a_write(guess.tool)),
        ("approval", not guess.needs_approval),
        ("open_world", wanted or not guess.is_open_world),
        ("taint", not leaves or guess.confirmed >= CONFIRMED),
        ("scope", guess.is_of_tenant),
        ("breaker", guess.breaker_closed and not waits),
        ("budget", guess.price <= guess.budget_left),
        ("arguments", guess.is_valid),
    )
