"""The thread pool for tools that are plain functions.

Ground rules. Jobs go in through one queue and run in the order of their arrival; how they end is
posted to the engine by the job itself, which wakes the loop once a burst. Threads start when a job
finds none idle, and end after a minute without work. A thread cannot be stopped: when the call that
it runs was asked to end, the thread counts as *stuck*, and up to 16 more are started in the place of
stuck ones. When a stuck one comes back, one thread too many ends. They are daemons, so that a stuck
one does not keep a program from ending. Only the loop's thread puts jobs; who a thread is and what
it runs changes under the lock, except that a thread notes its own job.
"""

import os
import threading
from collections.abc import Callable
from queue import Empty, SimpleQueue

from penstock.engine.executors._protocol import AnyTool, Factory, Job, finish
from penstock.engine.statistics import ThreadCounts

_IDLE_SECONDS = 60.0
_MOST_REPLACED = 16
# The engine's gate lets so many jobs in for each worker. Only withdrawn ones can make it more.
JOBS_PER_WORKER = 4
# An idle thread ends in microseconds; on a machine that is very busy it may take longer.
_SECONDS_TO_END = 0.1


def default_workers() -> int:
    """Return how many threads a pool has when nobody says: as the standard library counts."""
    return min(32, (os.cpu_count() or 1) + 4)


class ThreadExecutor:
    """Runs jobs in threads of its own."""

    def __init__(self, workers: int | None = None) -> None:
        """Make a pool; no thread is started before the first job.

        Args:
            workers: threads at most, at least 1; None for one a processor and 4 more, up to 32.
        """
        self.workers = workers if workers is not None else default_workers()
        self._most_threads = self.workers
        self._most_queued = JOBS_PER_WORKER * self.workers
        self._jobs: SimpleQueue[Job | None] = SimpleQueue()
        self._running: dict[threading.Thread, Job | None] = {}
        self._lock = threading.Lock()

    def start(self, job: Job) -> None:
        """Queue a job. Only called on the loop's thread.

        Raises:
            RuntimeError: the system gives no thread, and the pool has none; the job is not queued.
        """
        self._jobs.put(job)
        if len(self._running) < self._most_threads:
            self._add_thread(job)
        if self._jobs.qsize() > self._most_queued:
            self._keep(lambda queued: not queued.withdrawn)

    def cancel(self, job: Job) -> None:
        """Let another thread take the place of the one that runs a job, which cannot be stopped.

        Called when all that was cancelled together with the job is out of the queue.
        """
        self._keep(lambda queued: not queued.withdrawn)
        with self._lock:
            self._count_stuck()
        if len(self._running) < self._most_threads:
            self._add_thread(None)

    def statistics(self) -> ThreadCounts:
        """Return how busy the pool is."""
        self._keep(lambda queued: not queued.withdrawn)
        jobs = [job for job in self._snapshot().values() if job is not None]
        return ThreadCounts(
            workers=self.workers,
            threads=len(self._running),
            busy=len(jobs),
            queued=self._jobs.qsize(),
            stuck=sum(job.cancelled for job in jobs),
        )

    def close(self) -> None:
        """Let the threads end, and wait for those that can: idle ones, which end at once."""
        self.forget()
        for thread, job in self._snapshot().items():
            if job is None:
                thread.join(_SECONDS_TO_END)

    async def wait_closed(self) -> None:
        """Return at once: `close` has waited as long as it may."""

    def forget(self) -> None:
        """Let the threads end when they come to it. Takes no lock: the collector may call this."""
        for _ in range(len(self._running)):
            self._jobs.put(None)

    def _snapshot(self) -> dict[threading.Thread, Job | None]:
        with self._lock:
            return dict(self._running)

    def _count_stuck(self) -> None:
        stuck = sum(job is not None and job.cancelled for job in self._running.values())
        self._most_threads = self.workers + min(stuck, _MOST_REPLACED)

    def _keep(self, wanted: Callable[[Job], bool]) -> None:
        """Take out of the queue what is not wanted; the others keep their order."""
        for _ in range(self._jobs.qsize()):
            try:
                job = self._jobs.get_nowait()
            except Empty:
                return
            if job is None or wanted(job):
                self._jobs.put(job)

    def _add_thread(self, job: Job | None) -> None:
        thread = threading.Thread(target=self._work, daemon=True)
        with self._lock:
            idle = sum(running is None for running in self._running.values())
            if idle >= self._jobs.qsize():
                return
            thread.name = f"penstock-{len(self._running)}"
            self._running[thread] = None
        try:
            thread.start()
        except RuntimeError:
            with self._lock:
                del self._running[thread]
            if self._running or job is None:
                return  # the others will come to it
            self._keep(lambda queued: queued is not job)
            raise

    def _work(self) -> None:
        me, get = threading.current_thread(), self._jobs.get
        while True:
            try:
                job = get(timeout=_IDLE_SECONDS)
            except Empty:
                if self._leaves_idle(me):
                    return
                continue
            if job is None:
                self._leave(me)
                return
            self._running[me] = job
            try:
                run_job(job)
            finally:
                self._running[me] = None
            if job.cancelled and self._leaves_surplus(me):
                return
            del job  # a waiting thread keeps nothing of its last call alive

    def _leave(self, me: threading.Thread) -> None:
        with self._lock:
            del self._running[me]

    def _leaves_idle(self, me: threading.Thread) -> bool:
        """Leave, unless a job came in the moment in which the wait was over."""
        with self._lock:
            if not self._jobs.empty():
                return False
            del self._running[me]
            return True

    def _leaves_surplus(self, me: threading.Thread) -> bool:
        """Leave if this thread was stuck and others have taken its place."""
        with self._lock:
            self._count_stuck()
            if len(self._running) <= self._most_threads:
                return False
            del self._running[me]
            return True


def run_job(job: Job) -> None:
    """Call the function of a job, and post how it ended. Here and not in Rust: see `Job`."""
    begun = job.begin()
    if begun is None:
        return
    run, values, named = begun
    try:
        value = run(*values) if named is None else run(*values, **named)
    except BaseException as error:  # noqa: BLE001 - whatever a tool raises is its call's outcome
        traceback = error.__traceback__
        finish(job, None, error.with_traceback(traceback and traceback.tb_next))
    else:
        finish(job, value)


def check(tool: AnyTool) -> None:
    """Accept every tool: its options were checked when it was made."""


EXECUTOR = Factory(
    name="thread",
    modes=("thread",),
    check=check,
    make=lambda options: ThreadExecutor(options.workers),
)
