"""What `engine.statistics()` answers: frozen records of counts."""

from collections.abc import Mapping
from dataclasses import dataclass

from penstock.engine.staging import NONE_PREPARED, PreparationCounts
from penstock.results import ResultStatistics


@dataclass(frozen=True, slots=True)
class ToolCounts:
    """How the calls of one tool fared since the engine started.

    Attributes:
        ok, failed, rejected, skipped, cancelled, timeout: outcomes by status.
        attempts: times that the tool's code was started.
        in_flight: calls that have started and not ended.
        detached: of those, the ones whose outcome was delivered already.
        p50, p95, p99: quantiles of the seconds that calls took, to within 3.2 %; None before the
            first.
    """

    ok: int
    failed: int
    rejected: int
    skipped: int
    cancelled: int
    timeout: int
    attempts: int
    in_flight: int
    detached: int
    p50: float | None
    p95: float | None
    p99: float | None


@dataclass(frozen=True, slots=True)
class ThreadCounts:
    """How busy the thread pool is.

    Attributes:
        workers: threads that the pool may have.
        threads: threads that it has.
        busy: threads that run a call.
        queued: calls that wait for a thread.
        stuck: busy threads whose call was asked to end.
    """

    workers: int
    threads: int
    busy: int
    queued: int
    stuck: int


@dataclass(frozen=True, slots=True)
class ProcessCounts:
    """How busy the worker processes are.

    Attributes:
        workers: processes that the pool may have.
        processes: processes that it has, those that are just ending included.
        busy: processes that run a call.
        queued: calls that wait for a process.
        started: processes that were started so far.
        stopped: of those, the ones that were ended because their call was asked to end.
        died: of those, the ones that ended although nobody wanted it.
    """

    workers: int
    processes: int
    busy: int
    queued: int
    started: int
    stopped: int
    died: int


@dataclass(frozen=True, slots=True)
class CommandCounts:
    """How many programs run for `host="command"` tools.

    Attributes:
        workers: programs that may run at once.
        busy: programs that run.
        queued: calls that wait until fewer run.
        started: programs that were started so far.
        stopped: of those, the ones that were ended: asked to, out of time, or too talkative.
    """

    workers: int
    busy: int
    queued: int
    started: int
    stopped: int


@dataclass(frozen=True, slots=True)
class Statistics:
    """How an engine is doing.

    Attributes:
        pending: calls that the engine holds, whatever their state.
        in_flight: calls that have started and not ended.
        ready: calls that may start as soon as it is their turn.
        detached: calls that run on although their outcome was delivered.
        batches: batches that have not ended.
        timers: deadlines, timeouts and sleeps that are set.
        turns: turns of the pump so far.
        sliced: of those, the ones that ended because the slice was over.
        ended: outcomes so far.
        single: calls that ran in their caller's own task (`call`, `bind`).
        tasks_made: call tasks that were made.
        tasks_reused: calls that used one again.
        slow_inline: calls of inline tools that held the loop for over 5 ms.
        modes: calls by the host mode that ran them.
        host: the mode of `async def` tools that declare none: `call`, or `task`.
        host_reason: why that is `task`; None if it is not.
        executors: what runs jobs, by host mode: a `ThreadCounts`, `ProcessCounts` or `CommandCounts`;
            only those that were used.
        policies: how often what happened to which tool, such as `("fetch", "retry")`.
        tools: counts by tool.
        preparations: what became of what tools prepared before their calls.
        results: figures of the store of large values; None while there is none.
    """

    pending: int
    in_flight: int
    ready: int
    detached: int
    batches: int
    timers: int
    turns: int
    sliced: int
    ended: int
    single: int
    tasks_made: int
    tasks_reused: int
    slow_inline: int
    modes: Mapping[str, int]
    host: str
    host_reason: str | None
    executors: Mapping[str, object]
    policies: Mapping[tuple[str, str], int]
    tools: Mapping[str, ToolCounts]
    results: ResultStatistics | None = None
    preparations: PreparationCounts = NONE_PREPARED

    @property
    def latencies(self) -> dict[str, float]:
        """The median seconds of each tool that has run: what `Plan.explain` takes."""
        return {name: row.p50 for name, row in self.tools.items() if row.p50 is not None}
