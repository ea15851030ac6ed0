"""Drives one worker process a rival and interleaves their rounds, so that noise meets all alike."""

import asyncio
import json
import os
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from benches.rivals import _environment

OURS = "ours"
PATIENCE = 120.0
"""Seconds that a worker may take to get ready, or for one round."""
ENOUGH = 20.0
"""Seconds of rounds after which a slow rival runs no further ones."""


@dataclass(frozen=True, slots=True)
class Standing:
    """How one rival did at one size of the turn.

    Overhead is the wall time of a round less the time that its tools take when all run at once.
    `ratio` is the median over the rounds of this rival's overhead divided by ours.
    """

    rival: str
    title: str
    style: str
    version: str
    loop: str
    count: int
    milliseconds: float
    rounds: int
    wall_ms: float
    overhead_us_per_call: float
    spread: float
    ratio: float | None
    error: str = ""


class Worker:
    """A rival's process and the nanoseconds of its rounds so far."""

    def __init__(self, name: str, count: int, milliseconds: float, rounds: int) -> None:
        self.name = name
        self.nanoseconds: list[float] = []
        self.about: dict[str, str] = {"title": name, "style": "", "version": "", "loop": ""}
        self.error = ""
        self._arguments = [name, str(count), str(milliseconds), str(rounds), "--paced"]
        self._complaints = _environment.VENVS / f"{name}.log"

    async def start(self) -> None:
        """Starts the process and waits until its rival has run one round correctly."""
        command = [_environment.python(self.name), _environment.FOLDER / "worker.py"]
        with self._complaints.open("wb") as complaints:
            self._process = await asyncio.create_subprocess_exec(
                *map(str, command),
                *self._arguments,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=complaints,
                env={k: value for k, value in os.environ.items() if not k.startswith("PYTHON")},
            )
        self.about |= await self._answer()

    @property
    def tired(self) -> bool:
        return bool(self.error) or sum(self.nanoseconds) > ENOUGH * 1e9

    async def round(self) -> None:
        """Runs one more round, unless the rival has failed or has used up its time."""
        if self.tired or self._process.stdin is None:
            return
        self._process.stdin.write(b"\n")
        answer = await self._answer()
        if answer:
            self.nanoseconds.append(answer["nanoseconds"])

    async def stop(self) -> None:
        if self._process.returncode is None:
            self._process.kill()
        await self._process.wait()

    async def _answer(self) -> dict:
        reader = self._process.stdout
        assert reader is not None
        try:
            line = await asyncio.wait_for(reader.readline(), PATIENCE)
        except TimeoutError:
            self.error = f"no answer in {PATIENCE:.0f} s"
            return {}
        if line:
            return json.loads(line)
        self.error = (self._complaints.read_text().strip().splitlines() or ["it ended"])[-1]
        return {}


def compare(names: Sequence[str], count: int, milliseconds: float, rounds: int) -> list[Standing]:
    """Runs one size of the turn in every rival and returns how each did, quickest first."""
    return asyncio.run(_race(names, count, milliseconds, rounds))


async def _race(
    names: Sequence[str], count: int, milliseconds: float, rounds: int
) -> list[Standing]:
    workers = [Worker(name, count, milliseconds, rounds) for name in names]
    try:
        for worker in workers:
            await worker.start()
        for number in range(rounds):
            for worker in workers if number % 2 else reversed(workers):
                await worker.round()
    finally:
        for worker in workers:
            await worker.stop()
    ours = next((worker.nanoseconds for worker in workers if worker.name == OURS), [])
    standings = [standing(worker, ours, count, milliseconds) for worker in workers]
    return sorted(standings, key=lambda row: (bool(row.error), row.overhead_us_per_call))


def standing(worker: Worker, ours: Sequence[float], count: int, milliseconds: float) -> Standing:
    overheads = [value - milliseconds * 1e6 for value in worker.nanoseconds]
    base = [value - milliseconds * 1e6 for value in ours]
    ratios = [one / other for one, other in zip(overheads, base, strict=False) if other > 0]
    middle = statistics.median(overheads) if overheads else 0.0
    return Standing(
        rival=worker.name,
        title=worker.about["title"],
        style=worker.about["style"],
        version=worker.about["version"],
        loop=worker.about["loop"],
        count=count,
        milliseconds=milliseconds,
        rounds=len(overheads),
        wall_ms=statistics.median(worker.nanoseconds) / 1e6 if overheads else 0.0,
        overhead_us_per_call=middle / 1e3 / count,
        spread=(max(overheads) - min(overheads)) / middle if middle > 0 else 0.0,
        ratio=statistics.median(ratios) if ratios else None,
        error=worker.error,
    )


def best_async(standings: Iterable[Standing], count: int, milliseconds: float) -> Standing | None:
    """The quickest agent framework with an async door at one size: what our gate is held against."""
    rows = [
        row
        for row in standings
        if (row.count, row.milliseconds, row.style) == (count, milliseconds, "async")
        and row.rival != OURS
        and not row.error
    ]
    return min(rows, key=lambda row: row.overhead_us_per_call, default=None)
