"""The engine's side of the fork server: starts it, asks it for workers, hears of their deaths.

The server is started with the first worker. Its death is told by `on_end`; another one is then
started with the next worker.
"""

import asyncio
import contextlib
import os
import pickle
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable
from multiprocessing import spawn
from typing import Any

from penstock.engine.executors._fork_server import RECORD, Startup, Verb
from penstock.engine.executors._pipe import Pipe

# What `multiprocessing.spawn.prepare` needs to import the program's main module.
_OF_MAIN = ("init_main_from_name", "init_main_from_path", "orig_dir", "sys_argv")
_SECONDS_TO_END = 2.0
# The path first: it may be what makes Penstock itself importable.
_PROGRAM = """\
import sys
sys.path[:] = {path!r}
from penstock.engine.executors._fork_server import main
main({descriptor})
"""


def preparation_of_main() -> dict[str, Any]:
    """Return where the program's main module is, as `_worker.Main` takes it."""
    data = spawn.get_preparation_data("penstock")
    return {key: data[key] for key in _OF_MAIN if key in data}


class Forks:
    """One fork server at a time."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        startup: Startup,
        *,
        on_start: Callable[[int], None],
        on_death: Callable[[int, int], None],
        on_end: Callable[[str], None],
    ) -> None:
        """Start nothing yet.

        Args:
            loop: the engine's event loop.
            startup: what servers start with.
            on_start: called with the number of a worker that takes jobs now.
            on_death: called with a worker's number and exit code.
            on_end: called with how the server itself ended, in words; its workers are killed.
        """
        self.loop = loop
        self._startup = startup
        self._on_start = on_start
        self._on_death = on_death
        self._on_end = on_end
        self._pipe: Pipe | None = None
        self._server: subprocess.Popen[bytes] | None = None
        self._records = bytearray()
        self._processes: dict[int, int] = {}

    @property
    def processes(self) -> dict[int, int]:
        """The ids of the workers' processes, by their numbers."""
        return dict(self._processes)

    def start_worker(self, number: int) -> socket.socket:
        """Have a worker forked, and return our end of its socket.

        Raises:
            OSError: no process or no socket could be made.
        """
        if self._pipe is None:
            self._pipe = self._start_server()
        ours, theirs = socket.socketpair()
        with theirs:
            try:
                record = RECORD.pack(Verb.START, number, 0)
                socket.send_fds(self._pipe.socket, [record], [theirs.fileno()])
            except BaseException:
                ours.close()
                raise
        return ours

    def signal(self, number: int, what: signal.Signals) -> None:
        """Signal a worker's group, unless the worker has died."""
        if self._pipe is not None:
            self._pipe.write(RECORD.pack(Verb.SIGNAL, number, what))

    def close(self) -> None:
        """End the server, which kills its workers, and wait for it: some milliseconds."""
        if self._pipe is not None:
            self._pipe.close()
        self._reap_server()

    def abandon(self) -> None:
        """As `close`, on any thread."""
        if self._pipe is not None:
            self._pipe.abandon()
        self._reap_server()

    def _start_server(self) -> Pipe:
        ours, theirs = socket.socketpair()
        with theirs, tempfile.TemporaryFile() as startup:
            try:
                pickle.dump(self._startup, startup, 5)
                startup.seek(0)
                self._server = subprocess.Popen(  # noqa: S603 - this interpreter, our own program
                    _command(theirs.fileno()), stdin=startup, pass_fds=[theirs.fileno()]
                )
            except BaseException:
                ours.close()
                raise
        return Pipe(self.loop, ours, on_data=self._hear, on_end=self._lose_server)

    def _hear(self, data: bytes) -> None:
        self._records += data
        while len(self._records) >= RECORD.size:
            verb, number, what = RECORD.unpack_from(self._records)
            del self._records[: RECORD.size]
            if verb == Verb.STARTED:
                self._processes[number] = what
                self._on_start(number)
            else:
                self._processes.pop(number, None)
                self._on_death(number, what)

    def _lose_server(self) -> None:
        self._pipe = None
        how = self._reap_server()
        for process in self._processes.values():  # orphans now
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process, signal.SIGKILL)
        self._processes.clear()
        self._on_end(how)

    def _reap_server(self) -> str:
        server, self._server = self._server, None
        self._records.clear()
        if server is None:
            return "it was closed"
        try:
            code = server.wait(_SECONDS_TO_END)
        except subprocess.TimeoutExpired:
            server.kill()
            code = server.wait()
        return f"its fork server ended with {_described(code)}"


def _command(descriptor: int) -> list[str]:
    path = [place or os.getcwd() for place in sys.path]
    program = _PROGRAM.format(path=path, descriptor=descriptor)
    flags = subprocess._args_from_interpreter_flags()  # type: ignore[attr-defined]  # as multiprocessing does
    return [spawn.get_executable(), *flags, "-c", program]


def _described(code: int) -> str:
    return f"exit code {code}" if code >= 0 else signal.Signals(-code).name
