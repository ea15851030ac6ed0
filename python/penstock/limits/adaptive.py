"""`Adaptive`: how a concurrency limit follows what its service can bear, as data."""

from dataclasses import dataclass
from typing import Literal

from penstock.errors import ConfigError
from penstock.limits.faults import MOST_SLOTS, Faults


@dataclass(frozen=True, slots=True)
class Adaptive:
    """How a concurrency limit follows what its service can bear.

    Attributes:
        least: the fewest slots, at least 1.
        most: the most slots.
        mode: `aimd` cuts on overload and grows while clean; `gradient` also follows latency.
        latency: what `gradient` measures: a whole attempt, or the time to its first byte.

    Raises:
        ConfigError: a field is something else; the caller acts.
    """

    least: int = 1
    most: int = 200
    mode: Literal["aimd", "gradient"] = "aimd"
    latency: Literal["total", "first_byte"] = "total"

    def __post_init__(self) -> None:
        faults = Faults()
        faults.whole("least", self.least, least=1, most=MOST_SLOTS)
        faults.whole("most", self.most, least=1, most=MOST_SLOTS)
        faults.one_of("mode", self.mode, ("aimd", "gradient"))
        faults.one_of("latency", self.latency, ("total", "first_byte"))
        faults.tell()
        if self.least > self.most:
            raise ConfigError("least", self.least, f"is above most={self.most}")
