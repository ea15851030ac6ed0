"""Drives one worker process a rival, a measure at a time, so that the same minute meets all alike."""

import json
import os
import statistics
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benches.rivals import _environment
from benches.rivals.limits._measures import MEASURES

FOLDER = Path(__file__).resolve().parent
BASELINE = "plain_bucket"

Found = dict[str, float | None]


@dataclass(frozen=True, slots=True)
class Standing:
    """What was found about one rival: the medians over the rounds.

    Attributes:
        rival: the file's stem.
        title: how tables call it.
        version: the package's, or Python's.
        found: by the names that the measures give; None where the rival has no such thing.
        error: why it could not be measured.
    """

    rival: str
    title: str
    version: str
    found: Found = field(default_factory=dict)
    error: str = ""


class Worker:
    """A rival's process and what it has answered so far."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.error = ""
        self.answers: dict[str, list[float]] = {}
        # Here, for it may have to make the environment first, whose folder the log lies beside.
        command = [_environment.python(f"limits/{name}"), FOLDER / "worker.py", name]
        self._log = _environment.VENVS / f"limits_{name}.log"
        with self._log.open("wb") as complaints:
            self._process = subprocess.Popen(
                [*map(str, command)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=complaints,
                text=True,
                env={k: value for k, value in os.environ.items() if not k.startswith("PYTHON")},
            )
        self.about = self._answer()

    def measure(self, what: str) -> None:
        """Measures once more, unless the rival has failed."""
        if self.error or self._process.stdin is None:
            return
        self._process.stdin.write(f"{what}\n")
        self._process.stdin.flush()
        for name, value in self._answer().items():
            if value is not None:
                self.answers.setdefault(name, []).append(float(value))

    def stop(self) -> None:
        self._process.kill()
        self._process.communicate()

    def standing(self) -> Standing:
        found: Found = {name: statistics.median(all_) for name, all_ in self.answers.items()}
        title, version = self.about.get("title", self.name), self.about.get("version", "")
        return Standing(self.name, str(title), str(version), found, self.error)

    def _answer(self) -> dict:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if line:
            return json.loads(line)
        self.error = (self._log.read_text().strip().splitlines() or ["it ended"])[-1]
        return {}


def names() -> tuple[str, ...]:
    """Every rival: the files of this folder that have a script block."""
    block = _environment.BLOCK
    return tuple(sorted(p.stem for p in FOLDER.glob("*.py") if block.search(p.read_text())))


def compare(
    rivals: Sequence[str], rounds: int, measures: Iterable[str] = MEASURES
) -> list[Standing]:
    """Measures every rival, measure by measure, round by round; the baseline's standing is first."""
    workers = list[Worker]()
    try:
        workers += [Worker(name) for name in rivals]
        for measure in measures:
            for number in range(rounds):
                for worker in workers if number % 2 else reversed(workers):
                    worker.measure(measure)
    finally:
        for worker in workers:
            worker.stop()
    standings = [worker.standing() for worker in workers]
    return sorted(standings, key=lambda row: (row.rival != BASELINE, bool(row.error), row.title))
