"""A process is killed while it spills: what was written is there for the next, torn ends are cut."""

import subprocess
import sys
from pathlib import Path

import pytest

from contracts import results_child as child
from penstock.results import ResultStore

CHILD = Path(child.__file__)
# The first writes of a process: headers of files, and parcels from the first to those of a new file.
WRITES = (1, 2, 3, 5, 8, 13, 21, 34, 55)

pytestmark = pytest.mark.timeout(60)


def run_until_killed(folder: Path, keyed: str, write: int) -> dict[str, int]:
    """Return the numbers of the values that were on disk for sure, by their ids."""
    command = [sys.executable, str(CHILD), str(folder), keyed, str(write)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == -9, ended.stderr
    return told(ended.stdout)


def told(output: str) -> dict[str, int]:
    lines = (line.split() for line in output.splitlines())
    return {id: int(number) for number, id in lines}


def check(folder: Path, keyed: str, known: dict[str, int]) -> ResultStore:
    """Open what was left; all that was told is there and equal, and nothing else is wrong."""
    store = ResultStore(child.options(folder, keyed=keyed == "keyed"))
    found = set(store.ids())
    assert found >= known.keys()
    assert len(found - known.keys()) <= 64  # written, and killed before it could say so
    for id in found:
        ref = store.find(id)
        assert ref is not None
        number = child.number_of(ref.value())
        assert ref.value() == child.value_of(number)
        assert known.get(id, number) == number
    return store


@pytest.mark.parametrize("keyed", ["plain", "keyed"])
@pytest.mark.parametrize("write", WRITES)
def test_a_kill_in_the_middle_of_a_write_loses_that_write_alone(
    tmp_path: Path, write: int, keyed: str
) -> None:
    known = run_until_killed(tmp_path, keyed, write)
    store = check(tmp_path, keyed, known)
    figures = store.statistics().recovery
    assert figures.folders == 1
    assert figures.locked == 0
    assert figures.broken == 0
    assert figures.unreadable + figures.torn <= 1
    store.close()


def test_a_kill_at_any_time_loses_nothing_that_was_told(tmp_path: Path) -> None:
    for lines in (1, 20, 60):
        command = [sys.executable, str(CHILD), str(tmp_path), "plain", "0"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            first = "".join(process.stdout.readline() for _ in range(lines))
            process.kill()
            known = told((first + process.stdout.read()).rpartition("\n")[0])
        store = check(tmp_path, "plain", known)
        for id in store.ids():
            store.forget(id)
        store.close()


def test_what_was_found_can_be_found_again_by_the_next(tmp_path: Path) -> None:
    known = run_until_killed(tmp_path, "plain", 40)
    for _ in range(3):
        check(tmp_path, "plain", known).close()


def test_what_is_forgotten_is_gone_for_the_next(tmp_path: Path) -> None:
    known = run_until_killed(tmp_path, "plain", 40)
    store = check(tmp_path, "plain", known)
    for id in store.ids():
        store.forget(id)
    store.close()
    assert list(tmp_path.rglob("*.segment")) == []
    assert list(tmp_path.iterdir()) == []


def test_what_is_held_when_a_store_closes_is_written(tmp_path: Path) -> None:
    store = ResultStore(child.options(tmp_path, keyed=False))
    refs = [store.put(child.value_of(number)) for number in range(3)]
    known = {ref.id: number for number, ref in enumerate(refs)}
    store.close()
    check(tmp_path, "plain", known).close()
