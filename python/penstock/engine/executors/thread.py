"""The thread pool for tools that are plain functions.

Ground rules. Jobs go in through one queue and run in the order of their arrival; how they end is
posted to the engine by the job itself, which wakes the loop once a burst. Threads start when a job
finds none idle, and end after a minute without work. A thread cannot be stopped: when the call that
it runs was asked to end, the thread counts as *stuck*, and up to 16 more are started in the place of
stuck ones. They are daemons, so that a stuck one does not keep a program from ending.
"""

import os
import threading
import time
from queue import Empty, SimpleQueue

from penstock._native import Job
from penstock.engine.statistics import ThreadCounts

_IDLE_SECONDS = 60.0
_MOST_REPLACED = 16
# Looking for stuck threads costs a walk over them, so it is not done for every job.
_SECONDS_BETWEEN_LOOKS = 0.05


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
        self._jobs: SimpleQueue[Job | None] = SimpleQueue()
        self._running: dict[threading.Thread, Job | None] = {}
        self._lock = threading.Lock()
        self._looked = 0.0
        self._replaced = 0

    def start(self, job: Job) -> None:
        """Queue a job. Only called on the loop's thread."""
        self._jobs.put(job)
        if len(self._running) < self._most_threads():
            self._add_thread()

    def statistics(self) -> ThreadCounts:
        """Return how busy the pool is."""
        jobs = [job for job in self._snapshot() if job is not None]
        stuck = sum(job.cancelled for job in jobs)
        return ThreadCounts(
            workers=self.workers,
            threads=len(self._running),
            busy=len(jobs),
            queued=self._jobs.qsize(),
            stuck=stuck,
        )

    def close(self, seconds: float) -> int:
        """Let the threads end, and wait so long for them.

        Returns:
            How many still run what they cannot be stopped from.
        """
        threads = list(self._running)
        for _ in threads:
            self._jobs.put(None)
        until = time.monotonic() + seconds
        for thread in threads:
            thread.join(max(0.0, until - time.monotonic()))
        return sum(thread.is_alive() for thread in threads)

    def _most_threads(self) -> int:
        if len(self._running) < self.workers:
            return self.workers
        now = time.monotonic()
        if now - self._looked > _SECONDS_BETWEEN_LOOKS:
            self._looked = now
            stuck = sum(job is not None and job.cancelled for job in self._snapshot())
            self._replaced = min(stuck, _MOST_REPLACED)
        return self.workers + self._replaced

    def _snapshot(self) -> list[Job | None]:
        with self._lock:
            return list(self._running.values())

    def _add_thread(self) -> None:
        idle = sum(job is None for job in self._snapshot())
        if idle >= self._jobs.qsize():
            return
        name = f"penstock-{len(self._running)}"
        thread = threading.Thread(target=self._work, name=name, daemon=True)
        with self._lock:
            self._running[thread] = None
        thread.start()

    def _work(self) -> None:
        me, get = threading.current_thread(), self._jobs.get
        try:
            while (job := get(timeout=_IDLE_SECONDS)) is not None:
                self._running[me] = job
                job()
                self._running[me] = None
                del job  # a waiting thread keeps nothing of its last call alive
        except Empty:
            pass
        finally:
            with self._lock:
                del self._running[me]
