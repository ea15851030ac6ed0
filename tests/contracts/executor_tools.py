"""Tools that worker processes import: plain functions at the top level of a module."""

import asyncio
import contextvars
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import penstock

LOADED_IN = os.getpid()
NOT_PICKLABLE = threading.Lock()

who: contextvars.ContextVar[str] = contextvars.ContextVar("who", default="nobody")


class PickyError(Exception):
    """One that pickle can write and not read."""

    def __init__(self, *, number: int) -> None:
        """Insist on a keyword."""
        super().__init__(f"number {number}")


def echo(value: object = None) -> object:
    """Give back what came."""
    return value


def tell(steps: int) -> int:
    """Say how far it is, and what it has."""
    for step in range(steps):
        penstock.progress(step, steps)
        penstock.output(f"{step},")
        time.sleep(0.06)
    return steps


def tell_too_much() -> None:
    """Say more than may be told."""
    penstock.progress(message="x" * 65_537)


def flood() -> int:
    """Say very much in little time."""
    for step in range(20_000):
        penstock.progress(step)
        penstock.output("x")
    return 20_000


def tell_and_die() -> None:
    """Say something, then nothing ever again."""
    penstock.output("last words")
    os.kill(os.getpid(), signal.SIGKILL)


def process_id() -> int:
    """Say which process this is."""
    return os.getpid()


def group_id() -> int:
    """Say which process group this is."""
    return os.getpgid(0)


def imported_in() -> int:
    """Say which process has imported this module."""
    return LOADED_IN


def fail(text: str) -> None:
    """Raise."""
    raise LookupError(text)


def fail_with_note() -> None:
    """Raise what says more."""
    error = ValueError("noted")
    error.add_note("a note of its own")
    raise error


def fail_pickily() -> None:
    """Raise what cannot be unpickled."""
    raise PickyError(number=7)


def fail_with_lock() -> None:
    """Raise what cannot be pickled."""
    raise LookupError(NOT_PICKLABLE)


def fail_cancelled() -> None:
    """Raise what asyncio raises."""
    raise asyncio.CancelledError


def give_lock() -> object:
    """Return what cannot be pickled."""
    return NOT_PICKLABLE


def give_bytes(count: int) -> bytes:
    """Return much."""
    return bytes(count)


def block(seconds: float, flag: str = "") -> str:
    """Sleep; leave a file as soon as it begins."""
    if flag:
        Path(flag).touch()
    time.sleep(seconds)
    return "slept"


def block_and_tidy(flag: str, tidied: str) -> None:
    """Sleep for long; leave a file when asked to end."""
    try:
        block(60.0, flag)
    finally:
        Path(tidied).touch()


def block_against_terms(flag: str) -> None:
    """Do not end when asked to."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    block(60.0, flag)


def begin_a_child(flag: str) -> None:
    """Start a program that would outlive this one."""
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    Path(flag).write_text(str(child.pid))
    time.sleep(60)


def die(number: int) -> None:
    """End as a crash does."""
    os.kill(os.getpid(), number)
    time.sleep(60)


def die_once(flag: str) -> str:
    """End as a crash does, the first time."""
    if not Path(flag).exists():
        Path(flag).touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return "alive"


def leave(code: object) -> None:
    """End the process."""
    sys.exit(code)


def close_everything() -> None:
    """Close what is not one's own."""
    os.closerange(3, 100)
    time.sleep(60)


def take_memory(count: int) -> int:
    """Ask for memory."""
    return len(bytearray(count))


def burn() -> None:
    """Use the processor."""
    while True:
        pass


def is_cancelled() -> bool:
    """Say what the token says."""
    return penstock.cancelled()


def caller() -> str:
    """Say what the context says."""
    return who.get()


def speak(text: str) -> None:
    """Print."""
    print(text)
