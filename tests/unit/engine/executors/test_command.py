"""The executor of external programs, with jobs made by hand."""

import asyncio
import gc
import os
import sys
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import psutil
import pytest

from contracts.executor_jobs import FakeJob, cancel
from penstock.engine.executors import ExecutorOptions
from penstock.engine.executors.command import (
    EXECUTOR,
    Command,
    CommandExecutor,
    Completed,
    default_workers,
)
from penstock.errors import CommandFailed
from penstock.tools import tool

pytestmark = pytest.mark.real_time
SECONDS = 10.0


def run_python(code: str, argument: str = "") -> Command:
    """Run a line of Python."""
    return Command([sys.executable, "-c", code, argument])


PYTHON = tool(run_python, effects="read", name="python")
BLOCK = "import pathlib, sys, time; pathlib.Path(sys.argv[1]).touch(); time.sleep(60)"


@pytest.fixture
async def pool() -> AsyncIterator[CommandExecutor]:
    pool = CommandExecutor(ExecutorOptions(workers=2))
    before = len(os.listdir("/proc/self/fd"))
    yield pool
    pool.close()
    await pool.wait_closed()
    gc.collect()
    assert not psutil.Process().children(recursive=True)
    await settle(lambda: len(os.listdir("/proc/self/fd")) <= before + 1)


def begin(pool: CommandExecutor, *values: object) -> FakeJob:
    job = FakeJob(PYTHON, *values)
    pool.start(job)
    return job


async def settle(condition: Callable[[], bool]) -> None:
    until = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < until
        await asyncio.sleep(0.005)


async def test_the_value_is_what_became_of_the_program(pool: CommandExecutor) -> None:
    assert await begin(pool, "print(1)").outcome() == Completed(0, b"1\n", b"")


async def test_a_failing_program_fails_the_call(pool: CommandExecutor) -> None:
    error = await begin(pool, "raise SystemExit(2)").error()
    assert isinstance(error, CommandFailed)


async def test_what_the_function_raises_is_the_outcome(pool: CommandExecutor) -> None:
    def refuse() -> Command:
        raise LookupError("as asked")

    job = FakeJob(tool(refuse))
    pool.start(job)
    assert repr(await job.error()) == "LookupError('as asked')"


async def test_the_function_must_name_a_program(pool: CommandExecutor) -> None:
    job = FakeJob(tool(lambda: "ls -l", name="work"))
    pool.start(job)
    assert "returned a str" in str(await job.error())


async def test_so_many_programs_run_at_once(pool: CommandExecutor, tmp_path: Path) -> None:
    jobs = [begin(pool, BLOCK, str(tmp_path / str(n))) for n in range(3)]
    await settle(lambda: (tmp_path / "0").exists() and (tmp_path / "1").exists())
    counts = pool.statistics()
    assert (counts.busy, counts.queued, counts.started) == (2, 1, 2)
    cancel(pool, jobs[0])
    assert isinstance(await jobs[0].error(), asyncio.CancelledError)
    await settle((tmp_path / "2").exists)
    assert pool.statistics().stopped == 1
    for job in jobs[1:]:
        cancel(pool, job)
        await job.error()


async def test_a_withdrawn_job_never_runs(pool: CommandExecutor, tmp_path: Path) -> None:
    jobs = [begin(pool, BLOCK, str(tmp_path / str(n))) for n in range(3)]
    cancel(pool, jobs[2])
    assert pool.statistics().queued == 0
    for job in jobs[:2]:
        cancel(pool, job)
        await job.error()
    await begin(pool, "").outcome()
    assert not (tmp_path / "2").exists()


async def test_a_program_that_ended_in_time_keeps_its_value(pool: CommandExecutor) -> None:
    job = begin(pool, "print(1)")
    job.cancelled = True  # and nobody was told
    assert isinstance(await job.outcome(), Completed)


async def test_closing_ends_what_runs_and_what_waits(pool: CommandExecutor, tmp_path: Path) -> None:
    jobs = [begin(pool, BLOCK, str(tmp_path / str(n))) for n in range(3)]
    await settle((tmp_path / "0").exists)
    for job in jobs:
        job.cancelled = True
    pool.close()
    await pool.wait_closed()
    assert all([isinstance(await job.error(), asyncio.CancelledError) for job in jobs])
    assert pool.statistics().busy == 0


async def test_programs_of_a_forgotten_executor_end(pool: CommandExecutor, tmp_path: Path) -> None:
    job = begin(pool, BLOCK, str(tmp_path / "begun"))
    await settle((tmp_path / "begun").exists)
    pool.forget()
    assert isinstance(await job.error(), CommandFailed)


def test_workers_have_a_default() -> None:
    assert CommandExecutor(ExecutorOptions()).workers == default_workers()


def test_every_tool_may_run_a_program() -> None:
    EXECUTOR.check(PYTHON)


@pytest.mark.parametrize("stream", [True, False])
async def test_output_is_told_if_the_command_says_so(pool: CommandExecutor, stream: bool) -> None:
    def say() -> Command:
        return Command(["printf", "hello"], stream=stream)

    job = FakeJob(tool(say, host="command"))
    pool.start(job)  # type: ignore[arg-type]
    await job.outcome()
    assert job.told == (["hello"] if stream else [])
