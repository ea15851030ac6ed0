"""What cannot be is told when it is defined, or at the call: the field, the value, and what is allowed."""

import asyncio
import math
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

import penstock
from contracts.moments import Log
from penstock import Adaptive, Budget, Call, Cost, Engine, Limit, Limiter
from penstock.errors import ConfigError, LimitImpossible

NO_NUMBERS = [None, "5", True, math.nan, math.inf, -math.inf, [5], 5 + 0j]

DEFINITIONS: list[tuple[str, Callable[[], object]]] = [
    *(("n", lambda n=n: Limit.rate("global", n)) for n in [0, -1, 1.5, 2**53, *NO_NUMBERS]),
    *(("n", lambda n=n: Limit.window("global", n, 1.0)) for n in [0, -1, *NO_NUMBERS]),
    *(("n", lambda n=n: Limit.concurrency("global", n)) for n in [-1, 2**32, *NO_NUMBERS]),
    *(("n", lambda n=n: Limit.tokens("global", n)) for n in [0, -1, *NO_NUMBERS]),
    *(("per", lambda per=per: Limit.rate("global", 5, per)) for per in [0, -1, 1e-9, 1e9]),
    *(("per", lambda per=per: Limit.rate("global", 5, per)) for per in ["day", *NO_NUMBERS]),
    *(("per", lambda per=per: Limit.window("global", 5, per)) for per in ["week", *NO_NUMBERS]),
    *(("burst", lambda b=b: Limit.rate("global", 5, burst=b)) for b in [0, -1, 0.5, math.nan]),
    *(
        ("scope", lambda scope=scope: Limit.rate(scope, 5))
        for scope in [
            "",
            "tol:x",
            "tool",
            "tool:",
            "tool:a*",
            "tool:%zz",
            "tool:x/tenant:y",
            "tool:x/tool:y",
            "agent:x",
            "batch",
            "call",
            "tool:" + 201 * "x",
            None,
            7,
        ]
    ),
    ("unit", lambda: Limit.rate("global", 5, unit="dollars")),  # type: ignore[arg-type]
    ("kind", lambda: Limit.tokens("global", 5, kind="all")),  # type: ignore[arg-type]
    ("tz", lambda: Limit.window("global", 5, "day", tz="Europe/Olso")),
    ("name", lambda: Limit.rate("global", 5, name="")),
    ("max_waiting", lambda: Limit.rate("global", 5, max_waiting=-1)),
    ("follow", lambda: Limit.rate("global", 5, follow="up")),  # type: ignore[arg-type]
    ("away", lambda: Limit.rate("global", 5, away="panic")),  # type: ignore[arg-type]
    ("horizon", lambda: Limit.rate("global", 5, horizon=0.0)),
    ("revision", lambda: Limit.rate("global", 5, revision=-1)),
    ("adaptive", lambda: Limit.concurrency("global", 5, adaptive=5)),  # type: ignore[arg-type]
    ("n", lambda: Limit.concurrency("global", 5, adaptive=Adaptive(most=4))),
    ("least", lambda: Adaptive(least=0)),
    ("least", lambda: Adaptive(least=5, most=4)),
    ("per_second", lambda: Limit.tiers("global", per_second=0)),
    ("tiers", lambda: Limit.tiers("global")),
    *(
        ("amount", lambda amount=amount: Budget.money("global", amount))
        for amount in [0.5, "-1", "nan", "inf", "1e30", "0.0000001", "ten", "", Decimal("NaN")]
    ),
    *(("amount", lambda a=a: Budget.tokens("global", a)) for a in [-1, 1.5, "0.50", *NO_NUMBERS]),
    ("unit", lambda: Budget("b", "global", "requests", 5)),  # type: ignore[arg-type]
    ("unit", lambda: Budget("b", "global", "usd", 5)),  # type: ignore[arg-type]
    ("per", lambda: Budget.money("global", "1", per="week")),  # type: ignore[arg-type]
    ("per", lambda: Budget.money("global", "1", per=60.0)),  # type: ignore[arg-type]
    *(("warn", lambda w=w: Budget.money("global", "1", warn=w)) for w in [(0.0,), (1.1,), 0.8]),
    ("overrun", lambda: Budget.money("global", "1", overrun="ignore")),  # type: ignore[arg-type]
    *(("requests", lambda n=n: Cost(requests=n)) for n in [-1, 1.5, True, "1", 2**53]),
    ("microusd", lambda: Cost(microusd=-1)),
    ("input_tokens", lambda: Cost(input_tokens=2**53)),
]


@pytest.mark.parametrize(("field", "define"), DEFINITIONS)
def test_a_definition_that_cannot_be_names_its_field(
    field: str, define: Callable[[], object]
) -> None:
    with pytest.raises(ConfigError) as caught:
        define()
    assert caught.value.field == field


def test_all_faults_of_a_definition_are_told_together() -> None:
    with pytest.raises(ConfigError) as caught:
        Limit.rate("tol:x", -1, per=0.0, burst=0, max_waiting=-5)
    for told in ("n=-1", "per=0.0", "burst=0", "max_waiting=-5"):
        assert told in str(caught.value)


@pytest.mark.parametrize(
    ("limits", "field"),
    [
        (Limit.rate("global", 5), "limits"),
        (5, "limits"),
        ("tool:work", "limits"),
        ([None], "limits"),
        ([Limit.tiers("global", per_second=1)], "limits"),
        ([Limit.rate("global", 5)] * 2, "name"),
        ([Limit.rate("tool:wrok", 5)], "limits"),
        ([Limit.rate("service:crm", 5)], "limits"),
        ([Limit.rate("tool:work", 1, name=f"{n}") for n in range(17)], "limits"),
    ],
)
async def test_limits_that_an_engine_cannot_have_name_the_field(limits: Any, field: str) -> None:
    with pytest.raises(ConfigError) as caught:
        async with Engine([Log().tool()], limits=limits):
            pass
    assert caught.value.field == field


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"tenant": ""}, "tenant"),
        ({"tenant": 5}, "tenant"),
        ({"agent": "x" * 257}, "agent"),
        ({"run": b"7"}, "run"),
        ({"budget": "0.50"}, "budget"),
        ({"budget": Budget.money("tool:work", "0.50")}, "budget"),
    ],
)
async def test_a_batch_that_cannot_be_charged_names_the_field(
    options: dict[str, Any], field: str
) -> None:
    log = Log()
    async with Engine([log.tool()], limits=[Limit.rate("tenant:*", 5)]) as engine:
        with pytest.raises(ConfigError) as caught:
            await engine.run([Call("work")], **options)
    assert caught.value.field == field
    assert not log.starts


async def test_too_many_limits_for_one_batch_refuse_that_batch() -> None:
    log = Log()
    limits = [Limit.rate("tenant:acme", 1, name=f"{n}") for n in range(17)]
    async with Engine([log.tool()], limits=limits) as engine:
        with pytest.raises(ConfigError, match="17 limits") as caught:
            await engine.run([Call("work")], tenant="acme")
        (other,) = await engine.run([Call("work")], tenant="other")
    assert caught.value.field == "limits"
    assert other.ok


@pytest.mark.parametrize("wrong", ["0.50", 5, {"microusd": 5}])
async def test_a_cost_told_in_a_wrong_unit_fails_its_call_alone(wrong: Any) -> None:
    @penstock.tool
    async def work() -> None:
        penstock.observe(cost=wrong)

    async with Engine([work], limits=[Budget.money("tool:work", "0.50")]) as engine:
        (outcome,) = await engine.run([Call("work")])
    assert outcome.status == "failed"
    assert isinstance(outcome.error, ConfigError)
    assert outcome.error.field == "cost"


@pytest.fixture
def limiter() -> Limiter:
    return Limiter([Limit.rate("tool:x", 5, burst=5), Limit.concurrency("tool:x", 2)], clock=clock)


def clock() -> float:
    """Time that stands still."""
    return 1.0


def test_a_permit_ends_once_however_it_is_ended(limiter: Limiter) -> None:
    found = limiter.resolve(tool="x")
    ends: list[Callable[[Any], bool]] = [
        lambda permit: permit.settle(),
        lambda permit: permit.refund(),
        lambda permit: permit.cancel(),
    ]
    for first in ends:
        permit = limiter.try_take(found)
        assert first(permit)
        before = limiter.statistics()
        assert not any(end(permit) for end in ends)
        assert limiter.statistics() == before


@pytest.mark.parametrize("wrong", [5, "1", {"requests": 1}, None, object()])
def test_what_is_no_cost_settles_nothing(limiter: Limiter, wrong: Any) -> None:
    permit = limiter.try_take(limiter.resolve(tool="x"))
    assert permit is not None
    if wrong is not None:
        with pytest.raises((ConfigError, TypeError)):
            permit.settle(wrong)
        assert not permit.ended
    assert permit.settle()


@pytest.mark.parametrize("cost", [-1, 1.5, True, "1", None, math.nan])
async def test_a_cost_that_is_none_is_told_at_the_call(limiter: Limiter, cost: Any) -> None:
    found = limiter.resolve(tool="x")
    if cost is not None:
        with pytest.raises(ConfigError) as caught:
            limiter.try_take(found, cost)
        assert caught.value.field in {"cost", "requests"}
    with pytest.raises(LimitImpossible):
        limiter.try_take(found, 6)
    assert [row.used for row in limiter.statistics().limits] == [0, 0]


@pytest.mark.parametrize("lane", [-1, 11, 256, 1.5, "4", None])
def test_a_lane_that_is_none_is_told_at_the_call(limiter: Limiter, lane: Any) -> None:
    with pytest.raises((ConfigError, TypeError, OverflowError)) as caught:
        limiter.try_take(limiter.resolve(tool="x"), lane=lane)
    told = [str(caught.value), *getattr(caught.value, "__notes__", [])]
    assert "lane" in " ".join(told)


@pytest.mark.parametrize("deadline", [math.nan, "soon", True])
async def test_a_deadline_that_is_none_is_told_at_the_call(deadline: Any) -> None:
    limiter = Limiter([Limit.concurrency("tool:x", 1)])
    found = limiter.resolve(tool="x")
    held = limiter.try_take(found)
    async with asyncio.timeout(1.0):
        with pytest.raises(ConfigError) as caught:
            await limiter.take(found, deadline=deadline)
    assert caught.value.field == "deadline"
    assert held is not None


def test_the_set_of_another_limiter_is_told(limiter: Limiter) -> None:
    other = Limiter([Limit.rate("tool:x", 5)], clock=clock)
    with pytest.raises(ConfigError) as caught:
        limiter.try_take(other.resolve(tool="x"))
    assert caught.value.field == "set"


@pytest.mark.parametrize("scope", [5, b"x", ["x"]])
def test_a_scope_that_is_no_text_is_told(limiter: Limiter, scope: Any) -> None:
    with pytest.raises((ConfigError, TypeError)):
        limiter.resolve(tool=scope)


@pytest.mark.parametrize("seconds", [-1.0, math.nan, math.inf, "5", None, True])
def test_a_block_for_no_time_is_told(limiter: Limiter, seconds: Any) -> None:
    with pytest.raises(ConfigError) as caught:
        limiter.block("rate tool:x", seconds)
    assert caught.value.field == "seconds"


@pytest.mark.parametrize("verb", ["change", "block", "remove"])
def test_a_limit_that_is_unknown_is_told_with_the_nearest(limiter: Limiter, verb: str) -> None:
    arguments: dict[str, tuple[Any, ...]] = {"block": (1.0,)}
    with pytest.raises(ConfigError, match=r"rate tool:x") as caught:
        getattr(limiter, verb)("rate tool:y", *arguments.get(verb, ()))
    assert caught.value.field == "name"


@pytest.mark.parametrize(
    "headers",
    [
        {"retry-after": "-5"},
        {"retry-after": "nan"},
        {"retry-after": "1e400"},
        {"retry-after": "x" * 65},
        {"x-ratelimit-remaining-requests": "-7", "x-ratelimit-limit-requests": "-1"},
        {"x-ratelimit-reset-requests": "9" * 60},
        {"ratelimit": '"p";r=;t=-1'},
        {"anthropic-ratelimit-requests-reset": "yesterday"},
        {"x-ratelimit-remaining": "\N{SNOWMAN}"},
    ],
)
@pytest.mark.parametrize("status", [None, 200, 0, -1, 70_000])
def test_nothing_that_a_server_says_raises(limiter: Limiter, headers: Any, status: Any) -> None:
    found = limiter.resolve(tool="x")
    permit = limiter.try_take(found)
    limiter.observe(found, status=status, headers=headers)
    limiter.observe(found, status=status, headers=headers, permit=permit)
    penstock.observe(status, headers)
    assert limiter.available_in(found) is not None
