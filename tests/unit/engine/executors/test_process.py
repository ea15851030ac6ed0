"""The process pool, with jobs made by hand."""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from contracts import executor_tools as tools
from contracts.executor_jobs import FakeJob, cancel
from penstock import Context
from penstock.engine.executors import ExecutorOptions, process
from penstock.engine.executors.process import EXECUTOR, ProcessExecutor, default_workers
from penstock.errors import ConfigError, ExecutorFailed, TransferFailed, WorkerDied
from penstock.tools import tool

pytestmark = pytest.mark.real_time
SECONDS = 10.0

ALL = {
    name: tool(function, effects="read", name=name)
    for name, function in vars(tools).items()
    if callable(function) and getattr(function, "__module__", "") == tools.__name__
    if not isinstance(function, type)
}


def make(workers: int = 1, **options: Any) -> ProcessExecutor:
    return ProcessExecutor(ExecutorOptions(tools=tuple(ALL.values()), workers=workers, **options))


@pytest.fixture
async def pool() -> AsyncIterator[ProcessExecutor]:
    before = set(psutil.Process().children(recursive=True))
    pool = make()
    yield pool
    pool.close()
    left = set(psutil.Process().children(recursive=True)) - before
    assert not left, f"processes were left: {left}"


def begin(pool: ProcessExecutor, name: str, *values: object, **named: object) -> FakeJob:
    job = FakeJob(ALL[name], *values, **named)
    pool.start(job)
    return job


async def call(pool: ProcessExecutor, name: str, *values: object) -> object:
    return await begin(pool, name, *values).outcome()


async def settle(condition: Callable[[], bool]) -> None:
    until = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < until
        await asyncio.sleep(0.005)


async def test_the_value_comes_back(pool: ProcessExecutor) -> None:
    assert await call(pool, "echo", {"a": [1, 2.5, None]}) == {"a": [1, 2.5, None]}
    named = begin(pool, "echo", value=(1, 2))
    assert await named.outcome() == (1, 2)


async def test_it_runs_in_another_process(pool: ProcessExecutor) -> None:
    worker = await call(pool, "process_id")
    assert worker != os.getpid()
    assert await call(pool, "process_id") == worker
    assert await call(pool, "group_id") == worker
    assert await call(pool, "imported_in") not in (worker, os.getpid())


async def test_nothing_is_started_before_the_first_job(pool: ProcessExecutor) -> None:
    assert pool.statistics().processes == 0
    await call(pool, "echo")
    assert (pool.statistics().processes, pool.statistics().started) == (1, 1)


async def test_the_exception_comes_back_with_its_traceback(pool: ProcessExecutor) -> None:
    error = await begin(pool, "fail", "as asked").error()
    assert repr(error) == "LookupError('as asked')"
    (note,) = error.__notes__
    assert "In the worker process:" in note
    assert "executor_tools.py" in note
    assert "_worker.py" not in note


async def test_notes_of_an_exception_stay(pool: ProcessExecutor) -> None:
    error = await begin(pool, "fail_with_note").error()
    assert error.__notes__[0] == "a note of its own"


@pytest.mark.parametrize("name", ["fail_pickily", "fail_with_lock"])
async def test_an_exception_that_cannot_travel_is_told_in_words(
    pool: ProcessExecutor, name: str
) -> None:
    error = await begin(pool, name).error()
    assert isinstance(error, TransferFailed)
    assert error.what == "error"
    assert "number 7" in error.reason or "LookupError" in error.reason


async def test_a_value_that_cannot_travel_is_told(pool: ProcessExecutor) -> None:
    error = await begin(pool, "give_lock").error()
    assert isinstance(error, TransferFailed)
    assert (error.tool, error.what) == ("give_lock", "value")


async def test_arguments_that_cannot_travel_are_told(pool: ProcessExecutor) -> None:
    error = await begin(pool, "echo", tools.NOT_PICKLABLE).error()
    assert isinstance(error, TransferFailed)
    assert (error.tool, error.what) == ("echo", "arguments")
    assert await call(pool, "echo", 1) == 1


async def test_large_values_travel(pool: ProcessExecutor) -> None:
    large = os.urandom(5_000_000)
    assert await call(pool, "echo", large) == large


async def test_too_large_a_value_fails_its_call(pool: ProcessExecutor) -> None:
    error = await begin(pool, "give_bytes", 64 * 1024 * 1024).error()
    assert isinstance(error, TransferFailed)
    assert "at most 67,108,864" in str(error)
    error = await begin(pool, "echo", bytes(64 * 1024 * 1024)).error()
    assert isinstance(error, TransferFailed)
    assert error.what == "arguments"
    assert await call(pool, "echo", 1) == 1


async def test_jobs_run_beside_each_other(tmp_path: Path) -> None:
    pool = make(workers=2)
    jobs = [begin(pool, "block", 0.2, str(tmp_path / str(n))) for n in range(2)]
    await settle(lambda: all((tmp_path / str(n)).exists() for n in range(2)))
    assert pool.statistics().busy == 2
    for job in jobs:
        await job.outcome()
    pool.close()


async def test_a_job_waits_for_a_worker(pool: ProcessExecutor, tmp_path: Path) -> None:
    first = begin(pool, "block", 0.1, str(tmp_path / "begun"))
    await settle((tmp_path / "begun").exists)
    second = begin(pool, "echo", 2)
    assert (pool.statistics().busy, pool.statistics().queued) == (1, 1)
    assert not second.begun
    assert await second.outcome() == 2
    assert await first.outcome() == "slept"


async def test_behind_a_short_job_another_one_is_sent(
    pool: ProcessExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "_SHORT_SECONDS", 60.0)
    await call(pool, "echo")
    jobs = [begin(pool, "echo", n) for n in range(4)]
    assert [job.begun for job in jobs] == [True, True, False, False]
    assert [await job.outcome() for job in jobs] == [0, 1, 2, 3]


async def test_a_job_that_may_not_run_twice_goes_to_an_idle_worker() -> None:
    once = tool(tools.echo, effects="once", name="once")
    pool = ProcessExecutor(ExecutorOptions(tools=(once, ALL["echo"]), workers=1))
    for known in (once, ALL["echo"]):
        job = FakeJob(known)
        pool.start(job)
        await job.outcome()
    first, second = FakeJob(ALL["echo"], 1), FakeJob(once, 2)
    pool.start(first)
    pool.start(second)
    assert (first.begun, second.begun) == (True, False)
    assert await second.outcome() == 2
    pool.close()


async def test_a_withdrawn_job_never_runs(pool: ProcessExecutor, tmp_path: Path) -> None:
    first = begin(pool, "block", 0.1, str(tmp_path / "first"))
    await settle((tmp_path / "first").exists)
    second = begin(pool, "block", 0.0, str(tmp_path / "second"))
    cancel(pool, second)
    assert pool.statistics().queued == 0
    await first.outcome()
    await call(pool, "echo")
    assert second.ends == []
    assert not (tmp_path / "second").exists()


async def test_withdrawn_jobs_do_not_fill_the_queue(pool: ProcessExecutor) -> None:
    begin(pool, "block", 60.0)
    for _ in range(100):
        cancel(pool, begin(pool, "echo"))
    assert len(pool._queue) <= process.JOBS_PER_WORKER


async def test_a_running_job_is_ended_with_its_worker(
    pool: ProcessExecutor, tmp_path: Path
) -> None:
    begun, tidied = tmp_path / "begun", tmp_path / "tidied"
    job = begin(pool, "block_and_tidy", str(begun), str(tidied))
    await settle(begun.exists)
    cancel(pool, job)
    assert isinstance(await job.error(), asyncio.CancelledError)
    assert tidied.exists()
    assert pool.statistics().stopped == 1
    assert pool.statistics().died == 0
    assert await call(pool, "echo", 1) == 1


async def test_what_does_not_end_when_asked_is_killed(
    pool: ProcessExecutor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "_SECONDS_TO_END", 0.05)
    job = begin(pool, "block_against_terms", str(tmp_path / "begun"))
    await settle((tmp_path / "begun").exists)
    cancel(pool, job)
    assert isinstance(await job.error(), asyncio.CancelledError)


async def test_a_job_behind_a_stopped_one_is_sent_again(
    pool: ProcessExecutor, tmp_path: Path
) -> None:
    pool._short.add("block")
    first = begin(pool, "block", 60.0, str(tmp_path / "begun"))
    behind = begin(pool, "echo", 2)
    await settle((tmp_path / "begun").exists)
    assert behind.begun
    cancel(pool, first)
    assert await behind.outcome() == 2
    assert isinstance(await first.error(), asyncio.CancelledError)


async def test_a_job_is_not_begun_before_its_worker_has_started(pool: ProcessExecutor) -> None:
    jobs = [begin(pool, "echo", n) for n in range(3)]
    assert not any(job.begun for job in jobs)
    assert (pool.statistics().processes, pool.statistics().queued) == (1, 3)
    cancel(pool, jobs[0])
    assert [await job.outcome() for job in jobs[1:]] == [1, 2]
    assert pool.statistics().stopped == 0


async def test_a_pool_that_cannot_start_workers_fails_what_waits(
    pool: ProcessExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr("penstock.engine.executors._forks._PROGRAM", "raise SystemExit(7)")
        jobs = [begin(pool, "echo", n) for n in range(3)]
        for job in jobs:
            error = await job.error()
            assert isinstance(error, ExecutorFailed)
            assert "exit code 7" in error.reason
    assert await call(pool, "echo", 1) == 1


async def test_a_system_without_processes_fails_what_waits(
    pool: ProcessExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_given: object, **_named: object) -> None:
        raise BlockingIOError(11, "no more processes")

    with monkeypatch.context() as patched:
        patched.setattr("penstock.engine.executors._forks.subprocess.Popen", refuse)
        error = await begin(pool, "echo").error()
    assert isinstance(error, ExecutorFailed)
    assert "no more processes" in error.reason
    assert await call(pool, "echo", 1) == 1


async def test_a_cancelled_job_behind_another_one_does_not_outlive_it(
    pool: ProcessExecutor, tmp_path: Path
) -> None:
    await call(pool, "echo")
    pool._short.add("block")
    first = begin(pool, "block", 0.1)
    behind = begin(pool, "block", 60.0, str(tmp_path / "begun"))
    assert behind.begun
    cancel(pool, behind)
    assert await first.outcome() == "slept"
    assert isinstance(await behind.error(), asyncio.CancelledError)


async def test_what_a_tool_has_started_ends_with_it(pool: ProcessExecutor, tmp_path: Path) -> None:
    begun = tmp_path / "begun"
    job = begin(pool, "begin_a_child", str(begun))
    await settle(lambda: begun.exists() and begun.read_text() != "")
    child = psutil.Process(int(begun.read_text()))
    cancel(pool, job)
    await job.error()
    await settle(lambda: not child.is_running() or child.status() == "zombie")


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV])
async def test_a_death_fails_only_the_call_that_ran(pool: ProcessExecutor, number: int) -> None:
    await call(pool, "echo")
    pool._short.add("die")
    first = begin(pool, "die", number)
    behind = begin(pool, "echo", 2)
    assert behind.begun
    error = await first.error()
    assert isinstance(error, WorkerDied)
    assert (error.tool, error.signal, error.exit_code) == ("die", number.name, None)
    assert await behind.outcome() == 2
    assert pool.statistics().died == 1


@pytest.mark.parametrize(("given", "code"), [(3, 3), (None, 0), ("text", 1)])
async def test_an_exit_ends_the_worker_only(
    pool: ProcessExecutor, given: object, code: int
) -> None:
    error = await begin(pool, "leave", given).error()
    assert isinstance(error, WorkerDied)
    assert (error.signal, error.exit_code) == ("", code)


async def test_a_worker_that_closed_its_socket_is_given_up(pool: ProcessExecutor) -> None:
    assert isinstance(await begin(pool, "close_everything").error(), WorkerDied)
    assert await call(pool, "echo", 1) == 1


async def test_a_lost_fork_server_is_replaced(pool: ProcessExecutor, tmp_path: Path) -> None:
    job = begin(pool, "block", 60.0, str(tmp_path / "begun"))
    await settle((tmp_path / "begun").exists)
    assert pool._opened is not None
    server = pool._opened._server
    assert server is not None
    (worker,) = pool._opened.processes.values()
    server.kill()
    error = await job.error()
    assert isinstance(error, ExecutorFailed)
    assert "SIGKILL" in error.reason
    await settle(lambda: not psutil.pid_exists(worker))
    assert await call(pool, "echo", 1) == 1


async def test_a_worker_is_replaced_after_many_calls(
    pool: ProcessExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "_CALLS_PER_WORKER", 2)
    seen = [await call(pool, "process_id") for _ in range(4)]
    assert seen[0] == seen[1] != seen[2] == seen[3]
    assert pool.statistics().died == 0


async def test_after_three_deaths_the_pool_waits(
    pool: ProcessExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(3):
        await begin(pool, "leave", 1).error()
    job = begin(pool, "echo", 1)
    assert not job.begun
    assert pool._pause is not None
    assert 0.0 < pool._pause.when() - asyncio.get_running_loop().time() <= 0.51
    assert await job.outcome() == 1


async def test_memory_is_bounded() -> None:
    pool = make(memory_bytes=256 * 1024 * 1024)
    assert isinstance(await begin(pool, "take_memory", 400_000_000).error(), MemoryError)
    assert await call(pool, "take_memory", 1_000) == 1_000
    assert pool.statistics().started == 2
    pool.close()


async def test_processor_seconds_are_bounded() -> None:
    pool = make(cpu_seconds=1)
    error = await begin(pool, "burn").error()
    assert isinstance(error, WorkerDied)
    assert error.signal == "SIGXCPU"
    assert "seconds of processor" in str(error)
    pool.close()


async def test_the_token_and_the_context_do_not_travel(pool: ProcessExecutor) -> None:
    tools.who.set("the caller")
    assert await call(pool, "caller") == "nobody"
    assert await call(pool, "is_cancelled") is False


async def test_what_a_tool_prints_is_seen(
    pool: ProcessExecutor, capfd: pytest.CaptureFixture[str]
) -> None:
    await call(pool, "speak", "from afar")
    assert capfd.readouterr().out == "from afar\n"


async def test_a_cancelled_error_of_a_tool_is_its_outcome(pool: ProcessExecutor) -> None:
    assert isinstance(await begin(pool, "fail_cancelled").error(), asyncio.CancelledError)


async def test_closing_ends_what_runs_and_what_waits(pool: ProcessExecutor, tmp_path: Path) -> None:
    jobs = [begin(pool, "block", 60.0, str(tmp_path / "begun")), begin(pool, "echo")]
    await settle((tmp_path / "begun").exists)
    pool.close()
    pool.close()
    assert [isinstance(await job.error(), asyncio.CancelledError) for job in jobs] == [True, True]
    assert pool.statistics().processes == 0


async def test_a_pool_that_was_forgotten_leaves_no_process() -> None:
    pool = make()
    worker = await call(pool, "process_id")
    assert isinstance(worker, int)
    pool.forget()
    await settle(lambda: not psutil.pid_exists(worker))
    await asyncio.sleep(0.01)  # the loop closes what is left of the sockets


def test_a_pool_whose_loop_is_closed_can_be_forgotten() -> None:
    loop = asyncio.new_event_loop()
    pool = make()
    worker = loop.run_until_complete(call(pool, "process_id"))
    loop.close()
    pool.forget()
    assert isinstance(worker, int)
    assert not psutil.pid_exists(worker)


def test_tools_must_be_found_by_their_name() -> None:
    def nested() -> None: ...

    for function, reason in [(nested, "nested"), (lambda: None, "lambda")]:
        with pytest.raises(ConfigError, match=reason):
            EXECUTOR.check(tool(function, name="work"))
    EXECUTOR.check(ALL["echo"])


def test_a_context_stays_at_home() -> None:
    with pytest.raises(ConfigError, match="Context"):
        EXECUTOR.check(tool(with_context))


def with_context(context: Context) -> None:
    """Wants what cannot travel."""


@pytest.mark.parametrize(("field", "value"), [("memory_bytes", 1_000), ("cpu_seconds", 0)])
def test_limits_are_checked(field: str, value: int) -> None:
    with pytest.raises(ConfigError, match=field):
        make(**{field: value})


def test_workers_have_a_default() -> None:
    assert default_workers() == len(os.sched_getaffinity(0))
