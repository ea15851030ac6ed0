"""The process that forks the workers of one engine: small, with one thread and every tool imported.

Ground rules. The engine sends records over a socket, with the worker's end of a new socket beside a
START; the server answers when a worker has started and when it died. Each worker leads a process
group of its own. Only the server signals workers and reaps them: as long as it has not reaped one,
its number stands for no other process. A dead worker's group is killed before it is reaped, so that
nothing which a tool has started outlives it. When the engine's end of the socket is gone, however
that came, the server kills all that is left and ends.

What it starts with comes as a pickle in a file, its standard input.
"""

import contextlib
import enum
import gc
import os
import pickle
import selectors
import signal
import socket
import struct
import sys
import traceback
from dataclasses import dataclass
from typing import Any, NoReturn

from penstock.engine.executors._references import Reference
from penstock.engine.executors._worker import Functions, Limits, Main, Worker

RECORD = struct.Struct("<Bqq")
"""A verb, the number of a worker, and what the verb needs."""

NO_FORK = 1 << 32
"""Added to an error number in DIED: the worker was never started."""


class Verb(enum.IntEnum):
    """What a record says."""

    START = 1
    """Engine to server: fork a worker for the socket that comes along."""
    SIGNAL = 2
    """Engine to server: signal a worker's group."""
    STARTED = 3
    """Server to engine: the id of a worker's process."""
    DIED = 4
    """Server to engine: a worker's exit code, negative for a signal."""


@dataclass(frozen=True, slots=True)
class Startup:
    """What a server starts with.

    Attributes:
        preparation: for `Main`.
        references: where the tools are.
        limits: of each worker.
    """

    preparation: dict[str, Any]
    references: tuple[Reference, ...]
    limits: Limits


def main(descriptor: int) -> None:
    """Serve the socket `descriptor` until the engine is gone."""
    os.setsid()  # a Ctrl-C in the terminal is the engine's business
    startup: Startup = pickle.load(sys.stdin.buffer)  # noqa: S301 - written by the engine
    with open(os.devnull) as nothing:
        os.dup2(nothing.fileno(), 0)
    program = Main(startup.preparation)
    functions = Functions(startup.references, program)
    gc.collect()
    gc.freeze()  # what is there now stays shared with the workers
    with socket.socket(fileno=descriptor) as control:
        ForkServer(control, functions, program, startup.limits).serve()


class ForkServer:
    """Forks, signals and reaps workers."""

    def __init__(
        self, control: socket.socket, functions: Functions, program: Main, limits: Limits
    ) -> None:
        """Make a server around the engine's socket."""
        self._control = control
        self._functions = functions
        self._program = program
        self._limits = limits
        self._processes: dict[int, int] = {}  # by the number of the worker
        self._woken, self._wake = os.pipe()

    def serve(self) -> None:
        """Do what the engine asks until its socket ends, then end all workers."""
        os.set_blocking(self._woken, False)
        os.set_blocking(self._wake, False)
        signal.signal(signal.SIGCHLD, lambda *_: None)  # only wakes the selector
        signal.set_wakeup_fd(self._wake, warn_on_full_buffer=False)
        with selectors.DefaultSelector() as selector:
            selector.register(self._control, selectors.EVENT_READ)
            selector.register(self._woken, selectors.EVENT_READ)
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                while self._turn({key.fd for key, _ in selector.select()}):
                    pass
        for process in self._processes.values():
            _reap(process)

    def _turn(self, ready: set[int]) -> bool:
        if self._woken in ready:
            with contextlib.suppress(BlockingIOError):
                os.read(self._woken, 65_536)
            self._report_deaths()
        return self._control.fileno() not in ready or self._obey()

    def _obey(self) -> bool:
        """Read one record; false when the engine is gone."""
        data, descriptors, _flags, _address = socket.recv_fds(self._control, RECORD.size, 1)
        if len(data) < RECORD.size:
            return False
        verb, number, what = RECORD.unpack(data)
        if verb == Verb.START:
            self._fork(number, descriptors[0])
        elif number in self._processes:
            _signal_group(self._processes[number], what)
        return True

    def _fork(self, number: int, descriptor: int) -> None:
        try:
            process = os.fork()
        except OSError as error:
            self._tell(Verb.DIED, number, NO_FORK + (error.errno or 0))
        else:
            if process == 0:
                self._become_worker(descriptor)
            with contextlib.suppress(OSError):  # the child does the same, whoever is first
                os.setpgid(process, process)
            self._processes[number] = process
            self._tell(Verb.STARTED, number, process)
        finally:
            os.close(descriptor)

    def _become_worker(self, descriptor: int) -> NoReturn:
        code = 1
        try:
            os.setpgid(0, 0)
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            self._control.close()
            os.close(self._woken)
            os.close(self._wake)
            connection = socket.socket(fileno=descriptor)
            Worker(connection, self._functions, self._program, self._limits).serve()
            code = 0
        except SystemExit as end:
            code = _exit_code(end)
        except BaseException:  # noqa: BLE001 - the last frame of a process
            traceback.print_exc()
        finally:
            with contextlib.suppress(Exception):
                sys.stdout.flush()
                sys.stderr.flush()
            os._exit(code)

    def _report_deaths(self) -> None:
        for number, process in list(self._processes.items()):
            if _has_died(process):
                del self._processes[number]
                self._tell(Verb.DIED, number, _reap(process))

    def _tell(self, verb: Verb, number: int, what: int) -> None:
        self._control.sendall(RECORD.pack(verb, number, what))


def _exit_code(end: SystemExit) -> int:
    """The exit code, as the interpreter makes it of what `sys.exit` was called with."""
    if end.code is None or isinstance(end.code, int):
        return (end.code or 0) & 0xFF
    print(end.code, file=sys.stderr)  # noqa: T201 - as the interpreter does
    return 1


def _has_died(process: int) -> bool:
    """Whether a worker waits to be reaped."""
    return os.waitid(os.P_PID, process, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def _reap(process: int) -> int:
    """Kill what is left of a worker's group, take the worker from the system's table."""
    _signal_group(process, signal.SIGKILL)
    _process, status = os.waitpid(process, 0)
    return os.waitstatus_to_exitcode(status)


def _signal_group(process: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process, number)
