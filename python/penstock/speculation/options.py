"""`Speculation`: what may run before it is asked for, and what that may cost."""

import math
from dataclasses import dataclass
from typing import Any, Literal, get_args

from penstock._native import Predictor
from penstock.engine import Guessing
from penstock.errors import ConfigError
from penstock.speculation._protocol import Guesser
from penstock.speculation.learned import Learned
from penstock.speculation.notes import Recorded
from penstock.speculation.recorder import Recorder
from penstock.speculation.speculator import LiveSpeculator
from penstock.tools import Tool

Mode = Literal["off", "shadow", "live"]
"""`off`: nothing is guessed. `shadow`: it is said what would have been. `live`: guesses run."""

MOST_MONEY = 10**12
"""Micro-dollars."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Speculation:
    """What may run in the sessions of an engine before it is asked for.

    Attributes:
        mode: `off`, `shadow` (guess, run nothing, and count what would have been) or `live`.
        min_p: a guess below this chance is not run, 0 to 1.
        min_p_priced: the same for tools with a price.
        value_per_second: micro-dollars that a saved second is worth.
        slot_share: of the calls that a tool may run at once, how many may be guesses of one tenant, 0
            to 1.
        rate_share: of each rate limit, budget and limit of calls at once, how much guesses may take that
            nobody asked for, 0 to 1, rounded up to one; a fifth is always left to others. Guesses never
            wait for a limit.
        budget: micro-dollars for guesses of tools with a price, in all; 0 runs none of those.
        control: the share of decision points at which nothing is run, to compare with, 0 to 1.
        early_writes: whether replies that are read while they are written start other tools than reads
            before their end.
        memory_bytes: of what the predictor knows, from 1 MiB.
        predictor: what guesses; None for one that learns from the sessions of this engine.
        recorder: writes the sessions of this engine into a file, in every mode; None for none.

    Raises:
        ConfigError: a field has a value that cannot work; the caller acts.

    Example:
        engine = Engine(tools, speculation=Speculation(mode="shadow"))
    """

    mode: Mode = "shadow"
    min_p: float = 0.2
    min_p_priced: float = 0.5
    value_per_second: float = 1_000.0
    slot_share: float = 0.2
    rate_share: float = 0.1
    budget: int = 0
    control: float = 0.01
    early_writes: bool = False
    memory_bytes: int = 64 << 20
    predictor: Guesser | Predictor | None = None
    recorder: Recorder | None = None

    def __post_init__(self) -> None:
        if self.mode not in get_args(Mode):
            raise ConfigError("mode", self.mode, "must be 'off', 'shadow' or 'live'")
        for field in ("min_p", "min_p_priced", "slot_share", "rate_share", "control"):
            _check_number(field, getattr(self, field), most=1.0, what="a share from 0 to 1")
        what = f"micro-dollars from 0 to {MOST_MONEY:,}"
        _check_number("value_per_second", self.value_per_second, most=MOST_MONEY, what=what)
        if type(self.budget) is not int or not 0 <= self.budget <= MOST_MONEY:
            raise ConfigError("budget", self.budget, f"must be whole {what}")
        if type(self.early_writes) is not bool:
            raise ConfigError("early_writes", self.early_writes, "must be True or False")
        if type(self.memory_bytes) is not int or self.memory_bytes < 1 << 20:
            raise ConfigError("memory_bytes", self.memory_bytes, "must be bytes, from 1048576")
        if self.predictor is not None and not hasattr(self.predictor, "predict"):
            reason = "must have observe(session, event, now_ns) and predict(session, k), or be None"
            raise ConfigError("predictor", self.predictor, reason)
        if self.recorder is not None and not isinstance(self.recorder, Recorder):
            raise ConfigError("recorder", self.recorder, "must be a Recorder(path), or None")

    def build(self, guessing: Guessing) -> LiveSpeculator | Recorded:
        """Return what speculates for one engine; called by it."""
        predictor = self.predictor
        if predictor is None:
            predictor = Predictor(memory_bytes=self.memory_bytes)
        guesser: Guesser
        if isinstance(predictor, Predictor):
            guesser = Learned(predictor, lambda name: _tool(guessing, name))
        else:
            guesser = predictor
        speculator = LiveSpeculator(self, guesser, guessing)
        return (
            speculator if self.recorder is None else Recorded(speculator, self.recorder, guessing)
        )


def _tool(guessing: Guessing, name: str) -> Tool[..., Any] | None:
    facts = guessing.facts(name)
    return None if facts is None else facts.tool


def _check_number(field: str, value: object, *, most: float, what: str) -> None:
    is_number = type(value) in (int, float) and math.isfinite(value)  # type: ignore[arg-type]  # a number
    if not is_number or not 0 <= value <= most:  # type: ignore[operator]  # a number
        raise ConfigError(field, value, f"must be {what}")
