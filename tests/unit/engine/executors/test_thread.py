"""The thread pool, with jobs made by hand."""

import threading
from collections.abc import Callable, Iterator

import pytest

from penstock.engine.executors import thread as module
from penstock.engine.executors.thread import ThreadExecutor, default_workers

SECONDS = 5.0


class FakeJob:
    """What the pool knows of a native job: what to call, how it ended, whether it was cancelled."""

    def __init__(self, body: Callable[[], object] = lambda: None) -> None:
        """Make a job around a function."""
        self.body = body
        self.cancelled = False
        self.withdrawn = False
        self.ends: list[tuple[object, BaseException | None]] = []
        self.started = threading.Event()
        self.done = threading.Event()

    def begin(self) -> tuple[Callable[..., object], tuple[object, ...], None] | None:
        """Say what to call, unless the job was withdrawn."""
        self.started.set()
        if self.withdrawn:
            self.done.set()
            return None
        return self.body, (), None

    def end(self, value: object, error: BaseException | None = None) -> None:
        """Take note of how it ended; nobody needs to be woken."""
        self.ends.append((value, error))
        self.done.set()


class Blocking(FakeJob):
    """A job that ends when it is released."""

    def __init__(self) -> None:
        """Make a job that blocks."""
        self.release = threading.Event()
        super().__init__(lambda: self.release.wait(SECONDS))


@pytest.fixture
def pool() -> Iterator[ThreadExecutor]:
    pool = ThreadExecutor(2)
    yield pool
    pool.close()


def start(pool: ThreadExecutor, *jobs: FakeJob) -> None:
    for job in jobs:
        pool.start(job)  # type: ignore[arg-type]


def cancel(pool: ThreadExecutor, job: FakeJob) -> None:
    job.cancelled = True
    pool.cancel(job)  # type: ignore[arg-type]


def begin(pool: ThreadExecutor, *jobs: FakeJob) -> None:
    start(pool, *jobs)
    for job in jobs:
        assert job.started.wait(SECONDS)


def settle(condition: Callable[[], bool]) -> None:
    """Wait for what a thread does after the last thing that a test can see."""
    tick = threading.Event()
    for _ in range(1_000):
        if condition():
            return
        tick.wait(0.005)
    raise AssertionError("it did not happen")


def test_a_job_is_told_how_it_ended(pool: ThreadExecutor) -> None:
    error = LookupError("as asked")

    def fail() -> None:
        raise error

    jobs = [FakeJob(lambda: 7), FakeJob(fail)]
    begin(pool, *jobs)
    assert all(job.done.wait(SECONDS) for job in jobs)
    assert [job.ends for job in jobs] == [[(7, None)], [(None, error)]]


def test_a_withdrawn_job_never_runs(pool: ThreadExecutor) -> None:
    job = FakeJob()
    job.withdrawn = True
    start(pool, job)
    assert job.done.wait(SECONDS)
    assert job.ends == []


def test_no_thread_is_started_before_the_first_job(pool: ThreadExecutor) -> None:
    assert pool.statistics().threads == 0


def test_an_idle_thread_is_used_again(pool: ThreadExecutor) -> None:
    for _ in range(10):
        job = FakeJob()
        begin(pool, job)
        assert job.done.wait(SECONDS)
        settle(lambda: pool.statistics().busy == 0)
    assert pool.statistics().threads == 1


def test_there_are_no_more_threads_than_workers(pool: ThreadExecutor) -> None:
    jobs = [Blocking() for _ in range(5)]
    start(pool, *jobs)
    assert all(job.started.wait(SECONDS) for job in jobs[:2])
    counts = pool.statistics()
    assert (counts.threads, counts.busy, counts.queued, counts.stuck) == (2, 2, 3, 0)
    for job in jobs:
        job.release.set()
    assert all(job.done.wait(SECONDS) for job in jobs)


def test_a_stuck_thread_is_replaced_for_jobs_that_were_queued_before(pool: ThreadExecutor) -> None:
    stuck = [Blocking(), Blocking()]
    begin(pool, *stuck)
    waiting = FakeJob()
    start(pool, waiting)
    cancel(pool, stuck[0])
    assert waiting.done.wait(SECONDS)
    assert pool.statistics().stuck == 1
    for job in stuck:
        job.release.set()


def test_a_stuck_thread_that_comes_back_is_one_too_many(pool: ThreadExecutor) -> None:
    stuck = [Blocking(), Blocking()]
    begin(pool, *stuck)
    cancel(pool, stuck[0])
    replacement = Blocking()
    begin(pool, replacement)
    assert pool.statistics().threads == 3
    stuck[0].release.set()
    settle(lambda: pool.statistics().threads == 2)
    stuck[1].release.set()
    replacement.release.set()


def test_only_so_many_stuck_threads_are_replaced(pool: ThreadExecutor) -> None:
    jobs = []
    for _ in range(2 + module._MOST_REPLACED):
        jobs.append(Blocking())
        begin(pool, jobs[-1])
        cancel(pool, jobs[-1])
    last = FakeJob()
    start(pool, last)
    counts = pool.statistics()
    assert (counts.threads, counts.queued) == (2 + module._MOST_REPLACED, 1)
    jobs[0].release.set()
    assert last.done.wait(SECONDS)
    for job in jobs:
        job.release.set()


def test_withdrawn_jobs_do_not_fill_the_queue(pool: ThreadExecutor) -> None:
    stuck = [Blocking(), Blocking()]
    begin(pool, *stuck)
    for _ in range(100):
        job = FakeJob()
        start(pool, job)
        job.withdrawn = True
    assert pool._jobs.qsize() <= 2 * module.JOBS_PER_WORKER + 1
    kept = FakeJob()
    start(pool, kept)
    assert pool.statistics().queued == 1
    for blocking in stuck:
        blocking.release.set()
    assert kept.done.wait(SECONDS)


def test_threads_end_when_they_are_idle_for_long(
    pool: ThreadExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_IDLE_SECONDS", 0.01)
    begin(pool, FakeJob())
    settle(lambda: pool.statistics().threads == 0)
    again = FakeJob()
    begin(pool, again)
    assert again.done.wait(SECONDS)


def test_no_job_is_lost_to_a_thread_that_ends(
    pool: ThreadExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The wait of an idle thread is over just as a job comes."""
    monkeypatch.setattr(module, "_IDLE_SECONDS", 0.0001)
    for _ in range(2_000):
        job = FakeJob()
        start(pool, job)
        assert job.done.wait(SECONDS)


def test_closing_lets_idle_threads_end(pool: ThreadExecutor) -> None:
    begin(pool, *(FakeJob() for _ in range(4)))
    settle(lambda: pool.statistics().busy == 0)
    pool.close()
    settle(lambda: not pool._running)


def test_closing_does_not_wait_for_what_blocks(pool: ThreadExecutor) -> None:
    job = Blocking()
    begin(pool, job)
    pool.close()
    assert not job.done.is_set()
    job.release.set()
    settle(lambda: not pool._running)


def test_a_system_without_threads_fails_the_job_and_forgets_it(
    pool: ThreadExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", refuse)
        job = FakeJob()
        with pytest.raises(RuntimeError, match="thread"):
            start(pool, job)
    after = FakeJob()
    begin(pool, after)
    assert after.done.wait(SECONDS)
    assert not job.started.is_set()


def test_workers_have_a_default_and_a_bound() -> None:
    assert ThreadExecutor().workers == default_workers()
    assert 5 <= default_workers() <= 32
