"""What every policy promises. A new file in `engine/policies/`, or an entry point, is tested at once."""

import asyncio
import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from penstock.engine import policies
from penstock.engine.policies import CallInfo, Policy, Run, Slot, compose
from penstock.engine.policies._catalogue import POLICIES, installed
from penstock.errors import BadPlugin, ConfigError
from penstock.tools import ToolOptions, settings, tool
from unit.engine.policies.fakes import FakeServices, FakeTool, info

USED: dict[str, Any] = {
    "retries": settings.Retry(wait="immediate", total=5.0),
    "hedge": settings.Hedge(after=5.0),
    "cache": settings.Cache(60.0),
    "coalesce": True,
    "breaker": settings.Breaker(),
    "shed": settings.Shed(),
}

# Settings that cannot work, as a number, a word and an object may be wrong.
BAD: list[object] = [-1, "yes", object(), float("nan"), [1]]

each_policy = pytest.mark.parametrize("policy", installed(), ids=lambda policy: policy.name)


class Wrong(ValueError):
    """An error that is about the call."""


class Inner:
    """What a layer is around: returns or raises what it was told, and keeps what it was given."""

    def __init__(self, answer: object = None, seconds: float = 0.0) -> None:
        """Make it with what it does."""
        self.answer = answer
        self.seconds = seconds
        self.given: list[tuple[CallInfo, object]] = []
        self.running = 0

    async def __call__(self, call: CallInfo, arguments: object) -> object:
        self.given.append((call, arguments))
        self.running += 1
        try:
            call.starting()
            await asyncio.sleep(self.seconds)
        finally:
            self.running -= 1
        if isinstance(self.answer, BaseException):
            raise self.answer
        return arguments if self.answer is None else self.answer


def layer(policy: Policy, inner: Inner) -> Run:
    return policy.build(FakeTool(**USED), inner, FakeServices())


@each_policy
def test_it_says_where_it_is_and_what_asks_for_it(policy: Policy) -> None:
    assert POLICIES.get(policy.name) is policy
    assert isinstance(policy.slot, Slot)
    assert policy.option is None or policy.option in ToolOptions.__annotations__
    assert policy.option or policy.applies


@each_policy
async def test_a_value_passes_unchanged(policy: Policy) -> None:
    value = {"city": ["Oslo"]}
    inner = Inner(value)
    assert await layer(policy, inner)(info(), ("Oslo",)) is value


@each_policy
async def test_arguments_and_the_call_pass(policy: Policy) -> None:
    inner, arguments, call = Inner(), ("Oslo", {"days": 3}), info(idempotency_key="k")
    await layer(policy, inner)(call, arguments)
    ((given, received),) = inner.given
    assert received is arguments
    assert given.tally is call.tally
    same = ("tool", "service", "tenant", "idempotency_key", "attempt", "hedge")
    assert [getattr(given, name) for name in same] == [getattr(call, name) for name in same]


@each_policy
async def test_an_error_passes_unchanged(policy: Policy) -> None:
    error = Wrong("city")
    with pytest.raises(Wrong) as raised:
        await layer(policy, Inner(error))(info(), ())
    assert raised.value is error
    assert not hasattr(error, "__notes__")
    assert error.__cause__ is error.__context__ is None


@each_policy
async def test_a_cancel_from_within_passes(policy: Policy) -> None:
    with pytest.raises(asyncio.CancelledError):
        await layer(policy, Inner(asyncio.CancelledError()))(info(), ())


@each_policy
async def test_a_cancel_from_outside_ends_what_is_inside_first(policy: Policy) -> None:
    inner = Inner(seconds=5.0)
    task = asyncio.create_task(layer(policy, inner)(info(), ()))
    await asyncio.sleep(0.01)
    assert inner.running == 1
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert inner.running == 0


@each_policy
async def test_many_calls_at_once_get_their_own_answers(policy: Policy) -> None:
    run = layer(policy, Inner(seconds=0.01))
    tasks = [asyncio.create_task(run(info(), (number,))) for number in range(50)]
    assert [await task for task in tasks] == [(number,) for number in range(50)]


@each_policy
async def test_after_errors_and_cancels_it_still_works(policy: Policy) -> None:
    inner = Inner(Wrong())
    run = layer(policy, inner)
    for answer in (Wrong(), asyncio.CancelledError()):
        inner.answer = answer
        with pytest.raises(type(answer)):
            await run(info(), (1,))
    inner.answer = "good"
    assert await run(info(), (1,)) == "good"


@each_policy
def test_it_adds_nothing_where_it_is_not_used(policy: Policy) -> None:
    plain, inner = FakeTool(), Inner()
    assert not policy.is_used_by(plain)
    assert compose(plain, inner, FakeServices(), [policy]) is inner


@pytest.mark.parametrize("value", BAD, ids=lambda value: type(value).__name__)
@pytest.mark.parametrize("option", USED)
def test_a_setting_that_cannot_work_is_refused_by_its_name(option: str, value: object) -> None:
    async def search() -> None:
        """Searches."""

    with pytest.raises(ConfigError) as bad:
        tool(effects="read", **{option: value})(search)  # type: ignore[call-overload]
    assert bad.value.field == option
    assert "'search'" in bad.value.reason


@pytest.mark.parametrize("option", ["retries", "hedge", "cache", "coalesce"])
def test_a_tool_that_runs_once_cannot_ask_for_more(option: str) -> None:
    async def pay() -> None:
        """Pays."""

    with pytest.raises(ConfigError, match="declare effects=") as bad:
        tool(**{option: USED[option]})(pay)  # type: ignore[call-overload]
    assert bad.value.field == option


DROPPED_IN = """
from penstock.engine.policies import Policy, Slot

def build(tool, inner, services):
    async def run(info, arguments):
        services.notify(info, "audited")
        return await inner(info, arguments)
    return run

POLICY = Policy("audit", Slot.OUTER, build, applies=lambda tool: "audited" in tool.tags)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A folder whose files are policies as long as a test runs."""
    policies.__path__.append(str(tmp_path))
    installed.cache_clear()
    yield tmp_path
    policies.__path__.remove(str(tmp_path))
    installed.cache_clear()
    for path in tmp_path.glob("*.py"):
        POLICIES._loaded.pop(path.stem, None)
        POLICIES._faults.pop(path.stem, None)
        sys.modules.pop(f"{policies.__name__}.{path.stem}", None)
    importlib.invalidate_caches()


async def test_a_file_in_the_folder_is_a_policy(folder: Path) -> None:
    (folder / "audit.py").write_text(DROPPED_IN)
    services, inner = FakeServices(), Inner("value")
    run = compose(FakeTool(tags=frozenset({"audited"}), coalesce=True), inner, services)
    assert await run(info(), ()) == "value"
    assert services.facts == ["audited"]
    assert compose(FakeTool(), inner, services) is inner


def test_a_policy_that_cannot_be_loaded_is_not_left_out_in_silence(folder: Path) -> None:
    (folder / "guard.py").write_text("POLICY = 'a guard that somebody relies on'")
    with pytest.raises(BadPlugin, match="guard"):
        compose(FakeTool(), Inner(), FakeServices())
