"""External programs: `host="command"`, for tools whose function returns a `Command`.

Ground rules. Everything happens on the loop's thread. The function runs there, at once: it says
what to run and must not block. The program runs in a task of this executor, which the call does not
share: a call that is asked to end stops its program, and ends when the program has. Beyond
`workers` programs, jobs wait in the order of their arrival.
"""

import asyncio
import os
import sys
from collections import deque

from penstock.engine.executors._program import Command, Completed, Program
from penstock.engine.executors._protocol import AnyTool, ExecutorOptions, Factory, Job, finish
from penstock.engine.statistics import CommandCounts
from penstock.errors import ConfigError

__all__ = ["EXECUTOR", "Command", "CommandExecutor", "Completed"]

NAME = "command"


def default_workers() -> int:
    """Return how many programs run at once when nobody says: as threads are counted."""
    return min(32, (os.cpu_count() or 1) + 4)


class CommandExecutor:
    """Runs jobs as programs."""

    def __init__(self, options: ExecutorOptions) -> None:
        """Make an executor that runs nothing yet.

        Args:
            options: `workers` are programs at once; None for one a processor and 4 more, up to 32.
        """
        self.workers = options.workers or default_workers()
        self._queue: deque[Job] = deque()
        self._programs: dict[Job, Program] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._started = self._stopped = 0
        self._closed = False

    def start(self, job: Job) -> None:
        """Take a job; its program is started as soon as fewer than `workers` run."""
        self._queue.append(job)
        if len(self._queue) > self.workers:  # withdrawn ones let others through the gate
            self._queue = deque(queued for queued in self._queue if not queued.withdrawn)
        self._feed()

    def cancel(self, job: Job) -> None:
        """Stop the program of a job."""
        program = self._programs.get(job)
        if program is not None:
            program.stop()

    def statistics(self) -> CommandCounts:
        """Return how many programs run."""
        return CommandCounts(
            workers=self.workers,
            busy=len(self._programs),
            queued=sum(not job.withdrawn for job in self._queue),
            started=self._started,
            stopped=self._stopped,
        )

    def close(self) -> None:
        """Kill what runs; `wait_closed` waits until it is gone."""
        self._closed = True
        for program in self._programs.values():
            program.kill()
        while self._queue:
            job = self._queue.popleft()
            if job.begin() is not None:
                finish(job, None, asyncio.CancelledError())

    async def wait_closed(self) -> None:
        """Wait for the end of what `close` has killed."""
        if self._tasks:
            await asyncio.wait(self._tasks)

    def forget(self) -> None:
        """Kill what runs."""
        self._closed = True
        for program in list(self._programs.values()):
            program.kill()

    def _feed(self) -> None:
        while self._queue and len(self._programs) < self.workers and not self._closed:
            job = self._queue.popleft()
            command = _ask(job)
            if command is None:
                continue
            program = self._programs[job] = Program(command, job.output if command.stream else None)
            self._started += 1
            task = asyncio.get_running_loop().create_task(self._run(job, program))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _run(self, job: Job, program: Program) -> None:
        value: Completed | None = None
        error: BaseException | None = None
        try:
            value = await program.run()
        except Exception as failure:  # noqa: BLE001 - the outcome of the call
            error = failure
        except asyncio.CancelledError as cancelled:  # somebody cancels all tasks of the loop
            error = cancelled
        if job.cancelled and program.stopped:
            error = asyncio.CancelledError()
        del self._programs[job]
        self._stopped += program.stopped
        finish(job, value, error)
        self._feed()


def _ask(job: Job) -> Command | None:
    """Call the function of a job; None if it was withdrawn, or named no program and has ended."""
    begun = job.begin()
    if begun is None:
        return None
    run, values, named = begun
    try:
        command = run(*values, **(named or {}))
        if not isinstance(command, Command):
            kind = type(command).__name__
            raise TypeError(f"{job.tool!r} has host='command' and returned a {kind}, no Command")
    except BaseException as error:  # noqa: BLE001 - whatever a tool raises is its call's outcome
        traceback = error.__traceback__
        finish(job, None, error.with_traceback(traceback and traceback.tb_next))
        return None
    return command


def check(tool: AnyTool) -> None:
    """Refuse a tool on a system without process groups.

    Raises:
        ConfigError: this is Windows.
    """
    if sys.platform == "win32":
        raise ConfigError("host", NAME, f"tool {tool.name!r}: this system has no process groups")


EXECUTOR = Factory(name=NAME, modes=(NAME,), check=check, make=CommandExecutor)
