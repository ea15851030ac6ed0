"""`Budget`: money or tokens that are reserved before a call and settled after it, as data."""

from dataclasses import KW_ONLY, dataclass
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from functools import partial
from typing import Literal, Self, cast, get_args

from penstock.errors import ConfigError
from penstock.limits.calendar import Period
from penstock.limits.faults import MOST, Faults
from penstock.limits.scope import parse_scope

BudgetUnit = Literal["microusd", "total_tokens"]
Overrun = Literal["finish", "cancel"]

_MOST_CHARACTERS = 64
_MICRO = 1_000_000


def usd(amount: str | int | Decimal) -> int:
    """Return dollars as whole millionths of a dollar, the unit of all money here.

    Args:
        amount: dollars, with up to six decimals. A float is refused: 0.1 is none of them exactly.

    Raises:
        ConfigError: it is no such amount; the caller acts.

    Example:
        >>> usd("0.002")
        2000
    """
    if isinstance(amount, bool) or not isinstance(amount, str | int | Decimal):
        raise ConfigError("amount", amount, 'dollars are text, int or Decimal, such as "20.00"')
    try:
        dollars = Decimal(amount[:_MOST_CHARACTERS] if isinstance(amount, str) else amount)
    except InvalidOperation:
        raise ConfigError("amount", amount, 'must be dollars, such as "20.00"') from None
    if not dollars.is_finite() or not 0 <= dollars <= MOST // _MICRO:
        raise ConfigError("amount", amount, f"dollars from 0 to {MOST // _MICRO}")
    # What has 70 decimals is refused unseen: expanding a billion of them would take minutes.
    _sign, _digits, exponent = dollars.as_tuple()
    micro = Fraction(dollars) * _MICRO if int(exponent) > -70 else Fraction(1, 2)
    if micro.denominator != 1:
        raise ConfigError("amount", amount, "dollars with up to six decimals; round it first")
    return int(micro)


@dataclass(frozen=True, slots=True)
class Budget:
    """An amount that what was spent and what is reserved never exceed. Made by `money` and `tokens`.

    Attributes:
        name: unique among the budgets of an engine; `budget` and the scope unless given.
        scope: as a limit's, and the parts `agent: run: batch:`; or `run`, `batch` or `call` alone: the
            one that it is given to.
        unit: millionths of a dollar, or tokens.
        amount: units.
        per: `day` or `month` after which it is whole again; None for once and for all.
        tz: whose midnight ends a day or a month.
        warn: shares of the amount, above 0 and at most 1; spending past one is an event, once a window.
        overrun: what becomes of a call that needs more than it reserved when nothing is left: it
            finishes and leaves a debt, or is cancelled.

    Raises:
        ConfigError: fields that cannot work, all told at once; the caller acts.
    """

    name: str
    scope: str
    unit: BudgetUnit
    amount: int
    _: KW_ONLY
    per: Period | None = None
    tz: str = "UTC"
    warn: tuple[float, ...] = (0.8,)
    overrun: Overrun = "finish"

    def __post_init__(self) -> None:
        faults = Faults()
        faults.name("name", self.name)
        scope = faults.attempt(lambda: parse_scope(self.scope, budget=True))
        object.__setattr__(self, "scope", scope)
        faults.one_of("unit", self.unit, get_args(BudgetUnit))
        faults.whole("amount", self.amount, least=0)
        if self.per is not None and self.per not in get_args(Period):
            faults.add("per", self.per, "must be 'day', 'month' or None")
        faults.zone("tz", self.tz)
        self._check_warn(faults)
        faults.one_of("overrun", self.overrun, get_args(Overrun))
        faults.tell()

    def _check_warn(self, faults: Faults) -> None:
        shares: object = self.warn
        if isinstance(shares, list | tuple) and all(map(_is_share, shares)):
            object.__setattr__(self, "warn", tuple(sorted({float(share) for share in shares})))
        else:
            faults.add("warn", shares, "must be shares above 0 and at most 1, such as (0.5, 0.8)")

    @classmethod
    def money(
        cls,
        scope: str,
        amount: str | int | Decimal,
        per: Period | None = None,
        *,
        tz: str = "UTC",
        warn: tuple[float, ...] = (0.8,),
        overrun: Overrun = "finish",
        name: str | None = None,
    ) -> Self:
        """Bound what calls cost.

        Args:
            scope: whom it is about.
            amount: dollars, with up to six decimals; no float.
            per: see `Budget`, as the rest.
            tz: see `Budget`.
            warn: see `Budget`.
            overrun: see `Budget`.
            name: unique; `budget` and the scope unless given.

        Raises:
            ConfigError: fields that cannot work, all told at once; the caller acts.
        """
        name = f"budget {scope}" if name is None else name
        faults = Faults()
        units = faults.attempt(lambda: usd(amount))
        rest = partial(cls, per=per, tz=tz, warn=warn, overrun=overrun)
        budget = faults.attempt(lambda: rest(name, scope, "microusd", units or 0))
        faults.tell()
        return cast(Self, budget)  # else its fault was told

    @classmethod
    def tokens(
        cls,
        scope: str,
        amount: int,
        per: Period | None = None,
        *,
        tz: str = "UTC",
        warn: tuple[float, ...] = (0.8,),
        overrun: Overrun = "finish",
        name: str | None = None,
    ) -> Self:
        """Bound the tokens of models, input and output together.

        Args:
            scope: whom it is about.
            amount: tokens.
            per: see `Budget`, as the rest.
            tz: see `Budget`.
            warn: see `Budget`.
            overrun: see `Budget`.
            name: unique; `token budget` and the scope unless given.

        Raises:
            ConfigError: fields that cannot work, all told at once; the caller acts.
        """
        name = f"token budget {scope}" if name is None else name
        return cls(name, scope, "total_tokens", amount, per=per, tz=tz, warn=warn, overrun=overrun)


def _is_share(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 < value <= 1
