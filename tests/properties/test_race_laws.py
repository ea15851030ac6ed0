"""Races: whatever the plans do, at most one branch writes, and each call has one outcome."""

import asyncio
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from penstock import Call, Engine, Outcome, tool
from penstock.engine.race import Race
from penstock.testing import VirtualLoop

KINDS = ("read", "idempotent", "once")


class World:
    """Tools of each kind that note which branch ran them."""

    def __init__(self) -> None:
        """Begin with nothing noted."""
        self.ran: list[tuple[int, str]] = []
        self.running: set[tuple[int, str]] = set()
        self.overlapped = False

    def tools(self) -> list[Any]:
        return [self._tool(kind) for kind in KINDS]

    def _tool(self, kind: Any) -> Any:
        async def run(branch: int, seconds: float, fails: bool) -> float:
            self.ran.append((branch, kind))
            self.running.add((branch, kind))
            self._look(branch, kind)
            try:
                await asyncio.sleep(seconds)
            finally:
                self.running.discard((branch, kind))
            if fails:
                raise LookupError
            return seconds

        run.__name__ = kind
        return tool(effects=kind)(run)

    def _look(self, branch: int, kind: str) -> None:
        """A write beside another branch's calls came too soon."""
        if kind == "once" and any(other != branch for other, _ in self.running):
            self.overlapped = True


@st.composite
def plans(draw: st.DrawFn) -> list[list[dict[str, Any]]]:
    step = st.fixed_dictionaries(
        {
            "kind": st.sampled_from(KINDS),
            "seconds": st.sampled_from([0.0, 0.5, 1.0, 3.0]),
            "fails": st.booleans(),
            "after": st.sets(st.integers(0, 4), max_size=2),
        }
    )
    return draw(st.lists(st.lists(step, min_size=1, max_size=5), min_size=1, max_size=4))


OPTIONS = st.fixed_dictionaries(
    {
        "stagger": st.sampled_from([0.0, 0.5, 2.0]),
        "max_parallel": st.sampled_from([None, 1, 2]),
        "timeout": st.sampled_from([None, 0.7, 4.0]),
        "on_error": st.sampled_from(["continue", "fail_fast"]),
    }
)


def calls_of(branch: int, steps: list[dict[str, Any]]) -> list[Call]:
    return [
        Call(
            step["kind"],
            {"branch": branch, "seconds": step["seconds"], "fails": step["fails"]},
            id=f"c{at}",
            after=[f"c{parent}" for parent in sorted(step["after"]) if parent < at],
        )
        for at, step in enumerate(steps)
    ]


def accept(outcomes: list[Outcome]) -> bool:
    """Takes what half went well, and stumbles over some."""
    good = [outcome.ok for outcome in outcomes]
    return sum(good) / len(good) >= 0.5


@settings(max_examples=200)
@given(
    plans(),
    OPTIONS,
    st.sampled_from([None, accept]),
    st.one_of(st.none(), st.sampled_from([0.0, 0.2, 0.5, 1.0, 1.7, 3.0])),
)
def test_at_most_one_branch_writes(
    given_plans: list[list[dict[str, Any]]],
    options: dict[str, Any],
    accept: Any,
    cancel_after: float | None,
) -> None:
    world = World()

    async def story() -> Race | None:
        async with Engine(world.tools()) as engine:
            steps = [calls_of(branch, plan) for branch, plan in enumerate(given_plans)]
            task = asyncio.ensure_future(engine.race(steps, accept=accept, **options))
            done, _ = await asyncio.wait([task], timeout=cancel_after)
            task.cancel()
            await asyncio.wait([task])
            counts = engine.statistics()
            assert counts.pending == 0
            assert counts.ended == (sum(map(len, given_plans)) if task.done() else 0)
            return task.result() if done and not task.cancelled() else None

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        race = runner.run(story())
    writers = {branch for branch, kind in world.ran if kind == "once"}
    assert len(writers) <= 1
    assert not world.overlapped
    if race is not None:
        assert writers <= {race.winner}
        outcomes = {**race.losers, **({} if race.winner is None else {race.winner: race.outcomes})}
        assert [len(outcomes[at]) for at in range(len(given_plans))] == list(map(len, given_plans))
