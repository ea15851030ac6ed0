"""A worker process: runs one job after the other until its socket ends.

Ground rules. An answer is written before the next job begins, so that the engine knows which job
ran when a worker dies: the oldest one without an answer. SIGTERM raises `SystemExit` in the code of
the tool, whose `finally` blocks run; whatever it does with that, the worker takes no further job.
`SystemExit` and `KeyboardInterrupt` of a tool end the worker, not the program of the engine. The
program's main module is imported when something refers to it, and only then.
"""

import contextlib
import functools
import math
import pickle
import resource
import signal
import socket
import sys
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from multiprocessing import process, spawn
from types import FrameType
from typing import Any, NamedTuple, NoReturn

from penstock._native import tell_through
from penstock.engine.executors._frames import Frames, pack
from penstock.engine.executors._references import MAIN, Reference
from penstock.engine.executors._telling import Teller

# Larger ones are mapped and unmapped by each `recv`.
_READ_BYTES = 64 * 1024
_SIGNAL_EXIT = 128


class Failure(NamedTuple):
    """A call that gave no value, as its answer.

    Attributes:
        what: `error` if the tool raised, `import` if its function was not found; else what could
            not be sent: `arguments` or `value`.
        text: the exception in words.
        trace: its traceback, formatted.
        error: the exception as a pickle; None if it cannot be pickled.
    """

    what: str
    text: str
    trace: str
    error: bytes | None = None


class Answer(NamedTuple):
    """What a worker says about a job. Sent as a plain tuple, whose pickle costs a quarter.

    Attributes:
        seconds: how long the tool ran.
        value: what it returned; None if it failed.
        failure: why there is no value.
    """

    seconds: float
    value: object
    failure: Failure | None = None


@dataclass(frozen=True, slots=True)
class Limits:
    """What a worker may use of the machine; None for no limit."""

    memory_bytes: int | None = None
    cpu_seconds: int | None = None


class Main:
    """The program's main module, which is imported at most once."""

    def __init__(self, preparation: dict[str, Any]) -> None:
        """Keep what multiprocessing needs to find the module."""
        self._preparation = preparation
        self.imported = False

    def import_once(self) -> None:
        """Import it as `__mp_main__`, so that its `if __name__ == "__main__"` part does not run.

        Raises:
            Exception: whatever the module raises.
        """
        if self.imported:
            return
        self.imported = True
        # A main module without that guard would start workers of its own here, and those again:
        # multiprocessing and `ProcessExecutor` refuse when they see this mark.
        current: Any = process.current_process()
        current._inheriting = True
        try:
            spawn.prepare(self._preparation)
        finally:
            del current._inheriting


class Functions(Mapping[str, Callable[..., object]]):
    """The functions of the tools; one that cannot be imported harms no other."""

    def __init__(self, references: tuple[Reference, ...], main: Main) -> None:
        """Import what can be imported, in the fork server, once for all workers."""
        self._found: dict[str, Callable[..., object]] = {}
        self._faults: dict[str, Exception] = {}
        for reference in references:
            try:
                if reference.module == MAIN:
                    main.import_once()
                self._found[reference.tool] = reference.resolve()
            except Exception as error:  # noqa: BLE001 - a module of anybody's; told by each call
                self._faults[reference.tool] = error

    def __getitem__(self, name: str) -> Callable[..., object]:
        fault = self._faults.get(name)
        if fault is not None:
            raise ImportError(f"the worker cannot import the tool: {fault!r}") from fault
        return self._found[name]

    def __iter__(self) -> Any:
        return iter(self._found)

    def __len__(self) -> int:
        return len(self._found)


class Worker:
    """Serves one socket."""

    def __init__(
        self, connection: socket.socket, functions: Functions, main: Main, limits: Limits
    ) -> None:
        """Make a worker around its socket."""
        self._connection = connection
        self._functions = functions
        self._main = main
        self._limits = limits
        self._terminated = False
        self._teller = Teller(connection.sendall)

    def serve(self) -> None:
        """Answer every job, until the engine closes the socket or asks this worker to end."""
        signal.signal(signal.SIGTERM, self._terminate)
        tell_through(self._teller)
        if self._limits.memory_bytes is not None:
            _limit(resource.RLIMIT_DATA, self._limits.memory_bytes)
        frames = Frames()
        while data := self._receive():
            for body in frames.cut(data):
                if self._terminated:
                    return
                answer = self._answer(body)
                del body
                self._connection.sendall(answer)

    def _receive(self) -> bytes:
        try:
            return self._connection.recv(_READ_BYTES)
        except ConnectionResetError:
            return b""

    def _terminate(self, number: int, _frame: FrameType | None) -> NoReturn:
        self._terminated = True
        raise SystemExit(_SIGNAL_EXIT + number)

    def _answer(self, body: bytearray) -> bytes:
        step = "arguments"
        try:
            name, values, named = self._load(body)
            step = "import"
            function = self._functions[name]
        except Exception as error:  # noqa: BLE001 - told by the outcome of the call
            return pack((0.0, None, Failure(step, _text(error), _trace(error))))
        if self._limits.cpu_seconds is not None:
            _limit_cpu(self._limits.cpu_seconds)
        answer = self._run(functools.partial(function, *values, **(named or {})))
        with contextlib.suppress(OSError, ValueError):  # a tool may have closed it
            sys.stdout.flush()
        return answer

    def _load(self, body: bytearray) -> Any:
        try:
            return pickle.loads(body)  # noqa: S301 - from the engine that started this process
        except AttributeError:
            if self._main.imported:
                raise
            self._main.import_once()
            return pickle.loads(body)  # noqa: S301

    def _run(self, call: Callable[[], object]) -> bytes:
        self._teller.open()
        started = time.perf_counter()
        try:
            try:
                value = call()
            finally:
                self._teller.close()
        except (SystemExit, KeyboardInterrupt):
            raise
        except BaseException as error:  # noqa: BLE001 - whatever a tool raises is its outcome
            seconds = time.perf_counter() - started
            return _pack_failure(seconds, error.with_traceback(_own(error)))
        seconds = time.perf_counter() - started
        try:
            return pack((seconds, value))
        except Exception as error:  # noqa: BLE001 - pickling runs code of the value
            return pack((seconds, None, Failure("value", _text(error), "")))


def _pack_failure(seconds: float, error: BaseException) -> bytes:
    text, trace = _text(error), _trace(error)
    try:
        pickled = pickle.dumps(error, 5)
        return pack((seconds, None, Failure("error", text, trace, pickled)))
    except Exception:  # noqa: BLE001 - pickling runs code of the exception
        return pack((seconds, None, Failure("error", text, trace)))


def _text(error: BaseException) -> str:
    try:
        return "".join(traceback.format_exception_only(error)).strip()
    except Exception:  # noqa: BLE001 - formatting runs code of the exception
        return type(error).__name__


def _trace(error: BaseException) -> str:
    try:
        return "".join(traceback.format_exception(error)).rstrip()
    except Exception:  # noqa: BLE001 - formatting runs code of the exception
        return ""


def _own(error: BaseException) -> Any:
    return error.__traceback__ and error.__traceback__.tb_next


def _limit(kind: int, amount: int) -> None:
    _soft, hard = resource.getrlimit(kind)
    if hard != resource.RLIM_INFINITY:
        amount = min(amount, hard)
    resource.setrlimit(kind, (amount, hard))


def _limit_cpu(seconds: int) -> None:
    """The limit is one of the process: each call gets its seconds on top of what was used."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    _limit(resource.RLIMIT_CPU, math.ceil(usage.ru_utime + usage.ru_stime) + seconds)
