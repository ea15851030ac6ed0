"""`Limit`: a rule on how much of something may start, as data. Nothing here counts or waits."""

import math
from dataclasses import KW_ONLY, dataclass
from fractions import Fraction
from typing import Any, Literal, Self, TypedDict, Unpack, get_args

from penstock.errors import ConfigError
from penstock.limits.adaptive import Adaptive
from penstock.limits.calendar import SHORTEST, Period
from penstock.limits.faults import MOST, MOST_SLOTS, Faults
from penstock.limits.scope import parse_scope

Shape = Literal["bucket", "window", "calendar", "slots"]
Unit = Literal["requests", "total_tokens", "input_tokens", "output_tokens"]
Kind = Literal["total", "input", "output"]
Lost = Literal["hold", "free"]
Away = Literal["share", "closed", "open"]
Follow = Literal["down", "both", "off"]

SHORTEST_PERIOD, LONGEST_PERIOD = 0.001, 366 * 86_400.0
"""Seconds."""

LONGEST_HORIZON = 60.0


class Common(TypedDict, total=False):
    """The keywords that every constructor of `Limit` takes; `Limit` says what each means."""

    share: bool
    away: Away
    max_waiting: int
    follow: Follow
    horizon: float
    revision: int


@dataclass(frozen=True, slots=True)
class Limit:
    """A rule for a scope. Every limit whose scope matches a call applies to it; none overrides another.

    Made by `rate`, `window`, `tokens`, `concurrency` and `tiers`.

    Attributes:
        name: unique among the limits of an engine; the constructor and the scope unless given.
        scope: `global`, or parts `tenant: service: tool: model:` joined by `/`; `*` is any name.
        shape: `bucket`, `window`, `calendar` or `slots`.
        unit: what is counted.
        n: units in `per`; calls at once for slots, where 0 pauses.
        per: seconds; `day` or `month` for a calendar, None for slots.
        burst: the most units that a bucket admits at once; None for the other shapes.
        tz: whose midnight ends a day or a month.
        adaptive: how slots follow what the service bears; None for a fixed number.
        lost: what becomes of the slots of an instance that was lost: held until the deadlines of its
            calls, so that `n` is never exceeded, or free at once.
        share: whether instances share it when the backend is shared.
        away: while the backend is away: go on with the last share, stop, or let all pass.
        max_waiting: calls that may wait for it; more are refused.
        follow: whether what providers say may lower it, move it both ways, or is ignored.
        horizon: seconds for which an instance leases ahead.
        revision: of shared limits that differ, the highest wins.

    Raises:
        ConfigError: fields that cannot work, all told at once; the caller acts.
    """

    name: str
    scope: str
    shape: Shape
    unit: Unit
    n: int
    _: KW_ONLY
    per: float | Period | None = None
    burst: int | None = None
    tz: str = "UTC"
    adaptive: Adaptive | None = None
    lost: Lost = "hold"
    share: bool = True
    away: Away = "share"
    max_waiting: int = 10_000
    follow: Follow = "down"
    horizon: float = 0.05
    revision: int = 0

    def __post_init__(self) -> None:
        faults = Faults()
        faults.name("name", self.name)
        object.__setattr__(self, "scope", faults.attempt(lambda: parse_scope(self.scope)))
        faults.one_of("shape", self.shape, get_args(Shape))
        faults.one_of("unit", self.unit, get_args(Unit))
        self._check_amounts(faults)
        self._check_slots(faults)
        self._check_common(faults)
        faults.tell()

    def _check_amounts(self, faults: Faults) -> None:
        faults.whole("n", self.n, least=_least(self.shape), most=_most(self.shape))
        if self.shape == "bucket":
            faults.whole("burst", self.burst, least=1)
        elif self.burst is not None:
            faults.add("burst", self.burst, "is for buckets; Limit.rate and Limit.tokens make them")
        if self.shape == "calendar":
            faults.one_of("per", self.per, get_args(Period))
        elif self.shape == "slots":
            if self.per is not None:
                faults.add("per", self.per, "slots have no period")
        elif isinstance(self.per, str):
            faults.add("per", self.per, _no_word(self.shape))
        else:
            faults.seconds("per", self.per, least=SHORTEST_PERIOD, most=LONGEST_PERIOD)
        faults.zone("tz", self.tz)

    def _check_slots(self, faults: Faults) -> None:
        faults.one_of("lost", self.lost, get_args(Lost))
        if self.shape == "slots" and self.unit != "requests":
            faults.add("unit", self.unit, "slots hold calls: 'requests'")
        adaptive: object = self.adaptive
        if adaptive is None:
            return
        if not isinstance(adaptive, Adaptive):
            faults.add("adaptive", adaptive, "must be an Adaptive or None")
        elif self.shape != "slots":
            faults.add("adaptive", adaptive, "is for Limit.concurrency")
        elif type(self.n) is int and self.n and not adaptive.least <= self.n <= adaptive.most:
            faults.add("n", self.n, f"where {adaptive} starts: 0, or from least to most")

    def _check_common(self, faults: Faults) -> None:
        faults.truth("share", self.share)
        faults.one_of("away", self.away, get_args(Away))
        faults.whole("max_waiting", self.max_waiting, least=0, most=MOST_SLOTS)
        faults.one_of("follow", self.follow, get_args(Follow))
        faults.seconds("horizon", self.horizon, least=SHORTEST_PERIOD, most=LONGEST_HORIZON)
        faults.whole("revision", self.revision, least=0)

    @classmethod
    def rate(
        cls,
        scope: str,
        n: int,
        per: float = 1.0,
        *,
        burst: int | None = None,
        unit: Unit = "requests",
        name: str | None = None,
        **common: Unpack[Common],
    ) -> Self:
        """Admit smoothly: `n` in `per`, and `burst` at once.

        Args:
            scope: whom it is about.
            n: units, at least 1; half a call a second is `1, per=2.0`.
            per: seconds, 0.001 to 366 days.
            burst: units at once, at least 1; a tenth of `n` unless given. Any W seconds admit
                `burst + n * W / per`: a burst of `n` would admit twice `n` in the first period.
            unit: what is counted.
            name: unique; `rate` and the scope unless given.
            common: see `Limit`.

        Raises:
            ConfigError: fields that cannot work, all told at once; the caller acts.
        """
        if burst is None:
            burst = max(1, n // 10) if type(n) is int else 1  # such an `n` is told below
        name = f"rate {scope}" if name is None else name
        return cls(name, scope, "bucket", unit, n, per=per, burst=burst, **common)

    @classmethod
    def window(
        cls,
        scope: str,
        n: int,
        per: float | Period,
        *,
        tz: str = "UTC",
        unit: Unit = "requests",
        name: str | None = None,
        **common: Unpack[Common],
    ) -> Self:
        """Admit never more than `n` in any `per` seconds, or in a calendar day or month.

        Args:
            scope: whom it is about.
            n: units, at least 1.
            per: seconds of a sliding window, or `day` or `month`.
            tz: whose midnight ends a day or a month.
            unit: what is counted.
            name: unique; `window` and the scope unless given.
            common: see `Limit`.

        Raises:
            ConfigError: fields that cannot work, all told at once; the caller acts.
        """
        shape: Shape = "calendar" if per in get_args(Period) else "window"
        name = f"window {scope}" if name is None else name
        return cls(name, scope, shape, unit, n, per=per, tz=tz, **common)

    @classmethod
    def tokens(
        cls,
        scope: str,
        n: int,
        per: float | Period = 60.0,
        *,
        kind: Kind = "total",
        burst: int | None = None,
        tz: str = "UTC",
        name: str | None = None,
        **common: Unpack[Common],
    ) -> Self:
        """Bound the tokens of models: a window, or a bucket if `burst` is given.

        Args:
            scope: whom it is about.
            n: tokens, at least 1.
            per: seconds, or `day` or `month`.
            kind: which tokens count.
            burst: tokens at once; makes it a bucket.
            tz: whose midnight ends a day or a month.
            name: unique; `tokens` (`input tokens`, `output tokens`) and the scope unless given.
            common: see `Limit`.

        Raises:
            ConfigError: fields that cannot work, all told at once; the caller acts.
        """
        if kind not in get_args(Kind):
            raise ConfigError("kind", kind, "must be one of 'total', 'input', 'output'")
        unit: Unit = f"{kind}_tokens"  # type: ignore[assignment]  # of three literals, three literals
        if name is None:
            name = f"tokens {scope}" if kind == "total" else f"{kind} tokens {scope}"
        if burst is None:
            return cls.window(scope, n, per, tz=tz, unit=unit, name=name, **common)
        return cls(name, scope, "bucket", unit, n, per=per, burst=burst, tz=tz, **common)

    @classmethod
    def concurrency(
        cls,
        scope: str,
        n: int,
        *,
        adaptive: Adaptive | None = None,
        lost: Lost = "hold",
        name: str | None = None,
        **common: Unpack[Common],
    ) -> Self:
        """Bound the calls in flight.

        Args:
            scope: whom it is about.
            n: calls at once; 0 pauses. A call is in flight until its code has really ended, also
                after it was cancelled.
            adaptive: lets the number follow what the service bears, from `n` on.
            lost: see `Limit`.
            name: unique; `concurrency` and the scope unless given.
            common: see `Limit`.

        Raises:
            ConfigError: fields that cannot work, all told at once; the caller acts.
        """
        name = f"concurrency {scope}" if name is None else name
        return cls(name, scope, "slots", "requests", n, adaptive=adaptive, lost=lost, **common)

    @classmethod
    def tiers(
        cls,
        scope: str,
        *,
        per_second: int | None = None,
        per_minute: int | None = None,
        per_hour: int | None = None,
        per_day: int | None = None,
        tokens_per_minute: int | None = None,
        tokens_per_day: int | None = None,
        concurrent: int | None = None,
        tz: str = "UTC",
        name: str | None = None,
        **common: Unpack[Common],
    ) -> list[Self]:
        """Return what a provider's price list says, as limits: windows, calendar days and slots.

        Args:
            scope: whom they are about.
            per_second: calls in any second; likewise a minute and an hour.
            per_minute: see `per_second`.
            per_hour: see `per_second`.
            per_day: calls in a calendar day.
            tokens_per_minute: tokens in any minute.
            tokens_per_day: tokens in a calendar day.
            concurrent: calls at once.
            tz: whose midnight ends a day.
            name: what each name starts with; `tiers` and the scope unless given.
            common: see `Limit`.

        Raises:
            ConfigError: no tier, or tiers that cannot work, all told at once; the caller acts.
        """
        tiers: dict[str, tuple[Any, Shape, Unit, float | Period | None]] = {
            "per_second": (per_second, "window", "requests", 1.0),
            "per_minute": (per_minute, "window", "requests", 60.0),
            "per_hour": (per_hour, "window", "requests", 3_600.0),
            "per_day": (per_day, "calendar", "requests", "day"),
            "tokens_per_minute": (tokens_per_minute, "window", "total_tokens", 60.0),
            "tokens_per_day": (tokens_per_day, "calendar", "total_tokens", "day"),
            "concurrent": (concurrent, "slots", "requests", None),
        }
        given = {tier: row for tier, row in tiers.items() if row[0] is not None}
        if not given:
            raise ConfigError("tiers", scope, f"give at least one of {', '.join(tiers)}")
        faults = Faults()
        for tier, (n, shape, _unit, _per) in given.items():
            faults.whole(tier, n, least=_least(shape), most=_most(shape))
        prefix = f"tiers {scope}" if name is None else name
        faults.attempt(lambda: cls.window(scope, 1, "day", tz=tz, name=prefix, **common))
        faults.tell()
        return [
            cls(f"{prefix} {tier}", scope, shape, unit, n, per=per, tz=tz, **common)
            for tier, (n, shape, unit, per) in given.items()
        ]

    def bound(self, window: float, shared: bool = False) -> int:
        """Return the most units that any `window` seconds admit: the promise of this limit.

        For slots it is the most calls at once, whatever the window.

        Args:
            window: seconds, at least 0.
            shared: over all instances of a shared limit, crashes included, rather than in one
                process. A bucket's instances each lease `horizon` seconds ahead.

        Raises:
            ConfigError: the window is no time; the caller acts.
        """
        faults = Faults()
        faults.seconds("window", window, least=0.0, most=MOST / 1e9)
        faults.tell()
        seconds = _exact(window)
        if self.shape == "slots":
            return self.n if shared or self.adaptive is None or not self.n else self.adaptive.most
        if isinstance(self.per, str):
            # A window that ends while it lasts lets the next one begin.
            return self.n * (math.ceil(seconds / SHORTEST[self.per]) + (seconds > 0))
        per = _exact(self.per or 0.0)
        if self.shape == "window":
            return self.n * max(1, math.ceil(seconds / per))
        burst, rate = Fraction(self.burst or 0), self.n / per
        if shared:
            horizon = _exact(self.horizon)
            burst, seconds = max(burst, 2 * rate * horizon), seconds + 2 * horizon
        return math.floor(burst + rate * seconds)


def _least(shape: Shape) -> int:
    return 0 if shape == "slots" else 1


def _most(shape: Shape) -> int:
    return MOST_SLOTS if shape == "slots" else MOST


def _exact(seconds: float) -> Fraction:
    """Return seconds as the core counts them, in whole nanoseconds."""
    return Fraction(round(seconds * 1e9), 1_000_000_000)


def _no_word(shape: Shape) -> str:
    if shape == "bucket":
        return "a bucket's period is seconds; Limit.window counts by the 'day' or the 'month'"
    return "seconds, 'day' or 'month'"
