"""What layers share: the call they run for, and what a policy says of itself."""

import pytest

from penstock.engine.policies import CallInfo, Policy, Slot
from penstock.errors import ConfigError
from penstock.tools import tool
from penstock.tools.settings import Retry
from unit.engine.policies.fakes import FakeTool, info


def test_attempts_are_numbered_and_share_their_tally() -> None:
    first = info(idempotency_key="k")
    second, third = first.another(), first.another(hedge=True)
    assert [call.attempt for call in (first, second, third)] == [1, 2, 3]
    assert [call.hedge for call in (first, second, third)] == [False, False, True]
    assert first.tally is third.tally
    assert third.tally.attempts == 3
    assert third.idempotency_key == "k"


def test_calls_do_not_share_a_tally() -> None:
    one, two = info(), info()
    one.mark_cached()
    assert (one.tally.cached, two.tally.cached) == (True, False)


@pytest.mark.parametrize(("given", "until"), [(None, 5.0), (3.0, 3.0), (9.0, 5.0)])
def test_a_deadline_only_comes_nearer(given: float | None, until: float) -> None:
    assert info(deadline=given).until(5.0).deadline == until


def test_hooks_are_called_in_order_and_the_first_refusal_ends_it() -> None:
    said: list[str] = []

    def refuse() -> None:
        raise LookupError("no")

    call = info().with_hook(lambda: said.append("one")).with_hook(lambda: said.append("two"))
    call.starting()
    assert said == ["one", "two"]
    with pytest.raises(LookupError):
        call.with_hook(refuse).with_hook(lambda: said.append("never")).starting()
    assert said == ["one", "two", "one", "two"]


def test_a_call_needs_no_more_than_a_tool() -> None:
    call = CallInfo("search")
    call.starting()
    assert (call.tenant, call.deadline, call.attempt, call.hooks) == (None, None, 1, ())


def build(*_: object) -> None:
    """Never called here."""


def test_an_option_that_is_set_asks_for_its_policy() -> None:
    policy = Policy("retry", Slot.RETRY, build, option="retries")  # type: ignore[arg-type]
    assert policy.is_used_by(FakeTool(retries=Retry()))
    assert not policy.is_used_by(FakeTool())


def test_a_policy_can_choose_its_tools_itself() -> None:
    policy = Policy("audit", Slot.OUTER, build, applies=lambda tool: "audited" in tool.tags)  # type: ignore[arg-type]
    assert policy.is_used_by(FakeTool(tags=frozenset({"audited"})))
    assert not policy.is_used_by(FakeTool())


def test_a_policy_without_either_is_used_by_no_tool() -> None:
    assert not Policy("none", Slot.OUTER, build).is_used_by(FakeTool())  # type: ignore[arg-type]


def test_effects_that_a_policy_does_not_allow_are_refused() -> None:
    policy = Policy("twice", Slot.INNER, build, applies=lambda _tool: True, effects=("read",))  # type: ignore[arg-type]
    assert policy.is_used_by(FakeTool(effects="read"))
    with pytest.raises(ConfigError, match="'search' uses the policy 'twice'") as bad:
        policy.is_used_by(FakeTool(effects="once"))
    assert (bad.value.field, bad.value.value) == ("effects", "once")


def test_the_slots_are_in_the_order_of_the_design() -> None:
    order = ["OUTER", "CACHE", "COALESCE", "SHED", "TIMEOUT", "RETRY", "HEDGE", "BREAKER", "INNER"]
    assert [slot.name for slot in sorted(Slot)] == order


def test_a_tool_is_what_policies_read() -> None:
    async def search() -> None:
        """Searches."""

    for name in ("name", "effects", "service", "timeout", "tags"):
        assert hasattr(tool(search), name)
