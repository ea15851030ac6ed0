"""Where segments lie: files without a name, or a folder that says whose it is.

Without `keep`, a file loses its name as soon as it is open, so a crash leaves nothing. With `keep`,
each store has a folder of its own with a lock that ends with its process, however that ends; a folder
whose lock is free belonged to a store that is gone, and is taken over.
"""

import contextlib
import fcntl
import os
import secrets
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

PREFIX: Final = "penstock-results-"
SUFFIX: Final = ".segment"
FORGOTTEN_AFTER: Final = 24 * 3600.0
"""Seconds after which the folder of a dead owner is removed and not taken over."""

_LOCK: Final = "lock"
_IN_MEMORY: Final = frozenset({"tmpfs", "ramfs"})


class Nameless:
    """Files that nobody else can open, and that end with their last descriptor."""

    keeps = False

    def __init__(self, folder: Path) -> None:
        """Use a folder.

        Raises:
            OSError: it is not there.
        """
        folder.stat()
        self._folder = folder

    def open(self) -> tuple[int, None]:
        """Return the descriptor of a new file.

        Raises:
            OSError: none can be made there.
        """
        if hasattr(os, "O_TMPFILE"):
            with contextlib.suppress(OSError):  # a file system that cannot
                return os.open(self._folder, os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, 0o600), None
        private = tempfile.mkdtemp(prefix=PREFIX, dir=self._folder)
        try:
            descriptor, _ = tempfile.mkstemp(suffix=SUFFIX, dir=private)
        finally:
            shutil.rmtree(private, ignore_errors=True)
        return descriptor, None

    def close(self) -> None:
        """Nothing is left to do."""


class Claimed:
    """A folder with a lock that this process holds."""

    keeps = True

    def __init__(self, path: Path, lock: int) -> None:
        """Take a folder whose lock was taken; see `claim` and `orphans`."""
        self.path = path
        self._lock: int | None = lock
        self._count = 0

    def open(self) -> tuple[int, Path]:
        """Return the descriptor and the path of a new file.

        Raises:
            OSError: none can be made there.
        """
        self._count += 1
        path = self.path / f"{self._count:06}-{secrets.token_hex(4)}{SUFFIX}"
        flags = os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC
        return os.open(path, flags, 0o600), path

    def files(self) -> list[Path]:
        """Return the segments that lie there, oldest first."""
        return sorted(self.path.glob(f"*{SUFFIX}"))

    def close(self) -> None:
        """Give the folder up; an empty one is removed."""
        if self._lock is None:
            return
        if not self.files():
            with contextlib.suppress(OSError):  # somebody else has removed it
                (self.path / _LOCK).unlink()
                self.path.rmdir()
        os.close(self._lock)
        self._lock = None

    def __del__(self) -> None:
        if self._lock is not None:  # of a store that was forgotten: the next one takes it over
            os.close(self._lock)

    def remove(self) -> None:
        """Remove the folder with all that is in it."""
        for path in self.files():
            with contextlib.suppress(OSError):  # what cannot be removed stays and is met again
                path.unlink()
        self.close()


def claim(folder: Path) -> Claimed:
    """Make a folder of this process below `folder`.

    Raises:
        OSError: it cannot be made; the operator acts.
    """
    path = Path(tempfile.mkdtemp(prefix=PREFIX, dir=folder))
    lock = _try_lock(path)
    if lock is None:
        raise BlockingIOError(f"{path} was taken by another process")
    return Claimed(path, lock)


def orphans(folder: Path) -> Iterator[Claimed]:
    """Yield the folders below `folder` whose owners are gone, locked; very old ones are removed."""
    for path in sorted(folder.glob(f"{PREFIX}*")):
        lock = _try_lock(path)
        if lock is None:
            continue
        found = Claimed(path, lock)
        if _age(path) > FORGOTTEN_AFTER:
            found.remove()
        else:
            yield found


def _try_lock(path: Path) -> int | None:
    """Return the descriptor of a folder's lock; None if it is another's, or there is no folder."""
    name = path / _LOCK
    try:
        lock = os.open(name, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    except OSError:
        return None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # Its owner may have removed it between the two lines above.
        if os.fstat(lock).st_ino == name.stat().st_ino:
            return lock
    except OSError:
        pass
    os.close(lock)
    return None


def _age(path: Path) -> float:
    """Return for how long nothing was added to a folder."""
    newest = max((entry.stat().st_mtime for entry in path.iterdir()), default=path.stat().st_mtime)
    return time.time() - newest


def is_in_memory(folder: Path, mounts: str = "/proc/self/mountinfo") -> bool:
    """Whether files in a folder take memory, as on tmpfs. Where nobody knows, they do not."""
    try:
        lines = Path(mounts).read_text(encoding="utf-8", errors="replace").splitlines()
        target = folder.resolve()
    except OSError:
        return False
    best, kind = -1, ""
    for line in lines:
        left, _, right = line.partition(" - ")
        point = Path(left.split()[4].replace("\\040", " "))
        if target.is_relative_to(point) and len(point.parts) >= best:
            best, kind = len(point.parts), right.split()[0]
    return kind in _IN_MEMORY
