"""Where segments lie: nothing is left without `keep`, and only what is nobody's is taken over."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from penstock.results.folder import FORGOTTEN_AFTER, Nameless, claim, is_in_memory, orphans

HOLD = """
import sys
from pathlib import Path
from penstock.results.folder import claim
claimed = claim(Path(sys.argv[1]))
descriptor, path = claimed.open()
print(path, flush=True)
sys.stdin.read()
"""


def test_a_nameless_file_is_nowhere_to_be_found(tmp_path: Path) -> None:
    descriptor, path = Nameless(tmp_path).open()
    assert path is None
    assert list(tmp_path.rglob("*")) == []
    assert os.fstat(descriptor).st_mode & 0o777 == 0o600
    os.close(descriptor)


def test_without_nameless_files_the_name_is_taken_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(os, "O_TMPFILE", raising=False)
    descriptor, _ = Nameless(tmp_path).open()
    os.write(descriptor, b"works")
    assert list(tmp_path.rglob("*")) == []
    os.close(descriptor)


def test_a_folder_that_is_gone_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        Nameless(tmp_path / "gone").open()


def test_a_claimed_folder_is_private_and_not_an_orphan(tmp_path: Path) -> None:
    claimed = claim(tmp_path)
    assert claimed.path.stat().st_mode & 0o777 == 0o700
    assert list(orphans(tmp_path)) == []
    claimed.close()
    assert list(tmp_path.iterdir()) == []


def test_files_are_listed_in_the_order_of_their_making(tmp_path: Path) -> None:
    claimed = claim(tmp_path)
    opened = [claimed.open() for _ in range(12)]
    assert claimed.files() == [path for _, path in opened]
    for descriptor, _ in opened:
        os.close(descriptor)
    claimed.remove()
    assert list(tmp_path.iterdir()) == []


def test_a_folder_with_files_stays_when_it_is_given_up(tmp_path: Path) -> None:
    claimed = claim(tmp_path)
    descriptor, path = claimed.open()
    os.close(descriptor)
    claimed.close()
    (found,) = orphans(tmp_path)
    assert found.files() == [path]
    found.remove()


@pytest.mark.real_time
def test_a_process_that_lives_keeps_its_folder_and_one_that_dies_does_not(tmp_path: Path) -> None:
    command = [sys.executable, "-c", HOLD, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        path = Path(process.stdout.readline().decode().strip())
        assert list(orphans(tmp_path)) == []
        process.kill()
        process.wait()
        (found,) = orphans(tmp_path)
    assert found.files() == [path]
    found.remove()


def test_what_nobody_has_touched_for_a_day_is_removed(tmp_path: Path) -> None:
    claimed = claim(tmp_path)
    descriptor, path = claimed.open()
    os.close(descriptor)
    claimed.close()
    long_ago = time.time() - FORGOTTEN_AFTER - 60
    for old in claimed.path.iterdir():
        os.utime(old, (long_ago, long_ago))
    assert list(orphans(tmp_path)) == []
    assert not path.exists()


@pytest.mark.parametrize(
    ("folder", "expected"),
    [("/", False), ("/mnt/memory/x", True), ("/mnt/memoryless", False), ("/mnt/my disk/a", True)],
)
def test_memory_is_told_from_disks_by_the_mounts(
    tmp_path: Path, folder: str, expected: bool
) -> None:
    mounts = tmp_path / "mounts"
    mounts.write_text(
        "1 0 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n"
        "2 1 0:2 / /mnt/memory rw - tmpfs tmpfs rw\n"
        "3 1 0:3 / /mnt/my\\040disk rw - tmpfs tmpfs rw\n"
    )
    assert is_in_memory(Path(folder), str(mounts)) is expected


def test_where_nobody_knows_a_folder_is_a_disk(tmp_path: Path) -> None:
    assert not is_in_memory(tmp_path, str(tmp_path / "no mounts"))
