"""Worker processes for tools that compute in Python: `host="process"`.

Ground rules. Everything happens on the loop's thread. A job waits here until a worker that has
started can take it; then it is begun, and sent. A worker answers in order, so the oldest job
without an answer is the one that it runs. At most one more is sent behind that, so that the worker
need not wait for the loop; only behind a tool whose last call was short, and never a job that may
not run twice.

A job that was begun and is asked to end: one that no worker has begun ends here. For one that runs,
its worker's group gets SIGTERM, and SIGKILL a second later. When a worker dies, the call that it
ran fails, or was cancelled; what lay behind it is sent again. A worker is replaced after 1,000
calls; after its third unexpected death within ten seconds the pool waits before it starts another.

A worker imports the module of each tool. The program's main module is imported only if a tool, an
argument or a value refers to it; its `if __name__ == "__main__":` part is not run. A program
without that guard keeps its process tools in another module. Context variables are not sent, and
`penstock.cancelled()` is False there. What a tool tells its watchers comes before its answer, thinned
by the worker (`_telling.py`). Arguments and values are pickles of at most 64 MiB.
"""

import asyncio
import os
import signal
from collections import deque
from collections.abc import Callable
from functools import partial
from multiprocessing import process as processes

from penstock.engine.executors._backoff import Backoff
from penstock.engine.executors._fork_server import NO_FORK, Startup
from penstock.engine.executors._forks import Forks, preparation_of_main
from penstock.engine.executors._frames import Frames, FrameTooLong
from penstock.engine.executors._pipe import Pipe
from penstock.engine.executors._protocol import (
    AnyTool,
    ExecutorOptions,
    Factory,
    Job,
    finish,
)
from penstock.engine.executors._references import refer
from penstock.engine.executors._shipping import Sent, begin, death, read, tell
from penstock.engine.executors._telling import Told
from penstock.engine.executors._worker import Answer, Limits
from penstock.engine.statistics import ProcessCounts
from penstock.errors import ConfigError, ExecutorFailed

NAME = "process"
# The engine's gate lets so many jobs in for each worker: two that were sent, two that wait here.
JOBS_PER_WORKER = 4

_CALLS_PER_WORKER = 1_000
_SECONDS_TO_END = 1.0
# Another job is sent behind one that probably takes less: what it may cost is a late start.
_SHORT_SECONDS = 0.005
_NEVER_TWICE = ("once", "compensable")
_LEAST_MEMORY = 64 * 1024 * 1024


class _Worker:
    """One process, as the pool sees it."""

    __slots__ = ("asked", "calls", "frames", "killer", "number", "pipe", "ready", "retired", "sent")

    def __init__(self, number: int) -> None:
        self.number = number
        self.pipe: Pipe  # set as soon as there is one
        self.frames = Frames()
        self.sent: deque[Sent] = deque()
        self.calls = 0
        self.ready = False
        self.retired = False
        self.asked: Sent | None = None  # the one for whose end this worker was told to end
        self.killer: asyncio.TimerHandle | None = None

    def take(self, sent: Sent) -> None:
        self.sent.append(sent)
        self.calls += 1
        self.retired = self.calls >= _CALLS_PER_WORKER

    def close(self) -> None:
        self.pipe.close()
        if self.killer is not None:
            self.killer.cancel()


class ProcessExecutor:
    """Runs jobs in processes of its own."""

    def __init__(self, options: ExecutorOptions) -> None:
        """Make a pool; no process is started before the first job.

        Args:
            options: `workers` are processes; None for one a processor.

        Raises:
            ConfigError: a limit that no worker could start with, or the program's main module is
                just being imported by a worker.
        """
        if getattr(processes.current_process(), "_inheriting", False):
            reason = (
                "a worker imports the program's main module, which makes an engine: "
                'put what starts the program below `if __name__ == "__main__":`, '
                "or the tools into another module"
            )
            raise ConfigError("host", NAME, reason)
        self.workers = options.workers or default_workers()
        self._limits = _checked_limits(options)
        self._references = tuple(refer(tool) for tool in options.tools)
        self._repeatable = {tool.name for tool in options.tools if tool.effects not in _NEVER_TWICE}
        self._short: set[str] = set()
        self._queue: deque[Job] = deque()
        self._most_queued = JOBS_PER_WORKER * self.workers
        self._again: deque[Sent] = deque()
        self._workers: dict[int, _Worker] = {}
        self._backoff = Backoff()
        self._pause: asyncio.TimerHandle | None = None
        self._opened: Forks | None = None
        self._started = self._stopped = self._died = 0
        self._closed = False

    def start(self, job: Job) -> None:
        """Take a job; it is sent as soon as a worker has room."""
        self._queue.append(job)
        if len(self._queue) > self._most_queued:  # withdrawn ones let others through the gate
            self._queue = deque(queued for queued in self._queue if not queued.withdrawn)
            self._most_queued = max(self._most_queued, 2 * len(self._queue))
        self._feed()

    def cancel(self, job: Job) -> None:
        """End a job that was begun; if it runs, its worker with it."""
        for sent in self._again:
            if sent.job is job:
                self._again.remove(sent)
                finish(job, None, asyncio.CancelledError())
                return
        for worker in self._workers.values():
            # One that lies behind another is looked at when it is its turn.
            if worker.sent and worker.sent[0].job is job:
                self._stop(worker)
                return

    def statistics(self) -> ProcessCounts:
        """Return how busy the pool is."""
        return ProcessCounts(
            workers=self.workers,
            processes=len(self._workers),
            busy=sum(bool(worker.sent) for worker in self._workers.values()),
            queued=len(self._again) + sum(not job.withdrawn for job in self._queue),
            started=self._started,
            stopped=self._stopped,
            died=self._died,
        )

    def close(self) -> None:
        """Kill the processes, which takes some milliseconds, and end what they ran."""
        self._closed = True
        if self._pause is not None:
            self._pause.cancel()
        left = [sent.job for worker in self._workers.values() for sent in worker.sent]
        left += [sent.job for sent in self._again]
        for worker in self._workers.values():
            worker.close()
        if self._opened is not None:
            self._opened.close()
        left += [job for job in self._queue if job.begin() is not None]
        for waiting in (self._workers, self._again, self._queue):
            waiting.clear()
        for job in left:
            finish(job, None, asyncio.CancelledError())

    async def wait_closed(self) -> None:
        """Return at once: `close` has waited."""

    def forget(self) -> None:
        """Have the processes killed."""
        self._closed = True
        for worker in list(self._workers.values()):
            worker.pipe.abandon()
        if self._opened is not None:
            self._opened.abandon()

    @property
    def _forks(self) -> Forks:
        """The fork server, of the loop on which it is first needed."""
        if self._opened is None:
            startup = Startup(preparation_of_main(), self._references, self._limits)
            self._opened = Forks(
                asyncio.get_running_loop(),
                startup,
                on_start=self._welcome,
                on_death=self._lose_worker,
                on_end=self._lose_server,
            )
        return self._opened

    # What is sent, and where.

    def _feed(self) -> None:
        """Send what workers have room for, with one write a worker."""
        frames: dict[_Worker, list[bytes]] = {}
        while not self._closed and (waiting := self._again or self._queue):
            worker = self._worker_for(waiting[0].tool)
            if worker is None:
                break
            sent = self._again.popleft() if self._again else begin(self._queue.popleft())
            if sent is not None:
                worker.take(sent)
                frames.setdefault(worker, []).append(sent.frame)
        for worker, batch in frames.items():
            worker.pipe.write(batch[0] if len(batch) == 1 else b"".join(batch))
        if len(self._workers) < self.workers:
            self._grow()

    def _worker_for(self, tool: str) -> _Worker | None:
        """An idle worker, or one whose job is soon done; None if all have enough."""
        soon: _Worker | None = None
        for worker in self._workers.values():
            if not worker.ready or worker.retired or worker.asked is not None:
                continue
            if not worker.sent:
                return worker
            if soon is None and len(worker.sent) == 1 and worker.sent[0].tool in self._short:
                soon = worker
        return soon if tool in self._repeatable else None

    def _grow(self) -> None:
        """Start as many workers as there are jobs, if there may be so many."""
        jobs = len(self._again) + len(self._queue)
        jobs += sum(len(worker.sent) for worker in self._workers.values())
        while len(self._workers) < min(jobs, self.workers) and not self._closed:
            if not self._start_worker():
                return

    def _start_worker(self) -> bool:
        wait = self._backoff.wait(self._forks.loop.time())
        if wait > 0.0:
            if self._pause is None:
                self._pause = self._forks.loop.call_later(wait, self._end_pause)
            return False
        try:
            connection = self._forks.start_worker(self._started)
        except OSError as error:
            self._backoff.add(self._forks.loop.time())
            self._fail_waiting(f"no process could be started: {error}")
            return False
        worker = _Worker(self._started)
        worker.pipe = Pipe(
            self._forks.loop,
            connection,
            on_data=partial(self._hear, worker),
            on_end=partial(self._kill, worker),
        )
        self._workers[worker.number] = worker
        self._started += 1
        return True

    def _welcome(self, number: int) -> None:
        self._workers[number].ready = True
        self._feed()

    def _end_pause(self) -> None:
        self._pause = None
        self._feed()

    def _fail_waiting(self, reason: str) -> None:
        """No worker can be started. If there are some, they will come to what waits."""
        if self._workers:
            return
        left = [sent.job for sent in self._again]
        left += [job for job in self._queue if job.begin() is not None]
        self._again.clear()
        self._queue.clear()
        for job in left:
            finish(job, None, ExecutorFailed(NAME, reason))

    # What comes back.

    def _hear(self, worker: _Worker, data: bytes) -> None:
        try:
            for body in worker.frames.cut(data):
                self._take(worker, body)
        except (FrameTooLong, IndexError):  # a tool wrote into a socket that is not its own
            self._kill(worker)
            return
        if worker.retired and not worker.sent:
            worker.pipe.close()  # it ends by itself
        elif worker.sent and worker.sent[0].job.cancelled:
            self._stop(worker)
        self._feed()

    def _take(self, worker: _Worker, body: bytearray) -> None:
        sent = worker.sent[0]
        said = read(sent.tool, body)
        if isinstance(said, Told):
            tell(sent.job, said)
        else:
            worker.sent.popleft()
            self._deliver(worker, sent, *said)

    def _deliver(
        self, worker: _Worker, sent: Sent, answer: Answer, error: BaseException | None
    ) -> None:
        if answer.seconds < _SHORT_SECONDS:
            self._short.add(sent.tool)
        else:
            self._short.discard(sent.tool)
        if isinstance(error, MemoryError):
            worker.retired = True  # what the tool left behind may fill it for good
        finish(sent.job, answer.value, error)

    # How workers end.

    def _stop(self, worker: _Worker) -> None:
        """Ask a worker to end for the sake of the job that it runs."""
        if worker.asked is None:
            worker.asked = worker.sent[0]
            self._stopped += 1
            self._forks.signal(worker.number, signal.SIGTERM)
            worker.killer = self._forks.loop.call_later(_SECONDS_TO_END, self._kill, worker)

    def _kill(self, worker: _Worker) -> None:
        self._forks.signal(worker.number, signal.SIGKILL)

    def _lose_worker(self, number: int, code: int) -> None:
        worker = self._workers.pop(number)
        worker.pipe.read_rest()  # what it said before
        self._abandon(worker, partial(death, code=code))
        if code >= NO_FORK:
            self._fail_waiting(f"no process could be started: {os.strerror(code - NO_FORK)}")
        self._feed()

    def _lose_server(self, how: str) -> None:
        workers, self._workers = self._workers, {}
        for worker in workers.values():
            worker.pipe.read_rest()
            self._abandon(worker, lambda _tool: ExecutorFailed(NAME, how))
        if not any(worker.ready for worker in workers.values()):
            self._fail_waiting(how)  # it never was of any use
        self._feed()

    def _abandon(self, worker: _Worker, reason: Callable[[str], Exception]) -> None:
        """End the call that a dead worker ran; send again what it had not begun."""
        worker.close()
        if worker.asked is None and (worker.sent or not worker.retired):
            self._died += 1
            self._backoff.add(self._forks.loop.time())
        unbegun = list(worker.sent)
        # One that was told to end for another's sake may have begun the next one: that may run
        # twice, else it had not been sent behind another.
        if unbegun and worker.asked in (None, unbegun[0]):
            ran = unbegun.pop(0)
            cancelled = ran.job.cancelled
            finish(ran.job, None, asyncio.CancelledError() if cancelled else reason(ran.tool))
        for sent in reversed(unbegun):
            if sent.job.cancelled:
                finish(sent.job, None, asyncio.CancelledError())
            else:
                self._again.appendleft(sent)


def default_workers() -> int:
    """Return how many processes a pool has when nobody says: one for each processor it may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _checked_limits(options: ExecutorOptions) -> Limits:
    memory, seconds = options.memory_bytes, options.cpu_seconds
    if memory is not None and memory < _LEAST_MEMORY:
        raise ConfigError("memory_bytes", memory, f"must be at least {_LEAST_MEMORY:,}, or None")
    if seconds is not None and seconds < 1:
        raise ConfigError("cpu_seconds", seconds, "must be at least 1, or None")
    return Limits(memory, seconds)


def check(tool: AnyTool) -> None:
    """Refuse a tool that no worker could run.

    Raises:
        ConfigError: its function is not found by its name, or wants a `Context`; or the system
            cannot fork.
    """
    if not hasattr(os, "fork"):
        raise ConfigError("host", NAME, f"tool {tool.name!r}: this system has no fork")
    if tool.context_parameter is not None:
        reason = f"tool {tool.name!r}: a Context stays in the process of its engine"
        raise ConfigError("host", NAME, reason)
    refer(tool)


EXECUTOR = Factory(name=NAME, modes=(NAME,), check=check, make=ProcessExecutor)
