"""How many tokens a call will need, before it runs: what is reserved, and later settled.

Ground rules:

- State: the last output sizes of each (tenant, model, tool). One owner uses it, the engine's loop.
- An estimate only reserves. What a model really used is settled, whatever was estimated; the error
  costs parallelism when too high, and a debt when too low.
- The number of keys is bounded; at the brim the key that was learned longest ago is forgotten, and
  its next calls reserve as new ones do.
"""

from collections import OrderedDict, deque
from dataclasses import dataclass

MOST_KEYS = 10_000
SAMPLES = 100
"""The window of what is learned: enough for a p95, and new within minutes when a prompt changes."""

FEWEST_SAMPLES = 20
UNKNOWN_OUTPUT = 1_024
"""Tokens, for a new tool whose calls do not say `max_tokens`."""

Key = tuple[str | None, str | None, str | None]
"""Tenant, model, tool."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """What to reserve for one call.

    Attributes:
        input_tokens: of the prompt.
        output_tokens: of the answer.
    """

    input_tokens: int
    output_tokens: int


def input_tokens(text: str | bytes) -> int:
    """Return about how many tokens a text is: a tenth more than 4 bytes each, 2.5 if not ASCII."""
    data = text.encode(errors="replace") if isinstance(text, str) else text
    # x 1.1 / 4 and x 1.1 / 2.5, rounded up
    return -(-len(data) * 11 // (40 if data.isascii() else 25))


class Estimator:
    """Estimates that learn how long answers are.

    Example:
        >>> estimator = Estimator()
        >>> estimator.estimate((None, "gpt-5", "search"), "x" * 400, max_tokens=2_000)
        Estimate(input_tokens=110, output_tokens=2000)
        >>> for _ in range(20):
        ...     estimator.learn((None, "gpt-5", "search"), 300)
        >>> estimator.estimate((None, "gpt-5", "search"), "x" * 400, max_tokens=2_000)
        Estimate(input_tokens=110, output_tokens=300)
    """

    def __init__(self, *, most_keys: int = MOST_KEYS) -> None:
        """Start without knowledge.

        Args:
            most_keys: how many (tenant, model, tool) are remembered, at least 1.
        """
        self._most_keys = most_keys
        self._learned: OrderedDict[Key, _Recent] = OrderedDict()

    def estimate(
        self,
        key: Key,
        text: str | bytes,
        *,
        counted: int | None = None,
        max_tokens: int | None = None,
    ) -> Estimate:
        """Return what to reserve.

        Args:
            key: tenant, model, tool; the same for calls whose answers are alike.
            text: what is sent.
            counted: the tokens of it, where the tool can count them.
            max_tokens: what the call allows the answer at most; None if it does not say.
        """
        used = input_tokens(text) if counted is None else counted
        learned = self.p95(key)
        if learned is None:
            return Estimate(used, UNKNOWN_OUTPUT if max_tokens is None else max_tokens)
        return Estimate(used, learned if max_tokens is None else min(max_tokens, learned))

    def learn(self, key: Key, output_tokens: int) -> None:
        """Take in how many tokens an answer really was."""
        recent = self._learned.get(key)
        if recent is None:
            recent = self._learned[key] = _Recent()
            if len(self._learned) > self._most_keys:
                self._learned.popitem(last=False)
        else:
            self._learned.move_to_end(key)
        recent.add(output_tokens)

    def p95(self, key: Key) -> int | None:
        """Return the size that 95 % of the last answers kept below; None while it is unknown."""
        recent = self._learned.get(key)
        return None if recent is None else recent.p95()

    def __len__(self) -> int:
        """Return how many keys are remembered."""
        return len(self._learned)


class _Recent:
    """The last sizes of one key. Sorting a hundred numbers takes 3 us, once a lesson and use."""

    __slots__ = ("_p95", "_sizes")

    def __init__(self) -> None:
        self._sizes: deque[int] = deque(maxlen=SAMPLES)
        self._p95: int | None = None

    def add(self, size: int) -> None:
        self._sizes.append(size)
        self._p95 = None

    def p95(self) -> int | None:
        count = len(self._sizes)
        if self._p95 is None and count >= FEWEST_SAMPLES:
            self._p95 = sorted(self._sizes)[-(-count * 95 // 100) - 1]
        return self._p95
