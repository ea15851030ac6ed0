"""What a tool tells in a worker process: thinned there, and sent before its answer.

Ground rules. What comes within 5 ms of the last frame is held: of progress the last, of output all,
up to 4 KiB. A timer sends it, or the end of the call does; so a tool that says little is heard at
once, and one that floods costs the engine 200 frames a second. A full socket holds up the tool. Only
what is told while a call runs is sent, and only by the worker itself: a thread or a process that a
tool left behind says nothing about the next call. A frame that was interrupted is the last one.
"""

import contextlib
import os
import pickle
import threading
import time
from collections.abc import Callable
from typing import NamedTuple

from penstock.engine.executors._frames import pack

_HOLD_SECONDS = 0.005
_HOLD_BYTES = 4 << 10


class Told(NamedTuple):
    """What a worker says before it answers. Sent as a plain tuple, whose first item is a text.

    Attributes:
        mark: what tells it from an answer, which begins with a number.
        progress: the last, as a pickle; None if there was none.
        output: parts, each as a pickle: one that cannot be read harms no other.
    """

    mark: str
    progress: bytes | None
    output: list[bytes]


class Teller:
    """Takes what the tools of one worker tell."""

    def __init__(
        self, send: Callable[[bytes], object], now: Callable[[], float] = time.monotonic
    ) -> None:
        """Make a teller that is not open.

        Args:
            send: sends a whole frame, or waits until it can.
            now: seconds.
        """
        self._send = send
        self._now = now
        self._lock = threading.Lock()
        self._process = os.getpid()
        self._is_open = False
        self._progress: bytes | None = None
        self._output: list[bytes] = []
        self._bytes = 0
        self._next = 0.0
        self._timer: threading.Timer | None = None

    def __call__(self, what: str, told: object) -> None:
        """Take something that the running call tells.

        Raises:
            Exception: it cannot be pickled, or is above what a frame can have.
        """
        pickled = pickle.dumps(told, 5)
        with self._lock:
            if not self._is_open or os.getpid() != self._process:
                return
            if what == "progress":
                self._progress = pickled
            else:
                self._output.append(pickled)
                self._bytes += len(pickled)
            wait = self._next - self._now()
            if wait <= 0.0 or self._bytes >= _HOLD_BYTES:
                self._flush()
            elif self._timer is None:
                self._flush_in(wait)

    def open(self) -> None:
        """A call begins."""
        self._is_open = True

    def close(self) -> None:
        """It has ended: send what is held. Nothing follows."""
        with self._lock:
            if self._is_open:
                self._flush()
            self._is_open = False
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _flush_in(self, seconds: float) -> None:
        timer = threading.Timer(seconds, self._flush_late)
        timer.daemon = True
        with contextlib.suppress(
            RuntimeError
        ):  # no thread to be had: the next frame takes it along
            timer.start()
            self._timer = timer

    def _flush_late(self) -> None:
        with self._lock:
            self._timer = None
            if self._is_open:
                with contextlib.suppress(OSError):  # the engine is gone
                    self._flush()

    def _flush(self) -> None:
        progress, output = self._progress, self._output
        if progress is None and not output:
            return
        self._progress, self._output, self._bytes = None, [], 0
        frame = pack(("told", progress, output))
        self._is_open = False  # whoever is interrupted while sending has sent half a frame
        self._send(frame)
        self._is_open = True
        self._next = self._now() + _HOLD_SECONDS
