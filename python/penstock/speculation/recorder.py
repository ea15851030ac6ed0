"""`Recorder`: writes the sessions of engines, a line each, to be replayed and learned from.

Ground rules:

- Notes are taken on the loops of engines (`notes.py`); a line is made and written in a thread of the
  recorder's own, which begins with the first session that ends and ends when there is nothing to write.
- A line is written whole, by one write at the end of the file; of one that the disk did not take, nothing
  stays. Only a machine that stops in the middle of a write leaves part of a line, the last.
- The file is new, and its owner's alone (mode 0600). Its key is in memory only: that is why an old file is
  never continued.
- Bound: the file stops before `max_bytes`; what comes later is counted and not written. Notes that are not
  written yet hold 64 MiB; a session that would pass that is not recorded, and counted.
- A fault with one session, a `redact` that raises too, is logged and counted, and leaves no line.
"""

import logging
import os
import secrets
import threading
import weakref
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Literal, Self, get_args

from penstock.errors import ConfigError
from penstock.speculation.notes import Notes
from penstock.speculation.shapes import Shapes
from penstock.speculation.traces import render
from penstock.speculation.veil import Redact, Veil

Values = Literal["shapes", "full"]

LEAST_BYTES = 1 << 10

MOST_NOTES = 64 << 20
"""Bytes of notes that are not written yet."""

_log = logging.getLogger("penstock.speculation")


@dataclass(frozen=True, slots=True)
class RecorderStatistics:
    """What a recorder did.

    Attributes:
        sessions: lines that were written.
        bytes: of the file.
        dropped: sessions that there was no room for, in the file or before.
        failed: sessions that could not be written: `redact` or the disk did not do.
        full: whether the file has reached `max_bytes`, and nothing more is written.
    """

    sessions: int
    bytes: int
    dropped: int
    failed: int
    full: bool


class Recorder:
    """Writes what happens in the sessions of engines into a new file, one JSON line a session.

    A line is written when its session is closed or forgotten. Calls outside of sessions are not looked at.

    Example:
        recorder = Recorder("calls.jsonl")
        engine = Engine(tools, speculation=Speculation(mode="off", recorder=recorder))
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        values: Values = "shapes",
        max_bytes: int = 64 << 20,
        redact: Redact | None = None,
    ) -> None:
        """Make the file.

        Args:
            path: where; there must be nothing yet.
            values: `shapes` disguises texts and numbers with a key that is never written: equal values
                stay equal and keep their length. `full` writes them as they are.
            max_bytes: where the file stops, from 1024.
            redact: called as `redact(tool, path, value)` with each text, number, truth value and None,
                in the recorder's thread; what it returns is written instead. `path` is such as
                `args.email`, `result[0].name`, `error`, or `text` for what the user said, where `tool` is
                empty.

        Raises:
            ConfigError: an option cannot have its value, or the file exists; the caller acts.
            OSError: the file cannot be made.
        """
        if values not in get_args(Values):
            raise ConfigError("values", values, "must be 'shapes' or 'full'")
        if type(max_bytes) is not int or max_bytes < LEAST_BYTES:
            raise ConfigError("max_bytes", max_bytes, f"must be bytes, from {LEAST_BYTES}")
        if redact is not None and not callable(redact):
            raise ConfigError(
                "redact", redact, "must be called as redact(tool, path, value), or None"
            )
        self.path = Path(path)
        self._file = _made(self.path)
        self._close = weakref.finalize(self, os.close, self._file)
        self._max_bytes = max_bytes
        shapes = Shapes(secrets.token_bytes(32)) if values == "shapes" else None
        self._veil = Veil(shapes, redact)
        # All below under the lock.
        self._lock = threading.Condition()
        self._waiting: deque[Notes] = deque()
        self._thread: threading.Thread | None = None
        self._held = self._bytes = self._sessions = self._dropped = self._failed = 0
        self._full = self._closed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def flush(self) -> None:
        """Wait until the sessions that have ended are written. Not for the loop of an engine."""
        with self._lock:
            self._lock.wait_for(lambda: self._thread is None)

    def close(self) -> None:
        """Write what has ended and close the file; sessions that go on are not recorded any more."""
        with self._lock:
            self._closed = True
        self.flush()
        self._close()

    def statistics(self) -> RecorderStatistics:
        """Return counts."""
        with self._lock:
            return RecorderStatistics(
                self._sessions, self._bytes, self._dropped, self._failed, self._full
            )

    def reserve(self, size: int) -> bool:
        """Take room for notes of so many bytes; called where sessions are heard of."""
        with self._lock:
            if self._full or self._closed or self._held + size > MOST_NOTES:
                return False
            self._held += size
            return True

    def drop(self, notes: Notes) -> None:
        """Give up the notes of a session."""
        with self._lock:
            self._held -= notes.size
            self._dropped += 1

    def take(self, notes: Notes) -> None:
        """Have the notes of a session written."""
        if not notes.steps and not notes.said:
            with self._lock:
                self._held -= notes.size
            return
        with self._lock:
            if self._closed:
                self._held -= notes.size
                self._dropped += 1
                return
            self._waiting.append(notes)
            if self._thread is None:
                # No daemon: a program that ends waits for its lines.
                self._thread = threading.Thread(target=self._run, name="penstock-recorder")
                self._thread.start()

    def _run(self) -> None:
        while True:
            with self._lock:
                if not self._waiting:
                    self._thread = None
                    self._lock.notify_all()
                    return
                notes = self._waiting.popleft()
            self._settle(notes, self._write(notes))

    def _settle(self, notes: Notes, written: int | None) -> None:
        with self._lock:
            self._held -= notes.size
            if written is None:
                self._failed += 1
            elif not written:
                self._dropped += 1
            else:
                self._sessions += 1
                self._bytes += written

    def _write(self, notes: Notes) -> int | None:
        """Write a session; return the bytes, 0 if there is no room, None if it could not be."""
        if self._full:
            return 0
        try:
            line = render(self._veil.session(notes)) + b"\n"
            if self._bytes + len(line) > self._max_bytes:
                self._full = True
                _log.warning("%s is full: nothing more is recorded", self.path.name)
                return 0
            return self._append(line)
        except Exception:  # noqa: BLE001 - `redact` may raise anything; it is logged and counted
            _log.exception("session %r is not recorded", notes.session)
            return None

    def _append(self, line: bytes) -> int:
        try:
            if os.write(self._file, line) == len(line):
                return len(line)
            raise OSError("the disk did not take the whole line")
        except OSError:
            os.ftruncate(self._file, self._bytes)
            raise


def _made(path: Path) -> int:
    """Make a new file that only its owner can read, and return its descriptor."""
    try:
        return os.open(
            path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o600
        )
    except FileExistsError:
        reason = "there is such a file already, and its key is lost: give a new name"
        raise ConfigError("path", str(path), reason) from None
