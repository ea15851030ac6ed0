"""The demo from beginning to end: builds its world, plays all turns twice, keeps what happened."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Protocol

from penstock.calls import Outcome
from penstock.cli.demo import corpus, database, limits, web
from penstock.cli.demo.files import FileTools
from penstock.cli.demo.limits import BudgetReport, Ledger, RateReport
from penstock.cli.demo.play import Played, play
from penstock.cli.demo.turns import TURNS, Turn
from penstock.engine import Engine

QUICK_PACE = 0.5
"""Of all latencies; below, the shortest ones come near to what a busy machine adds."""


@dataclass(frozen=True, slots=True)
class World:
    """What the tools of the demo work on.

    Attributes:
        title: what the files are.
        files: how many.
        rows: in the SQLite file that was made of them.
    """

    title: str
    files: int
    rows: int


@dataclass(frozen=True, slots=True)
class Pair:
    """A turn, played both ways."""

    parallel: Played
    in_turn: Played

    @property
    def speed_up(self) -> float:
        """How many times faster in parallel."""
        return self.in_turn.seconds / self.parallel.seconds

    @property
    def as_expected(self) -> bool:
        """Whether both went as recorded."""
        return self.parallel.as_expected and self.in_turn.as_expected


@dataclass(frozen=True, slots=True)
class Performance:
    """All that happened.

    Attributes:
        pairs: one a turn.
        tracker: what the rate of the tracker did to the parallel run.
        budget: what the parallel run has spent.
        budget_in_turn: what the other one has.
    """

    pairs: Sequence[Pair]
    tracker: RateReport
    budget: BudgetReport
    budget_in_turn: BudgetReport


class Watcher(Protocol):
    """Is told how far the demo is."""

    def opened(self, world: World) -> None:
        """The world is there."""

    def began(self, turn: Turn, calls: int, *, in_turn: bool) -> None:
        """A turn begins."""

    def ended(self, outcome: Outcome) -> None:
        """A call of the turn has its outcome."""

    def finished(self, played: Played, *, in_turn: bool) -> None:
        """The turn is over."""


async def perform(watcher: Watcher, *, quick: bool = False) -> Performance:
    """Play all turns in parallel, and then once more, one call after the other.

    The parallel run comes first: if a cache is warmed, it is for the other one.

    Args:
        watcher: is told how far it is.
        quick: shortens every latency; timeouts stay, as a busy machine needs them.
    """
    ledger = Ledger()
    async with _engine(watcher, QUICK_PACE if quick else 1.0) as engine:
        with ledger.listening(engine):
            parallel = await _play_all(engine, watcher, in_turn=False)
            in_turn = await _play_all(engine, watcher, in_turn=True)
        rows = engine.limits.statistics().limits
    return Performance(
        [Pair(*both) for both in zip(parallel, in_turn, strict=True)],
        limits.rate_report(_outcomes(parallel)),
        ledger.budget(rows, _outcomes(parallel), in_turn=False),
        ledger.budget(rows, _outcomes(in_turn), in_turn=True),
    )


def _outcomes(played: Sequence[Played]) -> list[Outcome]:
    return [outcome for run in played for outcome in run.outcomes]


async def _play_all(engine: Engine, watcher: Watcher, *, in_turn: bool) -> Sequence[Played]:
    all_played = []
    for turn in TURNS:
        watcher.began(turn, len(turn.calls()), in_turn=in_turn)
        played = await play(engine, turn, watcher.ended, in_turn=in_turn)
        watcher.finished(played, in_turn=in_turn)
        all_played.append(played)
    return all_played


@asynccontextmanager
async def _engine(watcher: Watcher, pace: float) -> AsyncIterator[Engine]:
    found = corpus.find()
    with TemporaryDirectory(prefix="penstock-demo-") as folder:
        path = Path(folder) / "files.sqlite"
        watcher.opened(World(found.title, len(found.paths), database.build(found, path)))
        async with web.serve(found, pace) as pages:
            tools = [
                *FileTools(found).tools(),
                *database.DatabaseTools(path).tools(),
                *pages.tools(),
            ]
            async with Engine(tools, limits=limits.LIMITS) as engine:
                yield engine
