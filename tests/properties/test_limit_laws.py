"""The promises of limits, attacked in virtual time: every unit, slot and budget is accounted for.

Calls of two engines and permits of a program are cancelled, timed out, refused by their providers and
settled with what they really took, while limits are changed and blocked. What was refused, timed out or
cancelled before it started leaves no trace; what has ended leaves every limit at rest; no window of the
history has more than `Limit.bound` promises; nothing hangs.
"""

from typing import Any

import hypothesis.strategies as st
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from penstock import Cost
from properties.limit_world import CHANGEABLE, COSTS, TENANTS, World

SECONDS = st.sampled_from([0.0, 0.0, 0.001, 0.05, 0.3, 2.0])
TENANT = st.none() | st.sampled_from(TENANTS)
ENGINE = st.integers(0, 1)
TOOLS = (*COSTS, "priced")


def costs(*, most: int = 6) -> st.SearchStrategy[Cost]:
    """Costs that fit the limits, and some that hardly do."""
    return st.builds(
        Cost,
        requests=st.integers(0, most),
        input_tokens=st.sampled_from([0, 1, 30, 100]),
        output_tokens=st.sampled_from([0, 20, 100]),
        microusd=st.sampled_from([0, 1, 100, 900]),
    )


# What a call says it took: sometimes more than it reserved, which later ones pay for.
ACTUAL = st.none() | costs()

ROWS = st.fixed_dictionaries(
    {
        "tool": st.sampled_from(TOOLS),
        "price": costs(),
        "actual": st.none() | ACTUAL,
        "seconds": SECONDS,
        "refused": st.none() | st.none() | st.none() | st.sampled_from([0.1, 2.0]),
        "fails": st.sampled_from([False, False, False, True]),
        "timeout": st.none() | st.none() | st.sampled_from([0.01, 0.5, 3.0]),
        "priority": st.none() | st.integers(0, 7),
    }
)

OPTIONS = st.fixed_dictionaries(
    {},
    optional={
        "tenant": st.sampled_from(TENANTS),
        "timeout": st.sampled_from([0.01, 1.0, 20.0]),
        "max_parallel": st.integers(1, 3),
        "on_error": st.sampled_from(["continue", "fail_fast"]),
    },
)


class LimitLaws(RuleBasedStateMachine):
    """Anything may happen at any moment."""

    def __init__(self) -> None:
        """Make a world."""
        super().__init__()
        self.world = World()

    @rule(engine=ENGINE, rows=st.lists(ROWS, min_size=1, max_size=6), options=OPTIONS)
    def submit(self, engine: int, rows: list[dict[str, Any]], options: dict[str, Any]) -> None:
        self.world.submit(engine, rows, options)

    @rule(engine=ENGINE, row=ROWS, count=st.integers(8, 30), options=OPTIONS)
    def submit_alike(
        self, engine: int, row: dict[str, Any], count: int, options: dict[str, Any]
    ) -> None:
        self.world.submit(engine, [row] * count, options)

    @rule(engine=ENGINE, row=ROWS)
    def call(self, engine: int, row: dict[str, Any]) -> None:
        self.world.call(engine, row)

    @rule(
        tenant=TENANT,
        cost=costs(),
        deadline=st.none() | SECONDS,
        name=st.sampled_from(["plain", "other"]),
    )
    def take(self, tenant: str | None, cost: Cost, deadline: float | None, name: str) -> None:
        self.world.take(tenant, cost, deadline, name)

    @rule(tenant=TENANT, cost=costs(), name=st.sampled_from(["plain", "other"]))
    def try_take(self, tenant: str | None, cost: Cost, name: str) -> None:
        self.world.try_take(tenant, cost, name)

    @precondition(lambda self: self.world.held)
    @rule(
        data=st.data(),
        how=st.sampled_from(["settle", "refund", "cancel", "drop"]),
        actual=ACTUAL,
    )
    def end_permit(self, data: st.DataObject, how: str, actual: Cost | None) -> None:
        index = data.draw(st.integers(0, len(self.world.held) - 1))
        self.world.end_permit(index, how, actual)

    @rule(seconds=SECONDS)
    def advance(self, seconds: float) -> None:
        self.world.advance(seconds)

    @precondition(lambda self: self.world.batches)
    @rule(data=st.data(), whole=st.booleans())
    def cancel(self, data: st.DataObject, whole: bool) -> None:
        batch, _deeds = self.world.batches[data.draw(st.integers(0, len(self.world.batches) - 1))]
        if whole:
            batch.cancel()
        else:
            batch.cancel_call(data.draw(st.integers(0, len(batch) - 1)))

    @precondition(lambda self: self.world.waits)
    @rule(data=st.data())
    def cancel_wait(self, data: st.DataObject) -> None:
        self.world.waits[data.draw(st.integers(0, len(self.world.waits) - 1))].cancel()

    @rule(data=st.data(), name=st.sampled_from(sorted(CHANGEABLE)))
    def change(self, data: st.DataObject, name: str) -> None:
        self.world.change(name, data.draw(st.sampled_from(CHANGEABLE[name])))

    @rule(
        name=st.sampled_from(["rate", "window", "slots", "swift"]),
        seconds=st.sampled_from([0.0, 0.01, 1.0, 5.0]),
    )
    def block(self, name: str, seconds: float) -> None:
        self.world.block(name, seconds)

    @precondition(lambda self: len(self.world.batches) > 3)
    @rule(engine=ENGINE)
    def reopen(self, engine: int) -> None:
        self.world.reopen(engine)

    @invariant()
    def nobody_complains(self) -> None:
        assert not self.world.ledger.complaints

    @invariant()
    def no_row_is_negative(self) -> None:
        for row in self.world.limiter.statistics().limits:
            assert row.used >= 0
            assert row.waiting >= 0

    def teardown(self) -> None:
        """Let everything end."""
        self.world.finish()


TestLimitLaws = LimitLaws.TestCase
TestLimitLaws.settings = settings(stateful_step_count=25)
