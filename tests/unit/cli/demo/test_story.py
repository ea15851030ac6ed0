from contextlib import asynccontextmanager

import pytest

from penstock.calls import Outcome
from penstock.cli.demo import story
from penstock.cli.demo.play import Played
from penstock.cli.demo.turns import TURNS, Turn
from penstock.engine import Engine


async def unwanted() -> None:
    """No turn asks for this."""


class Notes:
    """A watcher that remembers the order."""

    def __init__(self) -> None:
        self.notes: list[tuple[str, str, bool]] = []
        self.outcomes = 0

    def opened(self, world: story.World) -> None: ...

    def began(self, turn: Turn, calls: int, *, in_turn: bool) -> None:
        self.notes.append(("began", turn.name, in_turn))

    def ended(self, outcome: Outcome) -> None:
        self.outcomes += 1

    def finished(self, played: Played, *, in_turn: bool) -> None:
        self.notes.append(("finished", played.turn.name, in_turn))


@pytest.fixture
def no_tools(monkeypatch: pytest.MonkeyPatch) -> None:
    """Play in an engine that has none of the tools: every call is rejected, at once."""

    @asynccontextmanager
    async def engine(watcher: object, pace: float):
        async with Engine([unwanted]) as strange:
            yield strange

    monkeypatch.setattr(story, "_engine", engine)


async def test_all_turns_run_in_parallel_before_any_runs_one_by_one(no_tools) -> None:
    watcher = Notes()
    pairs = (await story.perform(watcher)).pairs
    names = [turn.name for turn in TURNS]
    expected = [
        (what, name, in_turn)
        for in_turn in (False, True)
        for name in names
        for what in ("began", "finished")
    ]
    assert watcher.notes == expected
    assert watcher.outcomes == sum(
        len(run.outcomes) for pair in pairs for run in (pair.parallel, pair.in_turn)
    )


async def test_what_differs_from_the_recording_is_seen(no_tools) -> None:
    performance = await story.perform(Notes())
    assert not any(pair.as_expected for pair in performance.pairs)
