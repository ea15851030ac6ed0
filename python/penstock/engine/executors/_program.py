"""One external program, from its start to its end, on the event loop's own machinery.

Ground rules. A program leads a process group of its own. To stop it, the group gets SIGTERM, and
SIGKILL a second later. Whatever a program leaves running in its group is killed when it has ended;
what has left the group as well keeps no more of us than an open pipe, which is closed a second
later. Output beyond the bound is dropped, and stops the program. Limits are set just after the
program has started: code between fork and exec could deadlock in a process with threads.
"""

import asyncio
import codecs
import contextlib
import os
import resource
import signal
from collections.abc import Callable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Any, cast

from penstock.errors import CommandFailed, ConfigError

_SECONDS_TO_END = 1.0
_STDERR_SHOWN = 2_000
# Enough to find programs and to speak the user's language; no keys, no tokens.
_ENVIRONMENT = ("PATH", "HOME", "LANG", "LC_ALL", "LC_CTYPE", "TMPDIR", "TZ")


@dataclass(frozen=True, slots=True)
class Command:
    """A program to run: what a tool with `host="command"` returns.

    There is no shell: nothing in an argument is expanded, split or interpreted.

    Attributes:
        argv: the program and its arguments.
        cwd: the folder to run in; None for this process's own.
        env: variables beyond `PATH`, `HOME`, the language and `TMPDIR`; nothing else is passed on.
        stdin: what the program reads; None for nothing.
        output_bytes: how much it may write, stdout and stderr together; beyond it, it is stopped.
        timeout: seconds until it is stopped; None for no limit.
        memory_bytes: private memory of each of its processes; None for no limit. Linux only.
        cpu_seconds: seconds of processor of each of its processes; None for no limit. Linux only.
        check: whether an exit code other than 0, or too much output, fails the call.
        stream: whether those who watch the call get stdout as it comes, as text.

    Raises:
        ConfigError: a field cannot have its value, such as a string as `argv`; the author of the
            tool acts.
    """

    argv: Sequence[str | os.PathLike[str]]
    _: KW_ONLY
    cwd: str | os.PathLike[str] | None = None
    env: Mapping[str, str] | None = None
    stdin: bytes | None = None
    output_bytes: int = 1024 * 1024
    timeout: float | None = None
    memory_bytes: int | None = None
    cpu_seconds: int | None = None
    check: bool = True
    stream: bool = False

    def __post_init__(self) -> None:
        # At run time a string is a sequence of strings.
        given: object = self.argv
        if isinstance(given, str | bytes) or not isinstance(given, Sequence) or not given:
            raise ConfigError("argv", given, "a list: the program, then each argument by itself")
        for part in given:
            if not isinstance(part, str | os.PathLike) or "\0" in os.fspath(part):
                raise ConfigError("argv", part, "each part must be text without a NUL character")
        for field in ("output_bytes", "timeout", "memory_bytes", "cpu_seconds"):
            amount = getattr(self, field)
            if amount is not None and amount <= 0:
                raise ConfigError(field, amount, "must be above 0, or None")

    @property
    def program(self) -> str:
        """The first of `argv`."""
        return os.fspath(self.argv[0])


@dataclass(frozen=True, slots=True)
class Completed:
    """What became of a `Command`: the value of its call.

    Attributes:
        returncode: the exit code; negative for the signal that ended it.
        stdout: what it wrote.
        stderr: what it wrote to the other stream.
        truncated: whether it wrote more than `output_bytes`, and was stopped.
    """

    returncode: int
    stdout: bytes
    stderr: bytes
    truncated: bool = False

    @property
    def text(self) -> str:
        """`stdout` as text; bytes that are no UTF-8 are replaced."""
        return self.stdout.decode("utf-8", "replace")


class Program(asyncio.SubprocessProtocol):
    """A running `Command`."""

    def __init__(self, command: Command, on_output: Callable[[str], object] | None = None) -> None:
        """Make what runs a command; nothing is started before `run`.

        Args:
            command: what to run.
            on_output: called with each part of stdout as it comes.
        """
        self.stopped = False
        self._command = command
        self._on_output = on_output
        # A character may come in two parts.
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.SubprocessTransport | None = None
        self._over: asyncio.Future[None] = self._loop.create_future()
        self._timers: list[asyncio.TimerHandle] = []
        self._output = {1: bytearray(), 2: bytearray()}
        self._room = command.output_bytes
        self._truncated = self._late = False
        self._code: int | None = None

    async def run(self) -> Completed:
        """Start the program, and wait for its end.

        Raises:
            CommandFailed: it could not be started, was out of time, or failed under `check`.
        """
        command = self._command
        try:
            await self._loop.subprocess_exec(
                lambda: self,
                *[os.fspath(part) for part in command.argv],
                stdin=asyncio.subprocess.DEVNULL if command.stdin is None else -1,
                cwd=command.cwd,
                env=_environment(command),
                start_new_session=True,
            )
            await asyncio.wait([self._over])
        except asyncio.CancelledError:
            self.kill()
            if self._transport is not None:
                await asyncio.wait([self._over])
            raise
        except OSError as error:
            reason = f"cannot be started: {error.strerror or error}"
            raise CommandFailed(command.program, None, "", reason) from error
        finally:
            for timer in self._timers:
                timer.cancel()
            self._close()
        return self._result()

    def stop(self) -> None:
        """Ask the program to end; it is made to a second later. Safe to call again."""
        if not self.stopped:
            self.stopped = True
            self._end()

    def kill(self) -> None:
        """End the program at once."""
        self.stopped = True
        self._signal(signal.SIGKILL)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The program has started."""
        # uvloop's is no subclass of asyncio's.
        program = self._transport = cast(asyncio.SubprocessTransport, transport)
        self._limit(program.get_pid())
        if self._command.timeout is not None:
            self._later(self._command.timeout, self._time_out)
        stdin: Any = program.get_pipe_transport(0)
        if stdin is not None:
            stdin.write(self._command.stdin)
            stdin.close()
        if self.stopped:  # before it had started
            self._end()

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        """The program has written something."""
        kept = memoryview(data)[: self._room]
        self._output[fd] += kept
        if fd == 1:
            self._tell(bytes(kept))
        if len(data) > self._room:
            self._truncated = True
            self.stop()
        self._room = max(self._room - len(data), 0)

    def pipe_connection_lost(self, fd: int, exc: Exception | None) -> None:
        """One of its pipes is closed."""
        if fd == 1:
            self._tell(b"", final=True)

    def _tell(self, data: bytes, *, final: bool = False) -> None:
        if self._on_output is not None:
            text = self._decoder.decode(data, final)
            if text:
                self._on_output(text)

    def process_exited(self) -> None:
        """The program has ended; others may still hold its pipes."""
        self._signal_group(signal.SIGKILL)
        if self._transport is not None:
            self._code = self._transport.get_returncode()
        self._later(_SECONDS_TO_END, self._close)

    def connection_lost(self, exc: Exception | None) -> None:
        """The program has ended, and its pipes are closed."""
        if not self._over.done():
            self._over.set_result(None)

    def _close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def _time_out(self) -> None:
        self._late = True
        self.stop()

    def _end(self) -> None:
        self._signal(signal.SIGTERM)
        self._later(_SECONDS_TO_END, self._signal, signal.SIGKILL)

    def _later(self, seconds: float, act: Any, *arguments: object) -> None:
        self._timers.append(self._loop.call_later(seconds, act, *arguments))

    def _signal(self, number: signal.Signals) -> None:
        if self._code is None:
            self._signal_group(number)

    def _signal_group(self, number: signal.Signals) -> None:
        if self._transport is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._transport.get_pid(), number)

    def _limit(self, process: int) -> None:
        command = self._command
        with contextlib.suppress(ProcessLookupError):  # it has ended already
            if command.memory_bytes is not None:
                _limit(process, resource.RLIMIT_DATA, command.memory_bytes)
            if command.cpu_seconds is not None:
                _limit(process, resource.RLIMIT_CPU, command.cpu_seconds)

    def _result(self) -> Completed:
        completed = Completed(
            returncode=-signal.SIGKILL if self._code is None else self._code,
            stdout=bytes(self._output[1]),
            stderr=bytes(self._output[2]),
            truncated=self._truncated,
        )
        reason = self._fault(completed)
        if reason is None:
            return completed
        said = completed.stderr.decode("utf-8", "replace").strip()[-_STDERR_SHOWN:]
        raise CommandFailed(self._command.program, completed.returncode, said, reason)

    def _fault(self, completed: Completed) -> str | None:
        """Why the call fails; None if it does not."""
        if self._late:
            return f"did not end within {self._command.timeout:g} s and was stopped"
        if not self._command.check:
            return None
        if completed.truncated:
            return f"wrote more than {self._command.output_bytes:,} bytes and was stopped"
        if completed.returncode < 0:
            return f"was ended by {_signal_name(-completed.returncode)}"
        return f"ended with exit code {completed.returncode}" if completed.returncode else None


def _environment(command: Command) -> dict[str, str]:
    kept = {name: os.environ[name] for name in _ENVIRONMENT if name in os.environ}
    return {**kept, **(command.env or {})}


def _limit(process: int, kind: int, amount: int) -> None:
    _soft, hard = resource.prlimit(process, kind)
    if hard != resource.RLIM_INFINITY:
        amount = min(amount, hard)
    resource.prlimit(process, kind, (amount, amount))


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:  # a real-time signal has no name
        return f"signal {number}"
