"""What an executor is: the types of what a host hands over, of what runs it, and of each `EXECUTOR`."""

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from penstock.tools import Tool

AnyTool = Tool[..., Any]


class Job(Protocol):
    """One call, on its way through an executor. Native; its state goes one way."""

    @property
    def tool(self) -> str:
        """The name of the tool."""

    @property
    def cancelled(self) -> bool:
        """Whether the call was asked to end."""

    @property
    def withdrawn(self) -> bool:
        """Whether the call ended before anybody began it."""

    def begin(
        self,
    ) -> tuple[Callable[..., object], tuple[Any, ...], dict[str, Any] | None] | None:
        """Take the job up: `(run, (function, *values), named)`, or None if it was withdrawn.

        `run` calls a function in a copy of the call's context.
        """

    def progress(self, done: object = None, total: object = None, message: object = None) -> None:
        """Tell those who watch how far the call is; on any thread, before its end."""

    def output(self, part: object) -> None:
        """Give those who watch a part of the call's result; likewise."""

    def end(self, value: object, error: BaseException | None = None) -> Callable[[], object] | None:
        """Say how it ended, once. Returns what wakes the loop, if somebody must call it."""


def finish(job: Job, value: object, error: BaseException | None = None) -> None:
    """Say how a job ended, and wake the loop if it sleeps."""
    wake = job.end(value, error)
    if wake is not None:
        with contextlib.suppress(RuntimeError):  # a closed loop: nobody waits any more
            wake()


class Executor(Protocol):
    """Runs jobs. Everything is called on the loop's thread, except `forget`."""

    workers: int
    """How many jobs run at once; the host's gate lets four in for each."""

    def start(self, job: Job) -> None:
        """Take a job; it ends by `Job.end`. Raises what fails its call."""

    def cancel(self, job: Job) -> None:
        """A job that was begun was asked to end. It is not over before its `end`."""

    def statistics(self) -> object:
        """A frozen record of counts."""

    def close(self) -> None:
        """Stop what runs, as far as it can be stopped, and take no more. Safe to call again."""

    async def wait_closed(self) -> None:
        """After `close`: wait for what needs turns of the loop to end."""

    def forget(self) -> None:
        """As `close`, from a finalizer: on any thread, without a lock, without a running loop."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutorOptions:
    """What an engine tells its executors.

    Attributes:
        tools: those that will run here.
        workers: jobs at once, at least 1; None for what suits the machine.
        memory_bytes: memory that one process may have; None for no limit.
        cpu_seconds: seconds of processor that one call may use; None for no limit.
    """

    tools: Sequence[AnyTool] = ()
    workers: int | None = None
    memory_bytes: int | None = None
    cpu_seconds: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Factory:
    """One kind of executor.

    Attributes:
        name: the name of the module.
        modes: the host modes that it serves.
        check: raises `ConfigError` for a tool that cannot run there. Called when an engine takes
            the tool, not by `@tool`: until then its module is not complete.
        make: makes the executor of one engine; nothing starts before the first job. None if the
            host itself runs these modes.
    """

    name: str
    modes: tuple[str, ...]
    check: Callable[[AnyTool], None]
    make: Callable[[ExecutorOptions], Executor] | None
