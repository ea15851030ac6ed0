"""What providers say in their answers' headers about their limits, as numbers.

Ground rules:

- Nothing here raises, whatever a server sends, and nothing is decided: `Feedback` is what was said.
- A field that is unreadable, negative or longer than 64 bytes is left out and counted in `errors`.
- Moments become durations by the answer's own `Date`, rounded up to whole seconds. Our wall clock is
  never asked: it may be wrong by hours.
- What a provider calls its headers is data, a `HeaderTable` in the provider's own file; IETF's fields
  and `Retry-After` are read for all.

Source: RFC 9110 (Retry-After), draft-ietf-httpapi-ratelimit-headers-10 and, for its older single
fields, -06; the reference pages of OpenAI, Anthropic and GitHub.
"""

import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Literal, TypeVar, assert_never

LONGEST_FIELD_BYTES = 64
LONGEST_LIST_BYTES = 1_024
"""Of a `RateLimit` field, which may list several policies."""

LONGEST_RETRY_AFTER = 3_600.0
"""Seconds; who asks for more is tried again after this."""

LONGEST_RESET = 366 * 86_400.0
"""Seconds, as the longest period of a limit."""

SMALLEST_EPOCH = 1_000_000_000.0
"""A reset above this is a moment in seconds since 1970, below a duration: the year 2001, 31 years."""

HeaderUnit = Literal["requests", "tokens", "input_tokens", "output_tokens"]
ResetSyntax = Literal["duration", "moment", "number"]
Headers = Mapping[str, str] | Mapping[bytes, bytes] | Iterable[tuple[str | bytes, str | bytes]]
Value = TypeVar("Value")

_LISTS = ("ratelimit", "ratelimit-policy")
_WHOLE = re.compile(r"[0-9]{1,15}")
_DECIMAL = re.compile(r"[0-9]{1,12}(?:\.[0-9]{1,9})?")
_STEP = re.compile(r"([0-9]{1,12}(?:\.[0-9]{1,9})?)(ms|us|µs|ns|d|h|m|s)")
_DURATION = re.compile(f"(?:{_STEP.pattern})+")
_SECONDS = {"d": 86_400.0, "h": 3_600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6,
            "ns": 1e-9}  # fmt: skip

# `"name";r=37;t=12`, and what follows a member: a comma or the end.
_MEMBER = re.compile(
    r"""[ \t]*("[^"\\]*"|[A-Za-z0-9_*.-]+)"""
    r"""((?:[ \t]*;[ \t]*[a-z*][a-z0-9_.*-]*(?:=(?:"[^"\\;]*"|[^\s",;]+))?)*)[ \t]*(?:,|$)"""
)
# What is still sent by some, such as express-rate-limit.
_DRAFT_7 = re.compile(r"limit=([0-9]{1,15}), *remaining=([0-9]{1,15}), *reset=([0-9]{1,8})")


@dataclass(frozen=True, slots=True)
class HeaderTable:
    """What one provider calls the headers of its limits.

    Attributes:
        template: a header's name in lower case, with `{field}` for limit, remaining and reset, and
            `{unit}` for a value of `units`.
        units: our name of what is counted, and the provider's.
        reset: how a reset is written: `6m0s`, as a moment of RFC 3339, or as a number of seconds, from
            now or, if it is a large one, from 1970.
        new_window: whether nothing comes back before the reset, and then all of it. Otherwise units
            come back all the time, and the reset is when the last of them is back.
    """

    template: str
    units: Mapping[HeaderUnit, str]
    reset: ResetSyntax
    new_window: bool = False


OPENAI = HeaderTable(
    "x-ratelimit-{field}-{unit}", {"requests": "requests", "tokens": "tokens"}, reset="duration"
)
ANTHROPIC = HeaderTable(
    "anthropic-ratelimit-{unit}-{field}",
    {
        "requests": "requests",
        "tokens": "tokens",
        "input_tokens": "input-tokens",
        "output_tokens": "output-tokens",
    },
    reset="moment",
)
GITHUB = HeaderTable("x-ratelimit-{field}", {"requests": ""}, reset="number", new_window=True)
IETF_SINGLE = HeaderTable("ratelimit-{field}", {"requests": ""}, reset="number", new_window=True)

TABLES = (OPENAI, ANTHROPIC, GITHUB, IETF_SINGLE)
"""The forms that are read for services without a table of their own."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What was said about one unit; None for what was not.

    Attributes:
        limit: units in a period, at least 1.
        remaining: units that are left.
        reset: seconds until all are back.
        new_window: whether nothing is back before; see `HeaderTable`.
    """

    limit: int | None = None
    remaining: int | None = None
    reset: float | None = None
    new_window: bool = False

    def __bool__(self) -> bool:
        """Whether anything was said."""
        return not (self.limit is None and self.remaining is None and self.reset is None)


NOTHING = Reading()


@dataclass(frozen=True, slots=True)
class Feedback:
    """What one answer said.

    Attributes:
        status: the HTTP status, None if unknown.
        retry_after: seconds to stay away, at most an hour; None if nothing was said.
        requests: what was said about calls; likewise the tokens.
        tokens: input and output together.
        input_tokens: see `requests`.
        output_tokens: see `requests`.
        errors: fields that could not be read.
    """

    status: int | None = None
    retry_after: float | None = None
    requests: Reading = NOTHING
    tokens: Reading = NOTHING
    input_tokens: Reading = NOTHING
    output_tokens: Reading = NOTHING
    errors: int = 0

    def readings(self) -> list[tuple[str, int | None, int | None, float | None]]:
        """Return what was said, by the name of the unit: limit, remaining, seconds to a new window."""
        said = {
            "requests": self.requests,
            "total_tokens": self.tokens,
            "input_tokens": self.input_tokens,
            "output_tokens": self.output_tokens,
        }
        return [
            (unit, reading.limit, reading.remaining, reading.reset if reading.new_window else None)
            for unit, reading in said.items()
            if reading
        ]


def parse_headers(
    status: int | None, headers: Headers | None, tables: Iterable[HeaderTable] = TABLES
) -> Feedback:
    """Read what an answer says about limits.

    Args:
        status: the HTTP status.
        headers: a mapping or pairs, as any client has them; the case of names does not count.
        tables: the provider's. Of several that speak of one unit the first counts.

    Returns:
        What could be read. Never raises for what a server sent.
    """
    answer = _Answer(headers)
    readings: dict[HeaderUnit, Reading] = {}
    for table in tables:
        for unit, theirs in table.units.items():
            reading = answer.reading(table, theirs)
            if reading and unit not in readings:
                readings[unit] = reading
    policies = answer.policies()
    if policies and "requests" not in readings:
        readings["requests"] = policies
    retry_after = answer.retry_after()
    is_status = isinstance(status, int) and 0 <= status < 1_000
    errors = answer.errors + (status is not None and not is_status)
    return Feedback(status if is_status else None, retry_after, **readings, errors=errors)


class _Answer:
    """The headers of one answer, and how many of them were unreadable."""

    def __init__(self, headers: Headers | None) -> None:
        pairs = headers.items() if isinstance(headers, Mapping) else headers or ()
        self._values: dict[str, str] = {}
        for raw_name, raw_value in pairs:
            name, value = _text(raw_name).lower(), _text(raw_value).strip()
            if name not in self._values:
                self._values[name] = value
            elif name in _LISTS:
                self._values[name] += f", {value}"
        self.errors = 0
        self._date = self._read("date", _http_date)

    def reading(self, table: HeaderTable, unit: str) -> Reading:
        """Return what one table's headers say about one unit."""
        limit_name = table.template.format(field="limit", unit=unit)
        limit = self._read(limit_name, _whole)
        # Some send -1 or 0 where there is no limit (openai-dotnet#838); what remains of that is nothing.
        if limit == 0 or (limit is None and limit_name in self._values):
            return NOTHING
        remaining = self._read(table.template.format(field="remaining", unit=unit), _whole)
        reset = self._reset(table.reset, table.template.format(field="reset", unit=unit))
        return Reading(limit, remaining, reset, table.new_window)

    def policies(self) -> Reading:
        """Return the tightest policy of IETF's `RateLimit`, with its quota from `RateLimit-Policy`."""
        if older := _DRAFT_7.fullmatch(self._values.get("ratelimit", "")):
            limit, remaining, reset = older.groups()
            return Reading(int(limit), int(remaining), float(reset), new_window=True)
        policies = dict(self._members("ratelimit-policy"))
        readings = [
            Reading(
                self._parsed(policies.get(name, {}).get("q"), _whole),
                self._parsed(items.get("r"), _whole),
                self._parsed(items.get("t"), _decimal),
                new_window=True,
            )
            for name, items in self._members("ratelimit")
            if policies.get(name, {}).get("qu", '"requests"') == '"requests"'
        ]
        return min((r for r in readings if r.remaining is not None), key=_room, default=NOTHING)

    def retry_after(self) -> float | None:
        """Return the longer of the two ways to say it, an hour at most."""
        milliseconds = self._read("retry-after-ms", _decimal)
        if self._values.get("retry-after", "")[:1].isdigit():
            seconds = self._read("retry-after", _decimal)
        else:
            seconds = self._until("retry-after", _http_date)
        waits = [] if milliseconds is None else [milliseconds / 1_000.0]
        waits += [] if seconds is None else [seconds]
        return min(max(waits), LONGEST_RETRY_AFTER) if waits else None

    def _reset(self, syntax: ResetSyntax, name: str) -> float | None:
        """Return the seconds until a reset."""
        match syntax:
            case "duration":
                seconds = self._read(name, _duration)
            case "moment":
                seconds = self._until(name, _moment)
            case "number":
                seconds = self._read(name, _decimal)
                if seconds is not None and seconds > SMALLEST_EPOCH:
                    seconds = self._until(name, _decimal)
            case _:
                assert_never(syntax)
        return None if seconds is None else min(seconds, LONGEST_RESET)

    def _until(self, name: str, parse: Callable[[str], float]) -> float | None:
        """Return the seconds from the answer's date to a moment, 0.0 for one that has passed."""
        moment = self._read(name, parse)
        if moment is None:
            return None
        if self._date is None:
            self.errors += 1
            return None
        return max(0.0, float(math.ceil(moment - self._date)))

    def _members(self, name: str) -> Iterator[tuple[str, dict[str, str]]]:
        """Yield the members of a list with their parameters, both as they are written."""
        text = self._values.get(name, "")
        if len(text) > LONGEST_LIST_BYTES:
            self.errors += 1
            return
        end = 0
        for found in _MEMBER.finditer(text):
            if found.start() != end:
                break
            end = found.end()
            pairs = (pair.partition("=") for pair in found[2].split(";")[1:])
            yield found[1], {key.strip(): value.strip() for key, _equals, value in pairs}
        self.errors += end != len(text)

    def _read(self, name: str, parse: Callable[[str], Value]) -> Value | None:
        return self._parsed(self._values.get(name), parse)

    def _parsed(self, text: str | None, parse: Callable[[str], Value]) -> Value | None:
        """Return what a field says; None, counted, for one that cannot be read."""
        if text is None:
            return None
        try:
            if len(text) <= LONGEST_FIELD_BYTES:
                return parse(text)
        except (ValueError, TypeError, LookupError, OverflowError, AttributeError):
            pass  # `email.utils` lets most of these out for one date or another
        self.errors += 1
        return None


def _room(reading: Reading) -> tuple[int, float]:
    """The least that remains is the tightest; of equal ones that which lasts longest."""
    return reading.remaining or 0, -(reading.reset or 0.0)


def _text(value: object) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)


def _whole(text: str) -> int:
    if not _WHOLE.fullmatch(text):
        raise ValueError(text)
    return int(text)


def _decimal(text: str) -> float:
    if not _DECIMAL.fullmatch(text):
        raise ValueError(text)
    return float(text)


def _duration(text: str) -> float:
    """Read `1s`, `6m0s`, `120ms`, `1h2m3.5s`, or seconds without a unit."""
    if _DECIMAL.fullmatch(text):
        return float(text)
    if not _DURATION.fullmatch(text):
        raise ValueError(text)
    return sum(float(number) * _SECONDS[unit] for number, unit in _STEP.findall(text))


def _moment(text: str) -> float:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(text)
    return moment.timestamp()


def _http_date(text: str) -> float:
    moment = parsedate_to_datetime(text)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
